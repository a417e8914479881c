//! `POST /api/v1/dead-letters/replay`: offers dead letters of the caller's tenant again, a page a call.
//!
//! A letter that is sound now becomes a row, and a mark in `dead_letters` says so in the same step; a letter with a
//! mark is never offered again. The others stay, and the answer says why. One call runs at a time, so that no letter
//! is offered by two, and it goes on to its end when the caller hangs up.

mod read;

use super::{body, problem::Problem, state::Api};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use axum::{Extension, Json, extract::State, http::StatusCode};
use bytes::Bytes;
use cairn_ingest::{
    error::Kind,
    replay::{Fate, Letter},
};
use cairn_storage::{append::Reason, signal::Signal};
use cairn_tenancy::principal::Principal;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a call waits for its turn: several pages' time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which letters are offered. Without anything all are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wish {
    /// Those of one signal.
    signal: Option<Signal>,
    /// Those of one reason, by its name in `dead_letters`.
    reason: Option<String>,
    /// Those received at or after this instant, as SQL reads timestamps.
    from: Option<String>,
    /// Those received before this instant.
    to: Option<String>,
    /// Those behind this one: `next` of the answer before.
    after: Option<Position>,
}

/// The place of a letter among all: row_epoch, row_sequence, row_ordinal.
type Position = (i64, i64, i32);

/// What became of a page of letters.
#[derive(Debug, Serialize)]
pub(super) struct Replay {
    offered: usize,
    replayed: usize,
    /// Those that stay dead letters, by signal and by what is wrong with them now.
    kept: Vec<Kept>,
    /// Where the next call goes on; null when all letters were offered.
    next: Option<Position>,
}

/// Letters that stay.
#[derive(Debug, Serialize)]
struct Kept {
    signal: Signal,
    reason: &'static str,
    count: u64,
    /// What is wrong with the first of them.
    detail: String,
}

/// Offers one page. Calls take turns; one that does not get its turn in time fails with 409.
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Result<Json<Replay>, Problem> {
    let wish: Wish = match body.is_empty() {
        true => Wish::default(),
        false => body::object(&body)?,
    };
    if let Some(reason) = &wish.reason
        && !Reason::ALL.iter().any(|known| known.as_str() == reason)
    {
        let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        let detail = format!("the reason {reason:?} is none of {}", known.join(", "));
        return Err(Problem::invalid(detail));
    }
    for instant in [&wish.from, &wish.to].into_iter().flatten() {
        if string_to_timestamp_nanos(instant).is_err() {
            let detail = format!(
                "from and to are instants, such as 2026-01-31T12:00:00Z, which {instant:?} is not; leave out what is open"
            );
            return Err(Problem::invalid(detail));
        }
    }
    if wish.signal == Some(Signal::DeadLetters) {
        let detail = "the signal is none of logs, metrics, spans: a dead letter is of what it should have become";
        return Err(Problem::invalid(detail));
    }
    let busy = || {
        let detail = "other dead letters are being replayed; try again when that is over";
        Problem::new(StatusCode::CONFLICT, "conflict", detail)
    };
    let turn = tokio::select! {
        turn = api.replays.clone().acquire_owned() => turn.map_err(|_| busy())?,
        () = api.world.clock.sleep(PATIENCE) => return Err(busy()),
    };
    // Detached: a request on its way into the log must be seen by the next call, whoever waits for this one.
    let page = tokio::spawn(async move {
        let done = page(&api, &principal, &wish).await;
        drop(turn);
        done
    });
    let ended = page.await;
    ended.map_err(|_| Problem::internal("the server has a bug; its log has the details"))?
}

async fn page(api: &Api, principal: &Principal, wish: &Wish) -> Result<Json<Replay>, Problem> {
    let parts = api.parts()?;
    let tenant = &principal.tenant;
    let read::Page { letters, next } = read::page(&parts.engine, tenant, wish).await?;
    let signals: Vec<Signal> = letters
        .iter()
        .map(|letter: &Letter| letter.signal)
        .collect();
    let fates = parts.pipeline.replay(tenant, letters).await;
    let fates = fates.map_err(|error| {
        tracing::warn!(%tenant, key = %principal.key_name, %error, "a replay of dead letters broke off");
        let detail = format!(
            "the replay broke off: {error}; what became a row is marked, the rest can be offered again"
        );
        match error.kind() {
            Kind::Limited => Problem::new(StatusCode::TOO_MANY_REQUESTS, "limited", detail),
            Kind::Unavailable => Problem::unavailable(detail),
            _ => Problem::internal(detail),
        }
    })?;
    let answer = answer(&signals, fates, next);
    tracing::info!(
        %tenant,
        key = %principal.key_name,
        ?wish,
        offered = answer.offered,
        replayed = answer.replayed,
        "dead letters were offered again"
    );
    Ok(Json(answer))
}

fn answer(signals: &[Signal], fates: Vec<Fate>, next: Option<Position>) -> Replay {
    let offered = fates.len();
    let mut kept: BTreeMap<(Signal, &'static str), (u64, String)> = BTreeMap::new();
    for (signal, fate) in signals.iter().zip(fates) {
        let (reason, detail) = match fate {
            Fate::Stored => continue,
            Fate::Bad { reason, detail } => (reason.as_str(), detail),
            Fate::Alone => (
                "not_kept",
                "what it stood in (resource, scope, metric) was not kept with it".to_string(),
            ),
        };
        kept.entry((*signal, reason)).or_insert((0, detail)).0 += 1;
    }
    let kept: Vec<Kept> = kept
        .into_iter()
        .map(|((signal, reason), (count, detail))| Kept {
            signal,
            reason,
            count,
            detail,
        })
        .collect();
    let staying: u64 = kept.iter().map(|kept| kept.count).sum();
    Replay {
        offered,
        replayed: offered - staying as usize,
        kept,
        next,
    }
}
