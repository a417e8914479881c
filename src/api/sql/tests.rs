//! Requests as clients send them, and answers as they get them, short and long.

use super::{COMPLETENESS, accepted, question, request, respond};
use arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use cairn_query::{
    error::{Error, Kind},
    format::Format,
    sql::answer::{AnswerEnd, Part, SqlAnswer},
};
use cairn_tenancy::principal::Principal;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            value.parse().expect("a valid value"),
        )
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn a_body_is_a_statement_or_json() {
    let plain = headers(&[("content-type", "text/plain; charset=utf-8")]);
    let asked = question(&plain, "SELECT 'é'".as_bytes()).expect("it is a statement");
    assert_eq!(
        (asked.sql.as_str(), asked.parameters),
        ("SELECT 'é'", Value::Null)
    );
    assert!(question(&HeaderMap::new(), b"SELECT 1").is_ok());
    let typed = headers(&[("content-type", "application/json")]);
    let body = br#"{"sql": "SELECT $1", "parameters": [1], "timeout_ms": 250, "max_rows": 5}"#;
    let asked = request(Principal::anonymous(), &typed, body).expect("it is a request");
    assert_eq!(asked.statement, "SELECT $1");
    assert_eq!(asked.parameters, json!([1]));
    assert_eq!(asked.deadline, Some(Duration::from_millis(250)));
    assert_eq!((asked.max_rows, asked.min_sequence), (Some(5), None));
}

#[test]
fn a_body_of_another_kind_is_refused() {
    let status = |headers: &HeaderMap, body: &[u8]| {
        question(headers, body)
            .err()
            .map(|problem| problem.status())
    };
    let bad_request = Some(StatusCode::BAD_REQUEST);
    let typed = headers(&[("content-type", "application/json")]);
    assert_eq!(status(&typed, b"SELECT 1"), bad_request);
    assert_eq!(
        status(&typed, br#"{"sql": "SELECT 1", "timeout": 5}"#),
        bad_request
    );
    assert_eq!(status(&HeaderMap::new(), b"SELECT '\xff'"), bad_request);
    let other = headers(&[("content-type", "application/xml")]);
    assert_eq!(
        status(&other, b"<a/>"),
        Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    );
}

#[test]
fn the_header_with_the_sequence_counts() {
    let with = |value| headers(&[("cairn-sequence", value)]);
    let asked = request(Principal::anonymous(), &with("17"), b"SELECT 1");
    assert_eq!(asked.expect("it is a request").min_sequence, Some(17));
    assert!(request(Principal::anonymous(), &with("soon"), b"SELECT 1").is_err());
}

#[test]
fn accept_chooses_the_format() {
    assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Format::Json));
    assert_eq!(
        accepted(&headers(&[("accept", "text/csv")])).ok(),
        Some(Format::Csv)
    );
    let refused = accepted(&headers(&[("accept", "text/html")])).err();
    assert_eq!(
        refused.map(|problem| problem.status()),
        Some(StatusCode::NOT_ACCEPTABLE)
    );
}

fn batch(rows: i64) -> RecordBatch {
    let fields = vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, false),
    ];
    let texts: StringArray = (0..rows)
        .map(|n| Some("x".repeat(1_000) + &n.to_string()))
        .collect();
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..rows)),
        Arc::new(texts),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("two columns")
}

fn answer(batches: usize, last: Result<(), Error>) -> SqlAnswer {
    let rows = batch(1_000);
    let schema = rows.schema();
    let end = AnswerEnd {
        rows: 1_000 * batches as u64,
        ..AnswerEnd::default()
    };
    let last = last.map(|()| Part::End(Box::new(end)));
    let parts = (0..batches)
        .map(move |_| Ok(Part::Rows(rows.clone())))
        .chain([last]);
    SqlAnswer {
        schema,
        parts: futures::stream::iter(parts.collect::<Vec<_>>()).boxed(),
    }
}

fn too_large() -> Error {
    Error::Reported {
        kind: Kind::TooLarge,
        detail: "too much memory".to_string(),
    }
}

#[tokio::test]
async fn a_short_answer_is_whole_and_has_its_completeness_in_the_header() {
    for format in Format::ALL {
        let response = respond(answer(0, Ok(())), format)
            .await
            .expect("it is answered");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            format.media_type()
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let completeness: Value =
            serde_json::from_slice(response.headers()[COMPLETENESS].as_bytes()).expect("JSON");
        assert_eq!(completeness["complete"], true);
        let body = response
            .into_body()
            .collect()
            .await
            .expect("the body is whole")
            .to_bytes();
        if format == Format::Json {
            let body: Value = serde_json::from_slice(&body).expect("it is JSON");
            assert_eq!(body["completeness"], completeness);
        }
    }
}

#[tokio::test]
async fn an_error_in_a_short_answer_has_its_own_status() {
    let problem = respond(answer(0, Err(too_large())), Format::Csv)
        .await
        .err();
    assert_eq!(
        problem.map(|p| p.status()),
        Some(StatusCode::UNPROCESSABLE_ENTITY)
    );
}

#[tokio::test]
async fn a_long_answer_streams_and_has_its_completeness_in_the_trailer() {
    for format in Format::ALL {
        let response = respond(answer(5, Ok(())), format)
            .await
            .expect("it is answered");
        assert!(!response.headers().contains_key(COMPLETENESS));
        assert_eq!(response.headers()[header::TRAILER], COMPLETENESS.as_str());
        let body = response
            .into_body()
            .collect()
            .await
            .expect("the body is whole");
        let trailers = body.trailers().expect("there are trailers").clone();
        let completeness: Value =
            serde_json::from_slice(trailers[COMPLETENESS].as_bytes()).expect("JSON");
        assert_eq!(completeness["rows"], 5_000);
        let bytes = body.to_bytes();
        match format {
            Format::Json => {
                let body: Value = serde_json::from_slice(&bytes).expect("it is JSON");
                assert_eq!(body["rows"].as_array().map(Vec::len), Some(5_000));
                assert_eq!(body["completeness"], completeness);
            }
            Format::Csv | Format::Ndjson => {
                let lines = bytes.iter().filter(|b| **b == b'\n').count();
                assert_eq!(lines, if format == Format::Csv { 5_001 } else { 5_002 });
            }
            Format::Arrow => assert!(bytes.len() > 5_000_000),
        }
    }
}

#[tokio::test]
async fn a_long_answer_that_fails_says_so_in_the_body_or_breaks_off() {
    for format in Format::ALL {
        let answer = answer(5, Err(too_large()));
        let response = respond(answer, format).await.expect("it begins");
        let body = response.into_body().collect().await;
        match format {
            Format::Json => {
                let body = body.expect("the body ends").to_bytes();
                let body: Value = serde_json::from_slice(&body).expect("it is JSON");
                assert_eq!(body["error"]["kind"], "too_large");
                assert!(body.get("completeness").is_none());
            }
            Format::Ndjson => {
                let body = body.expect("the body ends").to_bytes();
                let last = body
                    .trim_ascii_end()
                    .rsplit(|b| *b == b'\n')
                    .next()
                    .unwrap_or_default();
                let last: Value = serde_json::from_slice(last).expect("it is JSON");
                assert_eq!(last["$error"]["kind"], "too_large");
            }
            Format::Arrow | Format::Csv => assert!(body.is_err(), "it breaks off"),
        }
    }
}
