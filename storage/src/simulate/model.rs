//! What the clients know: every record offered, and every request that was acknowledged.

use super::{
    deleted::{Deletions, Fate},
    read::Row,
    records::{Record, encode},
    request::Request,
};
use crate::{id::TenantId, signal::Signal, time::Nanos, world::Random};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The tenants of every run.
const TENANTS: [&str; 3] = ["a", "b", "c"];

/// How far the clock of a machine whose rows expire goes back in all its lives together.
const MOST_BACK: Duration = Duration::from_secs(15 * 3_600);

/// Everything the clients know.
#[derive(Default)]
pub(super) struct Model {
    pub(super) requests: Vec<Request>,
    pub(super) deletions: Deletions,
    /// How long rows are kept; `None` for ever.
    kept: Option<Duration>,
    /// The latest time that a clock that is believed has shown.
    latest: Nanos,
    /// The row ids that were seen of each tenant's signal, and those of them that were not there later.
    seen: BTreeMap<(TenantId, Signal), Seen>,
}

/// What was acknowledged at an instant, by its number.
pub(super) struct Acknowledged {
    pub(super) requests: BTreeSet<usize>,
    deletions: BTreeSet<usize>,
}

#[derive(Default)]
struct Seen {
    there: BTreeSet<RowId>,
    gone: BTreeSet<RowId>,
}

type RowId = (u64, u64, u32);

/// What is wrong with what the store shows.
pub(super) type Wrong = String;

impl Model {
    /// Nothing was sent yet; rows are `kept` for so long, for ever without.
    pub(super) fn new(kept: Option<Duration>) -> Model {
        Model {
            kept,
            ..Model::default()
        }
    }

    /// Makes up a request; its number is its place in `requests`.
    pub(super) fn offer(&mut self, random: &dyn Random, now: Nanos) -> usize {
        let number = self.requests.len();
        let below = |limit: u64| random.next() % limit;
        let timed = below(10) > 0;
        // Untimed requests stand alone, so that their payload is their own.
        let count = 1 + below(12);
        let records = (0..count).map(|ordinal| {
            let kind = match below(20) {
                0 => "bad",
                1 => "old",
                _ => "good",
            };
            let back = Duration::from_secs(below(4 * 3_600) * below(2));
            Record {
                time: timed.then(|| now.minus(back)),
                id: format!("{kind}-{number}-{ordinal}"),
            }
        });
        let records: Vec<Record> = records.collect();
        self.requests.push(Request {
            tenant: TENANTS[below(TENANTS.len() as u64) as usize]
                .parse()
                .expect("the names are valid"),
            signal: if below(3) == 0 {
                Signal::Spans
            } else {
                Signal::Logs
            },
            payload: encode(&records),
            records,
            acknowledged: None,
            forgotten: false,
            doubtful: !timed,
            not_before: now.minus(MOST_BACK),
        });
        number
    }

    /// A clock that is believed has shown this.
    pub(super) fn passed(&mut self, now: Nanos) {
        self.latest = self.latest.max(now);
    }

    /// The catalog was lost, and the digests in it; what expired comes back until the next pass.
    pub(super) fn forget_digests(&mut self) {
        for seen in self.seen.values_mut() {
            seen.gone.clear();
        }
        for request in &mut self.requests {
            request.forgotten = true;
            request.doubtful |= request.acknowledged.is_none();
        }
    }

    /// Every tenant's signal that is looked at.
    pub(super) fn tables() -> impl Iterator<Item = (TenantId, Signal)> {
        TENANTS.into_iter().flat_map(|tenant| {
            let tenant: TenantId = tenant.parse().expect("the names are valid");
            let signals = [Signal::Logs, Signal::Spans, Signal::DeadLetters];
            signals
                .into_iter()
                .map(move |signal| (tenant.clone(), signal))
        })
    }

    /// What was acknowledged so far.
    pub(super) fn acknowledged(&self) -> Acknowledged {
        let numbered = self.requests.iter().enumerate();
        Acknowledged {
            requests: numbered
                .filter(|(_, r)| r.acknowledged.is_some())
                .map(|(number, _)| number)
                .collect(),
            deletions: self.deletions.acknowledged(),
        }
    }

