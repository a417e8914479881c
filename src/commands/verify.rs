//! `cairn verify`: reads every object of the bucket and checks it.

use super::print;
use crate::{config::Config, open::DataFolder};
use anyhow::Result;
use cairn_storage::{
    store::{self, Verified},
    telemetry::Telemetry,
    world,
};
use std::process::ExitCode;

/// Prints what is damaged or missing, and what nobody needs; fails when anything is damaged or missing.
pub(super) async fn run(config: Config) -> Result<ExitCode> {
    let world = world::real::world();
    let folder = DataFolder::take(&config.storage, &world)?;
    let parts = folder
        .parts(&config.storage, &world, Telemetry::unregistered())
        .await?;
    let verified = store::verify(&world, &parts.config, &*parts.catalog, &*parts.bucket).await?;
    print(&describe(&verified))?;
    Ok(match verified.is_sound() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn describe(verified: &Verified) -> String {
    let report = &verified.report;
    let mut text = format!(
        "{} segments: {} files, {} bytes, {} rows; {} frames in the write-ahead log\n",
        verified.segments, report.files, report.bytes, report.rows, verified.frames
    );
    for problem in &verified.problems {
        text.push_str(&format!("WRONG: {problem}\n"));
    }
    for finding in &report.findings {
        text.push_str(&format!("WRONG: {}: {}\n", finding.path, finding.detail));
    }
    for orphan in &verified.orphans {
        text.push_str(&format!(
            "not in the catalog, no data is lost if it goes: {orphan}\n"
        ));
    }
    if !verified.orphans.is_empty() {
        let (count, bytes) = (verified.orphans.len(), verified.orphan_bytes);
        text.push_str(&format!(
            "{count} files of {bytes} bytes are not in the catalog\n"
        ));
    }
    if verified.retired_bytes > 0 {
        let bytes = verified.retired_bytes;
        text.push_str(&format!(
            "{bytes} bytes of retired segments wait for their deletion\n"
        ));
    }
    text.push_str(if verified.is_sound() {
        "everything is sound\n"
    } else {
        "see above\n"
    });
    text
}
