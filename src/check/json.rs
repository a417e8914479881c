//! OTLP/HTTP in JSON.

use super::{
    Check, Verdict, ensure,
    target::{Answer, Target},
};
use serde_json::Value;

/// The media type of OTLP/HTTP in JSON.
const JSON: &str = "application/json";

pub(super) const CHECKS: &[Check] = checks! { Json:
    4 Should "JSON of all three signals on the same port" posts;
    9 Must "the answer is JSON, errors too" content_type;
    15 Should "{} and empty levels are a success" empty;
    17 Must "what is no JSON is 400 with a Status in JSON" undecodable;
    31 Sense "application/json with a charset and in mixed case is taken" charset;
    32 Must "ids are hexadecimal in either case" hexadecimal;
    32 Must "ids in base64 are not taken for hexadecimal" base64_id;
    33 Must "snake_case members are unknown, not errors" snake_case;
    34 Must "unknown members are ignored at every level" unknown_members;
    35 Must "names of enum values are not taken" enum_names;
    36 Must "integers as text or number, doubles as text, base64 of both alphabets" numbers;
    37 Must "null stands for the default" nulls;
    44 Sense "64 levels of arrays and of maps are stored" deep;
};

async fn send(target: &Target, body: &str) -> Result<Answer, String> {
    target.post("/v1/logs", JSON, "", body.to_string()).await
}

/// A request of one log record with these members.
fn one(members: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"otlp-check"}}}}]}},"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1767225600000000000",{members}}}]}}]}}]}}"#
    )
}

async fn posts(target: &Target) -> Verdict {
    let metrics = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"check.json","gauge":{"dataPoints":[{"timeUnixNano":"1767225600000000000","asDouble":1}]}}]}]}]}"#;
    let spans = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"one","startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225600000000001"}]}]}]}"#;
    stored(&send(target, &one(r#""body":{"stringValue":"in JSON"}"#)).await?)?;
    target
        .post("/v1/metrics", JSON, "", metrics)
        .await?
        .is(200)?;
    target.post("/v1/traces", JSON, "", spans).await?.is(200)
}

async fn content_type(target: &Target) -> Verdict {
    for (body, status) in [("{}", 200), ("{", 400)] {
        let answer = send(target, body).await?;
        answer.is(status)?;
        ensure(answer.content_type() == JSON, || {
            format!("{status} came with {:?}", answer.content_type())
        })?;
    }
    Ok(())
}

async fn empty(target: &Target) -> Verdict {
    for body in [
        "{}",
        r#"{"resourceLogs":[]}"#,
        r#"{"resourceLogs":[{}]}"#,
        r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[]}]}]}"#,
    ] {
        let answer = send(target, body).await?;
        stored(&answer).map_err(|detail| format!("{body}: {detail}"))?;
    }
    Ok(())
}

async fn undecodable(target: &Target) -> Verdict {
    for body in [
        "",
        "{",
        "[]",
        r#"{"resourceLogs":{}}"#,
        r#"{"resourceLogs":[{]}"#,
        "{} {}",
    ] {
        let answer = send(target, body).await?;
        let said = |detail| format!("{body:?}: {detail}");
        answer.is(400).map_err(said)?;
        answer.says_status().map_err(said)?;
    }
    Ok(())
}

async fn charset(target: &Target) -> Verdict {
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let answer = target.post("/v1/logs", content_type, "", "{}").await?;
        answer
            .is(200)
            .map_err(|detail| format!("{content_type}: {detail}"))?;
    }
    Ok(())
}

async fn hexadecimal(target: &Target) -> Verdict {
    for id in [
        "5b8efff798038103d269b633813fc60c",
        "5B8EFFF798038103D269B633813FC60C",
    ] {
        let members = format!(r#""traceId":"{id}","spanId":"EEE19b7ec3c1b174""#);
        stored(&send(target, &one(&members)).await?)?;
    }
    Ok(())
}

async fn base64_id(target: &Target) -> Verdict {
    // As generic protobuf libraries write it. Taken without a word, the record would lose its trace.
    let members = r#""traceId":"W47/95gDgQPSabYzgT/GDA==","body":{"stringValue":"base64 id"}"#;
    let answer = send(target, &one(members)).await?;
    if answer.status == 400 {
        return Ok(());
    }
    answer.is(200)?;
    ensure(rejected(&answer)? == 1, || {
        "it was taken without a word".to_string()
    })
}

async fn snake_case(target: &Target) -> Verdict {
    let body = r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"time_unix_nano":"1"}]}]}]}"#;
    send(target, body).await?.is(200)
}

async fn unknown_members(target: &Target) -> Verdict {
    let strange = r#""strange":{"a":[1,{"b":null}],"c":"\u00e9"}"#;
    let record = one(&format!(
        r#""body":{{"stringValue":"x",{strange}}},{strange}"#
    ));
    let body = record.replacen('{', &format!("{{{strange},"), 1).replace(
        r#"[{"logRecords""#,
        &format!(r#"[{{{strange},"logRecords""#),
    );
    stored(&send(target, &body).await?)
}

async fn enum_names(target: &Target) -> Verdict {
    let body = one(r#""severityNumber":"SEVERITY_NUMBER_INFO""#);
    send(target, &body).await?.is(400)
}

async fn numbers(target: &Target) -> Verdict {
    for value in [
        r#"{"intValue":"9223372036854775807"}"#,
        r#"{"intValue":9223372036854775807}"#,
        r#"{"intValue":"-9223372036854775808"}"#,
        r#"{"doubleValue":1.5}"#,
        r#"{"doubleValue":"1.5"}"#,
        r#"{"doubleValue":"NaN"}"#,
        r#"{"doubleValue":"-Infinity"}"#,
        r#"{"bytesValue":"+/8="}"#,
        r#"{"bytesValue":"-_8"}"#,
    ] {
        let members = format!(r#""attributes":[{{"key":"k","value":{value}}}]"#);
        let answer = send(target, &one(&members)).await?;
        stored(&answer).map_err(|detail| format!("{value}: {detail}"))?;
    }
    Ok(())
}

async fn nulls(target: &Target) -> Verdict {
    let body = one(
        r#""body":null,"attributes":null,"severityText":null,"severityNumber":null,"traceId":null,"flags":null"#,
    );
    stored(&send(target, &body).await?)?;
    send(target, r#"{"resourceLogs":null}"#).await?.is(200)
}

async fn deep(target: &Target) -> Verdict {
    for (open, close) in [
        (r#"{"arrayValue":{"values":["#, "]}}"),
        (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
    ] {
        let value = format!(
            "{}{}{}",
            open.repeat(64),
            r#"{"stringValue":"deep"}"#,
            close.repeat(64)
        );
        let members = format!(r#""attributes":[{{"key":"k","value":{value}}}]"#);
        stored(&send(target, &one(&members)).await?)?;
    }
    Ok(())
}

/// Fails unless all records of the request were taken.
fn stored(answer: &Answer) -> Verdict {
    answer.is(200)?;
    let rejected = rejected(answer)?;
    ensure(rejected == 0, || {
        format!(
            "some were rejected: {}",
            String::from_utf8_lossy(&answer.body)
        )
    })
}

/// Rejected log records, as an answer of 200 says: a number or, as the mapping of 64-bit integers has it, text.
fn rejected(answer: &Answer) -> Result<u64, String> {
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("the answer is no JSON: {error}"))?;
    let rejected = &body["partialSuccess"]["rejectedLogRecords"];
    let of_text = || rejected.as_str().and_then(|text| text.parse().ok());
    Ok(rejected.as_u64().or_else(of_text).unwrap_or(0))
}
