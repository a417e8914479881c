//! Which code each kind gets, and that only what may pass is retryable.

use super::*;
use crate::otlp::DecodeError;
use cairn_proto::status::StatusMessage;
use prost::Message;

fn storage(error: cairn_storage::error::Error) -> Error {
    Error::Storage(error)
}

fn errors() -> Vec<(Error, u16, Code, bool)> {
    use cairn_storage::error::Error as Storage;
    use cairn_tenancy::error::Error as Tenancy;
    let text = || "x".to_string();
    let malformed = DecodeError::Malformed {
        offset: 3,
        what: "a field ends early",
    };
    let rows = DecodeError::TooManyRows {
        of: "logs",
        limit: 1,
    };
    let scope = Tenancy::Scope {
        key_name: text(),
        scope: cairn_tenancy::principal::Scope::Ingest,
    };
    let large = Error::TooLarge {
        limit_bytes: 1,
        measured: "",
    };
    let media = Error::MediaType {
        found: text(),
        expected: "",
    };
    let limited = Storage::Limited {
        what: "memory",
        detail: text(),
    };
    let unavailable = Storage::Unavailable {
        what: "disk",
        detail: text(),
    };
    let corrupt = Storage::Corrupt {
        what: text(),
        detail: text(),
    };
    let never = |error, http, code| (error, http, code, false);
    let later = |error, http, code| (error, http, code, true);
    vec![
        never(Error::Decode(malformed), 400, Code::InvalidArgument),
        never(Error::Broken { detail: text() }, 400, Code::InvalidArgument),
        never(
            Error::Credentials(Tenancy::Missing),
            401,
            Code::Unauthenticated,
        ),
        never(Error::Credentials(scope), 403, Code::PermissionDenied),
        never(Error::Path { expected: "" }, 404, Code::Unimplemented),
        never(Error::Method, 405, Code::Unimplemented),
        later(
            Error::TooSlow { detail: text() },
            503,
            Code::DeadlineExceeded,
        ),
        never(large, 413, Code::ResourceExhausted),
        never(Error::Decode(rows), 413, Code::ResourceExhausted),
        never(media, 415, Code::Unimplemented),
        never(
            Error::Compression { found: text() },
            415,
            Code::Unimplemented,
        ),
        later(storage(limited), 429, Code::ResourceExhausted),
        later(storage(unavailable), 503, Code::Unavailable),
        later(storage(corrupt), 503, Code::Unavailable),
        never(storage(Storage::Internal(text())), 500, Code::Internal),
        never(Error::Panicked, 500, Code::Internal),
    ]
}

#[test]
fn codes_and_retries() {
    for (error, http, code, retryable) in errors() {
        let reply = ErrorReply::of(&error);
        assert_eq!((reply.http.as_u16(), reply.code), (http, code), "{error:?}");
        assert_eq!(reply.retry_after.is_some(), retryable, "{error:?}");
        // OTLP/HTTP: 429, 502, 503 and 504 are retried, nothing else.
        assert_eq!(
            matches!(http, 429 | 502 | 503 | 504),
            retryable,
            "{error:?}"
        );

        let status = reply.status();
        let retry_info = status.get_details_retry_info();
        assert_eq!(
            retry_info.and_then(|i| i.retry_delay),
            reply.retry_after,
            "{error:?}"
        );
        let body = StatusMessage::decode(status.details()).unwrap();
        assert_eq!((body.code, &body.message), (code as i32, &reply.message));

        let json: Value = serde_json::from_slice(&reply.json()).unwrap();
        assert_eq!(json["code"], code as i32);
        assert_eq!(json["message"], reply.message);
        let delay = json["details"][0]["retryDelay"].as_str();
        assert_eq!(delay.is_some(), retryable, "{json}");
    }
}

/// Paths and machine names of ours stay with us.
#[test]
fn trouble_of_ours_is_not_spelled_out() {
    let detail = "/var/lib/cairn on host-7".to_string();
    for error in [
        storage(cairn_storage::error::Error::Unavailable {
            what: "disk",
            detail: detail.clone(),
        }),
        storage(cairn_storage::error::Error::Internal(detail)),
    ] {
        let reply = ErrorReply::of(&error);
        assert!(!format!("{reply:?}").contains("host-7"), "{reply:?}");
    }
}

#[test]
fn long_messages_are_cut_where_a_character_ends() {
    let error = Error::Broken {
        detail: "ä".repeat(2_000),
    };
    let reply = ErrorReply::of(&error);
    assert!(reply.message.len() <= MAX_MESSAGE_BYTES && reply.message.ends_with('ä'));
}

#[test]
fn answers_in_json() {
    let json = |rejected, message: &str, signal| {
        let answer = Answer {
            rejected,
            message: message.to_string(),
        };
        String::from_utf8(success_json(&answer, signal)).unwrap()
    };
    assert_eq!(json(0, "", Signal::Logs), "{}");
    let partial = json(2, "two", Signal::Spans);
    assert_eq!(
        partial,
        r#"{"partialSuccess":{"errorMessage":"two","rejectedSpans":"2"}}"#
    );
    let warning = json(0, "a warning", Signal::Metrics);
    assert_eq!(
        warning,
        r#"{"partialSuccess":{"errorMessage":"a warning"}}"#
    );
}
