//! What the operations of Prometheus' API take and answer.

use super::problem;
use crate::api::{
    operation::{Method, Operation},
    prometheus as served,
    state::Api,
};
use axum::{handler::Handler, http::StatusCode};
use cairn_tenancy::principal::Scope;
use serde_json::{Value, json};
use std::sync::Arc;

/// One parameter: its name, whether it must be there, and what it is.
type Parameter = (&'static str, bool, &'static str);

const TIME: &str = "Seconds since 1970 with a fraction, or RFC 3339.";
const DURATION: &str = "Seconds, or a duration such as `5m`.";
const QUERY: Parameter = ("query", true, "PromQL.");
const START: Parameter = ("start", false, TIME);
const END: Parameter = ("end", false, TIME);
const TIMEOUT: Parameter = ("timeout", false, DURATION);
const LIMIT: Parameter = ("limit", false, "The most entries of the answer; 0 for all.");
const MATCH: Parameter = ("match[]", false, "A selector; may come several times.");

/// What every question may get instead of an answer.
const FAILURES: [StatusCode; 6] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::NOT_FOUND,
];

/// Every operation, those that take a form twice.
pub(in crate::api) fn all() -> Vec<Operation> {
    let mut all = Vec::new();
    queries(&mut all);
    language(&mut all);
    series(&mut all);
    statuses(&mut all);
    all.push(remote_read());
    all
}

fn queries(all: &mut Vec<Operation>) {
    let lookback = ("lookback_delta", false, DURATION);
    both(
        all,
        (
            "/prometheus/api/v1/query",
            "Evaluates a query at one instant.",
        ),
        served::instant,
        &[QUERY, ("time", false, TIME), TIMEOUT, LIMIT, lookback],
    );
    let (start, end) = (("start", true, TIME), ("end", true, TIME));
    let step = ("step", true, DURATION);
    both(
        all,
        (
            "/prometheus/api/v1/query_range",
            "Evaluates a query at every step of an interval.",
        ),
        served::range,
        &[QUERY, start, end, step, TIMEOUT, LIMIT, lookback],
    );
    both(
        all,
        (
            "/prometheus/api/v1/query_exemplars",
            "The exemplars of the series that a query selects.",
        ),
        served::query_exemplars,
        &[QUERY, START, END, TIMEOUT],
    );
}

fn language(all: &mut Vec<Operation>) {
    let path = "/prometheus/api/v1/format_query";
    both(
        all,
        (path, "A query as it is best read."),
        served::format,
        &[QUERY],
    );
    let path = "/prometheus/api/v1/parse_query";
    both(all, (path, "A query as a tree."), served::parse, &[QUERY]);
}

fn series(all: &mut Vec<Operation>) {
    let path = "/prometheus/api/v1/series";
    let wanted = ("match[]", true, MATCH.2);
    both(
        all,
        (path, "The series that selectors select."),
        served::series,
        &[wanted, START, END, TIMEOUT, LIMIT],
    );
    let path = "/prometheus/api/v1/labels";
    let which = [MATCH, START, END, TIMEOUT, LIMIT];
    both(
        all,
        (path, "The names of labels."),
        served::label_names,
        &which,
    );
    let path = "/prometheus/api/v1/label/{name}/values";
    get(
        all,
        (path, "The values of a label."),
        served::label_values,
        &which,
    );
    let path = "/prometheus/api/v1/metadata";
    let metric = ("metric", false, "The one metric that is asked about.");
    let each = ("limit_per_metric", false, "The most entries of one metric.");
    get(
        all,
        (path, "Type, help and unit of metrics."),
        served::metadata,
        &[metric, LIMIT, each, START, END],
    );
}

