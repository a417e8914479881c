//! OTLP/gRPC.

use super::{
    Check, Verdict, ensure,
    message::{self, gzip, logs, record},
    target::Target,
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use cairn_proto::status::StatusMessage;
use futures::{StreamExt, TryStreamExt, stream};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use prost::Message;

const METHODS: [&str; 3] = [
    "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "opentelemetry.proto.collector.trace.v1.TraceService/Export",
];

const LOGS: &str = METHODS[0];

const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;

pub(super) const CHECKS: &[Check] = checks! { Grpc:
    1 Must "Export of all three signals is OK" exports;
    5 Must "gzip is taken" takes_gzip;
    6 Must "an unknown encoding is UNIMPLEMENTED, and the known ones are named" unknown_encoding;
    11 Must "partial success counts exactly and says why" partial_success;
    15 Should "an empty request is OK" empty;
    16 Must "what is no protobuf is INVALID_ARGUMENT" undecodable;
    19 Must "a message beyond 64 MiB is RESOURCE_EXHAUSTED without RetryInfo" too_large;
    44 Sense "64 levels of arrays and of maps are stored" deep;
    49 Should "a thousand calls at a time on one connection" concurrent;
    53 Sense "profiles are UNIMPLEMENTED until they are supported" profiles;
};

async fn exports(target: &Target) -> Verdict {
    for (method, message) in METHODS.into_iter().zip(message::one_of_each()) {
        target.grpc(method, "", &message).await?.is(0)?;
    }
    Ok(())
}

async fn takes_gzip(target: &Target) -> Verdict {
    let message = gzip(&logs(vec![record("compressed")]));
    target.grpc(LOGS, "gzip", &message).await?.is(0)
}

async fn unknown_encoding(target: &Target) -> Verdict {
    let message = logs(vec![record("in an unknown encoding")]);
    let answer = target.grpc(LOGS, "x-unknown", &message).await?;
    answer.is(UNIMPLEMENTED)?;
    let known = answer.trailers.get("grpc-accept-encoding");
    ensure(known.is_some(), || {
        format!("no grpc-accept-encoding in {:?}", answer.headers)
    })
}

async fn partial_success(target: &Target) -> Verdict {
    let deep = message::with_attribute(message::nested(100, false));
    let message = logs(vec![record("good"), deep]);
    // A server that stores a hundred levels has nothing to reject here.
    let Some(partial) = partial_of(target, &message).await? else {
        return Ok(());
    };
    let exact = partial.rejected_log_records == 1 && !partial.error_message.is_empty();
    ensure(exact, || {
        format!("one of two records was bad, and the answer is {partial:?}")
    })
}

async fn empty(target: &Target) -> Verdict {
    for method in METHODS {
        target.grpc(method, "", b"").await?.is(0)?;
    }
    Ok(())
}

async fn undecodable(target: &Target) -> Verdict {
    let answer = target.grpc(LOGS, "", b"\x0a\xff\xff\xff\x7fno").await?;
    answer.is(INVALID_ARGUMENT)
}

async fn too_large(target: &Target) -> Verdict {
    let message = message::too_large();
    let answer = target.grpc(LOGS, "gzip", &message).await?;
    answer.is(RESOURCE_EXHAUSTED)?;
    let Some(details) = answer.trailers.get("grpc-status-details-bin") else {
        return Ok(());
    };
    let status = decode_base64(details.as_bytes())
        .and_then(|bytes| StatusMessage::decode(&bytes[..]).ok())
        .ok_or("grpc-status-details-bin is no Status")?;
    let retry = status
        .details
        .iter()
        .any(|detail| detail.type_url.ends_with("google.rpc.RetryInfo"));
    ensure(!retry, || {
        "the client is told to send the same bytes again".to_string()
    })
}

async fn deep(target: &Target) -> Verdict {
    for is_map in [false, true] {
        let deep = message::with_attribute(message::nested(64, is_map));
        let partial = partial_of(target, &logs(vec![deep])).await?;
        ensure(partial.is_none(), || format!("rejected: {partial:?}"))?;
    }
    Ok(())
}

async fn concurrent(target: &Target) -> Verdict {
    let calls = (0..1_000).map(|number| {
        let message = logs(vec![record(&format!("call {number}"))]);
        async move { target.grpc(LOGS, "", &message).await?.is(0) }
    });
    stream::iter(calls)
        .buffer_unordered(1_000)
        .try_collect()
        .await
}

async fn profiles(target: &Target) -> Verdict {
    let method = "opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let answer = target.grpc(method, "", b"").await?;
    ensure(answer.code == UNIMPLEMENTED || answer.code == 0, || {
        format!("answered code {}", answer.code)
    })
}

/// Sends log records, which must be OK, and returns what the answer says of a part of them.
async fn partial_of(
    target: &Target,
    message: &[u8],
) -> Result<Option<ExportLogsPartialSuccess>, String> {
    let answer = target.grpc(LOGS, "", message).await?;
    answer.is(0)?;
    let response = ExportLogsServiceResponse::decode(answer.message)
        .map_err(|error| format!("the answer is no message: {error}"))?;
    Ok(response.partial_success)
}

/// Metadata of names ending in `-bin` is base64, with padding or without (gRPC over HTTP/2).
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    STANDARD_NO_PAD.decode(&text[..text.len() - padding]).ok()
}
