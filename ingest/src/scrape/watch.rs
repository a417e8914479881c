//! One target, scraped at every tick until it is told to stop: one scrape at a time, and each as a request that is
//! durable before the next begins.

use super::{
    board::Entry,
    client::{Ask, Client},
    fault::{Fault, may_pass},
    page::{self, Built, Page, Place},
    seen::Seen,
    target::Target,
};
use crate::{
    error::{Error, Result},
    pipeline::{Pipeline, Request},
    receiver::payload::Payload,
    telemetry::scrape::Telemetry,
};
use bytes::Bytes;
use cairn_storage::{
    append::Outcome,
    budget::Reservation,
    id::TenantId,
    signal::{Encoding, Signal},
    time::Nanos,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A scrape that begins so little beside its tick has the tick's time: regular times take less room (Prometheus).
const TOLERANCE: Duration = Duration::from_millis(2);

/// The first wait before samples are offered again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What all targets share.
pub(super) struct Shared {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) tenant: TenantId,
    pub(super) telemetry: Telemetry,
    /// A permit for each scrape that may be under way.
    pub(super) permits: Semaphore,
    /// Bytes of an answer, decompressed, and of the request that is made of it.
    pub(super) limit_bytes: u64,
}

/// A target that is scraped.
pub(super) struct Watch {
    pub(super) target: Target,
    pub(super) place: Place,
    /// Or what is wrong with its settings.
    pub(super) client: std::result::Result<Client, String>,
    /// How many targets its job has, where that is more than it may have.
    pub(super) over_limit: Option<u64>,
    pub(super) seen: Seen,
    pub(super) entry: Arc<Entry>,
    pub(super) shared: Arc<Shared>,
    /// Whether the scrape before failed, to tell of changes.
    pub(super) failed: Option<bool>,
}

/// When a scrape began.
#[derive(Debug, Clone, Copy)]
struct Began {
    /// The time of its samples.
    time: Nanos,
    monotonic: Duration,
    /// Monotonic: the samples are given up then.
    until: Duration,
}

/// What is offered to the pipeline, and the memory that it takes.
struct Offer {
    payload: Bytes,
    _memory: Reservation,
}

