//! Makes a process that just started ready for its first statements.
//!
//! Of a program that has just been started little is in memory: the first statement waits for the disk to bring in planner,
//! operators and decoders, page by page, and for a footer of each segment. Statements over the last second of the
//! newest rows bring them in before anybody waits.

use super::{Account, Deadline, Engine, SqlRequest};
use crate::{
    error::Result,
    format::{Encoder, Format},
    sql::answer::Part,
    telemetry::Telemetry,
};
use cairn_storage::{id::TenantId, signal::Signal, time::Nanos};
use futures::StreamExt;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// The kinds of questions that people begin with, over rows since an instant.
pub(super) const LOGS: [&str; 4] = [
    "SELECT service_name, attributes['http.route'], date_trunc('minute', timestamp), count(*), max(severity_number) \
     FROM logs WHERE timestamp >= {since} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 10",
    "SELECT * FROM logs WHERE timestamp >= {since} AND severity_number >= 0 ORDER BY timestamp DESC LIMIT 10",
    "SELECT count(*) FROM logs WHERE timestamp >= {since} AND body LIKE '%timeout%'",
    "SELECT * FROM logs WHERE timestamp >= {since} AND trace_id = '00000000000000000000000000000001'",
];

/// As [`LOGS`].
pub(super) const SPANS: [&str; 1] = [
    "SELECT service_name, name, count(*), avg(duration_ns) FROM spans WHERE timestamp >= {since} \
     GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 10",
];

/// How much before the newest row.
const STRETCH: Duration = Duration::from_secs(1);

/// A bucket that takes longer than this for a question is not waited for.
const LIMIT: Duration = Duration::from_secs(10);

impl Engine {
    /// Reads the footers of the newest segments and asks a few small questions whose answers nobody sees. They
    /// are not counted as statements, and they give way where lanes are taken.
    pub async fn warm_up(&self) {
        let clock = Arc::clone(&self.store.world().clock);
        let began = clock.monotonic();
        let footers = self.store.read_footers().await;
        for (signal, statements) in [(Signal::Logs, &LOGS[..]), (Signal::Spans, &SPANS[..])] {
            let Some((tenant, newest)) = self.newest(signal) else {
                continue;
            };
            let since = newest.0.saturating_sub(STRETCH.as_nanos() as i64);
            let since = format!("to_timestamp_nanos({since})");
            for statement in statements {
                let statement = statement.replace("{since}", &since);
                if let Err(error) = self.ask_unseen(&tenant, statement).await {
                    tracing::debug!(%error, "a question to warm up was not answered");
                }
            }
        }
        let took_seconds = (clock.monotonic() - began).as_secs_f64();
        tracing::debug!(footers, took_seconds, "warmed up");
    }

    /// The tenant with the newest segment of a signal, and the newest instant in it.
    fn newest(&self, signal: Signal) -> Option<(TenantId, Nanos)> {
        let of_tenant = |tenant: TenantId| {
            let snapshot = self.store.snapshot(&tenant, signal);
            let newest = snapshot.segments.first()?.meta.time.max;
            Some((tenant, newest))
        };
        let tenants = self.store.tenants().into_iter();
        tenants
            .filter_map(of_tenant)
            .max_by_key(|(_, newest)| *newest)
    }

    async fn ask_unseen(&self, tenant: &TenantId, statement: String) -> Result<()> {
        let clock = Arc::clone(&self.store.world().clock);
        // Not registered: nobody asked, so nothing is to be counted.
        let account = Account::open(&Telemetry::default(), tenant, Arc::clone(&clock));
        let deadline = Deadline {
            end: clock.monotonic() + LIMIT,
            timeout: LIMIT,
            clock,
        };
        let request = SqlRequest {
            tenant: tenant.clone(),
            statement,
            parameters: Value::Null,
            deadline: None,
            max_rows: None,
            min_sequence: None,
        };
        let mut answer = self.begin(request, &deadline, &account).await?;
        let mut encoders = [Format::Json, Format::Arrow].map(|f| Encoder::new(f, &answer.schema));
        while let Some(part) = answer.parts.next().await {
            let part = part?;
            for encoder in encoders.iter_mut().flatten() {
                match &part {
                    Part::Rows(batch) => drop(encoder.rows(batch)?),
                    Part::End(end) => drop(encoder.end(end)?),
                }
            }
        }
        Ok(())
    }
}
