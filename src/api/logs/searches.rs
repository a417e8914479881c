//! `/api/v1/logs/searches`: questions about logs that somebody has given a name, kept in the bucket (`docs/formats/bucket.md`).

use super::question::Question;
use crate::api::{body, problem::Problem, state::Api};
use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL},
};
use bytes::Bytes;
use cairn_query::format::rfc3339;
use cairn_storage::{
    error::{Error, Kind},
    store::{ByName, Change, Documents},
    time::Nanos,
};
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::sync::Arc;

/// Saved searches of a tenant: they are read and written together.
const MOST_SEARCHES: usize = 200;

/// Bytes of a name, and of one search as it was sent.
const NAME_BYTES: usize = 64;
const SEARCH_BYTES: usize = 16 << 10;

const SAVED: &str = "cairn.search.saved.v1";
const DELETED: &str = "cairn.search.deleted.v1";

/// A search as somebody saves it. Times that are relative stay so.
#[derive(Debug, Clone, Default, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Search {
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

type Answer = ([(HeaderName, HeaderValue); 1], Json<Value>);

/// All of them, by name.
pub(in crate::api) async fn list(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
) -> Result<Answer, Problem> {
    let found = read(&api, &principal).await?;
    let shown = found.iter().map(|(name, text)| shown(name, text));
    let shown = shown.collect::<Result<Vec<Value>, Problem>>()?;
    Ok(answer(json!({ "searches": shown })))
}

/// One of them.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Answer, Problem> {
    let name = checked(name)?;
    let found = read(&api, &principal).await?;
    match found.get(&name) {
        Some(text) => Ok(answer(shown(&name, text)?)),
        None => Err(unknown(&name)),
    }
}

/// Saves one, in place of one of that name.
pub(in crate::api) async fn put(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    name: Result<Path<String>, PathRejection>,
    form: Bytes,
) -> Result<Answer, Problem> {
    let name = checked(name)?;
    if form.len() > SEARCH_BYTES {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "limited",
            format!("a search has at most {SEARCH_BYTES} bytes"),
        ));
    }
    let search: Search = body::object(&form)?;
    check(&api, &search)?;
    let Nanos(now) = api.world.clock.now();
    let text = json!({
        "search": search,
        "saved_at": rfc3339(now),
        "saved_by": &*principal.key_name,
    });
    let text = text.to_string();
    let save = |documents: &mut ByName| {
        if documents.len() >= MOST_SEARCHES && !documents.contains_key(&name) {
            return Err(Error::Limited {
                what: "saved searches",
                detail: format!("there are {MOST_SEARCHES}, and no more are kept: delete one"),
            });
        }
        documents.insert(name.clone(), text.clone());
        Ok(((), told(SAVED, &name, &principal)))
    };
    let store = api.parts()?.store;
    let tenant = &principal.tenant;
    let saved = store.change_documents(tenant, Documents::LogSearches, save);
    saved.await.map_err(failed)?;
    Ok(answer(shown(&name, &text)?))
}

/// Deletes one.
pub(in crate::api) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let name = checked(name)?;
    let delete = |documents: &mut ByName| {
        let was_there = documents.remove(&name).is_some();
        Ok((was_there, told(DELETED, &name, &principal)))
    };
    let store = api.parts()?.store;
    let tenant = &principal.tenant;
    let deleted = store.change_documents(tenant, Documents::LogSearches, delete);
    match deleted.await.map_err(failed)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

async fn read(api: &Api, principal: &Principal) -> Result<ByName, Problem> {
    let store = api.parts()?.store;
    let found = store.documents(&principal.tenant, Documents::LogSearches);
    found.await.map_err(failed)
}

/// A name that stands in a path as it is.
fn checked(name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = name.len() <= NAME_BYTES
        && name.bytes().all(is_part)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    match is_name {
        true => Ok(name),
        false => Err(Problem::invalid(format!(
            "the name of a search has 1 to {NAME_BYTES} characters: letters from a to z and A to Z, digits, and behind the \
             first . _ and -"
        ))),
    }
}

/// Refuses a search that could not be asked.
fn check(api: &Api, search: &Search) -> Result<(), Problem> {
    let question = Question {
        q: search.q.clone(),
        filter: search.filter.clone(),
        from: search.from.clone(),
        to: search.to.clone(),
        ..Question::default()
    };
    let interval = question.interval(api.world.clock.as_ref())?;
    question.condition(interval).map(drop)
}

/// A saved search as it is told: what was saved, and by whom and when.
fn shown(name: &str, text: &str) -> Result<Value, Problem> {
    let unreadable = |_| Problem::internal("a saved search is no JSON");
    let mut saved: Value = serde_json::from_str(text).map_err(unreadable)?;
    let mut shown = saved["search"].take();
    if let Some(members) = shown.as_object_mut() {
        members.insert("name".to_owned(), name.into());
        for member in ["saved_at", "saved_by"] {
            members.insert(member.to_owned(), saved[member].take());
        }
    }
    Ok(shown)
}

fn told(event: &'static str, name: &str, principal: &Principal) -> Change {
    Change {
        event,
        body: json!({ "search": name, "by": &*principal.key_name }).to_string(),
    }
}

fn answer(value: Value) -> Answer {
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, Json(value))
}

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no saved search {name}"))
}

fn failed(error: Error) -> Problem {
    let detail = error.to_string();
    match error.kind() {
        Kind::Limited => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_large", detail),
        Kind::Conflict => Problem::new(StatusCode::CONFLICT, "conflict", detail),
        Kind::Unavailable => {
            tracing::warn!(%error, "saved searches are out of reach");
            Problem::unavailable(
                "the bucket, which keeps saved searches, is out of reach; try again",
            )
        }
        Kind::Corrupt | Kind::Invalid => {
            tracing::error!(%error, "saved searches cannot be read");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "corrupt", detail)
        }
        Kind::NotFound | Kind::Internal => {
            tracing::error!(%error, "saved searches failed");
            Problem::internal("the server has a bug; its log has the details")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_paths() {
        let check = |name: &str, expected| {
            assert_eq!(
                checked(Ok(Path(name.to_owned()))).is_ok(),
                expected,
                "{name}"
            );
        };
        check("errors", true);
        check("A.b_c-9", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        for name in ["", ".", "../x", "a b", "a/b", "ä", "{name}", "-a"] {
            check(name, false);
        }
    }

    #[test]
    fn what_is_told_is_the_message() {
        let principal = Principal::anonymous();
        for (event, bodies) in [
            (
                SAVED,
                include_str!("../../../proto/cairn/v1/bodies/cairn.search.saved.v1.ndjson"),
            ),
            (
                DELETED,
                include_str!("../../../proto/cairn/v1/bodies/cairn.search.deleted.v1.ndjson"),
            ),
        ] {
            let told: Value =
                serde_json::from_str(&told(event, "errors", &principal).body).expect("JSON");
            let first = bodies.lines().next().expect("a body");
            assert_eq!(told, serde_json::from_str::<Value>(first).expect("JSON"));
        }
    }

    #[test]
    fn a_saved_search_is_told_with_its_name() {
        let text = r#"{"search":{"q":"a"},"saved_at":"t","saved_by":"k"}"#;
        let expected = json!({ "name": "n", "q": "a", "saved_at": "t", "saved_by": "k" });
        assert_eq!(shown("n", text).expect("it is one"), expected);
    }
}
