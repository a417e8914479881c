//! What the operations about log records take and answer.

use super::operations::{answer, json_of, with_problems};
use crate::api::{
    logs as served,
    operation::{Method, Operation},
};
use axum::http::StatusCode;
use cairn_query::format::parquet;
use cairn_tenancy::principal::Scope;
use serde_json::{Value, json};

/// A parameter of the query string: its name and its schema.
type Parameter = (&'static str, Value);

/// Every operation.
pub(in crate::api) fn all() -> Vec<Operation> {
    vec![
        search(),
        histogram(),
        fields(),
        context(),
        patterns(),
        tail(),
        export(),
    ]
}

fn search() -> Operation {
    let mut parameters = which();
    parameters.extend([
        (
            "limit",
            whole(10_000, "Records of a page; 100 where it is missing."),
        ),
        (
            "order",
            json!({ "enum": ["desc", "asc"], "description": "Newest or oldest first." }),
        ),
        (
            "before",
            text("The cursor of a record: older ones are wanted."),
        ),
        (
            "after",
            text("The cursor of a record: newer ones are wanted."),
        ),
    ]);
    let about = about(
        ("logs_search", "The newest (or oldest) records that match."),
        parameters,
        rows("The records; the `cursor` of the last one is where the next page goes on."),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/search"),
        &[Scope::Query],
        served::search,
        about,
    )
}

fn histogram() -> Operation {
    let mut parameters = which();
    parameters.push((
        "buckets",
        whole(1_000, "The most buckets; 60 where it is missing."),
    ));
    let about = about(
        (
            "logs_histogram",
            "How many matching records there are over time, by severity.",
        ),
        parameters,
        rows("The buckets that have records."),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/histogram"),
        &[Scope::Query],
        served::histogram,
        about,
    )
}

fn fields() -> Operation {
    let mut parameters = which();
    parameters.push((
        "limit",
        whole(
            20_000,
            "Records that are looked at, newest first; 2,000 where it is missing.",
        ),
    ));
    let about = about(
        (
            "logs_fields",
            "The fields of matching records, with their most frequent values.",
        ),
        parameters,
        json!({ "200": json_of("LogFields", "Counts are of the records that were looked at.") }),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/fields"),
        &[Scope::Query],
        served::fields,
        about,
    )
}

fn context() -> Operation {
    let parameters = vec![
        ("cursor", text("The cursor of the record.")),
        (
            "limit",
            whole(1_000, "Records on each side; 10 where it is missing."),
        ),
        (
            "same",
            json!({
                "enum": ["resource", "service", "all"],
                "description": "What the records share with it; the resource where it is missing.",
            }),
        ),
    ];
    let about = about(
        (
            "logs_context",
            "The records around one, within a day of it.",
        ),
        parameters,
        rows("The record and those around it, newest first."),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/context"),
        &[Scope::Query],
        served::context,
        about,
    )
}

fn patterns() -> Operation {
    let mut parameters = which();
    parameters.push((
        "limit",
        whole(
            50_000,
            "Records that are looked at, newest first; 10,000 where it is missing.",
        ),
    ));
    let about = about(
        (
            "logs_patterns",
            "The templates that matching bodies follow, most frequent first.",
        ),
        parameters,
        json!({ "200": json_of("LogPatterns", "Counts are of the records that were looked at.") }),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/patterns"),
        &[Scope::Query],
        served::patterns,
        about,
    )
}

fn tail() -> Operation {
    let stream = json!({ "schema": { "type": "string" } });
    let about = about(
        (
            "logs_tail",
            "Matching records as they arrive, as server-sent events.",
        ),
        which().into_iter().take(2).collect(),
        json!({
            "200": {
                "description": "Events `row` with a record each, `dropped` with a number, `error` at the end.",
                "content": { "text/event-stream": stream },
            },
        }),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/tail"),
        &[Scope::Query],
        served::tail,
        about,
    )
}

fn export() -> Operation {
    let mut parameters = which();
    parameters.push((
        "limit",
        whole(u32::MAX, "The most records; all where it is missing."),
    ));
    let records = json!({ "schema": { "type": "string" } });
    let about = about(
        (
            "logs_export",
            "All matching records as one stream, newest first.",
        ),
        parameters,
        json!({
            "200": {
                "description": "The records: one a line, or the rows of a Parquet file.",
                "content": {
                    "application/x-ndjson": records,
                    "text/csv": records,
                    parquet::MEDIA_TYPE: {},
                },
            },
        }),
    );
    Operation::new(
        (Method::Get, "/api/v1/logs/export"),
        &[Scope::Query],
        served::export,
        about,
    )
}

/// Which records are meant.
fn which() -> Vec<Parameter> {
    let instant = "RFC 3339, nanoseconds since 1970, `now`, or a time before now such as `-15m`.";
    vec![
        (
            "q",
            text(
                "Words and \"phrases\" of the body, beginnings (`foo*`), parts (`*foo*`), fields (`key:word`, `key=value`, \
                 `key>=1`), joined by AND, OR, NOT, - and parentheses: docs/howto/search-logs.md.",
            ),
        ),
        (
            "filter",
            text("A condition in SQL over the columns of `logs`."),
        ),
        (
            "from",
            text(&format!(
                "The first instant; an hour before `to` where it is missing. {instant}"
            )),
        ),
        (
            "to",
            text(&format!(
                "The instant after the last one; now where it is missing. {instant}"
            )),
        ),
    ]
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn whole(most: u32, description: &str) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": most, "description": description })
}

/// An answer of rows, in every format.
fn rows(description: &str) -> Value {
    let mut answer = answer();
    answer["description"] = description.into();
    json!({ "200": answer })
}

fn about((name, summary): (&str, &str), parameters: Vec<Parameter>, responses: Value) -> Value {
    let parameter = |(name, schema): Parameter| json!({ "name": name, "in": "query", "required": name == "cursor", "schema": schema });
    json!({
        "operationId": name,
        "summary": summary,
        "parameters": parameters.into_iter().map(parameter).collect::<Vec<_>>(),
        "responses": with_problems(responses, &[
            StatusCode::NOT_FOUND,
            StatusCode::NOT_ACCEPTABLE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ]),
    })
}
