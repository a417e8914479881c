//! `cairn logs`: search, follow and count log records of a running server.

use super::{
    client, print,
    query::{cell, notes},
};
use crate::cli::{LogQuestion, Logs};
use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::header;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    process::ExitCode,
};

/// Heights of a bar, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Severities from the one that needs the least attention.
const SEVERITIES: [&str; 7] = ["UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Asks and prints.
pub(super) async fn run(command: Logs) -> Result<ExitCode> {
    match command {
        Logs::Search(options) => search(&options).await,
        Logs::Tail(options) => tail(&options).await,
        Logs::Histogram(options) => histogram(&options).await,
    }
}

/// The path of a question with its parameters.
fn path(what: &str, options: &LogQuestion) -> Result<String> {
    let limit = options.limit.map(|limit| limit.to_string());
    let parameters = [
        ("q", options.words.as_deref()),
        ("filter", options.filter.as_deref()),
        ("from", options.from.as_deref()),
        ("to", options.to.as_deref()),
        ("limit", limit.as_deref()),
    ];
    let given = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let query = serde_urlencoded::to_string(given.collect::<Vec<_>>())?;
    Ok(format!("/api/v1/logs/{what}?{query}"))
}

/// The answer to a question, with notes about what is missing on standard error.
async fn ask(what: &str, options: &LogQuestion) -> Result<Value> {
    let headers = [(header::ACCEPT, "application/json")];
    let response = client::get(&options.server, &path(what, options)?, &headers).await?;
    let body = client::whole(response).await?;
    let answer: Value = serde_json::from_slice(&body).context("reading the answer")?;
    if let Some(detail) = answer["error"]["detail"].as_str() {
        bail!("the answer broke off: {detail}");
    }
    for note in notes(&answer["completeness"]) {
        eprintln!("{note}");
    }
    Ok(answer)
}

/// The rows of an answer, each by the names of its columns.
fn rows(answer: &Value) -> Vec<BTreeMap<&str, &Value>> {
    let columns = answer["columns"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = columns
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    let all = answer["rows"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .map(|row| {
            names
                .iter()
                .copied()
                .zip(row.as_array().into_iter().flatten())
                .collect()
        })
        .collect()
}

/// Oldest first, as a terminal is read.
async fn search(options: &LogQuestion) -> Result<ExitCode> {
    let answer = ask("search", options).await?;
    let colours = std::io::stdout().is_terminal();
    let lines = rows(&answer);
    let text: String = lines
        .iter()
        .rev()
        .map(|row| line(|name| row.get(name).copied(), colours))
        .collect();
    print(&text)
}

/// Until the server or the reader goes away.
async fn tail(options: &LogQuestion) -> Result<ExitCode> {
    let headers = [(header::ACCEPT, "text/event-stream")];
    let response = client::get(&options.server, &path("tail", options)?, &headers).await?;
    let colours = std::io::stdout().is_terminal();
    let mut body = response.into_body();
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("following: the connection broke off")?;
        waiting.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes));
        while let Some(end) = waiting.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = waiting.drain(..end + 2).collect();
            if !show(&String::from_utf8_lossy(&event), colours)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints an event; false when nobody reads any more.
fn show(event: &str, colours: bool) -> Result<bool> {
    let field = |name: &str| {
        let lines = event.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.next().unwrap_or_default()
    };
    let (kind, data) = (field("event"), field("data"));
    match kind {
        "row" => {
            let row: Value = serde_json::from_str(data).context("reading an event")?;
            let text = line(|name| row.get(name), colours);
            match std::io::stdout().lock().write_all(text.as_bytes()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
                written => written?,
            }
        }
        "dropped" => eprintln!("note: more records arrived than are shown: {data}"),
        "error" => bail!("the server ended the stream: {data}"),
        _ => {}
    }
    Ok(true)
}

/// A record on one line.
fn line<'a>(column: impl Fn(&str) -> Option<&'a Value>, colours: bool) -> String {
    let text = |name: &str| match column(name) {
        None | Some(Value::Null) => String::new(),
        Some(value) => cell(value),
    };
    let severity = text("severity");
    let (on, off) = match colours {
        true => (colour(&severity), "\u{1b}[0m"),
        false => ("", ""),
    };
    format!(
        "{} {on}{severity:<5}{off} {} {}\n",
        text("timestamp"),
        text("service_name"),
        text("body")
    )
}

/// The escape sequence that a severity is shown in.
fn colour(severity: &str) -> &'static str {
    match severity {
        "TRACE" | "DEBUG" => "\u{1b}[90m",
        "INFO" => "\u{1b}[32m",
        "WARN" => "\u{1b}[33m",
        "ERROR" => "\u{1b}[31m",
        "FATAL" => "\u{1b}[1;31m",
        _ => "",
    }
}

/// A sparkline for each severity.
async fn histogram(options: &LogQuestion) -> Result<ExitCode> {
    let answer = ask("histogram", options).await?;
    let mut by_severity: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for row in rows(&answer) {
        let text = |name: &str| {
            row.get(name)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let count = row
            .get("count")
            .and_then(|value| value.as_u64())
            .unwrap_or(0);
        by_severity
            .entry(text("severity"))
            .or_default()
            .insert(text("bucket"), count);
    }
    let buckets: Vec<&str> = {
        let mut all: Vec<&str> = by_severity
            .values()
            .flat_map(|counts| counts.keys().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
        return print("no records\n");
    };
    let mut text = format!("{} to {}\n", first, last);
    let rank = |severity: &str| SEVERITIES.iter().position(|known| *known == severity);
    let mut severities: Vec<&str> = by_severity.keys().copied().collect();
    severities.sort_by_key(|severity| rank(severity));
    for severity in severities {
        let counts: Vec<u64> = buckets
            .iter()
            .map(|bucket| by_severity[severity].get(bucket).copied().unwrap_or(0))
            .collect();
        let total: u64 = counts.iter().sum();
        text.push_str(&format!("{severity:<6} {} {total}\n", sparkline(&counts)));
    }
    print(&text)
}

/// Counts as bars, the highest of them full; a space where there is nothing.
fn sparkline(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        count => BARS[((count * 8).div_ceil(most) as usize).clamp(1, 8) - 1],
    };
    counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::{line, sparkline};
    use serde_json::json;

    #[test]
    fn counts_become_bars() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), " ▁▄█");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn a_record_cannot_write_to_the_terminal() {
        let row = json!({ "timestamp": "t", "severity": "WARN", "service_name": null, "body": "a\u{1b}[2J\nb" });
        assert_eq!(
            line(|name| row.get(name), false),
            "t WARN   a\\u{1b}[2J\\nb\n"
        );
        assert!(line(|name| row.get(name), true).starts_with("t \u{1b}[33mWARN "));
    }
}
