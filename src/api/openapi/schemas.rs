//! The schemas of bodies (JSON Schema 2020-12, as OpenAPI 3.1 has it).

use super::searches;
use crate::api::{health, problem::Problem};
use axum::http::StatusCode;
use cairn_storage::{
    append::Reason,
    deletion::predicate::{MAX_CONDITIONS, MAX_VALUES},
    signal::Signal,
};
use serde_json::{Value, json};

/// Every schema by its name.
pub(super) fn all() -> Value {
    let mut all = own();
    for (name, schema) in searches::schemas() {
        all[name] = schema;
    }
    all
}

fn own() -> Value {
    json!({
        "Problem": problem(),
        "Question": question(),
        "Answer": answer(),
        "Completeness": completeness(),
        "Schema": tables(),
        "Flushed": object(json!({
            "sequence": whole("Every request with this commit sequence or a lower one is in segments."),
        })),
        "Storage": storage(),
        "Deletion": deletion(),
        "Deleted": deleted(),
        "Deletions": object(json!({ "deletions": { "type": "array", "items": deleted() } })),
        "LogFields": log_fields(),
        "LogPatterns": log_patterns(),
        "Orphans": orphans(),
        "LokiAnswer": { "type": "object", "description": "What Loki answers to the same question." },
        "PrometheusAnswer": prometheus_answer(),
        "PrometheusFailure": prometheus_failure(),
        "Replay": replay(),
        "Replayed": replayed(),
        "Version": object(json!({ "name": { "const": "cairn" }, "version": { "type": "string" } })),
        "Health": object(json!({
            "status": { "enum": health::STATUSES },
            "parts": {
                "type": "array",
                "description": "Parts that have a problem, each once.",
                "items": { "type": "string" },
            },
        })),
    })
}

fn deletion() -> Value {
    let instant = json!({ "type": ["integer", "null"], "description": "Nanoseconds since 1970." });
    let name = json!({ "type": "string" });
    let one =
        |key: &str| json!({ "type": "object", "required": [key], "properties": { key: name } });
    let condition = json!({
        "type": "object",
        "required": ["field", "values"],
        "properties": {
            "field": { "oneOf": [one("column"), one("attribute"), one("resource")] },
            "values": { "type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": { "type": "string" } },
        },
    });
    json!({
        "type": "object",
        "required": ["signal", "predicate"],
        "properties": {
            "signal": { "enum": Signal::ALL.map(Signal::as_str) },
            "predicate": {
                "type": "object",
                "description": "All conditions hold; the time is from `from` to before `before`.",
                "required": ["conditions"],
                "properties": {
                    "from": instant,
                    "before": instant,
                    "conditions": { "type": "array", "minItems": 1, "maxItems": MAX_CONDITIONS, "items": condition },
                },
            },
        },
    })
}

fn deleted() -> Value {
    object(json!({
        "id": told("The deletion."),
        "signal": { "enum": Signal::ALL.map(Signal::as_str) },
        "sequence": whole("Rows of requests with a higher commit sequence are not touched."),
        "accepted": { "type": "integer", "description": "When, in nanoseconds since 1970." },
        "requested_by": told("The name of the key that asked for it."),
        "completed": { "type": ["integer", "null"], "description": "When no byte was left; null until then." },
        "predicate_sha256": told("SHA-256 of the predicate's JSON."),
        "deleted": { "type": "object", "description": "Rows by table, at least." },
        "left": { "type": "array", "description": "Files that have to be looked at by hand.", "items": { "type": "string" } },
    }))
}

fn log_fields() -> Value {
    object(json!({
        "rows": whole("Records that were looked at."),
        "fields": {
            "type": "array",
            "items": object(json!({
                "name": told("What SQL calls the field."),
                "rows": whole("Records that have it."),
                "types": { "type": "array", "items": { "type": "string" } },
                "distinct": whole("Different values of up to 256 bytes."),
                "top": {
                    "type": "array",
                    "items": object(json!({ "value": { "type": "string" }, "count": whole("Records with it.") })),
                },
            })),
        },
    }))
}

fn log_patterns() -> Value {
    object(json!({
        "rows": whole("Records that were looked at."),
        "patterns": {
            "type": "array",
            "items": object(json!({
                "pattern": told("The template; `<_>` stands for what differs."),
                "count": whole("Records that follow it."),
                "example": told("One of them."),
                "trend": {
                    "type": "array",
                    "description": "Counts of thirty equal stretches of the interval.",
                    "items": { "type": "integer" },
                },
            })),
        },
    }))
}

