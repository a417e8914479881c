//! An error as a client of the API sees it: a problem document, RFC 9457.

use crate::status;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cairn_query::error::Place;
use serde::Serialize;

/// A problem document.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// `urn:cairn:problem:` and the kind.
    #[serde(rename = "type", serialize_with = "as_urn")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    /// Where in the statement, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Place>,
}

fn as_urn<S: serde::Serializer>(kind: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Problem::urn(kind))
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

    /// Every kind; they are stable.
    pub(crate) const KINDS: [&str; 11] = [
        "invalid",
        "unauthenticated",
        "denied",
        "not_found",
        "conflict",
        "limited",
        "too_large",
        "timed_out",
        "unavailable",
        "corrupt",
        "internal",
    ];

    /// The `type` of problems of a kind.
    pub(crate) fn urn(kind: &str) -> String {
        format!("urn:cairn:problem:{kind}")
    }

    /// The headers of problems with a status, beside those of any answer.
    pub(crate) fn headers(status: StatusCode) -> &'static [HeaderName] {
        match status {
            StatusCode::UNAUTHORIZED => &[header::WWW_AUTHENTICATE],
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                &[header::RETRY_AFTER]
            }
            _ => &[],
        }
    }

    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        let title = status.canonical_reason().unwrap_or("error");
        Problem {
            kind,
            title,
            status,
            detail: detail.into(),
            position: None,
        }
    }

    /// What happened, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The code it is answered with.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The request cannot be understood.
    pub(crate) fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// The server is not ready, or no longer.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// Nothing is at this path.
    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The path takes other methods.
    pub(crate) fn wrong_method(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid", detail)
    }

    /// The request came in too slowly.
    pub(crate) fn timeout(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "limited", detail)
    }

    /// A bug of ours; `detail` tells nothing about tenants or paths.
    pub(crate) fn internal(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// A body that could not be read: too long, or broken off.
    pub(crate) fn body(error: &axum::Error, limit_bytes: usize) -> Problem {
        let is_too_long = std::error::Error::source(error)
            .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        match is_too_long {
            true => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "limited",
                format!("the body is longer than {limit_bytes} bytes"),
            ),
            false => Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid",
                "the body could not be read",
            ),
        }
    }
}

impl From<axum::extract::rejection::QueryRejection> for Problem {
    fn from(rejection: axum::extract::rejection::QueryRejection) -> Problem {
        Problem::invalid(rejection.body_text())
    }
}

impl From<cairn_tenancy::error::Error> for Problem {
    fn from(error: cairn_tenancy::error::Error) -> Problem {
        let (status, kind) = status::of_tenancy(error.kind());
        Problem::new(status, kind, error.to_string())
    }
}

impl From<cairn_query::error::Error> for Problem {
    fn from(error: cairn_query::error::Error) -> Problem {
        let kind = error.kind();
        let mut problem = Problem::new(status::of_query(kind), kind.name(), error.to_string());
        problem.position = error.place();
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(Problem::MEDIA_TYPE),
        );
        for name in Problem::headers(self.status) {
            let value = match *name {
                header::RETRY_AFTER => "1",
                _ => "Bearer",
            };
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
