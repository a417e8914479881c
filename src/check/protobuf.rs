//! OTLP/HTTP in protobuf.

use super::{
    Check, Verdict, ensure,
    message::{self, PATHS, gzip, logs, record, text},
    target::{Answer, PROTOBUF, Target},
};
use bytes::Bytes;
use http::{
    Method,
    header::{ALLOW, CONTENT_ENCODING},
};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceResponse, metrics::v1::ExportMetricsServiceResponse,
        trace::v1::ExportTraceServiceResponse,
    },
    common::v1::{AnyValue, ArrayValue, any_value::Value},
    logs::v1::LogRecord,
};

pub(super) const CHECKS: &[Check] = checks! { Protobuf:
    2 Must "POST of all three signals over HTTP/1.1 is 200" posts;
    3 Should "HTTP/2 without an upgrade on the same port" http2;
    5 Must "gzip is taken" takes_gzip;
    7 Sense "an unknown Content-Encoding is 415 with a Status" unknown_encoding;
    8 Must "success is 200 with an Export*ServiceResponse" response;
    9 Must "the answer has the request's Content-Type, errors too" content_type;
    10 Must "partial_success is unset when nothing was rejected" no_partial_success;
    11 Must "partial success counts exactly and says why" partial_success;
    15 Should "an empty request, and empty levels, are a success" empty;
    16 Must "what is no protobuf is 400 with a Status" undecodable;
    18 Must "gzip of several members is taken" gzip_members;
    18 Sense "broken gzip is 400" broken_gzip;
    19 Must "a body beyond 64 MiB after decompression is 413" too_large;
    30 Sense "an unknown path is 404" unknown_path;
    30 Sense "GET is 405 with Allow" get;
    30 Sense "a wrong or missing Content-Type is 415" wrong_type;
    31 Sense "Content-Type in mixed case and with a parameter is taken" mixed_case;
    39 Must "unknown fields and enum numbers do not cost the record" unknown_fields;
    40 Must "a message in two parts merges" split_message;
    40 Sense "text that is no UTF-8 does not cost the record" not_utf8;
    41 Should "a trace id of the wrong length does not cost the record" wrong_id;
    42 Should "a record without any time is stored" no_time;
    43 Should "empty values, bytes, mixed arrays and double keys are stored" odd_values;
    44 Sense "64 levels of arrays and of maps are stored" deep;
    47 Must "all kinds of metrics are stored" all_metrics;
    52 Must "an answer is not compressed unless asked for" not_compressed;
    53 Sense "profiles are a clean 404 until they are supported" profiles;
};

async fn posts(target: &Target) -> Verdict {
    for (path, body) in PATHS.into_iter().zip(message::one_of_each()) {
        target.protobuf(path, body).await?.is(200)?;
    }
    Ok(())
}

async fn http2(target: &Target) -> Verdict {
    let body = Bytes::from(logs(vec![record("over HTTP/2")]));
    target.post_http2("/v1/logs", body).await?.is(200)
}

async fn takes_gzip(target: &Target) -> Verdict {
    let body = gzip(&logs(vec![record("compressed")]));
    stored(&target.post("/v1/logs", PROTOBUF, "gzip", body).await?)
}

async fn unknown_encoding(target: &Target) -> Verdict {
    let body = logs(vec![record("in an unknown encoding")]);
    let answer = target.post("/v1/logs", PROTOBUF, "x-unknown", body).await?;
    answer.is(415)?;
    answer.says_status()
}

async fn response(target: &Target) -> Verdict {
    let [of_logs, of_metrics, of_spans] = message::one_of_each();
    let answer = target.protobuf("/v1/logs", of_logs).await?;
    answer.is(200)?;
    answer.message::<ExportLogsServiceResponse>()?;
    let answer = target.protobuf("/v1/metrics", of_metrics).await?;
    answer.is(200)?;
    answer.message::<ExportMetricsServiceResponse>()?;
    let answer = target.protobuf("/v1/traces", of_spans).await?;
    answer.is(200)?;
    answer.message::<ExportTraceServiceResponse>().map(drop)
}

