//! The way back: frames of the log above the flush marks become buffered rows again, with the same ids.
//!
//! Decodes as each frame says and never admits anew. A frame that cannot be decoded is quarantined; damage is
//! reported; neither blocks the start.

use super::{
    append::{remember, under_pressure},
    buffer::{Key, Pending},
    drain::MAX_STAGING,
    health::Part,
    letters::{Fate, Origin},
    lost::{self, Loss},
    policy::{self, Due, Load},
    retries::Known,
    rows::{Rows, Seat},
    stage::{self, SHARD},
    state::State,
};
use crate::{
    append::Decode,
    catalog::{Digest, FlushMark},
    deletion::purge::purge,
    error::{Error, Result},
    refuse,
    signal::Signal,
    telemetry::{OutcomeLabels, RecordOutcome},
    wal::{
        frame::{Frame, Request},
        replay::{Damage, DamageKind, Replay, Replayed},
    },
};
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::{self, BoxFuture, Either},
    stream::FuturesUnordered,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Payload bytes that are decoded as one piece of work: small enough that two threads finish about together.
const PIECE_BYTES: usize = 4 << 20;

/// Pieces decoded at the same time, each on a thread.
const MAX_DECODING: usize = 2;

/// The flush marks of the catalog.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<Key, u64>);

/// A frame decoded, or known to be in segments.
struct Replayable {
    request: Request,
    epoch: u64,
    sequence: u64,
    /// `None` when it was flushed.
    rows: Option<Rows>,
    untimed: bool,
    /// Why it is quarantined, if it is.
    undecodable: Option<String>,
}

impl Marks {
    pub(super) fn new(marks: &[FlushMark]) -> Marks {
        let of_shard = marks.iter().filter(|mark| mark.shard == SHARD);
        Marks(
            of_shard
                .map(|m| ((m.tenant.clone(), m.signal), m.sequence))
                .collect(),
        )
    }

    /// Whether this frame's rows of `signal` are in a committed segment.
    fn flushed(&self, request: &Request, signal: Signal, sequence: u64) -> bool {
        let mark = self.0.get(&(request.tenant.clone(), signal));
        mark.is_some_and(|mark| sequence <= *mark)
    }

    /// The highest sequence of all marks, 0 without any.
    pub(super) fn highest(&self) -> u64 {
        self.0.values().copied().max().unwrap_or(0)
    }
}

/// Replays the log into the buffers. Buffers that do not fit into the memory are staged on the way.
///
/// Three things go on at the same time: one file is read, the one before it is decoded, and earlier rows are staged.
pub(super) async fn replay(state: &Arc<State>, marks: Marks) -> Result<Replayed> {
    let marks = Arc::new(marks);
    let (world, directory) = (state.world.clone(), state.wal_directory());
    let begin = move || Replay::begin(&world, &directory, SHARD);
    let reader = state.world.blocking(begin).await??;
    let (mut reader, mut frames) = next_file(state, reader).await?;
    let mut staging: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    while let Some(read) = frames {
        let work = future::join(decode_all(state, read, &marks), next_file(state, reader));
        let (decoded, next) = alongside(work.boxed(), &mut staging).await;
        insert(state, decoded?)?;
        (reader, frames) = next?;
        if staging.len() < MAX_STAGING && under_pressure(state) {
            staging.push(stage_all(state, pressing(state)).boxed());
        }
        while state.budget.used_bytes() > state.budget.limit_bytes()
            && staging.next().await.is_some()
        {}
    }
    while staging.next().await.is_some() {}
    let replayed = reader.end();
    report(state, &marks, &replayed.damage).await?;
    Ok(replayed)
}

/// What the flushes' own policy has staged while memory is short; the log and ages do not count yet.
fn pressing(state: &State) -> Vec<Due> {
    let load = Load {
        pressure: true,
        refused_bytes: 0,
        memory_bytes: state.budget.used_bytes(),
        wal_bytes: 0,
        oldest_file_ends: 0,
    };
    let open = state.buffers.uncommitted();
    policy::due(&open, state.monotonic(), load, &state.config)
}

async fn stage_all(state: &State, due: Vec<Due>) {
    for (key, reason) in due {
        // The rows stay in memory where it fails, over the budget: new requests are refused until it works.
        let _ = stage::stage_open(state, &key, reason).await;
    }
}

/// Completes `work`, and `staging` meanwhile as far as it comes.
async fn alongside<T>(
    mut work: BoxFuture<'_, T>,
    staging: &mut FuturesUnordered<BoxFuture<'_, ()>>,
) -> T {
    while !staging.is_empty() {
        match future::select(work, staging.next()).await {
            Either::Left((done, _)) => return done,
            Either::Right((_, unfinished)) => work = unfinished,
        }
    }
    work.await
}

