//! `cairn storage`: what is stored, and objects of the bucket that nobody needs.

use super::{columns, print};
use crate::{
    cli::{Orphans, StorageReport},
    config,
    open::DataFolder,
};
use anyhow::{Context, Result};
use cairn_storage::{
    store::{self, OrphansFound, SignalReport},
    telemetry::Telemetry,
    world,
};
use std::process::ExitCode;

/// Prints what is stored by tenant and signal.
pub(super) async fn report(options: StorageReport) -> Result<ExitCode> {
    let config = config::load(&options.flags)?.config;
    let world = world::real::world();
    let folder = DataFolder::take(&config.storage, &world)?;
    let parts = folder
        .parts(&config.storage, &world, Telemetry::unregistered())
        .await?;
    let report = store::report(&world, &parts.config, &*parts.catalog).await?;
    match options.json {
        true => json(&report),
        false => print(&described(&report)),
    }
}

/// Prints what nobody needs and what is missing, and deletes the former where it is told to; fails when objects are
/// missing, or stay that were to go.
pub(super) async fn orphans(options: Orphans) -> Result<ExitCode> {
    let config = config::load(&options.flags)?.config;
    let world = world::real::world();
    let folder = DataFolder::take(&config.storage, &world)?;
    let parts = folder
        .parts(&config.storage, &world, Telemetry::unregistered())
        .await?;
    let (catalog, bucket) = (&*parts.catalog, &*parts.bucket);
    let found = store::orphans(&world, &parts.config, catalog, bucket, options.delete).await?;
    match options.json {
        true => json(&found)?,
        false => print(&told(&found, options.delete))?,
    };
    Ok(
        match found.orphans.missing_objects == 0 && found.kept.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

fn json(value: &impl serde::Serialize) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(value).context("writing the answer")?;
    print(&format!("{text}\n"))
}

const COLUMNS: [&str; 10] = [
    "tenant",
    "signal",
    "segments",
    "rows",
    "bytes",
    "bytes/row",
    "oldest",
    "newest",
    "kept for",
    "next expires",
];

/// A line a tenant and signal, one a level below it where there are several, then what belongs to nobody.
fn described(report: &store::StorageReport) -> String {
    let mut rows = vec![COLUMNS.map(str::to_string)];
    for signal in &report.signals {
        rows.push(line(signal));
        if signal.levels.len() > 1 {
            rows.extend(signal.levels.iter().map(level));
        }
    }
    let mut text = columns::aligned(&rows);
    text.push_str(&format!(
        "{} bytes of {} retired segments wait for their deletion\n{} bytes in the write-ahead log, {} staged\n",
        report.retired_bytes, report.retired_segments, report.wal_bytes, report.staged_bytes
    ));
    match &report.orphans {
        Some(orphans) => text.push_str(&format!(
            "{} bytes in {} objects that nobody needs\n",
            orphans.bytes, orphans.objects
        )),
        None => text.push_str("`cairn storage orphans` looks for objects that nobody needs\n"),
    }
    text
}

fn line(signal: &SignalReport) -> [String; 10] {
    let text = |instant: Option<cairn_storage::time::Nanos>| {
        instant.map_or_else(|| "-".to_string(), |instant| instant.to_text())
    };
    let per_row = signal.bytes_per_row.map(|bytes| format!("{bytes:.1}"));
    let kept = signal.retention_days.map(|days| format!("{days} days"));
    [
        signal.tenant.to_string(),
        signal.signal.to_string(),
        signal.segments.to_string(),
        signal.rows.to_string(),
        signal.bytes.to_string(),
        per_row.unwrap_or_else(|| "-".to_string()),
        text(signal.oldest),
        text(signal.newest),
        kept.unwrap_or_else(|| "ever".to_string()),
        text(signal.next_expiry),
    ]
}

fn level(level: &store::LevelReport) -> [String; 10] {
    let mut row: [String; 10] = std::array::from_fn(|_| String::new());
    row[1] = format!("  level {}", level.level);
    row[2] = level.segments.to_string();
    row[3] = level.rows.to_string();
    row[4] = level.bytes.to_string();
    row
}

fn told(found: &OrphansFound, delete: bool) -> String {
    let orphans = &found.orphans;
    let mut text = format!(
        "{} objects of {} bytes are needed by nobody\n",
        orphans.objects, orphans.bytes
    );
    if delete {
        text.push_str(&format!(
            "{} objects of {} bytes are deleted\n",
            found.deleted_objects, found.deleted_bytes
        ));
    } else if orphans.objects > 0 {
        text.push_str("`--delete` deletes them\n");
    }
    for kept in &found.kept {
        text.push_str(&format!("stays: {kept}\n"));
    }
    if orphans.foreign_objects > 0 {
        text.push_str(&format!(
            "{} objects are no segment's and are left alone\n",
            orphans.foreign_objects
        ));
    }
    for path in &found.missing {
        text.push_str(&format!("WRONG: {path} does not exist\n"));
    }
    if orphans.missing_objects > 0 {
        text.push_str(&format!(
            "{} objects are missing: `cairn verify` says more\n",
            orphans.missing_objects
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_storage::{id::TenantId, signal::Signal, store::LevelReport, time::Nanos};

    #[test]
    fn a_report_as_a_table() {
        let level = |level, rows| LevelReport {
            level,
            segments: 1,
            rows,
            bytes: 10 * rows,
        };
        let signal = SignalReport {
            tenant: TenantId::default_tenant(),
            signal: Signal::Logs,
            segments: 2,
            rows: 5,
            bytes: 50,
            bytes_per_row: Some(10.0),
            levels: vec![level(0, 1), level(1, 4)],
            oldest: Some(Nanos(0)),
            newest: Some(Nanos(1_000_000_000)),
            retention_days: None,
            next_expiry: None,
        };
        let report = store::StorageReport {
            taken: Nanos(0),
            signals: vec![signal],
            retired_segments: 1,
            retired_bytes: 7,
            wal_bytes: 8,
            staged_bytes: 9,
            orphans: None,
            retention_held: None,
        };
        let text = described(&report);
        let lines: Vec<&str> = text.lines().collect();
        let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(1),
            "default logs 2 5 50 10.0 1970-01-01T00:00:00Z 1970-01-01T00:00:01Z ever -"
        );
        assert_eq!(words(2), "level 0 1 1 10");
        assert_eq!(words(3), "level 1 1 4 40");
        assert_eq!(
            lines[4],
            "7 bytes of 1 retired segments wait for their deletion"
        );
        assert_eq!(lines[5], "8 bytes in the write-ahead log, 9 staged");
    }
}
