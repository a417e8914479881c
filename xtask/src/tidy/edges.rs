//! Which crate may use which: the edges between ours, and the owners of heavy dependencies.

use super::{
    Finding,
    tree::{Manifest, Source, Tree},
};

/// A crate of ours (by its folder, "" for the root) and the crates it may depend on.
const EDGES: [(&str, &[&str]); 10] = [
    ("proto", &[]),
    ("storage", &[]),
    ("tenancy", &["storage"]),
    ("ingest", &["proto", "storage", "tenancy"]),
    ("logql", &[]),
    ("promql", &[]),
    ("query", &["storage", "logql", "promql"]),
    (
        "",
        &[
            "proto", "storage", "tenancy", "ingest", "logql", "promql", "query",
        ],
    ),
    (
        "benches",
        &[
            "proto", "storage", "tenancy", "ingest", "logql", "promql", "query",
        ],
    ),
    ("xtask", &[]),
];

/// A dependency and the folders of the crates that may have it. DataFusion's traits hand parquet and object_store
/// types to `query`; `proto` has tonic for the generated services.
const OWNERS: [(&str, &[&str]); 15] = [
    ("datafusion", &["query"]),
    ("parquet", &["storage", "query"]),
    ("object_store", &["storage", "query"]),
    ("sqlx", &["storage"]),
    ("axum", &["ingest", ""]),
    ("tonic", &["proto", "ingest", "", "benches"]),
    ("tonic-types", &["proto", "ingest"]),
    ("hyper", &["ingest", "", "benches"]),
    ("hyper-util", &["ingest", "", "benches"]),
    ("tower", &["ingest", ""]),
    ("hyper-rustls", &["ingest"]),
    ("rustls", &["ingest"]),
    ("saphyr-parser", &["ingest"]),
    ("clap", &["", "benches"]),
    ("anyhow", &["", "benches", "xtask"]),
];

/// Crates of HTTP, and where in `ingest` they may be named: where requests come in, and where the scraper asks.
const SERVER_CRATES: [&str; 5] = ["axum", "tonic", "tonic_types", "hyper", "hyper_util"];
const SERVER_PLACES: [&str; 5] = [
    "ingest/src/receiver.rs",
    "ingest/src/receiver/",
    "ingest/src/reply.rs",
    "ingest/src/reply/",
    "ingest/src/scrape/client",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let members = tree
        .manifests
        .iter()
        .filter(|manifest| manifest.table.contains_key("package"));
    let mut findings: Vec<Finding> = members.flat_map(check_manifest).collect();
    findings.extend(tree.sources.iter().flat_map(check_server_crates));
    findings
}

fn check_manifest(manifest: &Manifest) -> Vec<Finding> {
    let folder = manifest
        .path
        .strip_suffix("Cargo.toml")
        .unwrap_or_default()
        .trim_end_matches('/');
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == folder) else {
        // A package of its own outside the workspace (a fuzz target) may use what it likes.
        if manifest.table.contains_key("workspace") {
            return Vec::new();
        }
        return vec![Finding::new(
            &manifest.path,
            0,
            "a crate that xtask/src/tidy/edges.rs does not know",
        )];
    };
    let mut findings = Vec::new();
    for dependency in dependencies(&manifest.table) {
        if let Some(ours) = dependency.strip_prefix("cairn-")
            && !allowed.contains(&ours)
        {
            let message = format!("the edge to {ours} is not allowed");
            findings.push(Finding::new(&manifest.path, 0, message));
        }
        let owners = OWNERS.iter().find(|(name, _)| *name == dependency);
        if let Some((_, owners)) = owners
            && !owners.contains(&folder)
        {
            let message = format!("{dependency} belongs to {}", place_names(owners));
            findings.push(Finding::new(&manifest.path, 0, message));
        }
    }
    findings
}

/// The packages that a manifest names, for every target and under their own names.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values());
    let tables = std::iter::once(manifest).chain(targets.filter_map(toml::Value::as_table));
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let sections = tables.flat_map(|table| sections.iter().filter_map(|name| table.get(*name)));
    let entries = sections.filter_map(toml::Value::as_table).flatten();
    let package = |(name, entry): (&'_ String, &'_ toml::Value)| match entry.get("package") {
        Some(toml::Value::String(package)) => package.clone(),
        _ => name.clone(),
    };
    entries.map(package).collect()
}

fn place_names(folders: &[&str]) -> String {
    let names = folders.iter().map(|folder| {
        if folder.is_empty() {
            "the root crate"
        } else {
            *folder
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// In `ingest`, only the receivers, the reply and the scraper's client know HTTP and gRPC.
fn check_server_crates(source: &Source) -> Vec<Finding> {
    let in_place = SERVER_PLACES
        .iter()
        .any(|place| source.path.starts_with(place));
    if !source.path.starts_with("ingest/src/") || in_place || source.is_test() {
        return Vec::new();
    }
    let tokens = source.tokens_without_tests();
    let named = tokens
        .windows(2)
        .filter(|pair| pair[1].is("::") && SERVER_CRATES.contains(&pair[0].text));
    named
        .map(|pair| {
            let message = format!("{} belongs to ingest/src/receiver", pair[0].text);
            Finding::new(&source.path, pair[0].line, message)
        })
        .collect()
}
