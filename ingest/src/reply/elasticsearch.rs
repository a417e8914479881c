//! The answers of Elasticsearch's API, as its clients and shippers look at them.
//!
//! Source: Elasticsearch 8, "Bulk API", "Index API" and the checks of its clients: a product by header, a version and a
//! tagline.

use super::ErrorReply;
use crate::{
    dialect::{Places, bulk::Action},
    pipeline::Taken,
};
use axum::{body::Body, response::Response};
use cairn_storage::append::Refusal;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use std::fmt::Write;

/// The version that is claimed: clients of 7 to 9 take it.
const VERSION: &str = "8.19.0";

/// Longest reason of one item, in bytes.
const MAX_REASON_BYTES: usize = 200;

/// What is asked of a record is not done, or it cannot be read.
const BAD_DOCUMENT: &str = "document_parsing_exception";

/// An item of an answer.
struct Item<'t> {
    ordinal: u32,
    action: Action,
    index: &'t [u8],
    id: Option<&'t [u8]>,
    refusal: Option<&'t Refusal>,
}

/// The answer to a bulk request: an item for each action, in order.
pub(crate) fn bulk(taken: &Taken) -> Response {
    let took = taken.took.as_millis();
    let errors = !taken.refused.is_empty();
    let mut answer = format!("{{\"errors\":{errors},\"took\":{took},\"items\":[");
    let mut separator = "";
    for item in items(taken) {
        answer.push_str(separator);
        separator = ",";
        let _ = write!(answer, "{{\"{}\":", item.action.as_str());
        item.write(&mut answer, taken.outcome.sequence);
        answer.push('}');
    }
    answer.push_str("]}");
    response(StatusCode::OK, answer)
}

/// The answer to one document.
pub(crate) fn document(taken: &Taken) -> Response {
    match (items(taken).next(), taken.refused.first()) {
        (Some(item), None) => {
            let mut answer = String::new();
            item.write(&mut answer, taken.outcome.sequence);
            response(StatusCode::CREATED, answer)
        }
        (_, refusal) => {
            let reason = refusal.map_or("there is no document", |refusal| &refusal.detail);
            failure(StatusCode::BAD_REQUEST, BAD_DOCUMENT, reason)
        }
    }
}

/// The answer to a request that was refused.
pub(crate) fn refused(reply: &ErrorReply) -> Response {
    let kind = match reply.http {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "security_exception",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type_header_exception",
        StatusCode::TOO_MANY_REQUESTS => "es_rejected_execution_exception",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable_shards_exception",
        StatusCode::INTERNAL_SERVER_ERROR => "exception",
        _ => "illegal_argument_exception",
    };
    failure(reply.http, kind, &reply.message)
}

/// Who answers here.
pub(crate) fn about() -> Response {
    let about = json!({
        "name": "cairn",
        "cluster_name": "cairn",
        "cluster_uuid": "cairn",
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": "cairn",
            "build_date": "2025-07-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    });
    response(StatusCode::OK, about.to_string())
}

/// A license that does not run out: shippers send to none other.
pub(crate) fn license() -> Response {
    let license = json!({"license": {
        "status": "active", "uid": "cairn", "type": "basic", "issued_to": "cairn", "issuer": "cairn",
        "issue_date_in_millis": 0, "max_nodes": 1, "start_date_in_millis": -1,
    }});
    response(StatusCode::OK, license.to_string())
}

/// What shippers ask of the features: life cycles are there, since policies are acknowledged.
pub(crate) fn features() -> Response {
    let features = json!({
        "license": {"status": "active", "uid": "cairn", "type": "basic", "mode": "basic"},
        "features": {"ilm": {"available": true, "enabled": true}},
        "tagline": "You know, for X",
    });
    response(StatusCode::OK, features.to_string())
}

/// A cluster that takes documents.
pub(crate) fn health() -> Response {
    let health = json!({
        "cluster_name": "cairn", "status": "green", "timed_out": false,
        "number_of_nodes": 1, "number_of_data_nodes": 1,
    });
    response(StatusCode::OK, health.to_string())
}

pub(crate) fn acknowledged() -> Response {
    let done = json!({"acknowledged": true, "shards_acknowledged": true});
    response(StatusCode::OK, done.to_string())
}

pub(crate) fn present() -> Response {
    response(StatusCode::OK, String::new())
}

/// What was acknowledged is not kept.
pub(crate) fn missing() -> Response {
    failure(
        StatusCode::NOT_FOUND,
        "resource_not_found_exception",
        "nothing of this name is kept",
    )
}

pub(crate) fn unknown() -> Response {
    let reason = "telemetry is taken here by the bulk API and read by SQL; nothing else of this API is served";
    failure(
        StatusCode::NOT_FOUND,
        "resource_not_found_exception",
        reason,
    )
}

fn items(taken: &Taken) -> impl Iterator<Item = Item<'_>> {
    let items = match &taken.places {
        Places::Items(items) => Some(items),
        _ => None,
    };
    let mut refused = taken.refused.iter().peekable();
    let items = items.into_iter().flat_map(|items| items.iter());
    (0..)
        .zip(items)
        .map(move |(ordinal, (action, index, id))| Item {
            ordinal,
            action,
            index,
            id,
            refusal: refused.next_if(|refusal| refusal.ordinal == ordinal),
        })
}

impl Item<'_> {
    /// Writes the object of an item. Names stand in JSON already; an id that nobody gave is that of the row.
    fn write(&self, answer: &mut String, sequence: u64) {
        let index = String::from_utf8_lossy(self.index);
        let _ = write!(answer, "{{\"_index\":\"{index}\",\"_id\":\"");
        let _ = match self.id {
            Some(id) => write!(answer, "{}", String::from_utf8_lossy(id)),
            None => write!(answer, "{sequence}-{}", self.ordinal),
        };
        let _ = match self.refusal {
            None => write!(
                answer,
                "\",\"_version\":1,\"result\":\"created\",\"_shards\":{{\"total\":1,\"successful\":1,\
                 \"failed\":0}},\"_seq_no\":{sequence},\"_primary_term\":1,\"status\":201}}"
            ),
            Some(refusal) => {
                let reason = cut(&refusal.detail);
                let error = json!({"type": BAD_DOCUMENT, "reason": reason});
                write!(answer, "\",\"status\":400,\"error\":{error}}}")
            }
        };
    }
}

fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)]
}

fn failure(status: StatusCode, kind: &str, reason: &str) -> Response {
    let cause = json!({"type": kind, "reason": reason});
    let mut error = cause.clone();
    error["root_cause"] = Value::Array(vec![cause]);
    let answer = json!({"error": error, "status": status.as_u16()});
    response(status, answer.to_string())
}

fn response(status: StatusCode, answer: String) -> Response {
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        "x-elastic-product",
        HeaderValue::from_static("Elasticsearch"),
    );
    response
}
