//! `cairn dead-letters`: what could not become rows, and offering it again when the cause is mended.

use super::{client, print, query};
use crate::cli::{DeadLetters, Format, Query, ReplayLetters};
use anyhow::{Context, Result};
use hyper::header;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Counts by signal, outcome and reason, and how many of them are rows by now.
const LIST: &str = "SELECT letter.signal, letter.outcome, letter.reason, count(*) AS records, \
     count(mark.letter_sequence) AS replayed, min(letter.timestamp) AS first, max(letter.timestamp) AS last \
     FROM dead_letters AS letter LEFT JOIN \
     (SELECT letter_epoch, letter_sequence, letter_ordinal FROM dead_letters WHERE outcome = 'replayed') AS mark \
     ON mark.letter_epoch = letter.row_epoch AND mark.letter_sequence = letter.row_sequence \
     AND mark.letter_ordinal = letter.row_ordinal \
     WHERE letter.outcome <> 'replayed' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

/// Runs one of the commands.
pub(super) async fn run(command: DeadLetters) -> Result<ExitCode> {
    match command {
        DeadLetters::List(server) => {
            let question = Query {
                sql: LIST.to_string(),
                format: Format::Table,
                server,
            };
            query::run(question).await
        }
        DeadLetters::Replay(options) => replay(&options).await,
    }
}

/// Offers page after page, and fails when letters stay.
async fn replay(options: &ReplayLetters) -> Result<ExitCode> {
    let mut wish = Map::new();
    for (name, value) in [
        ("signal", &options.signal),
        ("reason", &options.reason),
        ("from", &options.from),
        ("to", &options.to),
    ] {
        if let Some(value) = value {
            wish.insert(name.to_string(), json!(value));
        }
    }
    let (mut offered, mut replayed) = (0, 0);
    let mut kept: Map<String, Value> = Map::new();
    loop {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        let body = Value::Object(wish.clone()).to_string();
        let path = "/api/v1/dead-letters/replay";
        let response = client::post(&options.server, path, &headers, body).await?;
        let answer: Value = serde_json::from_slice(&client::whole(response).await?)
            .context("reading the answer")?;
        offered += answer["offered"].as_u64().unwrap_or(0);
        replayed += answer["replayed"].as_u64().unwrap_or(0);
        for group in answer["kept"].as_array().into_iter().flatten() {
            add(&mut kept, group);
        }
        if answer["next"].is_null() {
            break;
        }
        wish.insert("after".to_string(), answer["next"].clone());
    }
    let mut text = format!("{replayed} of {offered} dead letters are rows now\n");
    for group in kept.values() {
        text.push_str(&format!(
            "{} of {} stay, {}: {}\n",
            group["count"],
            query::cell(&group["signal"]),
            query::cell(&group["reason"]),
            query::cell(&group["detail"])
        ));
    }
    print(&text)?;
    Ok(match kept.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Adds the count of a group to that of the pages before.
fn add(kept: &mut Map<String, Value>, group: &Value) {
    let name = format!("{} {}", group["signal"], group["reason"]);
    let known = kept.get(&name).and_then(|known| known["count"].as_u64());
    let count = known.unwrap_or(0) + group["count"].as_u64().unwrap_or(0);
    let sum = kept.entry(name).or_insert_with(|| group.clone());
    sum["count"] = json!(count);
}
