//! The way onto a lane, for statements and for other work of the same rules.

use super::{
    Engine, MOST_WAITING,
    account::Account,
    delivery::{Deadline, Terms, start},
};
use crate::{
    error::{Error, Result},
    session,
    sql::{
        answer::{AnswerEnd, Part},
        lanes::TakenLane,
        run::Reply,
    },
    workplace::Workplace,
};
use cairn_storage::id::TenantId;
use futures::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::CancellationToken;

/// Who asks for work, and when it has to be done.
pub(super) struct Asked {
    pub(super) tenant: TenantId,
    /// The configured limit where `None` or longer than that.
    pub(super) deadline: Option<Duration>,
    /// Wait until requests up to this commit sequence can be seen.
    pub(super) min_sequence: Option<u64>,
}

impl Engine {
    /// The deadline of a question that is asked now, and its account.
    pub(super) fn open(
        &self,
        tenant: &TenantId,
        wanted: Option<Duration>,
    ) -> (Deadline, Arc<Account>) {
        let clock = Arc::clone(&self.store.world().clock);
        let most = Duration::from_secs(self.config.max_timeout_seconds);
        let usual = Duration::from_secs(self.config.timeout_seconds);
        let timeout = wanted.map_or(usual, |wanted| wanted.min(most));
        let account = Account::open(&self.telemetry, tenant, Arc::clone(&clock));
        let deadline = Deadline {
            end: clock.monotonic() + timeout,
            timeout,
            clock,
        };
        (deadline, account)
    }

    /// A lane, once what is to be seen can be seen.
    pub(super) async fn lane(
        &self,
        tenant: &TenantId,
        min_sequence: Option<u64>,
        deadline: &Deadline,
    ) -> Result<TakenLane> {
        if let Some(sequence) = min_sequence {
            self.wait_for_sequence(sequence, deadline).await?;
        }
        let patience = Duration::from_millis(self.config.queue_milliseconds);
        let patience = patience.min(deadline.left());
        self.lanes
            .take(tenant, patience, deadline.clock.as_ref())
            .await
    }

    async fn wait_for_sequence(&self, sequence: u64, deadline: &Deadline) -> Result<()> {
        if self.store.sequence() >= sequence {
            return Ok(());
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Error::Limited {
            what: "statements that wait for a commit sequence",
            detail: format!("{MOST_WAITING} are waiting; try again in a moment"),
        })?;
        tokio::select! {
            () = self.store.reached(sequence) => Ok(()),
            () = deadline.passed() => Err(Error::TimedOut(deadline.timeout)),
        }
    }

    /// Runs `work`, which may compute and wait, on a thread of a lane, under the rules of statements: a deadline, a place
    /// among the tenant's others, memory from the pool. Returns its value and what that is based on.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        asked: Asked,
        work: impl FnOnce(Workplace) -> Result<T> + Send + 'static,
    ) -> Result<(T, AnswerEnd)> {
        let (deadline, account) = self.open(&asked.tenant, asked.deadline);
        let begun = self.begin_work(asked, work, (&deadline, &account)).await;
        let (value, mut parts) = begun.map_err(|error| self.report(error, &account))?;
        match parts.next().await {
            Some(Ok(Part::End(end))) => {
                let lost = |_| Error::Internal("a piece of work ended without a value".to_string());
                Ok((value.await.map_err(lost)?, *end))
            }
            Some(Err(error)) => Err(error),
            _ => Err(Error::Internal(
                "a piece of work ended without an end".to_string(),
            )),
        }
    }

    async fn begin_work<T: Send + 'static>(
        &self,
        asked: Asked,
        work: impl FnOnce(Workplace) -> Result<T> + Send + 'static,
        (deadline, account): (&Deadline, &Arc<Account>),
    ) -> Result<(oneshot::Receiver<T>, Parts)> {
        let lane = self
            .lane(&asked.tenant, asked.min_sequence, deadline)
            .await?;
        let (session_parts, tenant) = (self.parts()?, asked.tenant);
        let (sender, value) = oneshot::channel();
        let (stop, timeout) = (CancellationToken::new(), deadline.timeout);
        let terms = Terms {
            deadline,
            watched: self.pressure.watch(),
            stop: stop.clone(),
            account,
        };
        let task = async move |_: Reply| {
            let session = session::open(&session_parts, &tenant);
            let report = Arc::clone(&session.report);
            // Also when this task is stopped: the thread below finds out.
            let stop = stop.child_token();
            let ended = stop.clone().drop_guard();
            let place = Workplace {
                session,
                config: session_parts.config.clone(),
                handle: Handle::current(),
                stop,
                timeout,
            };
            let world = session_parts.store.world();
            let done = world.blocking(move || work(place)).await;
            let value =
                done.map_err(|_| Error::Internal("a piece of work panicked".to_string()))??;
            let _ = sender.send(value);
            drop(ended);
            Ok(AnswerEnd {
                completeness: report.completeness(),
                ..AnswerEnd::default()
            })
        };
        let running = start(lane, task, terms);
        Ok((value, self.deliver(running, deadline, account)))
    }
}

/// What comes of work that has no rows.
type Parts = futures::stream::BoxStream<'static, Result<Part>>;
