//! `cairn config check`: what is in force and where it came from.

use super::print;
use crate::config::{self, Flags};
use anyhow::Result;
use std::process::ExitCode;

/// Prints the settings that are not defaults with their sources; an error when they do not work.
pub(super) fn check(flags: &Flags) -> Result<ExitCode> {
    let loaded = config::load(flags)?;
    let mut text = String::from("the settings are valid\n");
    if loaded.origins.is_empty() {
        text.push_str("all of them are defaults\n");
    }
    for (name, origin) in &loaded.origins {
        text.push_str(&format!("{name}: from {origin}\n"));
    }
    print(&text)
}
