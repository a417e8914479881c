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
