//! Virtual time: a list of things that will happen, and a clock that jumps from one to the next.

use super::dice::Dice;
use crate::{time::Nanos, world::Clock};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Wall time when a simulation begins: 2026-01-01T00:00:00Z.
const FIRST_WALL_NANOS: i64 = 1_767_225_600_000_000_000;

/// Blocking work begins up to this much later, so that its order among other events varies.
const LONGEST_WORK_DELAY_NANOS: u64 = 2_000_000;

type Work = Box<dyn FnOnce() + Send>;

/// Clock and event list of one machine.
pub(super) struct Timeline {
    dice: Dice,
    state: Arc<Mutex<State>>,
}

struct State {
    monotonic: Duration,
    wall_offset_nanos: i64,
    next_event: u64,
    /// By time, then by the order of their making.
    events: BTreeMap<(Duration, u64), Event>,
    /// Whether a life is running that moves time when it is idle.
    running: bool,
}

enum Event {
    Wake(Waker),
    Work(Work),
}

impl Timeline {
    pub(super) fn new(dice: Dice) -> Timeline {
        let state = State {
            monotonic: Duration::ZERO,
            wall_offset_nanos: FIRST_WALL_NANOS,
            next_event: 0,
            events: BTreeMap::new(),
            running: false,
        };
        Timeline {
            dice,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// From now on time moves by [`Timeline::advance`] only.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        assert!(!state.running, "a machine lives one life at a time");
        state.running = true;
    }

    /// The life is over; returns the work that has not run yet, in order.
    pub(super) fn end(&self) -> Vec<Work> {
        let mut state = self.state.lock();
        state.running = false;
        let events = std::mem::take(&mut state.events);
        let work = |event| match event {
            Event::Work(work) => Some(work),
            Event::Wake(_) => None,
        };
        events.into_values().filter_map(work).collect()
    }

    /// Jumps to the next event and lets it happen; false when there is none.
    pub(super) fn advance(&self) -> bool {
        let mut state = self.state.lock();
        let Some(((at, _), event)) = state.events.pop_first() else {
            return false;
        };
        state.monotonic = state.monotonic.max(at);
        // Both call back into the runtime and from there perhaps into this time line.
        drop(state);
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Work(work) => run_caught(work),
        }
        true
    }

    /// Lets `work` happen soon, or at once where no life is running.
    pub(super) fn work(&self, work: Work) {
        let delay = Duration::from_nanos(self.dice.below(LONGEST_WORK_DELAY_NANOS));
        let mut state = self.state.lock();
        if !state.running {
            drop(state);
            return run_caught(work);
        }
        let at = state.monotonic + delay;
        state.insert(at, Event::Work(work));
    }

    /// Moves time by what a call takes.
    pub(super) fn pass(&self, duration: Duration) {
        self.state.lock().monotonic += duration;
    }

    pub(super) fn step_wall(&self, nanos: i64) {
        let mut state = self.state.lock();
        state.wall_offset_nanos = state.wall_offset_nanos.saturating_add(nanos);
    }

    pub(super) fn set_wall_error(&self, nanos: i64) {
        self.state.lock().wall_offset_nanos = FIRST_WALL_NANOS.saturating_add(nanos);
    }
}

/// A panic stays inside, as on a thread of its own; whoever waits for the work sees it dropped.
fn run_caught(work: Work) {
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)));
}

impl State {
    fn insert(&mut self, at: Duration, event: Event) -> (Duration, u64) {
        let key = (at, self.next_event);
        self.next_event += 1;
        self.events.insert(key, event);
        key
    }
}

impl Clock for Timeline {
    fn now(&self) -> Nanos {
        let state = self.state.lock();
        Nanos(state.wall_offset_nanos).plus(state.monotonic)
    }

    fn monotonic(&self) -> Duration {
        self.state.lock().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.state.lock();
        if !state.running {
            state.monotonic += duration;
            return Box::pin(std::future::ready(()));
        }
        let deadline = state.monotonic + duration;
        Box::pin(Sleep {
            state: self.state.clone(),
            deadline,
            event: None,
        })
    }
}

/// Completes at its deadline; takes its event along when it is dropped.
struct Sleep {
    state: Arc<Mutex<State>>,
    deadline: Duration,
    event: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = self.state.clone();
        let mut state = shared.lock();
        if state.monotonic >= self.deadline {
            return Poll::Ready(());
        }
        let event = Event::Wake(context.waker().clone());
        match self.event {
            Some(key) => {
                state.events.insert(key, event);
            }
            None => self.event = Some(state.insert(self.deadline, event)),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.event {
            // Taken out first: dropping a waker may drop a task, and with it other sleeps.
            let event = self.state.lock().events.remove(&key);
            drop(event);
        }
    }
}
