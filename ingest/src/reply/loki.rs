//! The answers of Loki's push API: nothing on success, one line of text otherwise.

use super::ErrorReply;
use crate::pipeline::Taken;
use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};

/// 204; 400 where some entries were refused and the others stored, as Loki has it, so that its clients log the text.
pub(crate) fn taken(taken: &Taken) -> Response {
    let answer = &taken.outcome.answer;
    if answer.rejected == 0 {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let stored = match taken.offered.saturating_sub(answer.rejected) {
        0 => "nothing was stored".to_string(),
        stored => format!("the other {stored} are stored, do not send them again"),
    };
    text(
        StatusCode::BAD_REQUEST,
        format!("{}; {stored}\n", answer.message),
    )
}

/// The answer to a request that was refused.
pub(crate) fn refused(reply: &ErrorReply) -> Response {
    text(reply.http, format!("{}\n", reply.message))
}

fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