fn prometheus_answer() -> Value {
    json!({
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": { "const": "success" },
            "data": {},
            "warnings": { "type": "array", "items": { "type": "string" } },
            "infos": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn prometheus_failure() -> Value {
    object(json!({
        "status": { "const": "error" },
        "errorType": {
            "enum": ["bad_data", "execution", "timeout", "unavailable", "not_found", "internal"],
        },
        "error": told("What was wrong."),
    }))
}

/// An object all of whose members are always there. More may come with later versions.
fn object(members: Value) -> Value {
    let names: Vec<&String> = members
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .collect();
    json!({ "type": "object", "required": names, "properties": members })
}

fn whole(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "description": description })
}

fn optional(description: &str) -> Value {
    json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX, "description": description })
}

fn told(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn problem() -> Value {
    let types: Vec<String> = Problem::KINDS
        .iter()
        .map(|kind| Problem::urn(kind))
        .collect();
    let mut schema = object(json!({
        "type": { "enum": types, "description": "What the caller can do about it; stable." },
        "title": told("The status in words."),
        "status": {
            "type": "integer",
            "minimum": StatusCode::BAD_REQUEST.as_u16(),
            "maximum": 599,
            "description": "The status of the response.",
        },
        "detail": told("What is wrong, for people."),
    }));
    let place = json!({ "type": "integer", "minimum": 1 });
    schema["properties"]["position"] = object(json!({ "line": place, "column": place }));
    schema["description"] = json!("A problem document, RFC 9457.");
    schema
}

fn question() -> Value {
    // As `parameters` in the documentation of answers: put into the parsed statement as literals.
    let scalar = json!({ "type": ["string", "number", "boolean", "null"] });
    let value = json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
    json!({
        "type": "object",
        "required": ["sql"],
        "additionalProperties": false,
        "properties": {
            "sql": told("The statement."),
            "parameters": {
                "description": "Values of `$1`, `$2`, … or of `$name`.",
                "anyOf": [
                    { "type": "null" },
                    { "type": "array", "items": value },
                    { "type": "object", "additionalProperties": value },
                ],
            },
            "timeout_ms": optional("Time for the answer, planning included, in milliseconds."),
            "max_rows": optional("Rows of the answer at most."),
            "min_sequence": optional("The answer waits until this commit sequence can be read."),
        },
    })
}

/// The signals whose records may become dead letters.
fn signal() -> Value {
    let signals = [Signal::Logs, Signal::Metrics, Signal::Spans];
    json!({ "enum": signals.map(Signal::as_str) })
}

/// Where a letter is: epoch, sequence and ordinal of its row.
fn position() -> Value {
    let items = json!({ "type": "integer" });
    json!({ "type": ["array", "null"], "items": items, "minItems": 3, "maxItems": 3 })
}

fn replay() -> Value {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let instant = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "Which letters are offered; without members all are.",
        "properties": {
            "signal": { "anyOf": [signal(), { "type": "null" }] },
            "reason": { "anyOf": [{ "enum": reasons }, { "type": "null" }] },
            "from": instant,
            "to": instant,
            "after": position(),
        },
    })
}

fn replayed() -> Value {
    let kept = object(json!({
        "signal": signal(),
        "reason": told("What is wrong with them now, or `not_kept`."),
        "count": whole("Letters."),
        "detail": told("Of the first of them."),
    }));
    object(json!({
        "offered": whole("Letters of this page."),
        "replayed": whole("Those that became rows."),
        "kept": { "type": "array", "items": kept, "description": "Those that stay." },
        "next": position(),
    }))
}

fn orphans() -> Value {
    object(json!({
        "looked": { "type": "string", "format": "date-time" },
        "objects": whole("Objects of segments that nobody needs and that are a day old."),
        "bytes": whole("Bytes of these."),
        "foreign_objects": whole("Objects that are no segment's and not ours."),
        "missing_objects": whole("Objects that the catalog names and the bucket has not."),
    }))
}

