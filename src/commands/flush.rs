//! `cairn flush`: everything acknowledged goes to Parquet now, for those who read the files themselves.

use super::{client, print};
use crate::cli::Server;
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::ExitCode;

/// Asks a running server to flush, and returns when it has.
pub(super) async fn run(server: &Server) -> Result<ExitCode> {
    let response = client::post(server, "/api/v1/flush", &[], String::new()).await?;
    let answer: Value =
        serde_json::from_slice(&client::whole(response).await?).context("reading the answer")?;
    let sequence = &answer["sequence"];
    print(&format!(
        "everything up to sequence {sequence} is in segments\n"
    ))
}
