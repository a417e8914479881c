//! Threads for statements: each running statement has a lane, a small runtime of its own.
//!
//! Planning and operators may use the processor for long without yielding. On shared threads one such statement
//! would stop all others, or ingest; on a lane it stops itself, and the operating system shares out the
//! processors. Stacks are 16 MiB, as planning recurses. The number of lanes is the number of statements that run
//! at the same time; a lane whose statement ignores its end counts until its threads have ended.

use crate::error::{Error, Result};
use cairn_storage::{id::TenantId, world::Clock};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Runtime, sync::Notify};

/// Holds 1,000 nested expressions through parsing, planning and optimizing, debug builds included; only touched
/// pages are real.
const STACK_BYTES: usize = 16 << 20;

/// How far the threads of statements stand back where processors are short (nice 5: a quarter beside one at 0): requests
/// are acknowledged in time whatever is asked.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// How often a waiting statement looks whether threads of a stopped one have ended: nothing wakes it then.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All lanes of a process.
pub(crate) struct Lanes {
    limits: LaneLimits,
    state: Mutex<State>,
    freed: Notify,
}

/// How many statements run at the same time, and on how many threads each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneLimits {
    pub(crate) lanes: usize,
    pub(crate) per_tenant: usize,
    pub(crate) threads: usize,
}

#[derive(Default)]
struct State {
    /// Ready to be taken.
    free: Vec<Lane>,
    /// Taken by a statement.
    taken: usize,
    /// Shut down, with the number of threads that have not ended.
    ending: Vec<Arc<AtomicUsize>>,
    tenants: HashMap<TenantId, usize>,
}

struct Lane {
    /// Taken by the destructor only.
    runtime: Option<Runtime>,
    /// Threads that have not ended.
    threads: Arc<AtomicUsize>,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an answer or an error; nothing of it runs any more.
    ByItself,
    /// It was stopped, and parts of it may not have noticed yet.
    Stopped,
}

/// A lane in use. Dropping it gives the lane up.
pub(crate) struct TakenLane {
    /// Taken by [`TakenLane::finish`] only.
    lane: Option<Lane>,
    lanes: Arc<Lanes>,
    tenant: TenantId,
}

impl Lanes {
    pub(crate) fn new(limits: LaneLimits) -> Arc<Lanes> {
        Arc::new(Lanes {
            limits,
            state: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Takes a lane for a statement of `tenant`, waiting up to `patience` for one.
    pub(crate) async fn take(
        self: &Arc<Lanes>,
        tenant: &TenantId,
        patience: Duration,
        clock: &dyn Clock,
    ) -> Result<TakenLane> {
        let start = clock.monotonic();
        loop {
            // Registered before the look, so that a lane freed in between is not missed.
            let freed = self.freed.notified();
            let full = match self.try_take(tenant)? {
                Ok(lane) => return Ok(lane),
                Err(full) => full,
            };
            let left = patience.saturating_sub(clock.monotonic().saturating_sub(start));
            if left.is_zero() {
                return Err(full);
            }
            tokio::select! {
                () = freed => {}
                () = clock.sleep(left.min(LOOK_AGAIN)) => {}
            }
        }
    }

    /// A lane, or why there is none now.
    fn try_take(self: &Arc<Lanes>, tenant: &TenantId) -> Result<Result<TakenLane>> {
        let free = {
            let mut state = self.state.lock();
            state
                .ending
                .retain(|threads| threads.load(Ordering::Acquire) > 0);
            let running = state.tenants.get(tenant).copied().unwrap_or(0);
            if running >= self.limits.per_tenant {
                return Ok(Err(full(
                    "statements of this tenant",
                    self.limits.per_tenant,
                )));
            }
            if state.taken + state.ending.len() >= self.limits.lanes {
                return Ok(Err(full("statements of all tenants", self.limits.lanes)));
            }
            state.taken += 1;
            *state.tenants.entry(tenant.clone()).or_default() += 1;
            state.free.pop()
        };
        let lane = match free {
            Some(lane) => lane,
            None => {
                Lane::new(self.limits.threads).inspect_err(|_| self.give_back(tenant, |_| ()))?
            }
        };
        let (lanes, tenant) = (Arc::clone(self), tenant.clone());
        Ok(Ok(TakenLane {
            lane: Some(lane),
            lanes,
            tenant,
        }))
    }

    /// Lanes in use, and lanes given up whose threads have not ended.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let mut state = self.state.lock();
        state
            .ending
            .retain(|threads| threads.load(Ordering::Acquire) > 0);
        (state.taken, state.ending.len())
    }

    fn give_back(&self, tenant: &TenantId, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        state.taken -= 1;
        if let Some(running) = state.tenants.get_mut(tenant) {
            *running -= 1;
            if *running == 0 {
                state.tenants.remove(tenant);
            }
        }
        change(&mut state);
        drop(state);
        self.freed.notify_waiters();
    }
}

fn full(what: &'static str, limit: usize) -> Error {
    let detail = format!("{limit} are running; try again in a moment");
    Error::Limited { what, detail }
}

impl Lane {
    fn new(threads: usize) -> Result<Lane> {
        let count = Arc::new(AtomicUsize::new(0));
        let (started, stopped) = (Arc::clone(&count), Arc::clone(&count));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(move || {
                stand_back();
                started.fetch_add(1, Ordering::AcqRel);
            })
            .on_thread_stop(move || {
                stopped.fetch_sub(1, Ordering::AcqRel);
            })
            .enable_all()
            .build()
            .map_err(|error| Error::Internal(format!("starting threads for a query: {error}")))?;
        Ok(Lane {
            runtime: Some(runtime),
            threads: count,
        })
    }
}

/// Lowers the priority of this thread. Linux means the calling thread by no process id, others the whole process.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread for statements keeps its priority");
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing: this may run on an async thread, even one of the lane itself.
            runtime.shutdown_background();
        }
    }
}

impl TakenLane {
    /// Runs `future` on the lane, to its end even when nobody waits for it. The lane is used again if the
    /// statement ended by itself.
    pub(crate) fn spawn(self, future: impl Future<Output = Ended> + Send + 'static) {
        let runtime = self.lane.as_ref().and_then(|lane| lane.runtime.as_ref());
        let runtime = runtime.expect("a taken lane has a runtime until it is given back");
        runtime.handle().clone().spawn(async move {
            match future.await {
                Ended::ByItself => self.finish(),
                Ended::Stopped => drop(self),
            }
        });
    }

    /// Gives the lane back, its statement having ended by itself.
    fn finish(mut self) {
        if let Some(lane) = self.lane.take() {
            self.lanes
                .give_back(&self.tenant, |state| state.free.push(lane));
        }
    }
}

impl Drop for TakenLane {
    /// The statement was stopped: parts of it may still hold threads, so the lane is not used again.
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            let threads = Arc::clone(&lane.threads);
            drop(lane);
            self.lanes
                .give_back(&self.tenant, |state| state.ending.push(threads));
        }
    }
}

#[cfg(test)]
mod tests;
