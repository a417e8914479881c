//! One thing that is wrong with a data folder.

use super::{
    dice::Dice,
    files::{Files, Part},
};

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Flip,
    Cut,
    Empty,
    Gone,
    /// An older state of it is put back.
    Stale,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Flip => "bit flip",
            Kind::Cut => "cut",
            Kind::Empty => "zero length",
            Kind::Gone => "deletion",
            Kind::Stale => "old copy",
        }
    }
}

/// A damage, chosen and not yet done.
#[derive(Debug, Clone)]
pub(super) struct Damage {
    pub(super) part: Part,
    pub(super) kind: Kind,
    /// The path in the data folder.
    pub(super) file: String,
    /// The bit that is flipped, or the length that is left.
    pub(super) at: u64,
}

impl Damage {
    /// Chooses a damage of `files`.
    pub(super) fn choose(dice: &mut Dice, files: &Files) -> Damage {
        let part = dice.weighted(&[
            (Part::Segment, 34),
            (Part::Wal, 24),
            (Part::Sidecar, 14),
            (Part::Catalog, 12),
            (Part::CatalogLog, 10),
            (Part::Marker, 6),
        ]);
        let kind = match part {
            Part::Catalog => dice.weighted(&[
                (Kind::Flip, 55),
                (Kind::Cut, 15),
                (Kind::Empty, 5),
                (Kind::Gone, 10),
                (Kind::Stale, 15),
            ]),
            _ => dice.weighted(&[
                (Kind::Flip, 65),
                (Kind::Cut, 17),
                (Kind::Empty, 6),
                (Kind::Gone, 12),
            ]),
        };
        let names = files.of(part);
        let file = names[dice.below(names.len() as u64) as usize].clone();
        let length = files.0[&file].len() as u64;
        let at = match kind {
            Kind::Flip => dice.below(length * 8),
            Kind::Cut => dice.below(length),
            Kind::Empty | Kind::Gone | Kind::Stale => 0,
        };
        Damage {
            part,
            kind,
            file,
            at,
        }
    }

    /// The files after it. `old` is an older state of the catalog, which an old copy brings back.
    pub(super) fn done(&self, files: &Files, old: &Files) -> Files {
        let mut files = files.clone();
        let bytes = files.0.get_mut(&self.file).expect("chosen among them");
        match self.kind {
            Kind::Flip => bytes[(self.at / 8) as usize] ^= 1 << (self.at % 8),
            Kind::Cut => bytes.truncate(self.at as usize),
            Kind::Empty => bytes.clear(),
            Kind::Gone => drop(files.0.remove(&self.file)),
            Kind::Stale => {
                let is_catalog = |name: &String| name.starts_with("catalog.sqlite");
                files.0.retain(|name, _| !is_catalog(name));
                let old = old.0.iter().filter(|(name, _)| is_catalog(name));
                files.0.extend(old.map(|(n, b)| (n.clone(), b.clone())));
            }
        }
        files
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} at {}", self.kind.name(), self.file, self.at)
    }
}
