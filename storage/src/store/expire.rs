//! Retention: a segment goes, as a whole, when its newest row has been kept long enough.
//!
//! A row is kept from its own time or from its arrival, whichever is later. So rows of last year that arrive today, and
//! rows whose sender thinks that it is 1970, stay as long as any other; what lies ahead stays until its time has come and
//! gone (`ingest.max_future_seconds` says how far ahead that can be). All segments of a flush have the same arrival.
//!
//! The wall clock decides, and a wrong one would remove everything: `clock` says when it is to be believed.

use super::{
    buffer::Key,
    clock,
    health::Part,
    retire,
    state::{State, subject},
};
use crate::{
    error::Result,
    segment::SegmentMeta,
    telemetry::{ExpiredLabels, RETENTION},
    time::Nanos,
};
use std::time::Duration;

/// From one pass to the next.
const INTERVAL: Duration = Duration::from_secs(60);

/// Segments that one pass retires at most; more than a minute brings.
const MAX_SEGMENTS: usize = 1_024;

/// The event that says that a segment is not read any more and that its objects are about to go.
pub const SEGMENT_EXPIRED: &str = "cairn.segment.expired.v1";

/// When a segment expires whose rows are kept for `retention`; `None` never.
pub(super) fn expires(meta: &SegmentMeta, retention: Option<Duration>) -> Option<Nanos> {
    let kept_from = meta.time.max.max(meta.arrived());
    Some(kept_from.plus(retention?))
}

/// Whether it is time for a [`pass`].
pub(super) fn is_due(state: &State) -> bool {
    state.passes.lock().next <= state.monotonic()
}

/// Retires what has expired, of every tenant and signal.
pub(super) async fn pass(state: &State) {
    state.passes.lock().next = state.monotonic() + INTERVAL;
    if !is_believed(state).await {
        return;
    }
    let now = state.now();
    let mut left = MAX_SEGMENTS;
    for key in state.buffers.keys() {
        match expire(state, &key, now, left).await {
            Ok(retired) => left -= retired,
            // Nothing but space depends on it, and the next pass tries again.
            Err(error) => {
                tracing::warn!(table = subject(&key), %error, "expired segments stay for now");
            }
        }
    }
}

/// Whether the wall clock is to be believed; says in health what to do where it is not.
async fn is_believed(state: &State) -> bool {
    let (world, folder) = (&state.world, &state.config.data_dir);
    // Taken out for the time of the look: there is one pass at a time.
    let known = state.passes.lock().trust.take();
    let mut trust = match known {
        Some(trust) => trust,
        None => {
            let segments = state.buffers.segments();
            let newest = segments.iter().map(|segment| segment.meta.id.time()).max();
            clock::load(world, folder, newest).await
        }
    };
    let (now, monotonic) = (state.now(), state.monotonic());
    let expected = trust.expected(monotonic);
    let doubted = trust.look(now, monotonic);
    if let Err(error) = clock::keep(world, folder, &mut trust).await {
        // The older file is as good, but for the last minutes.
        tracing::warn!(%error, "the next start knows less of the wall clock");
    }
    state.passes.lock().trust = Some(trust);
    let Some(left) = doubted else {
        state.problems.clear(Part::Retention, CLOCK);
        return true;
    };
    let detail = format!(
        "the wall clock says {} and should say about {}: no rows are removed. If it is wrong, set it. If it is right, \
         because the server was off or asleep for so long, there is nothing to do: retention goes on when the server \
         has run for {} more minutes",
        now.to_text(),
        expected.to_text(),
        left.as_secs().div_ceil(60),
    );
    if !state.problems.has(Part::Retention) {
        tracing::error!(detail, "retention waits");
    }
    state.raise(Part::Retention, CLOCK, detail);
    false
}

/// What a clock that is not believed concerns, in health.
const CLOCK: &str = "clock";

/// Retires what has expired of one tenant's signal, `most` segments at most and the oldest first; returns how many.
async fn expire(state: &State, key: &Key, now: Nanos, most: usize) -> Result<usize> {
    let retention = state.config.retention(&key.0, key.1);
    let lanes = state.lanes(key);
    // Who has it may be waiting for the bucket: the others do not wait for that.
    let Ok(_lane) = lanes.commit.try_lock() else {
        return Ok(0);
    };
    let live = state.buffers.live(key);
    let expired = live.iter().filter_map(|segment| {
        let at = expires(&segment.meta, retention)?;
        (at <= now).then_some((at, &segment.meta))
    });
    let mut expired: Vec<(Nanos, &SegmentMeta)> = expired.collect();
    expired.sort_by_key(|(at, meta)| (*at, meta.id));
    expired.truncate(most);
    if expired.is_empty() {
        return Ok(0);
    }
    let segments: Vec<SegmentMeta> = expired.iter().map(|(_, meta)| (*meta).clone()).collect();
    let rows: u64 = segments.iter().map(|meta| meta.rows).sum();
    let bytes: u64 = segments.iter().map(SegmentMeta::bytes).sum();
    let count = segments.len();
    retire::retire(state, key, segments, Some(SEGMENT_EXPIRED)).await?;
    let labels = ExpiredLabels::new(&key.0, key.1, RETENTION);
    let telemetry = &state.telemetry;
    telemetry.expired_rows.get_or_create(&labels).inc_by(rows);
    telemetry.expired_bytes.get_or_create(&labels).inc_by(bytes);
    tracing::info!(
        table = subject(key),
        segments = count,
        rows,
        bytes,
        "expired"
    );
    Ok(count)
}