/// Reads the next file on a thread; `None` when there is none.
async fn next_file(state: &State, mut reader: Replay) -> Result<(Replay, Option<Vec<Frame>>)> {
    let read = move || {
        let mut frames = Vec::new();
        let more = reader.next_file(&mut |frame| {
            frames.push(frame);
            Ok(())
        })?;
        Ok::<_, Error>((reader, more.then_some(frames)))
    };
    state.world.blocking(read).await?
}

/// Decodes frames on threads, in their order.
async fn decode_all(
    state: &State,
    frames: Vec<Frame>,
    marks: &Arc<Marks>,
) -> Result<Vec<Replayable>> {
    let decode = |piece: Vec<Frame>| {
        let (decoder, marks) = (state.decode.clone(), marks.clone());
        let all = move || {
            let each = piece
                .into_iter()
                .map(|frame| decode_frame(&*decoder, &marks, frame));
            each.collect::<Result<Vec<Replayable>>>()
        };
        state.world.blocking(all)
    };
    let decoded: Vec<Result<Vec<Replayable>>> =
        futures::stream::iter(pieces(frames).into_iter().map(decode))
            .buffered(MAX_DECODING)
            .try_collect()
            .await?;
    let mut replayable = Vec::new();
    for piece in decoded {
        replayable.extend(piece?);
    }
    Ok(replayable)
}

fn pieces(frames: Vec<Frame>) -> Vec<Vec<Frame>> {
    let mut pieces = vec![Vec::new()];
    let mut bytes = 0;
    for frame in frames {
        bytes += frame.request.payload.len();
        pieces.last_mut().expect("there is always one").push(frame);
        if bytes >= PIECE_BYTES {
            bytes = 0;
            pieces.push(Vec::new());
        }
    }
    pieces
}

fn decode_frame(decoder: &dyn Decode, marks: &Marks, frame: Frame) -> Result<Replayable> {
    let Frame {
        epoch,
        sequence,
        request,
    } = frame;
    let flushed = |signal| marks.flushed(&request, signal, sequence);
    let rows_flushed = flushed(request.signal);
    let letters_flushed = flushed(Signal::DeadLetters);
    let decoded = match rows_flushed && letters_flushed {
        // Whatever it was decoded to is in segments, and the catalog knows its digest.
        true => None,
        false => Some(decode(decoder, &request)),
    };
    let (rows, untimed, undecodable) = match decoded.transpose() {
        Ok(None) => (None, false, None),
        Ok(Some((mut rows, untimed))) => {
            rows.drop_flushed(flushed);
            (Some(rows).filter(|rows| !rows.is_empty()), untimed, None)
        }
        // It could be decoded once, or was quarantined before; either way it is in a segment.
        Err(_) if rows_flushed || letters_flushed => (None, false, None),
        Err(detail) => {
            let payload = request.payload.clone();
            let rows = Rows::quarantined(origin(&request), payload, detail.clone())?;
            (Some(rows), false, Some(detail))
        }
    };
    Ok(Replayable {
        request,
        epoch,
        sequence,
        rows,
        untimed,
        undecodable,
    })
}

/// Decodes a frame's payload and applies its refusals; the error says why that is not possible.
fn decode(decoder: &dyn Decode, request: &Request) -> Result<(Rows, bool), String> {
    let Request {
        signal,
        encoding,
        decoder_version,
        received,
        payload,
        ..
    } = request;
    let refusals = &request.refusals;
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let mut decoded =
            decoder.decode(*signal, *encoding, *decoder_version, payload, *received)?;
        let ordinals: Vec<u32> = refusals.iter().map(|refusal| refusal.ordinal).collect();
        let records = match &ordinals[..] {
            [] => Vec::new(),
            ordinals => decoder.records(*signal, *encoding, payload, ordinals),
        };
        refuse::refuse(&mut decoded, refusals, records).map_err(|e| e.to_string())?;
        Ok::<_, String>(decoded)
    }));
    let decoded = decoded.unwrap_or_else(|_| Err("the decoder panicked".to_string()))?;
    let untimed = decoded.untimed;
    let rows = Rows::new(origin(request), decoded).map_err(|e| e.to_string())?;
    Ok((rows, untimed))
}

fn origin(request: &Request) -> Origin {
    Origin {
        signal: request.signal,
        encoding: request.encoding,
        received: request.received,
        fate: Fate::Rejected,
    }
}