impl Watch {
    /// Scrapes until `stop`; gives itself back, with what it knows of the target's series.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Watch {
        let clock = self.shared.pipeline.store.world().clock.clone();
        let interval = self.target.interval;
        let wait = offset(self.target.id, clock.now(), interval);
        let mut tick = clock.monotonic() + wait;
        let mut time = clock.now().plus(wait);
        loop {
            let wait = tick.saturating_sub(clock.monotonic());
            tokio::select! {
                () = stop.cancelled() => return self,
                () = clock.sleep(wait) => {}
            }
            let shared = self.shared.clone();
            let _permit = tokio::select! {
                () = stop.cancelled() => return self,
                permit = shared.permits.acquire() => permit,
            };
            let now = clock.now();
            if now.since(time).max(time.since(now)) > interval {
                // The wall clock was set, or a scrape began very late: ticks have other times from here on.
                time = now;
            }
            let monotonic = clock.monotonic();
            let began = Began {
                time: in_millis(aligned(now, time, interval)),
                monotonic,
                // A tenth is left for the rest of the round.
                until: monotonic + interval * 9 / 10,
            };
            self.round(began, &stop).await;
            (tick, time) = self.next(tick, time, clock.monotonic());
        }
    }

    /// The tick behind `now`; those that passed meanwhile are left out.
    fn next(&self, tick: Duration, time: Nanos, now: Duration) -> (Duration, Nanos) {
        let interval = self.target.interval;
        let late = now.saturating_sub(tick).as_nanos() / interval.as_nanos().max(1);
        let late = u32::try_from(late).unwrap_or(u32::MAX);
        if late > 0 {
            self.shared.telemetry.skipped(u64::from(late));
        }
        let ahead = interval.saturating_mul(late.saturating_add(1));
        (tick + ahead, time.plus(ahead))
    }

    /// One scrape, from asking to stored.
    async fn round(&mut self, began: Began, stop: &CancellationToken) {
        let clock = self.shared.pipeline.store.world().clock.clone();
        let answer = tokio::select! {
            answer = self.ask() => answer,
            () = clock.sleep(self.target.timeout) => Err(Fault::Timeout {
                millis: self.target.timeout.as_millis(),
            }),
            () = stop.cancelled() => return,
        };
        let took = clock.monotonic().saturating_sub(began.monotonic);
        let (built, offer) = match self.build(answer, began, took).await {
            Ok(built) => built,
            Err(error) => return self.lost(began, took, (error, 0)),
        };
        match self.store(&offer, began, stop).await {
            Ok(outcome) => self.stored((began, took), built, &outcome),
            Err(error) => self.lost(began, took, (error, built.counts.added)),
        }
    }

    async fn ask(&self) -> std::result::Result<(Page, Payload), Fault> {
        let job = &self.target.job;
        if let Some(found) = self.over_limit {
            return Err(Fault::Limit {
                what: "the number of targets of the job",
                found,
                limit_name: "target_limit",
                limit: job.limits.targets,
            });
        }
        let client = self.client.as_ref().map_err(|detail| Fault::Tls {
            detail: detail.clone(),
        })?;
        let limit_bytes = match job.limits.body_bytes {
            0 => self.shared.limit_bytes,
            limit => limit.min(self.shared.limit_bytes),
        };
        let ask = Ask {
            job,
            url: &self.target.url,
            timeout: self.target.timeout,
            limit_bytes,
        };
        let store = &self.shared.pipeline.store;
        client.fetch(&ask, store.world(), store.budget()).await
    }

    /// Makes the request of a scrape. Where its samples cannot be written, of one that failed for that reason.
    async fn build(
        &mut self,
        answer: std::result::Result<(Page, Payload), Fault>,
        began: Began,
        took: Duration,
    ) -> Result<(Built, Offer)> {
        let (answer, held) = match answer {
            Ok((page, payload)) => (Ok(page), Some(payload)),
            Err(fault) => (Err(fault), None),
        };
        match self.try_build(answer, began, took).await {
            Ok(built) => Ok(built),
            Err(Error::Panicked) => Err(Error::Panicked),
            Err(error) => {
                drop(held);
                let refused = Err(Fault::Refused(error));
                self.try_build(refused, began, took).await
            }
        }
    }

    async fn try_build(
        &mut self,
        answer: std::result::Result<Page, Fault>,
        began: Began,
        took: Duration,
    ) -> Result<(Built, Offer)> {
        let budget = self.shared.pipeline.store.budget();
        // A panic takes what was known of the series with it.
        let mut seen = std::mem::replace(&mut self.seen, Seen::new(budget.empty()));
        let mut memory = budget.empty();
        let limit_bytes = self.shared.limit_bytes;
        let (place, length) = (
            self.place.clone(),
            answer.as_ref().map_or(0, |page| page.bytes.len()),
        );
        let work = move || {
            let from = (answer, began.time, took);
            let built = page::build(&place, from, &mut seen, (limit_bytes, &mut memory));
            Ok((built, seen, memory))
        };
        let (built, seen, memory) = self.shared.pipeline.run(length, work).await?;
        self.seen = seen;
        let mut built = match built {
            Ok(built) => built,
            Err(error) => {
                self.seen.lost();
                return Err(error);
            }
        };
        let offer = Offer {
            payload: std::mem::take(&mut built.payload).into(),
            _memory: memory,
        };
        Ok((built, offer))
    }

    /// Offers a request until it is stored, refused for good, or the time is over.
    async fn store(
        &self,
        offer: &Offer,
        began: Began,
        stop: &CancellationToken,
    ) -> Result<Outcome> {
        let clock = &self.shared.pipeline.store.world().clock;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.offer(offer.payload.clone()).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let over = clock.monotonic() + pause >= began.until;
            if over || stop.is_cancelled() || !may_pass(&error) {
                return Err(error);
            }
            self.shared.telemetry.retried();
            tokio::select! {
                () = clock.sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause *= 2;
        }
    }

    async fn offer(&self, payload: Bytes) -> Result<Outcome> {
        let pipeline = &self.shared.pipeline;
        let request = Request {
            tenant: self.shared.tenant.clone(),
            signal: Signal::Metrics,
            encoding: Encoding::Samples,
            payload,
            // The payload's own is held by who offers it, so that it can be offered again.
            memory: pipeline.store.budget().empty(),
        };
        pipeline.ingest(request).await
    }

    fn stored(&mut self, (began, took): (Began, Duration), built: Built, outcome: &Outcome) {
        let telemetry = &self.shared.telemetry;
        let failed = built.fault.is_some();
        self.seen.stored(failed);
        telemetry.ended(built.fault.as_ref().map(Fault::reason));
        telemetry.left_out("duplicate", built.counts.duplicates);
        telemetry.left_out("rejected", outcome.answer.rejected);
        if outcome.answer.rejected > 0 {
            let (job, instance) = self.names();
            let why = &outcome.answer.message;
            tracing::debug!(
                job,
                instance,
                rejected = outcome.answer.rejected,
                why,
                "samples of a scrape were rejected"
            );
        }
        let fault = built.fault.map(|fault| fault.to_string());
        self.tell(fault.as_deref());
        let families = (!failed).then_some(built.families);
        self.entry.note((began.time, took), fault, families);
    }

    /// Nothing of a scrape is stored, nor that it was.
    fn lost(&mut self, began: Began, took: Duration, (error, samples): (Error, u64)) {
        self.seen.lost();
        let fault = Fault::Refused(error);
        self.shared.telemetry.ended(Some(fault.reason()));
        self.shared.telemetry.left_out("refused", samples);
        let fault = fault.to_string();
        self.tell(Some(&fault));
        self.entry.note((began.time, took), Some(fault), None);
    }

    /// Logs where a target begins or ceases to fail.
    fn tell(&mut self, fault: Option<&str>) {
        let (job, instance) = self.names();
        match (self.failed, fault) {
            (Some(true), Some(fault)) => tracing::debug!(job, instance, fault, "scrape failed"),
            (_, Some(fault)) => tracing::warn!(job, instance, fault, "scrapes of a target fail"),
            (Some(true), None) => {
                tracing::info!(job, instance, "scrapes of a target succeed again")
            }
            (_, None) => {}
        }
        self.failed = Some(fault.is_some());
    }

    fn names(&self) -> (&str, &str) {
        let labels = &self.target.labels;
        (&self.target.job.name, labels.get(super::labels::INSTANCE))
    }

    /// Ends the series of a target that is not scraped any more.
    pub(super) async fn end(mut self) {
        if self.failed.is_none() {
            // It was never scraped, so it has no series.
            return;
        }
        let store = &self.shared.pipeline.store;
        let clock = store.world().clock.clone();
        let time = in_millis(clock.now());
        let mut memory = store.budget().empty();
        let to = (self.shared.limit_bytes, &mut memory);
        let ended = match page::end(&self.place, time, &mut self.seen, to) {
            Ok(payload) => {
                let offer = Offer {
                    payload: payload.into(),
                    _memory: memory,
                };
                let monotonic = clock.monotonic();
                let began = Began {
                    time,
                    monotonic,
                    until: monotonic + self.target.timeout,
                };
                self.store(&offer, began, &CancellationToken::new()).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            let (job, instance) = self.names();
            tracing::warn!(job, instance, %error, "the series of a target that is gone have no end");
        }
    }
}

