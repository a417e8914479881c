//! An error as Loki's clients read it: plain text.

use crate::api::problem::Problem;
use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use cairn_query::error::{Error, Kind};

/// What a question got instead of an answer.
#[derive(Debug)]
pub(in crate::api) struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    /// A parameter or a query that is wrong.
    pub(super) fn invalid(message: impl std::fmt::Display) -> Failure {
        Failure {
            status: StatusCode::BAD_REQUEST,
            message: message.to_string(),
        }
    }

    pub(super) fn new(status: StatusCode, message: impl std::fmt::Display) -> Failure {
        Failure {
            status,
            message: message.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match error.kind() {
            Kind::Invalid | Kind::Denied | Kind::TooLarge => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure {
            status,
            message: error.to_string(),
        }
    }
}

impl From<Problem> for Failure {
    /// The server starts or stops.
    fn from(problem: Problem) -> Failure {
        Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: problem.detail().to_owned(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let again = matches!(
            self.status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        let mut response = (self.status, self.message).into_response();
        if again {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
