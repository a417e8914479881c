//! What is counted about one statement, each thing once, however it ends.

use crate::{
    error::Kind,
    sql::answer::AnswerEnd,
    telemetry::{OutcomeLabels, Telemetry, TenantLabel},
};
use cairn_storage::{id::TenantId, world::Clock};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

/// The account of one statement. Dropped unclosed it counts as cancelled.
pub(super) struct Account {
    telemetry: Telemetry,
    tenant: String,
    clock: Arc<dyn Clock>,
    /// On the monotonic clock.
    started: Duration,
    closed: AtomicBool,
    work: AtomicU8,
}

/// Nobody waits for it in vain.
const RUNNING: u8 = 0;
/// The caller was told that the time is over, and it still runs.
const LEFT: u8 = 1;
const ENDED: u8 = 2;

impl Account {
    pub(super) fn open(
        telemetry: &Telemetry,
        tenant: &TenantId,
        clock: Arc<dyn Clock>,
    ) -> Arc<Account> {
        Arc::new(Account {
            telemetry: telemetry.clone(),
            tenant: tenant.to_string(),
            started: clock.monotonic(),
            clock,
            closed: AtomicBool::new(false),
            work: AtomicU8::new(RUNNING),
        })
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// The caller has its answer: the end of the rows, or the kind of an error.
    pub(super) fn close(&self, outcome: Result<&AnswerEnd, Kind>) {
        match outcome {
            Ok(end) => {
                self.count("ok");
                self.count_end(end);
            }
            Err(kind) => self.count(kind.name()),
        }
    }

    /// The caller was told that the time is over before the statement noticed.
    pub(super) fn leave_running(&self) {
        let left = self
            .work
            .compare_exchange(RUNNING, LEFT, Ordering::AcqRel, Ordering::Acquire);
        if left.is_ok() {
            self.telemetry.overdue.inc();
        }
    }

    /// The statement has let go of its lane's thread.
    pub(super) fn statement_ended(&self) {
        if self.work.swap(ENDED, Ordering::AcqRel) == LEFT {
            self.telemetry.overdue.dec();
        }
    }

    fn count(&self, outcome: &'static str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let labels = OutcomeLabels {
            tenant: self.tenant.clone(),
            outcome,
        };
        self.telemetry.statements.get_or_create(&labels).inc();
        self.telemetry
            .duration
            .0
            .observe(self.elapsed().as_secs_f64());
    }

    fn count_end(&self, end: &AnswerEnd) {
        let tenant = TenantLabel {
            tenant: self.tenant.clone(),
        };
        let read = &end.completeness;
        let telemetry = &self.telemetry;
        telemetry
            .segments_considered
            .get_or_create(&tenant)
            .inc_by(read.segments_considered);
        telemetry
            .segments_pruned
            .get_or_create(&tenant)
            .inc_by(read.segments_pruned);
        telemetry
            .segments_read
            .get_or_create(&tenant)
            .inc_by(read.segments_read);
        telemetry
            .bytes_read
            .get_or_create(&tenant)
            .inc_by(read.bytes_read);
        telemetry
            .answer_rows
            .get_or_create(&tenant)
            .inc_by(end.rows);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.count("cancelled");
    }
}