fn storage() -> Value {
    let instant = json!({ "type": ["string", "null"], "format": "date-time" });
    let level = object(json!({
        "level": whole("0 as flushed, one more at each compaction."),
        "segments": whole("Live segments."),
        "rows": whole("Their rows."),
        "bytes": whole("Bytes of all their files."),
    }));
    let signals = Signal::ALL.map(Signal::as_str);
    let signal = object(json!({
        "tenant": told(""),
        "signal": { "enum": signals },
        "segments": whole("Live segments."),
        "rows": whole("Their rows."),
        "bytes": whole("Bytes of all their files."),
        "bytes_per_row": { "type": ["number", "null"], "minimum": 0 },
        "levels": { "type": "array", "items": level },
        "oldest": instant,
        "newest": instant,
        "retention_days": optional("Days that rows are kept; null for ever."),
        "next_expiry": instant,
    }));
    object(json!({
        "taken": { "type": "string", "format": "date-time" },
        "signals": { "type": "array", "items": signal, "description": "By tenant, then by signal." },
        "retired_segments": whole("Segments whose objects wait for their deletion."),
        "retired_bytes": whole("Bytes of these."),
        "wal_bytes": whole("Bytes of the write-ahead log."),
        "staged_bytes": whole("Bytes of staged files that wait for their upload and commit."),
        "orphans": {
            "description": "What the last look at the bucket found; null before the first.",
            "anyOf": [{ "$ref": "#/components/schemas/Orphans" }, { "type": "null" }],
        },
        "retention_held": { "type": ["string", "null"], "description": "Why nothing expires, where that is so." },
    }))
}

fn answer() -> Value {
    let column = object(
        json!({ "name": told("Unique within the answer."), "type": told("As SQL names it.") }),
    );
    let mut schema = object(json!({
        "columns": { "type": "array", "items": column },
        "rows": { "type": "array", "items": { "type": "array" } },
    }));
    schema["properties"]["completeness"] = json!({ "$ref": "#/components/schemas/Completeness" });
    schema["properties"]["error"] =
        object(json!({ "kind": told("As in `type` of a problem."), "detail": told("") }));
    // The status is sent before a long answer is known to end well.
    schema["oneOf"] = json!([{ "required": ["completeness"] }, { "required": ["error"] }]);
    schema["description"] =
        json!("Rows as arrays in the order of the columns; an answer with `error` is not whole.");
    schema
}

fn completeness() -> Value {
    let segments = object(json!({
        "considered": whole("Segments of the tables asked for."),
        "pruned": whole("Those that statistics ruled out unopened."),
        "read": whole("Those that were opened."),
    }));
    let mut missing = object(json!({ "reason": told("") }));
    missing["properties"]["segment"] = told("The segment that they were in.");
    missing["properties"]["table"] = told("The table of that segment.");
    missing["properties"]["log"] =
        told("The place in the write-ahead log, where they were in no segment yet.");
    let mut schema = object(json!({
        "complete": { "type": "boolean", "description": "Nothing is missing and nothing was cut." },
        "rows": whole("Rows in the answer."),
        "sequence": whole("Every request with this commit sequence or a lower one is in the answer."),
        "taken": { "type": "string", "format": "date-time", "description": "When the rows were looked at." },
        "segments": segments,
        "missing": { "type": "array", "items": missing, "description": "Where rows were that the answer lacks." },
        "buffered_rows": whole("Rows looked at that are not in a segment yet."),
        "bytes_read": whole("Bytes that the object store was asked for."),
        "bytes_cached": whole("Bytes that the cache of a remote bucket had, or that another statement's request brought."),
        "requests": whole("Requests to the object store."),
        "elapsed_ms": { "type": "number", "minimum": 0 },
    }));
    schema["properties"]["truncated"] =
        told("Which limit was reached, where rows were left out at the end.");
    schema
}

fn tables() -> Value {
    let column = object(json!({
        "name": told(""),
        "type": told("As SQL names it."),
        "nullable": { "type": "boolean" },
        "description": told(""),
    }));
    let attribute = object(json!({
        "column": told("The map column, e.g. `attributes`."),
        "key": told(""),
        "types": { "type": "array", "items": { "enum": ["text", "int", "double", "bool", "other"] } },
        "segments": whole("Segments that list the key."),
        "segment_rows": whole("Rows of segments that have the key in a column of its own."),
        "buffered_rows": whole("Buffered rows that have the key, of those looked at."),
    }));
    let table = object(json!({
        "name": told(""),
        "description": told(""),
        "columns": { "type": "array", "items": column },
        "attributes": { "type": "array", "items": attribute },
        "more_attributes": { "type": "boolean", "description": "Whether there are or may be keys that are not here." },
        "retention_days": optional("Days that its rows are kept; null for ever."),
    }));
    object(json!({ "tables": { "type": "array", "items": table } }))
}
