//! `cairn serve --demo`: the shop's telemetry comes in by the real port, and the README's questions have answers.

use crate::server::{PATIENCE, Server};
use serde_json::{Value as Json, json};

const README: &str = include_str!("../../README.md");

/// What the shop tells, as questions whose answer is true once it has told enough.
const TOLD: [(&str, &str); 10] = [
    (
        "six services",
        "SELECT count(DISTINCT service_name) = 6 FROM spans",
    ),
    (
        "every kind of metric",
        "SELECT count(DISTINCT type) = 5 FROM metrics",
    ),
    (
        "delta and cumulative sums, and one that may fall",
        "SELECT count(DISTINCT concat(temporality, CAST(is_monotonic AS VARCHAR))) = 3 FROM metrics WHERE type = 'sum'",
    ),
    (
        "points of every kind have values",
        "SELECT count(*) > 0 AND bool_and(value IS NOT NULL OR count IS NOT NULL) FROM metrics",
    ),
    (
        "exemplars lead to spans",
        "SELECT count(*) > 0 FROM exemplars e JOIN spans s ON e.trace_id = s.trace_id AND e.span_id = s.span_id",
    ),
    (
        "payments breaks",
        "SELECT count(*) > 0 FROM spans WHERE service_name = 'payments' AND status_code = 2",
    ),
    (
        "and says so",
        "SELECT count(*) > 0 FROM logs WHERE service_name = 'payments' AND severity_text = 'ERROR'",
    ),
    (
        "messages link to their senders",
        "SELECT count(*) > 0 FROM span_links l JOIN spans s ON l.linked_trace_id = s.trace_id AND l.linked_span_id = s.span_id",
    ),
    (
        "the queue's gauge names its queue",
        "SELECT count(*) > 0 AND bool_and(attributes['messaging.destination.name'] = 'orders') FROM metrics \
         WHERE metric = 'messaging.queue.depth'",
    ),
    (
        // Spans are sent before the records that speak of them; the last minute is left to those under way.
        "every log record stands in a span that is there",
        "SELECT count(*) > 100 AND count(s.span_id) = count(*) FROM logs l \
         LEFT JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id \
         WHERE l.timestamp < (SELECT max(timestamp) - INTERVAL '60 seconds' FROM logs)",
    ),
];

#[tokio::test]
async fn the_demo_answers_what_the_readme_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--demo"]).await;
    for (what, question) in TOLD {
        wait_for(&server, what, question, |rows| *rows == json!([[true]])).await;
    }
    let questions = readme_questions();
    assert!(questions.len() >= 4, "{questions:?}");
    for question in questions {
        wait_for(&server, "the README", question, is_worth_reading).await;
    }
    server.stop().await;
}

/// The statements that the README's first section tells a reader of the demo to ask.
fn readme_questions() -> Vec<&'static str> {
    let section = README
        .split("\n## ")
        .find(|part| part.starts_with("Run it"));
    let section = section.expect("the README has a section `Run it`");
    let asked = section.lines().filter_map(|line| {
        let (_, rest) = line
            .split_once(" query \"")
            .or_else(|| line.split_once(" -d \""))?;
        rest.strip_suffix('"')
    });
    asked.collect()
}

/// Whether there are rows, no column is NULL all the way, and a lone count is not zero.
fn is_worth_reading(rows: &Json) -> bool {
    let rows = rows.as_array().expect("rows are an array");
    let Some(first) = rows.first().and_then(Json::as_array) else {
        return false;
    };
    let columns = 0..first.len();
    let is_said = |column: usize| rows.iter().any(|row| !row[column].is_null());
    *rows != [json!([0])] && columns.into_iter().all(is_said)
}

/// Asks until the answer is as it should be.
async fn wait_for(server: &Server, what: &str, question: &str, is_good: impl Fn(&Json) -> bool) {
    let mut last = Json::Null;
    let asked = async {
        loop {
            last = server.sql(question, None).await;
            if is_good(&last) {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, asked).await;
    assert!(in_time.is_ok(), "{what}: {question}: {last}");
}

#[test]
fn what_is_not_worth_reading() {
    for rows in [json!([]), json!([[0]]), json!([[1, null], [2, null]])] {
        assert!(!is_worth_reading(&rows), "{rows}");
    }
    assert!(is_worth_reading(&json!([[1, null], [2, "x"]])));
    assert_eq!(
        readme_questions()
            .first()
            .map(|question| question.contains("FROM logs")),
        Some(true),
        "questions are found in the README"
    );
}