async fn content_type(target: &Target) -> Verdict {
    let good = target
        .protobuf("/v1/logs", logs(vec![record("good")]))
        .await?;
    let bad = target.protobuf("/v1/logs", &b"\xff\xff"[..]).await?;
    for answer in [good, bad] {
        ensure(answer.content_type() == PROTOBUF, || {
            format!("{} came with {:?}", answer.status, answer.content_type())
        })?;
    }
    Ok(())
}

async fn no_partial_success(target: &Target) -> Verdict {
    let answer = target
        .protobuf("/v1/logs", logs(vec![record("alone")]))
        .await?;
    answer.is(200)?;
    let partial = answer
        .message::<ExportLogsServiceResponse>()?
        .partial_success;
    ensure(partial.is_none(), || format!("it is {partial:?}"))
}

async fn partial_success(target: &Target) -> Verdict {
    let deep = message::with_attribute(message::nested(100, true));
    let body = logs(vec![record("good"), deep, record("good")]);
    let answer = target.protobuf("/v1/logs", body).await?;
    answer.is(200)?;
    // A server that stores a hundred levels has nothing to reject here.
    let Some(partial) = answer
        .message::<ExportLogsServiceResponse>()?
        .partial_success
    else {
        return Ok(());
    };
    let exact = partial.rejected_log_records == 1 && !partial.error_message.is_empty();
    ensure(exact, || {
        format!("one of three records was bad, and the answer is {partial:?}")
    })
}

async fn empty(target: &Target) -> Verdict {
    for path in PATHS {
        target.protobuf(path, Bytes::new()).await?.is(200)?;
        // One resource group without anything in it.
        target.protobuf(path, &b"\x0a\x00"[..]).await?.is(200)?;
    }
    stored(&target.protobuf("/v1/logs", logs(Vec::new())).await?)
}

async fn undecodable(target: &Target) -> Verdict {
    for path in PATHS {
        let answer = target
            .protobuf(path, &b"\x0a\xff\xff\xff\x7fno"[..])
            .await?;
        answer.is(400)?;
        answer.says_status()?;
    }
    Ok(())
}

async fn gzip_members(target: &Target) -> Verdict {
    let body = logs(vec![record("in two members")]);
    let (one, two) = body.split_at(body.len() / 2);
    let body = [gzip(one), gzip(two)].concat();
    stored(&target.post("/v1/logs", PROTOBUF, "gzip", body).await?)
}

async fn broken_gzip(target: &Target) -> Verdict {
    let whole = gzip(&logs(vec![record("broken"); 20]));
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let cut = whole[..whole.len() - 9].to_vec();
    let trailing = [&whole[..], b"garbage"].concat();
    for (what, body) in [
        ("flipped", flipped),
        ("cut", cut),
        ("with garbage", trailing),
    ] {
        let answer = target.post("/v1/logs", PROTOBUF, "gzip", body).await?;
        answer
            .is(400)
            .map_err(|detail| format!("{what}: {detail}"))?;
    }
    Ok(())
}

async fn too_large(target: &Target) -> Verdict {
    let body = message::too_large();
    let answer = target.post("/v1/logs", PROTOBUF, "gzip", body).await?;
    answer.is(413)
}

async fn unknown_path(target: &Target) -> Verdict {
    let body = logs(vec![record("to nowhere")]);
    target.protobuf("/v1/nothing", body).await?.is(404)
}

async fn get(target: &Target) -> Verdict {
    let answer = target
        .send(Method::GET, "/v1/logs", ["", ""], Bytes::new())
        .await?;
    answer.is(405)?;
    let allowed = answer.headers.get(ALLOW).and_then(|v| v.to_str().ok());
    ensure(allowed.is_some_and(|a| a.contains("POST")), || {
        format!("Allow is {allowed:?}")
    })
}

async fn wrong_type(target: &Target) -> Verdict {
    for content_type in ["text/plain", ""] {
        let body = logs(vec![record("of another type")]);
        let answer = target.post("/v1/logs", content_type, "", body).await?;
        answer.is(415)?;
    }
    Ok(())
}

async fn mixed_case(target: &Target) -> Verdict {
    let body = logs(vec![record("in mixed case")]);
    let content_type = "Application/X-Protobuf; charset=utf-8";
    stored(&target.post("/v1/logs", content_type, "", body).await?)
}

