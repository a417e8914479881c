//! The way in: dedupe, frame, group commit, buffer.
//!
//! [`append`] hands the frame with everything that is to become visible to the log's writer, which calls
//! [`durable`] after its fsync, in order of sequence. So a request that was begun is either durable and visible
//! or gone, whether or not anybody still waits for it.

use super::{
    health::Part,
    letters::{Fate, Origin},
    retries::{Claim, Known, Lookup, Scope},
    rows::{Counts, Rows, Seat},
    state::State,
};
use crate::{
    append::{Answer, Append, Outcome},
    budget::Reservation,
    catalog::Digest,
    error::{Error, Result},
    id::TenantId,
    signal::Signal,
    telemetry::{RecordOutcome, TableLabels},
    wal::{
        frame::Request,
        writer::{Batch, Durable, Wal},
    },
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use xxhash_rust::xxh3::xxh3_128;

/// The share of the memory budget, in percent, above which buffers are flushed whatever their size.
pub(super) const PRESSURE_PERCENT: u64 = 70;

/// What goes along with a request to the moment at which it is durable.
pub(super) struct Cargo {
    rows: Rows,
    /// `None` for requests that are not deduped.
    claim: Option<Claim>,
    reservation: Reservation,
}

/// Makes a request durable and visible. See [`super::Store::append`].
pub(super) async fn append(
    state: &State,
    wal: &Wal<Cargo>,
    append: Append,
    reservation: Reservation,
) -> Result<Outcome> {
    let started = state.monotonic();
    let table = (append.tenant.clone(), append.signal);
    let labels = TableLabels::new(&table.0, table.1);
    let payload_bytes = append.payload.len() as u64;
    let outcome = admit(state, wal, append, reservation).await;
    if outcome.is_ok() {
        state.telemetry.requests.get_or_create(&labels).inc();
        state
            .telemetry
            .payload_bytes
            .get_or_create(&labels)
            .inc_by(payload_bytes);
    }
    let took = state.monotonic().saturating_sub(started);
    state.telemetry.append_seconds.observe(took.as_secs_f64());
    outcome
}

async fn admit(
    state: &State,
    wal: &Wal<Cargo>,
    append: Append,
    reservation: Reservation,
) -> Result<Outcome> {
    check_room(state)?;
    if append.decoded.offered == 0 {
        let sequence = state.buffers.sequence();
        return Ok(Outcome {
            deduplicated: false,
            answer: Answer::of(&append.decoded),
            sequence,
        });
    }
    let digest = xxh3_128(&append.payload);
    let claim = match lookup(state, &append, digest) {
        None => None,
        Some(Lookup::New(claim)) => Some(claim),
        Some(Lookup::Known(known)) => return Ok(deduplicated(state, &append, known)),
        Some(Lookup::InFlight(first)) => {
            // Sent after the first one became visible; dropped when it failed.
            let known = first.await.map_err(|_| Error::Unavailable {
                what: "the first of two identical requests",
                detail: "it failed, and so does this one".to_string(),
            })?;
            return Ok(deduplicated(state, &append, known));
        }
    };
    let (request, cargo) = load(append, digest, claim, reservation)?;
    let answer = cargo.rows.answer.clone();
    let sequence = wal.append(request, cargo).await?;
    Ok(Outcome {
        deduplicated: false,
        answer,
        sequence,
    })
}

/// The frame of a request, and what the buffer gets once the frame is durable.
fn load(
    append: Append,
    digest: u128,
    claim: Option<Claim>,
    mut reservation: Reservation,
) -> Result<(Request, Cargo)> {
    let Append {
        tenant,
        signal,
        encoding,
        decoder_version,
        received,
        payload,
        decoded,
        refusals,
    } = append;
    let rows = Rows::new(
        Origin {
            signal,
            encoding,
            received,
            fate: Fate::Rejected,
        },
        decoded,
    )?;
    let needed = rows.memory_bytes() + payload.len() as u64;
    reservation.grow(needed.saturating_sub(reservation.bytes()))?;
    let request = Request {
        tenant,
        signal,
        encoding,
        decoder_version,
        received,
        digest,
        refusals,
        payload,
    };
    let cargo = Cargo {
        rows,
        claim,
        reservation,
    };
    Ok((request, cargo))
}

/// Refuses requests while the store closes or the disk quota is reached.
fn check_room(state: &State) -> Result<()> {
    if state.closing.load(Ordering::Relaxed) {
        return Err(Error::Unavailable {
            what: "the store",
            detail: "it is closing".to_string(),
        });
    }
    let (used, limit) = (state.disk_bytes(), state.config.disk_bytes);
    if used >= limit {
        let detail = format!("{used} of {limit} bytes are in use until segments reach the bucket");
        state.raise(Part::Disk, "quota", detail.clone());
        return Err(Error::Limited {
            what: "disk for the write-ahead log",
            detail,
        });
    }
    Ok(())
}

/// What the retry window says; `None` for a request that is not deduped.
fn lookup(state: &State, append: &Append, digest: u128) -> Option<Lookup> {
    let scope = Scope {
        tenant: append.tenant.clone(),
        signal: append.signal,
        encoding: append.encoding,
    };
    let deduped = !append.decoded.untimed;
    deduped.then(|| state.retries.claim(scope, digest, state.monotonic()))
}

fn deduplicated(state: &State, append: &Append, known: Known) -> Outcome {
    let table = (&append.tenant, append.signal);
    let offered = append.decoded.offered;
    for outcome in [RecordOutcome::Received, RecordOutcome::Deduplicated] {
        state.telemetry.count_records(table, outcome, None, offered);
    }
    Outcome {
        deduplicated: true,
        answer: known.answer,
        sequence: known.sequence,
    }
}

/// Makes requests that have just become durable visible, all of the batch in one step, and then known to retries.
pub(super) fn durable(state: &Arc<State>, batch: Batch<Cargo>) {
    let now = state.monotonic();
    let Some(last) = batch.requests.last().map(|request| request.sequence) else {
        return;
    };
    let mut visible = Vec::with_capacity(batch.requests.len());
    let mut settled = Vec::with_capacity(batch.requests.len());
    for Durable {
        sequence,
        request,
        cargo,
    } in batch.requests
    {
        count(state, (&request.tenant, request.signal), &cargo.rows.counts);
        let known = Known {
            sequence,
            answer: cargo.rows.answer.clone(),
        };
        let digest = cargo.claim.is_some().then(|| digest(&request, &known));
        let seat = Seat {
            tenant: request.tenant,
            epoch: batch.epoch,
            sequence,
        };
        visible.extend(cargo.rows.seated(&seat, cargo.reservation, digest));
        settled.extend(cargo.claim.map(|claim| (claim, known, request.received)));
    }
    let largest = state.buffers.insert(visible, last, now);
    for (claim, known, received) in settled {
        claim.settle(known, received, now);
    }
    state.wal_bytes.fetch_add(batch.bytes, Ordering::Relaxed);
    if largest >= state.config.flush_bytes || under_pressure(state) {
        state.wake.notify_one();
    }
}

/// Whether buffers take so much of the memory budget that they have to be flushed.
pub(super) fn under_pressure(state: &State) -> bool {
    state.budget.used_bytes() > state.budget.limit_bytes() / 100 * PRESSURE_PERCENT
}

/// What the catalog keeps of a request so that a retry of it is known.
pub(super) fn digest(request: &Request, known: &Known) -> Digest {
    Digest {
        tenant: request.tenant.clone(),
        signal: request.signal,
        encoding: request.encoding,
        digest: request.digest,
        received: request.received,
        sequence: known.sequence,
        answer: known.answer.clone(),
    }
}

fn count(state: &State, table: (&TenantId, Signal), counts: &Counts) {
    let telemetry = &state.telemetry;
    telemetry.count_records(table, RecordOutcome::Received, None, counts.offered);
    telemetry.count_records(table, RecordOutcome::Stored, None, counts.stored);
    for (reason, letters) in &counts.letters {
        telemetry.count_records(table, RecordOutcome::Rejected, Some(*reason), *letters);
    }
    for (reason, letters) in &counts.replayed {
        telemetry.count_records(table, RecordOutcome::Replayed, Some(*reason), *letters);
    }
    let labels = TableLabels::new(table.0, table.1);
    for (family, count) in [
        (&telemetry.replaced_text, counts.replaced_text),
        (&telemetry.duplicate_keys, counts.duplicate_keys),
        (&telemetry.invalid_ids, counts.invalid_ids),
    ] {
        if count > 0 {
            family.get_or_create(&labels).inc_by(count);
        }
    }
}

/// Takes the digest of a replayed frame in.
pub(super) fn remember(state: &State, request: &Request, known: Known, now: Duration) {
    let scope = Scope {
        tenant: request.tenant.clone(),
        signal: request.signal,
        encoding: request.encoding,
    };
    state
        .retries
        .remember((scope, request.digest), known, request.received, now);
}