fn statuses(all: &mut Vec<Operation>) {
    let path = "/prometheus/api/v1/status/buildinfo";
    get(all, (path, "What answers here."), served::build_info, &[]);
    let path = "/prometheus/api/v1/status/runtimeinfo";
    get(
        all,
        (path, "What of it there is to tell."),
        served::runtime_info,
        &[],
    );
    get(
        all,
        ("/prometheus/api/v1/status/flags", "None."),
        served::flags,
        &[],
    );
    let path = "/prometheus/api/v1/status/tsdb";
    let which = [LIMIT, MATCH, START, END, TIMEOUT];
    get(
        all,
        (path, "How many series there are, and of what."),
        served::cardinality,
        &which,
    );
    get(
        all,
        ("/prometheus/api/v1/rules", "None yet."),
        served::rules,
        &[],
    );
    get(
        all,
        ("/prometheus/api/v1/alerts", "None yet."),
        served::alerts,
        &[],
    );
    get(
        all,
        ("/prometheus/api/v1/targets", "None yet."),
        served::targets,
        &[],
    );
    get(
        all,
        ("/prometheus/api/v1/alertmanagers", "None yet."),
        served::alertmanagers,
        &[],
    );
}

fn get<T: 'static>(
    all: &mut Vec<Operation>,
    (path, summary): (&'static str, &str),
    handler: impl Handler<T, Arc<Api>>,
    parameters: &[Parameter],
) {
    let mut about = about((path, "get"), summary);
    about["parameters"] = parameters.iter().map(in_query).collect();
    if path.contains("{name}") {
        let name = json!({ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } });
        if let Some(list) = about["parameters"].as_array_mut() {
            list.push(name);
        }
    }
    all.push(Operation::new(
        (Method::Get, path),
        &[Scope::Query],
        handler,
        about,
    ));
}

fn both<T: 'static>(
    all: &mut Vec<Operation>,
    (path, summary): (&'static str, &str),
    handler: impl Handler<T, Arc<Api>>,
    parameters: &[Parameter],
) {
    get(all, (path, summary), handler.clone(), parameters);
    let mut about = about((path, "post"), summary);
    let properties = parameters.iter().map(|(name, _, what)| {
        (
            (*name).to_owned(),
            json!({ "type": "string", "description": what }),
        )
    });
    let required: Vec<&str> = parameters.iter().filter(|p| p.1).map(|p| p.0).collect();
    let properties: serde_json::Map<String, Value> = properties.collect();
    about["requestBody"] = json!({
        "required": true,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": { "type": "object", "properties": properties, "required": required },
            },
        },
    });
    all.push(Operation::new(
        (Method::Post, path),
        &[Scope::Query],
        handler,
        about,
    ));
}

/// Remote read speaks protobuf, whose own specification describes it.
fn remote_read() -> Operation {
    let path = "/prometheus/api/v1/read";
    let mut about = about(
        (path, "post"),
        "The samples of series, for Prometheus' remote read.",
    );
    let packed = json!({ "application/x-protobuf": { "schema": {} } });
    about["requestBody"] = json!({ "required": true, "content": packed });
    about["responses"]["200"]["content"] = packed;
    Operation::new(
        (Method::Post, path),
        &[Scope::Query],
        served::remote_read,
        about,
    )
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

/// What every operation has in common.
fn about((path, method): (&str, &str), summary: &str) -> Value {
    let short = path.trim_start_matches("/prometheus/api/v1/");
    let id: String = short
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let answer = json!({ "$ref": "#/components/schemas/PrometheusAnswer" });
    let mut responses = json!({
        "200": {
            "description": "The answer in the form of Prometheus.",
            "content": { "application/json": { "schema": answer } },
        },
    });
    for status in FAILURES {
        let mut response = problem(status);
        let failure = json!({ "schema": { "$ref": "#/components/schemas/PrometheusFailure" } });
        response["content"]["application/json"] = failure;
        responses[status.as_str()] = response;
    }
    json!({
        "operationId": format!("prometheus_{method}_{id}"),
        "summary": summary,
        "responses": responses,
    })
}
