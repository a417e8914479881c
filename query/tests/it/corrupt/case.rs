//! One case: a damage, and everything that must hold after it.

use super::{
    damage::Damage,
    dice::Dice,
    files::{self, Part},
    folder::{self, Pristine, Rows, tenants},
    questions::{self, OTHERS, ask, lacking},
};
use cairn_query::engine::Engine;
use cairn_storage::{
    id::TenantId,
    segment::SegmentMeta,
    signal::{Signal, Table},
    store::Verified,
};
use std::{collections::BTreeMap, path::Path};

/// What became of a damage that did no harm to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fate {
    /// Verify names it, and answers name the rows that are missing.
    RowsMissing,
    /// Verify names it, and no row is missing.
    AllRows,
    /// Verify finds nothing, because nothing that is used was damaged: every answer is whole.
    Harmless,
    Failed,
}

impl Fate {
    pub(super) const ALL: [Fate; 4] = [
        Fate::RowsMissing,
        Fate::AllRows,
        Fate::Harmless,
        Fate::Failed,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Fate::RowsMissing => "found, rows missing",
            Fate::AllRows => "found, all rows",
            Fate::Harmless => "harmless",
            Fate::Failed => "FAILED",
        }
    }
}

/// What was seen in a case that held.
pub(super) struct Seen {
    pub(super) fate: Fate,
    /// Whether a first answer was an error that names the damage.
    pub(super) refused_first: bool,
}

/// A damage and what came of it.
pub(super) struct Outcome {
    pub(super) damage: Damage,
    pub(super) result: Result<Seen, String>,
}

impl Outcome {
    pub(super) fn failed(pristine: &Pristine, seed: u64, number: u64, detail: &str) -> Outcome {
        Outcome {
            damage: Damage::choose(&mut Dice::new(seed, number), &pristine.files),
            result: Err(detail.to_string()),
        }
    }
}