/// Makes the frames of one file visible in one step, without rows that are deleted.
fn insert(state: &State, frames: Vec<Replayable>) -> Result<()> {
    let now = state.monotonic();
    let Some(last) = frames.last().map(|frame| frame.sequence) else {
        return Ok(());
    };
    let mut visible: Vec<(Key, Pending)> = Vec::new();
    for frame in frames {
        let Replayable {
            request,
            epoch,
            sequence,
            rows,
            untimed,
            undecodable,
        } = frame;
        let outcome = match (&undecodable, &rows) {
            (Some(_), _) => "quarantined",
            (None, Some(_)) => "replayed",
            (None, None) => "flushed",
        };
        state
            .telemetry
            .replayed_frames
            .get_or_create(&OutcomeLabels::new(outcome))
            .inc();
        if let Some(detail) = undecodable {
            quarantined(state, &request, sequence, detail);
        }
        let Some(rows) = rows else {
            continue;
        };
        let known = Known {
            sequence,
            answer: rows.answer.clone(),
        };
        let digest = (!untimed).then(|| super::append::digest(&request, &known));
        if !untimed {
            remember(state, &request, known, now);
        }
        let seat = Seat {
            tenant: request.tenant,
            epoch,
            sequence,
        };
        visible.extend(rows.seated(&seat, state.budget.empty(), digest));
    }
    for (key, pending) in &mut visible {
        purge_deleted(state, key, pending)?;
    }
    state.buffers.insert(visible, last, now);
    Ok(())
}

/// Takes out what was deleted after it came. Not counted again: it was, as long as it was in the buffer then.
fn purge_deleted(state: &State, key: &Key, pending: &mut Pending) -> Result<()> {
    let active = state.tombstones.lock().active(key);
    for tombstone in active {
        if let Some((purged, _)) = purge(&tombstone, key.1, &pending.request)? {
            pending.request = Arc::new(purged);
        }
    }
    Ok(())
}

fn quarantined(state: &State, request: &Request, sequence: u64, detail: String) {
    let (tenant, signal) = (&request.tenant, request.signal);
    tracing::error!(%tenant, %signal, sequence, detail, "a frame cannot be decoded any more");
    let subject = format!("frame {sequence} of {tenant}/{signal}");
    state.raise(
        Part::Replay,
        &subject,
        format!("quarantined in dead_letters: {detail}"),
    );
    let reason = Some(crate::append::Reason::Undecodable);
    for (outcome, reason) in [
        (RecordOutcome::Received, None),
        (RecordOutcome::Quarantined, reason),
    ] {
        state
            .telemetry
            .count_records((tenant, signal), outcome, reason, 1);
    }
}

/// Tells of damage, loudly where acknowledged bytes are concerned; what is lost is named by answers from now on.
async fn report(state: &State, marks: &Marks, damage: &[Damage]) -> Result<()> {
    let (world, log) = (state.world.clone(), state.wal_directory());
    let known = state
        .world
        .blocking(move || lost::read(&world, &log))
        .await??;
    for loss in &known {
        loss.tell(state);
        state.raise(Part::Replay, &loss.place, loss.detail.clone());
    }
    let found = damage
        .iter()
        .filter_map(|damage| report_one(state, marks, damage));
    let losses: Vec<Loss> = found
        .filter(|loss| known.iter().all(|known| known.place != loss.place))
        .collect();
    losses.iter().for_each(|loss| loss.tell(state));
    let (world, log) = (state.world.clone(), state.wal_directory());
    let keep = move || lost::keep(&world, &log, &losses);
    if let Err(error) = state.world.blocking(keep).await? {
        // This start has told of them; the next may not.
        tracing::error!(%error, "what the write-ahead log has lost could not be kept");
    }
    Ok(())
}

/// Tells of one stretch; what is lost, if acknowledged requests are.
fn report_one(state: &State, marks: &Marks, damage: &Damage) -> Option<Loss> {
    let Damage {
        file,
        offset,
        length,
        kind,
        detail,
        lost,
    } = damage;
    let flushed = lost.as_ref().is_some_and(|lost| {
        let key = (lost.tenant.clone(), lost.signal);
        marks.0.get(&key).is_some_and(|mark| lost.sequence <= *mark)
    });
    if matches!(kind, DamageKind::TornTail | DamageKind::GivenUp) || flushed {
        tracing::info!(
            file,
            offset,
            length,
            ?kind,
            detail,
            "the log holds bytes without a frame"
        );
        return None;
    }
    state
        .telemetry
        .replayed_frames
        .get_or_create(&OutcomeLabels::new("damaged"))
        .inc();
    let whose = lost.as_ref().map_or_else(String::new, |lost| {
        format!(
            "; the request {} of {}/{} is lost",
            lost.sequence, lost.tenant, lost.signal
        )
    });
    let detail = format!("{length} bytes at {offset} are damaged: {detail}{whose}");
    tracing::error!(file, detail, "the write-ahead log is damaged");
    let loss = Loss::new(damage, &detail);
    state.raise(Part::Replay, &loss.place, detail);
    matches!(kind, DamageKind::Corrupt).then_some(loss)
}

/// Takes in the digests that the catalog keeps.
pub(super) fn load_digests(state: &State, digests: Vec<Digest>) {
    let now = state.monotonic();
    for digest in digests {
        let Digest {
            tenant,
            signal,
            encoding,
            digest,
            received,
            sequence,
            answer,
        } = digest;
        let scope = super::retries::Scope {
            tenant,
            signal,
            encoding,
        };
        state
            .retries
            .remember((scope, digest), Known { sequence, answer }, received, now);
    }
}
