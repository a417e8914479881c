//! `cairn deletions`: deleting rows for ever by what they say, and the ledger of what was deleted.

use super::{client, print};
use crate::cli::{Deletions, NewDeletion, Server};
use anyhow::{Context, Result, bail};
use hyper::header;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const PATH: &str = "/api/v1/deletions";

/// Runs one of the commands.
pub(super) async fn run(command: Deletions) -> Result<ExitCode> {
    match command {
        Deletions::List(server) => list(&server).await,
        Deletions::Add(options) => add(&options).await,
    }
}

async fn list(server: &Server) -> Result<ExitCode> {
    let response = client::get(server, PATH, &[]).await?;
    let answer: Value =
        serde_json::from_slice(&client::whole(response).await?).context("reading the answer")?;
    let deletions = answer["deletions"].as_array();
    let lines = deletions.into_iter().flatten().map(line);
    print(&lines.collect::<String>())
}

async fn add(options: &NewDeletion) -> Result<ExitCode> {
    let wanted = wanted(options)?;
    if !options.yes {
        bail!("nothing was deleted: what is deleted is gone for ever, so say --yes as well");
    }
    let headers = [(header::CONTENT_TYPE, "application/json")];
    let response = client::post(&options.server, PATH, &headers, wanted.to_string()).await?;
    let answer: Value =
        serde_json::from_slice(&client::whole(response).await?).context("reading the answer")?;
    print(&line(&answer))
}

/// The body of the request.
fn wanted(options: &NewDeletion) -> Result<Value> {
    let mut conditions: Vec<Value> = Vec::new();
    for (kind, texts) in [
        ("column", &options.column),
        ("attribute", &options.attribute),
        ("resource", &options.resource),
    ] {
        // What is said twice of one name is one condition with two values.
        let mut names: Map<String, Value> = Map::new();
        for text in texts {
            let (name, value) = text
                .split_once('=')
                .with_context(|| format!("--{kind} {text}: write name=value"))?;
            let values = names.entry(name).or_insert_with(|| json!([]));
            values
                .as_array_mut()
                .into_iter()
                .for_each(|values| values.push(value.into()));
        }
        let named = names.into_iter();
        conditions.extend(
            named.map(|(name, values)| json!({ "field": { kind: name }, "values": values })),
        );
    }
    let mut predicate = json!({ "conditions": conditions });
    for (name, instant) in [("from", options.from), ("before", options.before)] {
        if let Some(instant) = instant {
            predicate[name] = instant.into();
        }
    }
    Ok(json!({ "signal": options.signal, "predicate": predicate }))
}

/// One deletion for people.
fn line(deletion: &Value) -> String {
    let rows = deletion["deleted"].as_object().into_iter().flatten();
    let rows: Vec<String> = rows
        .map(|(table, rows)| format!("{table} {rows}"))
        .collect();
    let text = |name: &str| deletion[name].as_str().unwrap_or_default().to_string();
    let state = match deletion["completed"].is_null() {
        true => "under way",
        false => "done",
    };
    format!(
        "{} {} by {}: {state}; rows so far: {}; sha256 {}\n",
        text("id"),
        text("signal"),
        text("requested_by"),
        if rows.is_empty() {
            "none".to_string()
        } else {
            rows.join(", ")
        },
        text("predicate_sha256"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn options(arguments: &[&str]) -> NewDeletion {
        let all = ["cairn", "deletions", "add"].iter().chain(arguments);
        match Cli::parse_from(all).command {
            Command::Deletions(Deletions::Add(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn conditions_of_one_name_are_one() {
        let arguments = [
            "--signal",
            "logs",
            "--column",
            "service_name=shop",
            "--attribute",
            "user.id=7=7",
            "--column",
            "service_name=till",
            "--before",
            "-5",
        ];
        let expected = json!({ "signal": "logs", "predicate": { "before": -5, "conditions": [
            { "field": { "column": "service_name" }, "values": ["shop", "till"] },
            { "field": { "attribute": "user.id" }, "values": ["7=7"] },
        ] } });
        assert_eq!(wanted(&options(&arguments)).expect("whole"), expected);
        let wrong = wanted(&options(&["--signal", "logs", "--column", "service_name"]));
        assert!(wrong.is_err());
    }
}
