//! What the operations of Loki's API take and answer.

use super::foreign::{DURATION, Interface, Parameter};
use crate::api::{loki as served, operation::Operation};
use axum::http::StatusCode;
use serde_json::json;

const TIME: &str = "Nanoseconds since 1970, seconds with a fraction, or RFC 3339.";
const QUERY: Parameter = ("query", true, "LogQL.");
const SELECTOR: Parameter = ("query", false, "A selector, `{…}`.");
const START: Parameter = ("start", false, TIME);
const END: Parameter = ("end", false, TIME);
const SINCE: Parameter = ("since", false, DURATION);
const STEP: Parameter = ("step", false, DURATION);
const LIMIT: Parameter = ("limit", false, "The most entries of the answer.");
const DIRECTION: Parameter = ("direction", false, "`backward` or `forward`.");

/// What every question may get instead of an answer.
const FAILURES: [StatusCode; 6] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Every operation, those that take a form twice.
pub(in crate::api) fn all() -> Vec<Operation> {
    let answer = json!({ "$ref": "#/components/schemas/LokiAnswer" });
    let mut all = Interface {
        id: "loki",
        prefix: "/loki/api/v1/",
        answer: json!({
            "description": "The answer in the form of Loki.",
            "content": { "application/json": { "schema": answer } },
        }),
        failures: &FAILURES,
        failure: ("text/plain", json!({ "schema": { "type": "string" } })),
        wants_form: false,
        all: Vec::new(),
    };
    queries(&mut all);
    streams(&mut all);
    volumes(&mut all);
    fields(&mut all);
    all.all
}

fn queries(all: &mut Interface) {
    let path = (
        "/loki/api/v1/query",
        "Evaluates a metric query at one instant.",
    );
    all.both(
        path,
        served::instant,
        &[QUERY, ("time", false, TIME), LIMIT, DIRECTION],
    );
    let path = (
        "/loki/api/v1/query_range",
        "The lines of a log query, or a metric query at every step.",
    );
    let interval = ("interval", false, DURATION);
    let which = [QUERY, START, END, SINCE, STEP, interval, LIMIT, DIRECTION];
    all.both(path, served::range, &which);
    let path = (
        "/loki/api/v1/tail",
        "Lines as they arrive, over a WebSocket.",
    );
    let delay = (
        "delay_for",
        false,
        "Seconds that lines wait for late ones, at most 5.",
    );
    all.get(path, served::tail, &[QUERY, START, LIMIT, delay]);
    let path = ("/loki/api/v1/format_query", "A query as it is best read.");
    all.both(path, served::format, &[QUERY]);
    let path = ("/loki/api/v1/status/buildinfo", "What answers here.");
    all.get(path, served::build_info, &[]);
}

fn streams(all: &mut Interface) {
    let which = [SELECTOR, START, END, SINCE];
    let about = "The names of labels.";
    all.both(("/loki/api/v1/labels", about), served::label_names, &which);
    all.both(("/loki/api/v1/label", about), served::label_names, &which);
    let path = ("/loki/api/v1/label/{name}/values", "The values of a label.");
    all.get(path, served::label_values, &which);
    let path = (
        "/loki/api/v1/series",
        "The labels of the streams that selectors select.",
    );
    let selectors = ("match[]", false, "A selector; may come several times.");
    all.both(path, served::series, &[selectors, START, END, SINCE]);
    let path = (
        "/loki/api/v1/detected_labels",
        "Labels with how many values each has.",
    );
    all.both(path, served::detected_labels, &which);
}

fn volumes(all: &mut Interface) {
    let path = (
        "/loki/api/v1/index/stats",
        "How many streams, entries and bytes a selector means.",
    );
    all.both(path, served::stats, &[SELECTOR, START, END, SINCE]);
    let targets = (
        "targetLabels",
        false,
        "Labels to add up by, with commas between.",
    );
    let by = ("aggregateBy", false, "`series` or `labels`.");
    let path = (
        "/loki/api/v1/index/volume",
        "The bytes of lines, by labels.",
    );
    let which = [SELECTOR, START, END, SINCE, LIMIT, targets, by];
    all.both(path, served::volume, &which);
    let path = (
        "/loki/api/v1/index/volume_range",
        "The same for every step.",
    );
    let which = [SELECTOR, START, END, SINCE, STEP, LIMIT, targets, by];
    all.both(path, served::volume_range, &which);
}

fn fields(all: &mut Interface) {
    let lines = ("line_limit", false, "Lines that are looked at.");
    let which = [QUERY, START, END, SINCE, lines, LIMIT];
    let path = (
        "/loki/api/v1/detected_fields",
        "What parsers would find in lines.",
    );
    all.both(path, served::detected_fields, &which);
    let path = (
        "/loki/api/v1/detected_field/{name}/values",
        "The values of one field.",
    );
    all.both(path, served::detected_values, &which);
    let path = ("/loki/api/v1/patterns", "The templates that lines follow.");
    all.both(path, served::patterns, &[QUERY, START, END, SINCE, STEP]);
}
