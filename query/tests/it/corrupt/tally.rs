//! What became of all cases.

use super::{
    case::{Fate, Outcome},
    damage::Kind,
    files::Part,
};
use std::{collections::BTreeMap, fmt};

/// Failures that are printed; the others are counted.
const PRINTED: usize = 25;

#[derive(Default)]
pub(super) struct Tally {
    counts: BTreeMap<(Part, Kind), BTreeMap<Fate, u64>>,
    /// Cases whose first answer was an error that names the damage.
    refused_first: u64,
    pub(super) failures: Vec<(u64, String)>,
}

impl Tally {
    pub(super) fn add(&mut self, number: u64, outcome: Outcome) {
        let Outcome { damage, result } = outcome;
        let fates = self.counts.entry((damage.part, damage.kind)).or_default();
        match result {
            Ok(seen) => {
                *fates.entry(seen.fate).or_default() += 1;
                self.refused_first += u64::from(seen.refused_first);
            }
            Err(detail) => {
                *fates.entry(Fate::Failed).or_default() += 1;
                self.failures.push((number, format!("{damage}: {detail}")));
            }
        }
    }

    fn count(&self, wanted: impl Fn(&(Part, Kind), Fate) -> bool) -> u64 {
        let all = self.counts.iter();
        let all = all.flat_map(|(key, fates)| fates.iter().map(move |(fate, n)| (key, *fate, *n)));
        all.filter(|(key, fate, _)| wanted(key, *fate))
            .map(|(.., n)| n)
            .sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<18}{:<12}{:>7}", "file", "damage", "cases")?;
        for fate in Fate::ALL {
            write!(f, "{:>20}", fate.name())?;
        }
        writeln!(f)?;
        for ((part, kind), fates) in &self.counts {
            let cases: u64 = fates.values().sum();
            write!(f, "{:<18}{:<12}{cases:>7}", part.name(), kind.name())?;
            for fate in Fate::ALL {
                write!(f, "{:>20}", fates.get(&fate).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        let cases = self.count(|_, _| true);
        writeln!(
            f,
            "{cases} cases, {} failed; in {} an answer was an error that names the damage before it was one without \
             the damaged rows",
            self.failures.len(),
            self.refused_first
        )?;
        for (number, detail) in self.failures.iter().take(PRINTED) {
            writeln!(f, "case {number}: {detail}")?;
        }
        for part in Part::ALL {
            let failed = self.count(|key, fate| key.0 == part && fate == Fate::Failed);
            let verdict = if failed == 0 { "passed" } else { "failed" };
            writeln!(
                f,
                "conformance: 3.5 | damage to the {}: no wrong answer, what is missing is named, verify finds it \
                 | store, SQL engine and verify in one process | {verdict}",
                part.name()
            )?;
        }
        Ok(())
    }
}
