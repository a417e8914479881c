//! `cairn otlp-check`: asks an OTLP server everything that can be asked over the wire.

use super::print;
use crate::{
    check::{self, Target, report},
    cli::{CheckFormat, OtlpCheck},
};
use anyhow::{Error, Result};
use std::process::ExitCode;

/// Prints what was found; fails where the server breaks a MUST.
pub(super) async fn run(options: &OtlpCheck) -> Result<ExitCode> {
    let headers = check::headers(&options.header).map_err(Error::msg)?;
    let target = Target::new(&options.url, options.grpc.as_deref(), headers);
    let outcomes = check::run(&target).await;
    print(&match options.format {
        CheckFormat::Table => report::table(&outcomes),
        CheckFormat::Json => report::lines(&outcomes),
    })?;
    Ok(match report::broken(&outcomes) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
