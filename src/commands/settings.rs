//! `cairn config check`: what is in force and where it came from.

use super::print;
use crate::config::{self, Flags};
use anyhow::{Context, Result};
use std::process::ExitCode;
use toml::{Table, Value};

/// Settings whose values may be secrets, or hashes of them.
const UNSHOWN: [&str; 2] = ["tenancy.keys", "storage.bucket_options"];

/// Prints the settings that are not defaults with their values and sources; an error when they do not work.
pub(super) fn check(flags: &Flags) -> Result<ExitCode> {
    let loaded = config::load(flags)?;
    let mut text = String::from("the settings are valid\n");
    if loaded.origins.is_empty() {
        text.push_str("all of them are defaults\n");
    }
    let values = Table::try_from(&loaded.config).context("writing the settings down")?;
    for (name, origin) in &loaded.origins {
        let value = shown(&values, name);
        text.push_str(&format!("{name} = {value}: from {origin}\n"));
    }
    print(&text)
}

/// The value of the setting with a dotted name, as it would stand in a file.
fn shown(values: &Table, name: &str) -> String {
    if UNSHOWN.iter().any(|unshown| name.starts_with(unshown)) {
        return "(not shown)".to_string();
    }
    let mut sections = name.split('.');
    let first = sections.next().and_then(|section| values.get(section));
    let value = sections.fold(first, |value, section| value?.get(section));
    value.map_or_else(|| "(none)".to_string(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_and_secrets_are_not() {
        let values = "[log]\nlevel = \"info\"\n[storage]\nbucket_options = { key = \"secret\" }\n";
        let values: Table = values.parse().expect("it is TOML");
        assert_eq!(shown(&values, "log.level"), "\"info\"");
        assert_eq!(shown(&values, "log.nothing"), "(none)");
        assert_eq!(shown(&values, "storage.bucket_options.key"), "(not shown)");
        assert_eq!(shown(&values, "tenancy.keys"), "(not shown)");
    }
}
