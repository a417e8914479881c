//! Buffer to local disk: freezes one tenant's signal and writes its segments, one for each event hour, as fsynced
//! files that are read from then on. Gives the memory back; the frames stay in the log until the commit.

use super::{
    buffer::{Frozen, Key, Staged},
    health::Part,
    state::{State, subject},
};
use crate::{
    error::Result,
    id::SegmentId,
    segment::{
        SegmentMeta, WalRange,
        window::{self, WindowPlan},
        write::{self, FieldIds, Identity, Target, Written},
    },
    signal::Table,
    snapshot::{BufferedRequest, LiveSegment},
    telemetry::FlushLabels,
    time::Nanos,
};
use parquet::file::metadata::ParquetMetaData;
use std::sync::{Arc, atomic::Ordering};
use ulid::Ulid;

/// Event hours of one flush that get a segment of their own; the rest makes one wide segment, so that senders of
/// absurd times can't make a million files.
const MAX_OPEN_HOURS: usize = 64;

/// Zstd's level at flush: compaction spends more.
const COMPRESSION_LEVEL: i32 = 1;

/// The shard of the log that this process writes; there is one a process.
pub(super) const SHARD: u32 = 0;

/// Stages what is open of `key` and what an earlier attempt left frozen; `false` when there was nothing.
///
/// On failure the rows stay where they are, readable, and the next call tries again.
pub(super) async fn stage(state: &State, key: &Key, reason: &'static str) -> Result<bool> {
    let lanes = state.lanes(key);
    let _lane = lanes.stage.lock().await;
    match state.buffers.freeze(key, state.monotonic(), reason) {
        Some(frozen) => stage_frozen(state, key, frozen).await.map(|()| true),
        None => Ok(false),
    }
}

/// Stages what is open of `key`, also while an earlier flush of it is being staged; at replay, where nothing is
/// committed yet.
///
/// On failure the rows stay where they are, for [`stage`].
pub(super) async fn stage_open(state: &State, key: &Key, reason: &'static str) -> Result<()> {
    match state.buffers.freeze_open(key, state.monotonic(), reason) {
        Some(frozen) => stage_frozen(state, key, frozen).await,
        None => Ok(()),
    }
}

async fn stage_frozen(state: &State, key: &Key, frozen: Arc<Frozen>) -> Result<()> {
    match write_segments(state, key, &frozen).await {
        Ok(staged) => {
            state
                .staged_bytes
                .fetch_add(staged.bytes, Ordering::Relaxed);
            state.buffers.stage(key, staged);
            state.problems.clear(Part::Flush, &subject(key));
            Ok(())
        }
        Err(error) => {
            tracing::warn!(table = subject(key), %error, "staging failed, the rows stay in the buffer");
            state.raise(Part::Flush, &subject(key), error.to_string());
            let labels = FlushLabels::new(key.1, "failed", frozen.reason);
            state.telemetry.flushes.get_or_create(&labels).inc();
            Err(error)
        }
    }
}

async fn write_segments(state: &State, key: &Key, frozen: &Frozen) -> Result<Staged> {
    let requests: Arc<[Arc<BufferedRequest>]> = frozen.rows().into();
    let (first, last) = frozen.range();
    let plans = {
        let (requests, signal) = (requests.clone(), key.1);
        state
            .world
            .blocking(move || window::plan(&requests, signal, MAX_OPEN_HOURS))
            .await??
    };
    let ids: Vec<SegmentId> = plans.iter().map(|_| segment_id(state)).collect();
    let mut segments = Vec::with_capacity(plans.len());
    for (id, plan) in ids.iter().zip(plans) {
        let identity = Identity {
            id: *id,
            tenant: key.0.clone(),
            signal: key.1,
            level: 0,
            wal: vec![WalRange {
                shard: SHARD,
                first,
                last,
            }],
            replaces: Vec::new(),
            siblings: ids.clone(),
        };
        segments.push(write_segment(state, identity, requests.clone(), plan).await?);
    }
    let digests = frozen
        .requests
        .iter()
        .filter_map(|pending| pending.digest.clone())
        .collect();
    let bytes = segments.iter().map(|segment| segment_bytes(segment)).sum();
    Ok(Staged {
        number: frozen.number,
        segments,
        digests,
        first,
        last,
        bytes,
        since: frozen.since,
        reason: frozen.reason,
    })
}

async fn write_segment(
    state: &State,
    identity: Identity,
    requests: Arc<[Arc<BufferedRequest>]>,
    plan: WindowPlan,
) -> Result<Arc<LiveSegment>> {
    let prepared = state
        .world
        .blocking(move || write::prepare(identity, &requests, plan))
        .await??;
    let field_ids = field_ids(state, prepared.promoted()).await?;
    let target = Target {
        world: state.world.clone(),
        root: state.staging_directory(),
        row_group_rows: state.config.row_group_rows,
        compression_level: COMPRESSION_LEVEL,
    };
    // Its folder must not be swept between its making and its first file.
    let folders = state.staging_folders.read().await;
    let written = state
        .world
        .blocking(move || prepared.write(&target, &field_ids))
        .await??;
    drop(folders);
    let Written { meta, footers } = written;
    keep_footers(state, &meta, footers);
    Ok(Arc::new(LiveSegment {
        meta,
        store: state.staging.clone(),
        staged: true,
    }))
}

/// Seeds the readers' cache with what was just written.
pub(super) fn keep_footers(
    state: &State,
    meta: &SegmentMeta,
    footers: Vec<(Table, Arc<ParquetMetaData>)>,
) {
    for (table, footer) in footers {
        if let Some(object) = meta.objects.iter().find(|object| object.table == table) {
            state.readers.insert_footer(&object.file.path, footer);
        }
    }
}

/// The field ids of promoted columns.
pub(super) async fn field_ids(
    state: &State,
    promoted: Vec<(Table, Vec<String>)>,
) -> Result<FieldIds> {
    let mut field_ids = FieldIds::new();
    for (table, columns) in promoted {
        let ids = state.catalog.field_ids(table, &columns).await?;
        field_ids.extend(
            columns
                .into_iter()
                .zip(ids)
                .map(|(column, id)| ((table, column), id)),
        );
    }
    Ok(field_ids)
}

/// A new id.
pub(super) fn segment_id(state: &State) -> SegmentId {
    let Nanos(nanos) = state.now();
    let random =
        u128::from(state.world.random.next()) << 64 | u128::from(state.world.random.next());
    SegmentId(Ulid::from_parts(nanos.max(0) as u64 / 1_000_000, random))
}

/// Bytes of all files of a segment.
pub(super) fn segment_bytes(segment: &LiveSegment) -> u64 {
    segment.meta.bytes()
}
