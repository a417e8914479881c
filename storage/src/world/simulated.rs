//! A seeded world: time that only moves when nothing else can, and a disk that forgets what was not fsynced.
//!
//! One `Simulation` is one machine. `run` is one life of a process on it: a single-threaded tokio runtime in
//! which sleeping and blocking work are events on a virtual time line. A life ends when its future does, or at
//! the n-th call to the disk by a kill or a power cut; the next `run` finds the disk as that end left it. The
//! same seed and the same code give the same run, call by call: see [`Simulation::trace`]. What the code under
//! test must leave alone for that: `tokio::time`, threads, `select!` without `biased`, the order of `HashMap`.

mod dice;
mod disk;
mod inode;
mod names;
mod timeline;

pub use disk::{Faults, Sabotage, Stop};

use super::{Blocking, Clock, Random, World};
use crate::time::Nanos;
use dice::Dice;
use disk::SimulatedDisk;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use timeline::Timeline;

/// A machine whose luck is a seed.
pub struct Simulation {
    dice: Arc<Dice>,
    timeline: Arc<Timeline>,
    disk: Arc<SimulatedDisk>,
}

/// How a life ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// The future completed.
    Finished(T),
    /// The process was stopped from outside; nothing of it is left but what the disk kept.
    Stopped(Stop),
}

/// The wall clock of a machine.
#[derive(Clone)]
pub struct WallClock {
    timeline: Arc<Timeline>,
}

impl WallClock {
    /// Puts the clock so far from the true time, which a machine without a fault would have.
    pub fn set_error(&self, nanos: i64) {
        self.timeline.set_wall_error(nanos);
    }
}

impl Simulation {
    /// A machine with an empty disk.
    pub fn new(seed: u64) -> Simulation {
        let dice = Arc::new(Dice::new(seed));
        let timeline = Arc::new(Timeline::new(dice.fork()));
        let disk = Arc::new(SimulatedDisk::new(dice.fork(), timeline.clone()));
        Simulation {
            dice,
            timeline,
            disk,
        }
    }

    /// The world as a process on this machine sees it.
    ///
    /// Outside of [`Simulation::run`] it works too: blocking work runs at once, and sleeping moves the time.
    pub fn world(&self) -> World {
        World {
            clock: self.timeline.clone(),
            random: self.dice.clone(),
            disk: self.disk.clone(),
            blocking: self.timeline.clone(),
        }
    }

    /// Runs `life` on a runtime of its own until it completes or is stopped, with everything it spawned.
    ///
    /// When it completes, blocking work that has begun is done to its end, as in the real world; when it is
    /// stopped, such work is lost.
    ///
    /// # Panics
    /// When nothing can ever happen again (every task waits for another), and when blocking work panics
    /// outside of `World::blocking`.
    pub fn run<F: Future>(&self, life: F) -> Ended<F::Output> {
        let root = Arc::new(Root::default());
        self.timeline.begin();
        let (timeline, disk, idle) = (self.timeline.clone(), self.disk.clone(), root.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || {
                // Called when every task waits: only now may time move.
                if disk.stopped().is_none() && !timeline.advance() {
                    idle.stuck.store(true, Ordering::Relaxed);
                }
                idle.nudge();
            })
            .build()
            .expect("a runtime without drivers needs nothing from the system");
        let ended = runtime.block_on(self.watched(life, &root));
        drop(runtime);
        let rest = self.timeline.end();
        match &ended {
            Ended::Finished(_) => rest.into_iter().for_each(|work| work()),
            Ended::Stopped(stop) => self.disk.restart(*stop),
        }
        ended
    }

    /// Polls `life` when it was woken, and looks for a stop before each poll.
    async fn watched<F: Future>(&self, life: F, root: &Arc<Root>) -> Ended<F::Output> {
        let mut life = pin!(life);
        root.awake.store(true, Ordering::Relaxed);
        std::future::poll_fn(|context| {
            *root.outer.lock() = Some(context.waker().clone());
            if let Some(stop) = self.disk.stopped() {
                return Poll::Ready(Ended::Stopped(stop));
            }
            assert!(
                !root.stuck.load(Ordering::Relaxed),
                "every task waits and nothing is left to happen; last calls:\n{}",
                self.recent().join("\n")
            );
            if !root.awake.swap(false, Ordering::Relaxed) {
                return Poll::Pending;
            }
            let waker = Waker::from(root.clone());
            life.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .map(Ended::Finished)
        })
        .await
    }

    /// Stops the process at its `calls`-th call to the disk from now: that call and all later ones fail.
    pub fn stop_after(&self, calls: u64, stop: Stop) {
        self.disk.stop_after(calls, stop);
    }

    /// Takes back what [`Simulation::stop_after`] asked for, if it has not happened yet.
    pub fn cancel_stop(&self) {
        self.disk.cancel_stop();
    }

    /// Cuts the power now, between two lives.
    pub fn cut_power(&self) {
        self.disk.restart(Stop::PowerCut);
    }

    /// How often calls to the disk fail from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.disk.set_faults(faults);
    }

    /// Takes out a protection, so that a harness can show that it would notice.
    pub fn set_sabotage(&self, sabotage: Sabotage) {
        self.disk.set_sabotage(sabotage);
    }

    /// Moves the wall clock by `nanos`, forwards or backwards; the monotonic clock goes on.
    pub fn step_wall_clock(&self, nanos: i64) {
        self.timeline.step_wall(nanos);
    }

    /// The wall clock for those who set it while a life runs.
    pub fn wall_clock(&self) -> WallClock {
        WallClock {
            timeline: self.timeline.clone(),
        }
    }

    /// Flips the bits of `mask` in one byte of a file, also in what is durable.
    ///
    /// # Panics
    /// When the file does not exist or is shorter.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) {
        self.disk.flip(path, offset, mask);
    }

    /// A number below `limit` from this machine's luck, for decisions of a harness.
    pub fn below(&self, limit: u64) -> u64 {
        self.dice.below(limit)
    }

    /// A digest of every call to the disk so far with its arguments, outcome and time.
    pub fn trace(&self) -> u64 {
        self.disk.trace()
    }

    /// Calls to the disk so far.
    pub fn calls(&self) -> u64 {
        self.disk.calls()
    }

    /// The last calls to the disk, as text.
    pub fn recent(&self) -> Vec<String> {
        self.disk.recent()
    }

    /// The wall time of this machine.
    pub fn now(&self) -> Nanos {
        self.timeline.now()
    }

    /// Lets `duration` pass, between two lives.
    pub fn pass(&self, duration: Duration) {
        self.timeline.pass(duration);
    }
}

impl Random for Dice {
    fn next(&self) -> u64 {
        self.bits()
    }
}

impl Blocking for Timeline {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        self.work(work);
    }

    fn aside(&self, work: BoxFuture<'static, ()>) {
        drop(tokio::spawn(work));
    }
}

/// The future of a life, seen from the idle hook.
#[derive(Default)]
struct Root {
    /// Whether the life's own waker was called since its last poll.
    awake: AtomicBool,
    stuck: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Root {
    /// Makes the runtime look again instead of parking; the life is polled only when it is awake.
    fn nudge(&self) {
        if let Some(waker) = self.outer.lock().clone() {
            waker.wake();
        }
    }
}

impl Wake for Root {
    fn wake(self: Arc<Root>) {
        self.awake.store(true, Ordering::Relaxed);
        self.nudge();
    }
}

#[cfg(test)]
mod tests;