    /// Compares what the store shows of one tenant's signal with what was promised: the rows of `acknowledged` are
    /// there, once, unless they were kept long enough; nothing is there twice; nothing is there that nobody sent; nothing is
    /// there again that was gone.
    pub(super) fn check(
        &mut self,
        (tenant, signal): (&TenantId, Signal),
        rows: &[Row],
        acknowledged: &Acknowledged,
    ) -> Result<(), Wrong> {
        if let Some(twice) = rows.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(format!(
                "{tenant}/{signal}: row id {:?} is there twice",
                twice[0].id
            ));
        }
        let seen = self.seen.entry((tenant.clone(), signal)).or_default();
        seen.look(rows).map_err(|id| {
            format!("{tenant}/{signal}: row id {id:?} was gone and is there again")
        })?;
        match signal {
            Signal::DeadLetters => self.check_letters(tenant, rows, acknowledged),
            _ => self.check_rows((tenant, signal), rows, acknowledged),
        }
    }

    fn check_rows(
        &self,
        (tenant, signal): (&TenantId, Signal),
        rows: &[Row],
        acknowledged: &Acknowledged,
    ) -> Result<(), Wrong> {
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for row in rows {
            *found.entry(&row.record).or_default() += 1;
        }
        for (number, request) in self.requests.iter().enumerate() {
            if (&request.tenant, request.signal) != (tenant, signal) {
                continue;
            }
            let (kept, _) = request.outcomes();
            let mut counts: BTreeSet<u64> = BTreeSet::new();
            for record in request
                .records
                .iter()
                .filter(|r| kept.contains(&r.id.as_str()))
            {
                let count = found.remove(record.id.as_str()).unwrap_or(0);
                match self
                    .deletions
                    .fate(request, &record.id, &acknowledged.deletions)
                {
                    Fate::Stays => {}
                    Fate::InDoubt => continue,
                    Fate::Gone if count == 0 => continue,
                    Fate::Gone => {
                        let id = &record.id;
                        return Err(format!("{tenant}/{signal}: {id} was deleted and is there"));
                    }
                }
                // Each goes at its time, and what is not there tells nothing of the others.
                if count > 0 || !request.may_be_gone(record, self.kept, self.latest) {
                    counts.insert(count);
                }
            }
            let promised = acknowledged.requests.contains(&number);
            let right = counts
                .iter()
                .all(|count| *count == 1 || (*count == 0 && !promised));
            // Such a request may have been stored at each attempt.
            let in_doubt = request.doubtful;
            let at_least = counts.iter().all(|count| *count >= 1 || !promised);
            if counts.len() > 1 || !(right || (in_doubt && at_least)) {
                return Err(format!(
                    "{tenant}/{signal}: the records of request {number} (acknowledged: {promised}) are there {counts:?} times"
                ));
            }
        }
        match found.first_key_value() {
            Some((record, _)) => Err(format!("{tenant}/{signal}: nobody sent {record}")),
            None => Ok(()),
        }
    }

    /// Dead letters have no id of the record: they are counted by the request whose frame they came from.
    fn check_letters(
        &self,
        tenant: &TenantId,
        rows: &[Row],
        acknowledged: &Acknowledged,
    ) -> Result<(), Wrong> {
        let mut by_sequence: BTreeMap<u64, usize> = BTreeMap::new();
        for row in rows {
            *by_sequence.entry(row.id.1).or_default() += 1;
        }
        for number in &acknowledged.requests {
            let request = &self.requests[*number];
            let Some(sequence) = request.acknowledged.filter(|_| request.tenant == *tenant) else {
                continue;
            };
            let (_, lost) = request.outcomes();
            let found = by_sequence.get(&sequence).copied().unwrap_or(0);
            if found != lost.len() {
                return Err(format!(
                    "{tenant}: request {number} (sequence {sequence}) has {found} dead letters, not {}",
                    lost.len()
                ));
            }
        }
        Ok(())
    }
}

impl Seen {
    /// Notes what is there; the first row that was gone already, if there is one.
    fn look(&mut self, rows: &[Row]) -> Result<(), RowId> {
        let there: BTreeSet<RowId> = rows.iter().map(|row| row.id).collect();
        if let Some(again) = there.intersection(&self.gone).next() {
            return Err(*again);
        }
        self.gone.extend(self.there.difference(&there));
        self.there = there;
        Ok(())
    }
}
