//! `cairn query`: one statement to a running server, the answer to standard output.

use super::{client, print};
use crate::cli::{Format, Query};
use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::{HeaderMap, Response, body::Incoming, header};
use serde_json::Value;
use std::{
    io::{Read, Write},
    process::ExitCode,
};

/// Sends the statement and prints the answer; notes about what is missing go to standard error.
pub(super) async fn run(options: Query) -> Result<ExitCode> {
    let response = send(&options).await?;
    match options.format {
        Format::Csv | Format::Json => copy(response).await,
        Format::Table => {
            let body = client::whole(response).await?;
            let answer: Value = serde_json::from_slice(&body).context("reading the answer")?;
            if let Some(detail) = answer["error"]["detail"].as_str() {
                bail!("the answer broke off: {detail}");
            }
            for note in notes(&answer["completeness"]) {
                eprintln!("{note}");
            }
            print(&table(&answer).context("the answer has no columns and rows")?)
        }
    }
}

async fn send(options: &Query) -> Result<Response<Incoming>> {
    let mut statement = options.sql.clone();
    if statement == "-" {
        statement.clear();
        std::io::stdin()
            .read_to_string(&mut statement)
            .context("reading standard input")?;
    }
    let accept = match options.format {
        Format::Csv => "text/csv",
        Format::Json | Format::Table => "application/json",
    };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::ACCEPT, accept),
    ];
    client::post(&options.server, "/api/v1/sql", &headers, statement).await
}

/// Passes the bytes on as they come. What is missing has no place in CSV: it comes in a header or in a trailer.
async fn copy(response: Response<Incoming>) -> Result<ExitCode> {
    let (head, mut body) = response.into_parts();
    tell(&head.headers);
    let mut output = std::io::stdout().lock();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("reading the answer: it is not whole")?;
        if let Some(trailers) = frame.trailers_ref() {
            tell(trailers);
        }
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        match output.write_all(bytes) {
            // The reader has enough (`| head`).
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                return Ok(ExitCode::SUCCESS);
            }
            written => written?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the notes to the completeness in `headers`, where it is.
fn tell(headers: &HeaderMap) {
    let said = headers.get("cairn-completeness");
    let Some(said) = said.and_then(|said| serde_json::from_slice(said.as_bytes()).ok()) else {
        return;
    };
    for note in notes(&said) {
        eprintln!("{note}");
    }
}

/// What the user has to know about an answer that is not everything.
pub(super) fn notes(completeness: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(why) = completeness["truncated"].as_str() {
        notes.push(format!("note: the answer is cut: {why}"));
    }
    for missing in completeness["missing"].as_array().into_iter().flatten() {
        let text = |name: &str| missing[name].as_str();
        let what = match (text("segment"), text("log")) {
            (Some(segment), _) => format!("segment {segment}"),
            (None, log) => format!("a part of the write-ahead log ({})", log.unwrap_or("?")),
        };
        let reason = text("reason").unwrap_or("?");
        notes.push(format!("note: {what} is missing: {reason}"));
    }
    notes
}

/// Columns and rows as a table with a header; `None` where the answer has none.
fn table(answer: &Value) -> Option<String> {
    let header = |column: &Value| column["name"].as_str().unwrap_or("?").to_string();
    let columns: Vec<String> = answer["columns"].as_array()?.iter().map(header).collect();
    let line = |row: &Value| {
        row.as_array()
            .map(|cells| cells.iter().map(cell).collect::<Vec<_>>())
    };
    let rows: Vec<Vec<String>> = answer["rows"]
        .as_array()?
        .iter()
        .map(line)
        .collect::<Option<_>>()?;
    let mut widths: Vec<usize> = columns.iter().map(|name| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    for row in [&columns, &rule].into_iter().chain(&rows) {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text.push_str(&format!("({} rows)\n", rows.len()));
    Some(text)
}

/// A value on one line, control characters escaped, so that telemetry cannot write to the terminal.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return "NULL".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars()
        .fold(String::with_capacity(text.len()), |mut line, character| {
            match character.is_control() {
                true => line.extend(character.escape_default()),
                false => line.push(character),
            }
            line
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_as_a_table() {
        let answer = serde_json::json!({
            "columns": [{ "name": "body" }, { "name": "n" }],
            "rows": [["a\n\u{1b}[31mé", 1], [null, 1.5]],
            "completeness": {
                "truncated": "row limit of 2 reached",
                "missing": [{ "segment": "01a", "reason": "gone" }],
            },
        });
        let expected = "body            n\n--------------  ---\na\\n\\u{1b}[31mé  1\nNULL            1.5\n(2 rows)\n";
        assert_eq!(table(&answer).as_deref(), Some(expected));
        assert_eq!(notes(&answer["completeness"]).len(), 2);
        assert_eq!(table(&serde_json::json!({})), None);
    }
}
