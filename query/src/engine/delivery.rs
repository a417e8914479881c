//! A statement under way: the task on its lane, and the parts on their way to the caller.

use super::account::Account;
use crate::{
    error::{Error, Result},
    sql::{
        answer::{AnswerEnd, Part},
        lanes::{Ended, TakenLane},
        pressure::Watched,
        run::Reply,
        scrub::Scrub,
    },
};
use arrow::datatypes::SchemaRef;
use cairn_storage::{store::Store, time::Nanos, world::Clock};
use futures::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Parts of an answer that wait for a slow client; the statement waits after that.
const WAITING_PARTS: usize = 2;

/// How often an ended statement looks whether tasks of its operators have ended: nothing wakes it then.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Tasks of operators that take longer than this to notice that nobody waits for them lose their lane.
const SETTLE: Duration = Duration::from_secs(5);

/// When a statement has to be done.
#[derive(Clone)]
pub(super) struct Deadline {
    /// On the monotonic clock.
    pub(super) end: Duration,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl Deadline {
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_sub(self.clock.monotonic())
    }

    pub(super) async fn passed(&self) {
        self.clock.sleep(self.left()).await;
    }

    fn now(&self) -> Nanos {
        self.clock.now()
    }
}

/// The caller's ends of a statement under way; dropping it stops the statement.
pub(super) struct Running {
    /// Comes when the statement is planned; fails when it ends before that.
    pub(super) schema: oneshot::Receiver<SchemaRef>,
    pub(super) parts: mpsc::Receiver<Result<Part>>,
    pub(super) watched: Watched,
    _stop: DropGuard,
}

/// Why a statement is not waited for any more: its time is over, or the process holds too much memory.
pub(super) async fn given_up(watched: &Watched, deadline: &Deadline) -> Error {
    tokio::select! {
        () = deadline.passed() => Error::TimedOut(deadline.timeout),
        () = watched.exceeded() => Error::TooLarge {
            what: "the memory of the server, in bytes, while this statement ran,".to_string(),
            limit: watched.limit_bytes(),
            place: None,
        },
    }
}

/// What a piece of work runs under.
pub(super) struct Terms<'a> {
    pub(super) deadline: &'a Deadline,
    pub(super) watched: Watched,
    /// Told when nobody waits for it any more.
    pub(super) stop: CancellationToken,
    pub(super) account: &'a Arc<Account>,
}

/// Starts `work` on `lane`.
pub(super) fn start<F>(
    lane: TakenLane,
    work: impl FnOnce(Reply) -> F + Send + 'static,
    terms: Terms<'_>,
) -> Running
where
    F: Future<Output = Result<AnswerEnd>> + Send + 'static,
{
    let (schema_sender, schema) = oneshot::channel();
    let (parts_sender, parts) = mpsc::channel(WAITING_PARTS);
    let (deadline, account) = (terms.deadline.clone(), Arc::clone(terms.account));
    let stopped = terms.stop.clone();
    lane.spawn(async move {
        let reply = Reply {
            schema: schema_sender,
            parts: parts_sender.clone(),
        };
        let statement = AssertUnwindSafe(async move { work(reply).await }).catch_unwind();
        let (last, ended) = tokio::select! {
            outcome = statement => match outcome {
                Ok(Ok(end)) => (Ok(Part::End(Box::new(end))), Ended::ByItself),
                Ok(Err(error)) => (Err(error), Ended::ByItself),
                Err(_) => {
                    let detail = "a statement panicked".to_string();
                    (Err(Error::Internal(detail)), Ended::Stopped)
                }
            },
            () = stopped.cancelled() => (Err(Error::TimedOut(deadline.timeout)), Ended::Stopped),
            () = deadline.passed() => (Err(Error::TimedOut(deadline.timeout)), Ended::Stopped),
        };
        // The statement and all that it held is dropped by now. A caller that is gone needs no last part, and
        // one that does not take it in time learns so from the clock.
        tokio::select! {
            _ = parts_sender.send(last) => {}
            () = stopped.cancelled() => {}
            () = deadline.passed() => {}
        }
        let ended = match ended {
            Ended::ByItself => settled(deadline.clock.as_ref()).await,
            Ended::Stopped => Ended::Stopped,
        };
        account.statement_ended();
        ended
    });
    Running {
        schema,
        parts,
        watched: terms.watched,
        _stop: terms.stop.drop_guard(),
    }
}

/// Waits until nothing of a statement is left on its lane. Operators run parts of it in tasks of their own; when
/// it fails or has enough rows these are aborted, but end, and give their memory back, only where they yield.
async fn settled(clock: &dyn Clock) -> Ended {
    let tasks = tokio::runtime::Handle::current().metrics();
    let end = clock.monotonic() + SETTLE;
    // The one that is left is this task.
    while tasks.num_alive_tasks() > 1 {
        if clock.monotonic() >= end {
            return Ended::Stopped;
        }
        clock.sleep(LOOK_AGAIN).await;
    }
    Ended::ByItself
}

/// Hands the parts on in time, whether the statement yields or not, and closes the account at the last one.
pub(super) struct Delivery {
    pub(super) running: Running,
    pub(super) deadline: Deadline,
    pub(super) account: Arc<Account>,
    pub(super) scrub: Scrub,
    pub(super) store: Arc<Store>,
}

impl Delivery {
    pub(super) fn parts(self) -> BoxStream<'static, Result<Part>> {
        let next = async |delivery: Option<Delivery>| {
            let mut delivery = delivery?;
            let part = delivery.next().await;
            let is_last = !matches!(part, Ok(Part::Rows(_)));
            Some((part, (!is_last).then_some(delivery)))
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn next(&mut self) -> Result<Part> {
        let part = tokio::select! {
            // What is there goes out first: the last part may come at the last moment.
            biased;
            part = self.running.parts.recv() => match part {
                Some(part) => part,
                None if self.deadline.left().is_zero() => {
                    Err(Error::TimedOut(self.deadline.timeout))
                }
                None => Err(Error::Internal("a statement ended without an end".to_string())),
            },
            error = given_up(&self.running.watched, &self.deadline) => {
                self.account.leave_running();
                Err(error)
            }
        };
        match part {
            Ok(Part::Rows(batch)) => Ok(Part::Rows(batch)),
            Ok(Part::End(mut end)) => {
                self.finish(&mut end);
                Ok(Part::End(end))
            }
            Err(error) => Err(report(error, &self.scrub, &self.account)),
        }
    }

    fn finish(&self, end: &mut AnswerEnd) {
        end.elapsed = self.account.elapsed();
        if end.completeness.taken == 0 {
            // No table was read: the answer holds as of now.
            end.completeness.sequence = self.store.sequence();
            end.completeness.taken = self.deadline.now().0;
        }
        self.account.close(Ok(end));
    }
}

/// Closes the account of a failed statement, and gives the error as the caller may see it: without paths, and
/// without the inside of the server where the fault is not in the statement.
pub(super) fn report(error: Error, scrub: &Scrub, account: &Account) -> Error {
    account.close(Err(error.kind()));
    error.for_caller(|text| scrub.paths(text))
}
