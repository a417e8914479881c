//! What the operations about saved searches of logs take and answer.

use super::operations::{json_of, with_problems};
use crate::api::{
    logs as served,
    operation::{Method, Operation},
};
use axum::http::StatusCode;
use cairn_tenancy::principal::Scope;
use serde_json::{Value, json};

const ALL: &str = "/api/v1/logs/searches";
const ONE: &str = "/api/v1/logs/searches/{name}";

/// Every operation.
pub(in crate::api) fn all() -> Vec<Operation> {
    let scopes = &[Scope::Query];
    let saved = || json!({ "200": json_of("SavedSearch", "The search.") });
    let mut put = about(
        (
            "save_log_search",
            "Saves a search, in place of one of that name.",
        ),
        saved(),
        &[StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY],
    );
    let search = json!({ "$ref": "#/components/schemas/Search" });
    put["requestBody"] =
        json!({ "required": true, "content": { "application/json": { "schema": search } } });
    let mut list = about(
        ("log_searches", "The saved searches, by name."),
        json!({ "200": json_of("SavedSearches", "All of the caller's tenant.") }),
        &[],
    );
    list["parameters"] = json!([]);
    let get = about(
        ("log_search", "A saved search."),
        saved(),
        &[StatusCode::NOT_FOUND],
    );
    let delete = about(
        ("delete_log_search", "Deletes a saved search."),
        json!({ "204": { "description": "It is gone." } }),
        &[StatusCode::NOT_FOUND, StatusCode::CONFLICT],
    );
    vec![
        Operation::new((Method::Get, ALL), scopes, served::searches, list),
        Operation::new((Method::Get, ONE), scopes, served::saved_search, get),
        Operation::new((Method::Put, ONE), scopes, served::save_search, put),
        Operation::new((Method::Delete, ONE), scopes, served::delete_search, delete),
    ]
}

fn about((name, summary): (&str, &str), responses: Value, problems: &[StatusCode]) -> Value {
    let mut statuses = problems.to_vec();
    statuses.push(StatusCode::SERVICE_UNAVAILABLE);
    let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" });
    json!({
        "operationId": name,
        "summary": summary,
        "parameters": [{ "name": "name", "in": "path", "required": true, "schema": schema }],
        "responses": with_problems(responses, &statuses),
    })
}

/// The schemas of their bodies.
pub(super) fn schemas() -> [(&'static str, Value); 3] {
    let text = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let members = json!({
        "q": text("Words, phrases and fields, as `q` of a search."),
        "filter": text("A condition in SQL, as `filter` of a search."),
        "from": text("As `from` of a search; a relative one stays so."),
        "to": text("As `to` of a search."),
        "description": text("For people."),
    });
    let mut saved = members.clone();
    saved["name"] = json!({ "type": "string" });
    saved["saved_at"] = json!({ "type": "string", "format": "date-time" });
    saved["saved_by"] =
        json!({ "type": "string", "description": "The name of the key that saved it." });
    let reference = json!({ "$ref": "#/components/schemas/SavedSearch" });
    [
        (
            "Search",
            json!({ "type": "object", "additionalProperties": false, "properties": members }),
        ),
        (
            "SavedSearch",
            json!({ "type": "object", "required": ["name", "saved_at", "saved_by"], "properties": saved }),
        ),
        (
            "SavedSearches",
            json!({
                "type": "object",
                "required": ["searches"],
                "properties": { "searches": { "type": "array", "items": reference } },
            }),
        ),
    ]
}
