//! What the operations of Loki's API take and answer.

use super::problem;
use crate::api::{
    loki as served,
    operation::{Method, Operation},
    state::Api,
};
use axum::{handler::Handler, http::StatusCode};
use cairn_tenancy::principal::Scope;
use serde_json::{Value, json};
use std::sync::Arc;

/// One parameter: its name, whether it must be there, and what it is.
type Parameter = (&'static str, bool, &'static str);

const TIME: &str = "Nanoseconds since 1970, seconds with a fraction, or RFC 3339.";
const DURATION: &str = "Seconds, or a duration such as `5m`.";
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
    let mut all = Vec::new();
    queries(&mut all);
    streams(&mut all);
    volumes(&mut all);
    fields(&mut all);
    all
}

fn queries(all: &mut Vec<Operation>) {
    let path = (
        "/loki/api/v1/query",
        "Evaluates a metric query at one instant.",
    );
    both(
        all,
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
    both(all, path, served::range, &which);
    let path = (
        "/loki/api/v1/tail",
        "Lines as they arrive, over a WebSocket.",
    );
    let delay = (
        "delay_for",
        false,
        "Seconds that lines wait for late ones, at most 5.",
    );
    get(all, path, served::tail, &[QUERY, START, LIMIT, delay]);
    let path = ("/loki/api/v1/format_query", "A query as it is best read.");
    both(all, path, served::format, &[QUERY]);
    let path = ("/loki/api/v1/status/buildinfo", "What answers here.");
    get(all, path, served::build_info, &[]);
}

fn streams(all: &mut Vec<Operation>) {
    let which = [SELECTOR, START, END, SINCE];
    let about = "The names of labels.";
    both(
        all,
        ("/loki/api/v1/labels", about),
        served::label_names,
        &which,
    );
    both(
        all,
        ("/loki/api/v1/label", about),
        served::label_names,
        &which,
    );
    let path = ("/loki/api/v1/label/{name}/values", "The values of a label.");
    get(all, path, served::label_values, &which);
    let path = (
        "/loki/api/v1/series",
        "The labels of the streams that selectors select.",
    );
    let selectors = ("match[]", false, "A selector; may come several times.");
    both(all, path, served::series, &[selectors, START, END, SINCE]);
    let path = (
        "/loki/api/v1/detected_labels",
        "Labels with how many values each has.",
    );
    both(all, path, served::detected_labels, &which);
}

fn volumes(all: &mut Vec<Operation>) {
    let path = (
        "/loki/api/v1/index/stats",
        "How many streams, entries and bytes a selector means.",
    );
    both(all, path, served::stats, &[SELECTOR, START, END, SINCE]);
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
    both(all, path, served::volume, &which);
    let path = (
        "/loki/api/v1/index/volume_range",
        "The same for every step.",
    );
    let which = [SELECTOR, START, END, SINCE, STEP, LIMIT, targets, by];
    both(all, path, served::volume_range, &which);
}

fn fields(all: &mut Vec<Operation>) {
    let lines = ("line_limit", false, "Lines that are looked at.");
    let which = [QUERY, START, END, SINCE, lines, LIMIT];
    let path = (
        "/loki/api/v1/detected_fields",
        "What parsers would find in lines.",
    );
    both(all, path, served::detected_fields, &which);
    let path = (
        "/loki/api/v1/detected_field/{name}/values",
        "The values of one field.",
    );
    both(all, path, served::detected_values, &which);
    let path = ("/loki/api/v1/patterns", "The templates that lines follow.");
    both(
        all,
        path,
        served::patterns,
        &[QUERY, START, END, SINCE, STEP],
    );
}

fn get<T: 'static>(
    all: &mut Vec<Operation>,
    (path, summary): (&'static str, &str),
    handler: impl Handler<T, Arc<Api>>,
    parameters: &[Parameter],
) {
    let mut about = about((path, "get"), summary);
    let mut listed: Vec<Value> = parameters.iter().map(in_query).collect();
    listed.extend(in_path(path));
    about["parameters"] = Value::Array(listed);
    let operation = Operation::new((Method::Get, path), &[Scope::Query], handler, about);
    all.push(operation);
}

fn both<T: 'static>(
    all: &mut Vec<Operation>,
    (path, summary): (&'static str, &str),
    handler: impl Handler<T, Arc<Api>>,
    parameters: &[Parameter],
) {
    get(all, (path, summary), handler.clone(), parameters);
    let mut about = about((path, "post"), summary);
    if let Some(name) = in_path(path) {
        about["parameters"] = json!([name]);
    }
    let properties = parameters.iter().map(|(name, _, what)| {
        let schema = json!({ "type": "string", "description": what });
        ((*name).to_owned(), schema)
    });
    let required: Vec<&str> = parameters.iter().filter(|p| p.1).map(|p| p.0).collect();
    let properties: serde_json::Map<String, Value> = properties.collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    about["requestBody"] = json!({
        "content": { "application/x-www-form-urlencoded": { "schema": schema } },
    });
    let operation = Operation::new((Method::Post, path), &[Scope::Query], handler, about);
    all.push(operation);
}

fn in_query((name, required, what): &Parameter) -> Value {
    json!({
        "name": name,
        "in": "query",
        "required": required,
        "description": what,
        "schema": { "type": "string" },
    })
}

fn in_path(path: &str) -> Option<Value> {
    let name =
        json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } });
    path.contains("{name}").then_some(name)
}

/// What every operation has in common.
fn about((path, method): (&str, &str), summary: &str) -> Value {
    let short = path.trim_start_matches("/loki/api/v1/");
    let id: String = short
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let answer = json!({ "$ref": "#/components/schemas/LokiAnswer" });
    let mut responses = json!({
        "200": {
            "description": "The answer in the form of Loki.",
            "content": { "application/json": { "schema": answer } },
        },
    });
    for status in FAILURES {
        let mut response = problem(status);
        response["content"]["text/plain"] = json!({ "schema": { "type": "string" } });
        responses[status.as_str()] = response;
    }
    json!({
        "operationId": format!("loki_{method}_{id}"),
        "summary": summary,
        "responses": responses,
    })
}
