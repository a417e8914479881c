//! The last step: the committed `docs/conformance.md` says what the steps found.

use super::{Counts, STEPS, shell::Place};
use crate::conformance::{PAGE, Row, compare, page, read};
use anyhow::{Context, Result};
use std::{collections::BTreeSet, fs};

/// Compares the committed page with what was found; a check that passed there and does not any more has failed. The
/// new page stands in the build folder.
pub(super) fn check(place: &Place) -> Result<Counts> {
    let new = page(&rows(place)?);
    let built = place.cache.join("conformance.md");
    fs::write(&built, &new).with_context(|| format!("writing {}", built.display()))?;
    let committed = fs::read_to_string(place.root.join(PAGE));
    let found = compare(&committed.with_context(|| format!("reading {PAGE}"))?, &new);
    for line in &found.differing {
        println!("{line}");
    }
    for line in &found.lost {
        println!("WRONG: it passed and does not any more: {line}");
    }
    if !found.differing.is_empty() {
        println!(
            "{PAGE} differs from {}; `cargo xtask conformance` writes it",
            built.display()
        );
    }
    Ok(Counts {
        passed: found.kept,
        failed: found.lost.len() as u64,
    })
}

/// Writes the page.
pub(super) fn write(place: &Place) -> Result<()> {
    let path = place.root.join(PAGE);
    fs::write(&path, page(&rows(place)?)).with_context(|| format!("writing {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// The rows of all steps.
fn rows(place: &Place) -> Result<BTreeSet<Row>> {
    let mut rows = BTreeSet::new();
    for step in STEPS {
        rows.append(&mut read(&place.rows_of(step.name))?);
    }
    Ok(rows)
}
