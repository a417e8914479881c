//! Where messages of every socket go in: batches to the pipeline, again and again where that can help.

use super::batch::Batch;
use crate::{
    dialect::{Source, instant::Zone, syslog::Received},
    error::Result,
    pipeline::Foreign,
    receiver::intake::Intake,
    reply::ErrorReply,
    telemetry::Protocol,
};
use bytes::Bytes;
use cairn_storage::{id::TenantId, signal::Signal, world::Clock};
use http::StatusCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What all sockets share.
pub(super) struct Inlet {
    pub(super) intake: Arc<Intake>,
    tenant: TenantId,
    zone: Zone,
    pub(super) max_message_bytes: usize,
}

impl Inlet {
    pub(super) fn new(
        intake: Arc<Intake>,
        tenant: TenantId,
        zone: Zone,
        max_message_bytes: usize,
    ) -> Inlet {
        Inlet {
            intake,
            tenant,
            zone,
            max_message_bytes,
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.intake.clock()
    }

    /// A batch without messages.
    pub(super) fn batch(&self) -> Batch {
        Batch::new(self.intake.store.budget().empty())
    }

    /// Counts messages that are lost.
    pub(super) fn dropped(&self, protocol: Protocol, reason: &'static str, messages: usize) {
        let whose = (&self.tenant, protocol);
        self.intake
            .telemetry
            .dropped(whose, reason, messages as u64);
    }

    /// Stores a batch; tries again until it is stored, it can never be, or the shutdown lets it try a last time.
    pub(super) async fn store(
        &self,
        protocol: Protocol,
        batch: Batch,
        shutdown: &CancellationToken,
    ) {
        let Batch {
            bytes,
            messages,
            memory,
            ..
        } = batch;
        let count = messages.len();
        let payload = Bytes::from(bytes);
        let received = Received {
            messages: Arc::new(messages),
            zone: self.zone,
        };
        loop {
            let is_last = shutdown.is_cancelled();
            let Err(reply) = self.offer(protocol, &payload, &received).await else {
                break;
            };
            let (reason, after) = match reply {
                (reason, None) => (reason, None),
                (_, Some(_)) if is_last => ("shutdown", None),
                (reason, after) => (reason, after),
            };
            let Some(after) = after else {
                self.dropped(protocol, reason, count);
                break;
            };
            tokio::select! {
                () = self.clock().sleep(after) => {}
                () = shutdown.cancelled() => {}
            }
        }
        drop(memory);
    }

    /// Offers a batch once. An error is the reason, and when to try again where that can help.
    async fn offer(
        &self,
        protocol: Protocol,
        payload: &Bytes,
        received: &Received,
    ) -> std::result::Result<(), (&'static str, Option<std::time::Duration>)> {
        let exchange = self.intake.begin(protocol, Signal::Logs);
        self.intake.is_of(&exchange, &self.tenant);
        self.intake.count_plain(&exchange, payload.len() as u64);
        let foreign = Foreign {
            tenant: self.tenant.clone(),
            source: Source::Syslog(received.clone()),
            payload: payload.clone(),
            // The batch has paid.
            memory: self.intake.store.budget().empty(),
        };
        let done: Result<_> = self.intake.pipeline.ingest_foreign(foreign).await;
        match done {
            Ok(_) => {
                self.intake
                    .end(&exchange, StatusCode::OK.as_u16().into(), None);
                Ok(())
            }
            Err(error) => {
                let reply = ErrorReply::of(&error);
                self.intake
                    .end(&exchange, reply.http.as_u16().into(), Some(&error));
                Err((error.reason(), reply.retry_after))
            }
        }
    }
}
