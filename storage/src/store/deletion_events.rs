//! Integration events about deletions: who deleted what, in the hash and the counts that stay of it.

use crate::{catalog::Event, deletion::Tombstone, time::Nanos};

/// The event that says that a deletion is accepted: its rows are in no view.
pub(super) const DELETION_ACCEPTED: &str = "cairn.deletion.accepted.v1";

/// The event that says that no byte of the rows is left.
pub(super) const DELETION_COMPLETED: &str = "cairn.deletion.completed.v1";

/// An integration event of this kind about a deletion.
pub(super) fn event(kind: &str, tombstone: &Tombstone, time: Nanos) -> Event {
    let rows = tombstone.deleted.values().copied();
    let body = serde_json::json!({
        "deletion": tombstone.id,
        "signal": tombstone.signal,
        "sequence": tombstone.sequence,
        "requested_by": tombstone.requested_by,
        "predicate_sha256": tombstone.predicate_sha256,
        "rows": rows.fold(0_u64, u64::saturating_add),
        "accepted": tombstone.accepted,
    });
    Event {
        kind: kind.to_string(),
        tenant: tombstone.tenant.clone(),
        time,
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests;
