//! `cairn key new`: a key for a client, and the settings that let it in.

use super::print;
use crate::cli::NewKey;
use anyhow::{Context, Result};
use cairn_storage::{id::TenantId, world};
use cairn_tenancy::{config::Key, principal::Scope, secret};
use std::process::ExitCode;

/// Prints a new key and its entry for the settings file. The key is kept nowhere.
pub(super) fn new(options: &NewKey) -> Result<ExitCode> {
    let tenant: TenantId = options.tenant.parse().context("reading --tenant")?;
    let scopes: Vec<Scope> = options
        .scopes
        .iter()
        .map(|name| {
            let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
            known.with_context(|| {
                format!("--scopes: {name} is none of ingest, query, operate, admin")
            })
        })
        .collect::<Result<_>>()?;
    let made = secret::generate(&world::real::world());
    let key = Key {
        tenant,
        name: options.name.clone(),
        sha256: made.hash,
        scopes,
    };
    let config = cairn_tenancy::config::Config { keys: vec![key] };
    config.validate()?;
    let entry = toml::to_string(&config.keys[0]).context("writing the entry")?;
    print(&format!(
        "{}\n\n# The key stands above, once and nowhere else. Give it to the client as\n\
         #   authorization: Bearer <key>\n# and put this into the settings file:\n\n[[tenancy.keys]]\n{entry}",
        made.secret.reveal()
    ))
}
