//! An error as Prometheus' clients read it.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use cairn_query::error::{Error, Kind};
use serde_json::json;

/// What a question got instead of an answer.
#[derive(Debug)]
pub(in crate::api) struct Failure {
    status: StatusCode,
    /// `errorType`: `bad_data`, `execution`, `timeout`, `unavailable`, `not_found`, `internal`.
    kind: &'static str,
    message: String,
}

impl Failure {
    /// A parameter that is missing or wrong.
    pub(super) fn bad_data(message: impl Into<String>) -> Failure {
        Failure {
            status: StatusCode::BAD_REQUEST,
            kind: "bad_data",
            message: message.into(),
        }
    }

    /// There is nothing of what was asked for.
    pub(super) fn not_found(message: &str) -> Failure {
        Failure {
            status: StatusCode::NOT_FOUND,
            kind: "not_found",
            message: message.to_owned(),
        }
    }

    /// A parameter that is wrong, by its name.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> Failure {
        Failure::bad_data(format!("invalid parameter {name:?}: {message}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (status, kind) = match &error {
            Error::Promql(
                cairn_promql::error::Error::Parse { .. }
                | cairn_promql::error::Error::Pattern { .. }
                | cairn_promql::error::Error::Unfit(_),
            ) => (StatusCode::BAD_REQUEST, "bad_data"),
            Error::Promql(_) => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            other => match other.kind() {
                Kind::Invalid | Kind::Denied => (StatusCode::BAD_REQUEST, "bad_data"),
                Kind::TooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
                Kind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
                Kind::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
                Kind::Limited => (StatusCode::TOO_MANY_REQUESTS, "unavailable"),
                Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
                Kind::Corrupt | Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            },
        };
        if kind == "bad_data" && matches!(error, Error::Promql(_)) {
            return Failure::parameter("query", error);
        }
        Failure {
            status,
            kind,
            message: error.to_string(),
        }
    }
}

impl From<crate::api::problem::Problem> for Failure {
    /// The server starts or stops.
    fn from(problem: crate::api::problem::Problem) -> Failure {
        Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: "unavailable",
            message: problem.detail().to_owned(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "status": "error", "errorType": self.kind, "error": self.message });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.kind == "unavailable" {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
