//! What the operations of Prometheus' API take and answer.

use super::foreign::{DURATION, Interface, Parameter};
use crate::api::{
    operation::{Method, Operation},
    prometheus as served,
};
use axum::http::StatusCode;
use cairn_tenancy::principal::Scope;
use serde_json::json;

const TIME: &str = "Seconds since 1970 with a fraction, or RFC 3339.";
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
    let answer = json!({ "$ref": "#/components/schemas/PrometheusAnswer" });
    let failure = json!({ "schema": { "$ref": "#/components/schemas/PrometheusFailure" } });
    let mut all = Interface {
        id: "prometheus",
        prefix: "/prometheus/api/v1/",
        answer: json!({
            "description": "The answer in the form of Prometheus.",
            "content": { "application/json": { "schema": answer } },
        }),
        failures: &FAILURES,
        failure: ("application/json", failure),
        wants_form: true,
        all: Vec::new(),
    };
    queries(&mut all);
    language(&mut all);
    series(&mut all);
    statuses(&mut all);
    remote_read(&mut all);
    all.all
}

fn queries(all: &mut Interface) {
    let lookback = ("lookback_delta", false, DURATION);
    all.both(
        (
            "/prometheus/api/v1/query",
            "Evaluates a query at one instant.",
        ),
        served::instant,
        &[QUERY, ("time", false, TIME), TIMEOUT, LIMIT, lookback],
    );
    let (start, end) = (("start", true, TIME), ("end", true, TIME));
    let step = ("step", true, DURATION);
    all.both(
        (
            "/prometheus/api/v1/query_range",
            "Evaluates a query at every step of an interval.",
        ),
        served::range,
        &[QUERY, start, end, step, TIMEOUT, LIMIT, lookback],
    );
    all.both(
        (
            "/prometheus/api/v1/query_exemplars",
            "The exemplars of the series that a query selects.",
        ),
        served::query_exemplars,
        &[QUERY, START, END, TIMEOUT],
    );
}

fn language(all: &mut Interface) {
    let path = "/prometheus/api/v1/format_query";
    all.both(
        (path, "A query as it is best read."),
        served::format,
        &[QUERY],
    );
    let path = "/prometheus/api/v1/parse_query";
    all.both((path, "A query as a tree."), served::parse, &[QUERY]);
}

fn series(all: &mut Interface) {
    let path = "/prometheus/api/v1/series";
    let wanted = ("match[]", true, MATCH.2);
    all.both(
        (path, "The series that selectors select."),
        served::series,
        &[wanted, START, END, TIMEOUT, LIMIT],
    );
    let path = "/prometheus/api/v1/labels";
    let which = [MATCH, START, END, TIMEOUT, LIMIT];
    all.both((path, "The names of labels."), served::label_names, &which);
    let path = "/prometheus/api/v1/label/{name}/values";
    all.get(
        (path, "The values of a label."),
        served::label_values,
        &which,
    );
    let path = "/prometheus/api/v1/metadata";
    let metric = ("metric", false, "The one metric that is asked about.");
    let each = ("limit_per_metric", false, "The most entries of one metric.");
    all.get(
        (path, "Type, help and unit of metrics."),
        served::metadata,
        &[metric, LIMIT, each, START, END],
    );
}

fn statuses(all: &mut Interface) {
    let path = "/prometheus/api/v1/status/buildinfo";
    all.get((path, "What answers here."), served::build_info, &[]);
    let path = "/prometheus/api/v1/status/runtimeinfo";
    all.get(
        (path, "What of it there is to tell."),
        served::runtime_info,
        &[],
    );
    all.get(
        ("/prometheus/api/v1/status/flags", "None."),
        served::flags,
        &[],
    );
    let path = "/prometheus/api/v1/status/tsdb";
    let which = [LIMIT, MATCH, START, END, TIMEOUT];
    all.get(
        (path, "How many series there are, and of what."),
        served::cardinality,
        &which,
    );
    all.get(
        ("/prometheus/api/v1/rules", "None yet."),
        served::rules,
        &[],
    );
    all.get(
        ("/prometheus/api/v1/alerts", "None yet."),
        served::alerts,
        &[],
    );
    targets(all);
    all.get(
        ("/prometheus/api/v1/alertmanagers", "None yet."),
        served::alertmanagers,
        &[],
    );
}

/// What the scraper tells.
fn targets(all: &mut Interface) {
    let path = "/prometheus/api/v1/targets";
    let state = ("state", false, "`active`, `dropped` or `any`.");
    let pool = ("scrapePool", false, "The job whose targets are wanted.");
    all.get(
        (path, "What is scraped, and how that went."),
        served::targets,
        &[state, pool],
    );
    let path = "/prometheus/api/v1/targets/metadata";
    let wanted = (
        "match_target",
        false,
        "A selector of targets by their labels.",
    );
    let metric = ("metric", false, "The one metric that is asked about.");
    all.get(
        (path, "What targets say of their metrics."),
        served::target_metadata,
        &[wanted, metric, LIMIT],
    );
    all.get(
        (
            "/prometheus/api/v1/scrape_pools",
            "The jobs that are scraped.",
        ),
        served::scrape_pools,
        &[],
    );
}

/// Remote read speaks protobuf, whose own specification describes it.
fn remote_read(all: &mut Interface) {
    let path = "/prometheus/api/v1/read";
    let mut about = all.about(
        (path, "post"),
        "The samples of series, for Prometheus' remote read.",
    );
    let packed = json!({ "application/x-protobuf": { "schema": {} } });
    about["requestBody"] = json!({ "required": true, "content": packed });
    about["responses"]["200"]["content"] = packed;
    all.all.push(Operation::new(
        (Method::Post, path),
        &[Scope::Query],
        served::remote_read,
        about,
    ));
}