/// Rows that answers lack, by tenant and table.
type Lacking = BTreeMap<(TenantId, &'static str), u64>;

pub(super) async fn run(pristine: &Pristine, seed: u64, number: u64) -> Outcome {
    let mut dice = Dice::new(seed, number);
    let damage = Damage::choose(&mut dice, &pristine.files);
    let result = check(pristine, &damage, &mut dice).await;
    Outcome { damage, result }
}

async fn check(pristine: &Pristine, damage: &Damage, dice: &mut Dice) -> Result<Seen, String> {
    let files = damage.done(&pristine.files, &pristine.old);
    let place = files::temporary();
    files.write(place.path());
    let verified = folder::verify(place.path()).await;
    let verified = verified.map_err(|error| format!("verify ended with {error}"))?;
    // Verify opens the catalog, which may set it aside: half of the starts come without.
    let fresh = files::temporary();
    let start = match dice.below(2) {
        0 => place.path(),
        _ => {
            files.write(fresh.path());
            fresh.path()
        }
    };
    let store = folder::open(start).await;
    let store = store.map_err(|error| format!("the start is blocked: {error}"))?;
    let engine = folder::engine(&store, start);
    let refused_first = first_round(pristine, &engine, dice).await?;
    let told = all_rows(pristine, &engine).await?;
    within_reach(pristine, damage, &told.lacking)?;
    let missing = told.lacking.values().any(|rows| *rows > 0);
    let fate = match (names(&verified, damage)?, missing, told.named) {
        (true, true, _) => Fate::RowsMissing,
        (true, false, _) => Fate::AllRows,
        (false, false, false) => Fate::Harmless,
        (false, missing, named) => {
            return Err(format!(
                "verify finds nothing, but rows are missing: {missing}, named: {named}"
            ));
        }
    };
    if dice.below(4) == 0 {
        restarted(pristine, (store, engine), start).await?;
    }
    Ok(Seen {
        fate,
        refused_first: refused_first || told.refused,
    })
}

/// Asks some questions; their answers may be errors that name the damage, those that come are right. Says whether one
/// was an error.
async fn first_round(
    pristine: &Pristine,
    engine: &Engine,
    dice: &mut Dice,
) -> Result<bool, String> {
    let mut refused = false;
    for (at, (tenant, count)) in tenants().iter().zip([3, 1]).enumerate() {
        let first = dice.below(OTHERS.len() as u64) as usize;
        for number in (first..first + count).map(|n| n % OTHERS.len()) {
            let statement = OTHERS[number];
            match ask(engine, tenant, statement).await {
                Ok(answer) => {
                    let right = answer.rows() == pristine.others[at][number];
                    if answer.is_complete() && !right {
                        let (rows, end) = (answer.rows(), &answer.end);
                        return Err(format!(
                            "a wrong answer to {statement} of {tenant}: {rows:?} ({end:?})"
                        ));
                    }
                }
                Err(error) if questions::is_about_damage(&error) => refused = true,
                Err(error) => return Err(format!("{statement}: {error}")),
            }
        }
    }
    Ok(refused)
}

/// What all tables say: which rows are missing, whether any are named, and whether a first answer was an error.
struct Told {
    lacking: Lacking,
    named: bool,
    refused: bool,
}

/// Asks for all rows of all tables. Once an error has named a damage, the next answer comes, without the damaged rows.
async fn all_rows(pristine: &Pristine, engine: &Engine) -> Result<Told, String> {
    let mut told = Told {
        lacking: Lacking::new(),
        named: false,
        refused: false,
    };
    for ((tenant, table), truth) in &pristine.truth {
        let statement = format!("SELECT * FROM {table}");
        let mut answer = ask(engine, tenant, &statement).await;
        if answer.as_ref().is_err_and(questions::is_about_damage) {
            told.refused = true;
            answer = ask(engine, tenant, &statement).await;
        }
        let answer = answer.map_err(|e| format!("{table} is never answered: {e}"))?;
        let rows = lacking(&answer, truth);
        let rows = rows.map_err(|detail| format!("{tenant}/{table}: {detail}"))?;
        told.lacking.insert((tenant.clone(), *table), rows);
        if !answer.end.completeness.missing.is_empty() {
            told.named = true;
            questions::formats_name_it(&answer)?;
        }
    }
    Ok(told)
}

/// Only rows that the damaged file held are missing.
fn within_reach(pristine: &Pristine, damage: &Damage, lacking: &Lacking) -> Result<(), String> {
    for ((tenant, table), rows) in lacking.iter().filter(|(_, rows)| **rows > 0) {
        let key = (tenant.clone(), *table);
        let most = match damage.part {
            Part::Segment => segment_rows(pristine, damage, tenant, table),
            Part::Wal => {
                let count = |rows: &Rows| rows.values().sum::<u64>();
                count(&pristine.truth[&key]) - count(&pristine.in_segments[&key])
            }
            _ => 0,
        };
        if *rows > most {
            return Err(format!(
                "{rows} rows of {tenant}/{table} are missing, and the damaged file held {most}"
            ));
        }
    }
    Ok(())
}

/// The rows that the damaged object holds of `table`, or that hang on it.
fn segment_rows(pristine: &Pristine, damage: &Damage, tenant: &TenantId, table: &str) -> u64 {
    let path = damage.file.strip_prefix("bucket/").unwrap_or(&damage.file);
    let holds = |meta: &&SegmentMeta| meta.objects.iter().any(|o| o.file.path == path);
    let Some(meta) = pristine.segments.iter().find(holds) else {
        return 0;
    };
    if meta.tenant != *tenant {
        return 0;
    }
    let of_table = |wanted: &[Table]| {
        let objects = meta.objects.iter().filter(|o| wanted.contains(&o.table));
        objects.map(|object| object.rows).sum()
    };
    match (meta.signal, table) {
        (Signal::Metrics, "metrics") => of_table(&[Table::Samples, Table::Histograms]),
        _ => {
            let objects = meta.objects.iter().map(|object| object.table);
            let named: Vec<Table> = objects.filter(|t| t.as_str() == table).collect();
            of_table(&named)
        }
    }
}

/// Whether verify found something, which must be the damaged file.
fn names(verified: &Verified, damage: &Damage) -> Result<bool, String> {
    if verified.is_sound() {
        return Ok(false);
    }
    let name = damage.file.rsplit('/').next().unwrap_or(&damage.file);
    let wanted = match damage.part {
        Part::Catalog | Part::CatalogLog => "catalog",
        // Of a file that is gone the key is not known.
        Part::Wal => name.rsplit_once('-').map_or(name, |(id, _)| id),
        _ => name,
    };
    let findings = verified.report.findings.iter().map(|found| &found.path);
    match verified
        .problems
        .iter()
        .chain(findings)
        .any(|text| text.contains(wanted))
    {
        true => Ok(true),
        false => Err(format!("verify does not name {wanted}: {verified:?}")),
    }
}

/// After a clean end and another start: no row twice, none wrong.
async fn restarted(
    pristine: &Pristine,
    (store, engine): (std::sync::Arc<cairn_storage::store::Store>, Engine),
    folder: &Path,
) -> Result<(), String> {
    // What is damaged may keep a flush from its end; that is said, and the rows stay in the log.
    let _ = store.close().await;
    drop((store, engine));
    let store = folder::open(folder).await;
    let store = store.map_err(|error| format!("the second start is blocked: {error}"))?;
    let engine = folder::engine(&store, folder);
    first_round(pristine, &engine, &mut Dice::new(0, 0)).await?;
    all_rows(pristine, &engine).await.map(drop)
}
