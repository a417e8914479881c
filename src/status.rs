//! The kinds of errors -> HTTP status and the stable name of the kind. Nowhere else.

use axum::http::StatusCode;

/// What a refused credential is to a client.
pub(crate) fn of_tenancy(kind: cairn_tenancy::error::Kind) -> (StatusCode, &'static str) {
    use cairn_tenancy::error::Kind;
    match kind {
        Kind::Invalid => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Kind::Denied => (StatusCode::FORBIDDEN, "denied"),
    }
}

/// What a failed query is to a client.
pub(crate) fn of_query(kind: cairn_query::error::Kind) -> StatusCode {
    use cairn_query::error::Kind;
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
        // Not 413: the body may be short. The same request will fail again.
        Kind::TooLarge => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
