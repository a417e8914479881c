//! What one session sees: the snapshots of one tenant, each taken once, and what is noted about them.

use crate::completeness::ScanReport;
use cairn_storage::{id::TenantId, signal::Signal, snapshot::Snapshot, store::Store};
use std::sync::{Arc, OnceLock};

/// One tenant's rows as one session sees them.
pub(crate) struct Scope {
    store: Arc<Store>,
    tenant: TenantId,
    report: Arc<ScanReport>,
    /// By signal: all tables of a signal, and every scan of them, see the same snapshot.
    snapshots: [OnceLock<Arc<Snapshot>>; Signal::ALL.len()],
}

impl Scope {
    /// Tells the store which attributes a query asks for.
    pub(crate) fn note_asked(&self, signal: Signal, keys: &[String]) {
        if !keys.is_empty() {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.store.note_asked(&self.tenant, signal, &keys);
        }
    }

    /// What `tenant` has in `store`; snapshots are taken when first asked for.
    pub(crate) fn new(store: Arc<Store>, tenant: TenantId, report: Arc<ScanReport>) -> Arc<Scope> {
        Arc::new(Scope {
            store,
            tenant,
            report,
            snapshots: Default::default(),
        })
    }

    /// The snapshot of a signal.
    pub(crate) fn snapshot(&self, signal: Signal) -> Arc<Snapshot> {
        let taken = self.snapshots[signal as usize].get_or_init(|| {
            let snapshot = self.store.snapshot(&self.tenant, signal);
            assert_eq!(
                snapshot.tenant, self.tenant,
                "a snapshot is of the tenant asked for"
            );
            self.report.snapshot_taken(&snapshot);
            Arc::new(snapshot)
        });
        taken.clone()
    }

    /// The store that the snapshots are of.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Where scans note what they did.
    pub(crate) fn report(&self) -> &Arc<ScanReport> {
        &self.report
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