async fn unknown_fields(target: &Target) -> Verdict {
    let strange = LogRecord {
        severity_number: 99,
        ..record("of a strange severity")
    };
    let mut body = logs(vec![strange]);
    // Fields 1000 to 1003: varint, eight bytes, four bytes, text.
    for field in [
        &b"\xc0\x3e\x01"[..],
        b"\xc9\x3e12345678",
        b"\xd5\x3e1234",
        b"\xda\x3e\x02hi",
    ] {
        body.extend_from_slice(field);
    }
    stored(&target.protobuf("/v1/logs", body).await?)
}

async fn split_message(target: &Target) -> Verdict {
    let body = [
        logs(vec![record("first part")]),
        logs(vec![record("second part")]),
    ];
    stored(&target.protobuf("/v1/logs", body.concat()).await?)
}

async fn not_utf8(target: &Target) -> Verdict {
    let mut body = logs(vec![record("MARK")]);
    let at = body.windows(4).position(|four| four == b"MARK");
    body[at.unwrap_or_default()] = 0xff;
    stored(&target.protobuf("/v1/logs", body).await?)
}

async fn wrong_id(target: &Target) -> Verdict {
    let odd = LogRecord {
        trace_id: vec![1; 5],
        span_id: vec![0; 8],
        ..record("with odd ids")
    };
    stored(&target.protobuf("/v1/logs", logs(vec![odd])).await?)
}

async fn no_time(target: &Target) -> Verdict {
    let timeless = LogRecord {
        time_unix_nano: 0,
        observed_time_unix_nano: 0,
        ..record("without a time")
    };
    stored(&target.protobuf("/v1/logs", logs(vec![timeless])).await?)
}

async fn odd_values(target: &Target) -> Verdict {
    let any = |value| AnyValue { value };
    let mixed = ArrayValue {
        values: vec![
            any(Some(text("a"))),
            any(Some(Value::IntValue(i64::MIN))),
            any(None),
            any(Some(Value::BytesValue(vec![0, 255]))),
        ],
    };
    let mut odd = message::with_attribute(Value::ArrayValue(mixed));
    odd.attributes
        .push(message::attribute("k", Value::BoolValue(true)));
    odd.attributes
        .push(message::attribute("b", Value::BytesValue(vec![0, 255])));
    odd.body = Some(any(None));
    stored(&target.protobuf("/v1/logs", logs(vec![odd])).await?)
}

async fn deep(target: &Target) -> Verdict {
    for is_map in [false, true] {
        let deep = message::with_attribute(message::nested(64, is_map));
        let answer = target.protobuf("/v1/logs", logs(vec![deep])).await?;
        let what = if is_map { "maps" } else { "arrays" };
        stored(&answer).map_err(|detail| format!("{what}: {detail}"))?;
    }
    Ok(())
}

async fn all_metrics(target: &Target) -> Verdict {
    let body = message::metrics(message::all_metrics());
    let answer = target.protobuf("/v1/metrics", body).await?;
    answer.is(200)?;
    let partial = answer
        .message::<ExportMetricsServiceResponse>()?
        .partial_success;
    let rejected = partial.as_ref().map_or(0, |p| p.rejected_data_points);
    ensure(rejected == 0, || format!("some were rejected: {partial:?}"))
}

async fn not_compressed(target: &Target) -> Verdict {
    let answer = target
        .protobuf("/v1/logs", logs(vec![record("plain")]))
        .await?;
    let encoding = answer.headers.get(CONTENT_ENCODING);
    ensure(encoding.is_none_or(|e| e == "identity"), || {
        format!("it came as {encoding:?}")
    })
}

async fn profiles(target: &Target) -> Verdict {
    let answer = target
        .protobuf("/v1development/profiles", Bytes::new())
        .await?;
    ensure(answer.status == 404 || answer.status == 200, || {
        format!("answered {}", answer.status)
    })
}

/// Fails unless all log records of the request were taken.
fn stored(answer: &Answer) -> Verdict {
    answer.is(200)?;
    let partial = answer
        .message::<ExportLogsServiceResponse>()?
        .partial_success;
    let rejected = partial.as_ref().map_or(0, |p| p.rejected_log_records);
    ensure(rejected == 0, || format!("some were rejected: {partial:?}"))
}