/// How long a target waits for its first scrape: by a hash, so that targets do not come all at once and each has its
/// place in the interval also after a restart.
fn offset(id: u128, now: Nanos, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let passed = u128::try_from(now.0).unwrap_or(0) % interval;
    let place = id % interval;
    let wait = (place + interval - passed) % interval;
    Duration::from_nanos(u64::try_from(wait).unwrap_or(0))
}

/// The time of a scrape that begins at `now`, whose tick is `tick`.
fn aligned(now: Nanos, tick: Nanos, interval: Duration) -> Nanos {
    let beside = now.since(tick).max(tick.since(now));
    match beside <= TOLERANCE && interval > TOLERANCE * 100 {
        true => tick,
        false => now,
    }
}

/// Cut to a millisecond, as times of Prometheus are.
fn in_millis(time: Nanos) -> Nanos {
    Nanos(time.0.div_euclid(NANOS_PER_MILLI) * NANOS_PER_MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_its_place_in_the_interval() {
        let interval = Duration::from_secs(15);
        let first = Nanos(1_700_000_003_000_000_000);
        for id in [0, 7, 12_345_678_901_234_567_890_u128, u128::MAX] {
            let wait = offset(id, first, interval);
            assert!(wait < interval);
            let tick = first.plus(wait);
            // Whenever it starts anew, it is scraped at the same instants.
            let later = first.plus(Duration::from_millis(71_234));
            let again = later.plus(offset(id, later, interval));
            assert_eq!(again.since(tick).as_nanos() % interval.as_nanos(), 0);
        }
    }

    #[test]
    fn times_are_those_of_ticks_where_they_are_near() {
        let tick = Nanos(1_000_000_000_000);
        let second = Duration::from_secs(1);
        let near = tick.plus(Duration::from_micros(1_900));
        assert_eq!(aligned(near, tick, second), tick);
        let far = tick.plus(Duration::from_millis(3));
        assert_eq!(aligned(far, tick, second), far);
        assert_eq!(aligned(near, tick, Duration::from_millis(100)), near);
    }
}
