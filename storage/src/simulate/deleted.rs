//! What the clients know of deletions: which records, and from which request on it is sure that they are gone.

use super::request::Request;
use crate::{
    deletion::{Condition, Field, Predicate},
    id::TenantId,
    signal::Signal,
    world::Random,
};
use std::collections::BTreeSet;

/// Records that one deletion names at most.
const MOST_RECORDS: u64 = 4;

/// A deletion as the client that asked for it knows it.
pub(super) struct Deletion {
    tenant: TenantId,
    signal: Signal,
    ids: BTreeSet<String>,
    /// Up to which sequence, once it was acknowledged.
    sequence: Option<u64>,
}

/// All deletions, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Deletions {
    all: Vec<Deletion>,
    /// Those that were acknowledged, by their place.
    acknowledged: BTreeSet<usize>,
}

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody deleted it.
    Stays,
    /// It may be gone.
    InDoubt,
    Gone,
}

impl Deletions {
    /// Makes up a deletion of some records that become rows; its number, and what to ask the store for. `None` where nothing
    /// was sent yet.
    pub(super) fn offer(
        &mut self,
        requests: &[Request],
        random: &dyn Random,
    ) -> Option<(usize, TenantId, Signal, Predicate)> {
        let below = |limit: usize| (random.next() % limit.max(1) as u64) as usize;
        let one = requests.get(below(requests.len()))?;
        let mut ids = BTreeSet::new();
        for _ in 0..=random.next() % MOST_RECORDS {
            let other = &requests[below(requests.len())];
            let record = &other.records[below(other.records.len())];
            let is_of_table = (&other.tenant, other.signal) == (&one.tenant, one.signal);
            if is_of_table && record.id.starts_with("good") {
                ids.insert(record.id.clone());
            }
        }
        if let Some(record) = one.records.iter().find(|r| r.id.starts_with("good")) {
            ids.insert(record.id.clone());
        }
        let values: Vec<String> = ids.iter().cloned().collect();
        let first = values.first()?.clone();
        let (tenant, signal) = (one.tenant.clone(), one.signal);
        let condition = if values.len() == 1 {
            // Each record has an attribute of its own.
            Condition {
                field: Field::Attribute(first),
                values: vec!["1".to_string()],
            }
        } else {
            let column = if signal == Signal::Spans {
                "name"
            } else {
                "body"
            };
            Condition {
                field: Field::Column(column.to_string()),
                values,
            }
        };
        self.all.push(Deletion {
            tenant: tenant.clone(),
            signal,
            ids,
            sequence: None,
        });
        let predicate = Predicate {
            from: None,
            before: None,
            conditions: vec![condition],
        };
        Some((self.all.len() - 1, tenant, signal, predicate))
    }

    /// The store said that it is done with requests up to this one.
    pub(super) fn acknowledge(&mut self, number: usize, sequence: u64) {
        self.all[number].sequence = Some(sequence);
        self.acknowledged.insert(number);
    }

    /// Those that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> BTreeSet<usize> {
        self.acknowledged.clone()
    }

    /// What is known of a record of a request; `known` are deletions that were acknowledged before the look.
    pub(super) fn fate(&self, request: &Request, id: &str, known: &BTreeSet<usize>) -> Fate {
        let mut fate = Fate::Stays;
        for (number, deletion) in self.all.iter().enumerate() {
            let names = deletion.tenant == request.tenant
                && deletion.signal == request.signal
                && deletion.ids.contains(id);
            if !names {
                continue;
            }
            match (deletion.sequence, request.acknowledged) {
                (Some(last), Some(sequence)) if sequence > last && !request.is_doubtful() => {}
                (Some(last), Some(sequence))
                    if sequence <= last && known.contains(&number) && !request.is_doubtful() =>
                {
                    return Fate::Gone;
                }
                _ => fate = Fate::InDoubt,
            }
        }
        fate
    }
}
