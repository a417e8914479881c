//! `GET /api/v1/logs/tail`: matching records as they arrive, as server-sent events.
//!
//! An event `row` is a record as JSON, its id the cursor. Where more arrive at once than are sent, an event `dropped` says
//! how many; a comment every few seconds keeps the connection known to be alive.

use super::{
    question::{Condition, Interval, Question},
    rows::{NEWEST_FIRST, columns, request},
};
use crate::api::{problem::Problem, state::Api};
use axum::{
    Extension,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use cairn_query::{
    error::Error,
    format::{Encoder, Format},
    sql::answer::Part,
};
use cairn_storage::{id::TenantId, time::Nanos};
use cairn_tenancy::principal::Principal;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// Rows that are sent at once; of more the newest.
const MOST_ROWS: u32 = 500;

/// What arrives within this time is sent together.
const GATHER: Duration = Duration::from_millis(200);

/// How far back the own time of a record may lie to be sent when it arrives.
const REACH_NANOS: i64 = 60 * 60 * 1_000_000_000;

/// Records that arrive from now on.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    // Refused now and not in the stream.
    question.condition(Interval { from: 0, to: 1 })?;
    let permit = Arc::clone(&api.tails).try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "limited",
            "too many clients follow logs; try again later",
        )
    })?;
    let after = api.parts()?.store.sequence();
    let tail = Tail {
        api,
        tenant: principal.tenant,
        question,
        after,
        _permit: permit,
    };
    let batches = stream::unfold(Some(tail), async |tail| {
        let mut tail = tail?;
        match tail.next().await {
            Ok(events) => Some((events, Some(tail))),
            Err(problem) => {
                let event = Event::default().event("error").data(problem.detail());
                Some((vec![event], None))
            }
        }
    });
    let events =
        batches.flat_map(|events| stream::iter(events.into_iter().map(Ok::<_, Infallible>)));
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// A client that follows.
struct Tail {
    api: Arc<Api>,
    tenant: TenantId,
    question: Question,
    /// Requests up to this commit sequence were looked at.
    after: u64,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    /// What arrived next; nothing, where none of it matches.
    async fn next(&mut self) -> Result<Vec<Event>, Problem> {
        let clock = Arc::clone(&self.api.world.clock);
        let store = self.api.parts()?.store;
        store.reached(self.after + 1).await;
        clock.sleep(GATHER).await;
        let through = store.sequence();
        let Nanos(now) = clock.now();
        let interval = Interval {
            from: now.saturating_sub(REACH_NANOS),
            // Clocks of senders may be ahead.
            to: now.saturating_add(REACH_NANOS),
        };
        let mut condition = self.question.condition(interval)?;
        condition.and(format!(
            "row_sequence > {} AND row_sequence <= {through}",
            self.after
        ));
        self.after = through;
        self.events(condition).await
    }

    async fn events(&self, condition: Condition) -> Result<Vec<Event>, Problem> {
        let statement = format!(
            "SELECT {}, count(*) OVER () AS matching FROM logs WHERE {} {NEWEST_FIRST} LIMIT {MOST_ROWS}",
            columns(),
            condition.sql()
        );
        let request = request(self.tenant.clone(), statement, condition);
        let answer = self.api.parts()?.engine.sql(request).await?;
        let mut encoder = Encoder::new(Format::Ndjson, &answer.schema)?;
        let mut parts = answer.parts;
        let mut rows: Vec<Value> = Vec::new();
        while let Some(part) = parts.next().await {
            if let Part::Rows(batch) = part? {
                for line in encoder.rows(&batch)?.split(|byte| *byte == b'\n') {
                    if !line.is_empty() {
                        rows.push(serde_json::from_slice(line).map_err(not_json)?);
                    }
                }
            }
        }
        let matching = rows
            .first()
            .and_then(|row| row["matching"].as_u64())
            .unwrap_or(0);
        let mut events = Vec::with_capacity(rows.len() + 1);
        let dropped = matching.saturating_sub(rows.len() as u64);
        if dropped > 0 {
            events.push(
                Event::default()
                    .event("dropped")
                    .data(json!({ "rows": dropped }).to_string()),
            );
        }
        // In the order in which they happened.
        for row in rows.iter_mut().rev() {
            if let Some(members) = row.as_object_mut() {
                members.remove("matching");
            }
            let cursor = row["cursor"].as_str().unwrap_or_default().to_owned();
            events.push(
                Event::default()
                    .event("row")
                    .id(cursor)
                    .data(row.to_string()),
            );
        }
        Ok(events)
    }
}

fn not_json(_: serde_json::Error) -> Error {
    Error::Internal("a row is no JSON".to_string())
}
