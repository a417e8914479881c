//! The committed document is the one that is served, and a change of it is told by what it breaks.

use crate::api;
use cairn_query::error::Kind;
use serde_json::{Value, json};

/// Places of `old` that `new` has not, or has otherwise, and that a client may stand on: operations, responses with
/// their media types, members of answers, and what a request may leave out.
fn breaking(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                let path = format!("{path}/{name}");
                match new.get(name) {
                    Some(other) => breaking(&path, value, other, found),
                    None => found.push(format!("{path} is gone")),
                }
            }
            if !old.contains_key("required") && new.contains_key("required") {
                found.push(format!("{path}/required is new"));
            }
        }
        // What a request must have may not grow, what an answer has may not shrink.
        (Value::Array(old), Value::Array(new)) => {
            let of_requests = path.contains("/Question/") || path.contains("/parameters/");
            let grown = path.ends_with("/required") && of_requests && new.len() > old.len();
            if grown || old.iter().any(|value| !new.contains(value)) {
                found.push(format!("{path} was {old:?} and is {new:?}"));
            }
        }
        _ if path.ends_with("/description") || path.ends_with("/summary") => {}
        _ if old != new => found.push(format!("{path} was {old} and is {new}")),
        _ => {}
    }
}

#[test]
fn the_committed_document_is_served() {
    let committed = include_str!("../../../docs/api/openapi.json");
    let current = api::document();
    let mut found = Vec::new();
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("a document in JSON") };
    breaking("", &read(committed), &read(&current), &mut found);
    assert!(
        found.is_empty(),
        "clients may break; within /api/v1 the API only grows:\n{}",
        found.join("\n")
    );
    assert!(
        committed == current,
        "run `cairn openapi > docs/api/openapi.json`"
    );
}

#[test]
fn what_breaks_clients_is_found() {
    let old = json!({"paths": {"/a": {"get": {"responses": {"200": {"description": "x"}}}}},
        "Question": {"required": ["sql"], "properties": {"sql": {"type": "string"}}},
        "Answer": {"required": ["rows"]}, "enum": ["a", "b"]});
    let check = |pointer: &str, value: Option<Value>, expected: usize| {
        let mut new = old.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        let parent = new.pointer_mut(parent).and_then(Value::as_object_mut);
        let parent = parent.expect("it is there");
        match value {
            Some(value) => drop(parent.insert(name.to_string(), value)),
            None => drop(parent.remove(name)),
        }
        let mut found = Vec::new();
        breaking("", &old, &new, &mut found);
        assert_eq!(found.len(), expected, "{pointer}: {found:?}");
    };
    check("/paths", None, 1);
    check("/paths/~1b", Some(json!({"get": {}})), 0);
    check("/Question/properties/sql", None, 1);
    check(
        "/Question/properties/more",
        Some(json!({"type": "string"})),
        0,
    );
    check(
        "/Question/properties/sql",
        Some(json!({"type": "integer"})),
        1,
    );
    check("/Question/required", Some(json!(["sql", "more"])), 1);
    check("/Answer/required", Some(json!(["rows", "more"])), 0);
    check("/Answer/required", Some(json!([])), 1);
    check("/enum", Some(json!(["a", "b", "c"])), 0);
    check("/enum", Some(json!(["a"])), 1);
}

#[test]
fn every_kind_of_a_problem_is_told() {
    let kinds = [
        Kind::Invalid,
        Kind::Denied,
        Kind::NotFound,
        Kind::Limited,
        Kind::TooLarge,
        Kind::TimedOut,
        Kind::Unavailable,
        Kind::Corrupt,
        Kind::Internal,
    ];
    for kind in kinds {
        assert!(
            api::problem::Problem::KINDS.contains(&kind.name()),
            "{kind:?}"
        );
    }
}
