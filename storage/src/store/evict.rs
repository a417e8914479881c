//! The bound of `dead_letters`: over a tenant's bytes the oldest flushes go, counted.

use super::{bound, retire, state::State};
use crate::{
    error::Result, id::TenantId, segment::SegmentMeta, signal::Signal, telemetry::TenantLabels,
};

/// Evicts the oldest dead letters of `tenant` that are over its bytes.
pub(super) async fn evict(state: &State, tenant: &TenantId) -> Result<()> {
    let key = (tenant.clone(), Signal::DeadLetters);
    let lanes = state.lanes(&key);
    let _lane = lanes.commit.lock().await;
    let live = state.buffers.live(&key);
    let metas = live.iter().map(|segment| &segment.meta);
    let ids = bound::over(metas.clone(), state.config.dead_letter_bytes);
    if ids.is_empty() {
        return Ok(());
    }
    let evicted = metas.filter(|meta| ids.contains(&meta.id));
    let evicted: Vec<SegmentMeta> = evicted.cloned().collect();
    let rows = evicted.iter().map(|meta| meta.rows).sum();
    retire::retire(state, &key, evicted, None).await?;
    let labels = TenantLabels::new(tenant);
    state
        .telemetry
        .dead_letters_evicted_records
        .get_or_create(&labels)
        .inc_by(rows);
    Ok(())
}
