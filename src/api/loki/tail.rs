//! `tail`: lines as they arrive, over a WebSocket.
//!
//! At first come lines from `start` on, as many as `limit`; then what arrives, in the order of its time.

use super::{
    answer,
    failure::Failure,
    parameters::{HOUR_NS, MOST_LINES, Parameters, USUAL_LINES},
};
use crate::api::{asked::Read, state::Api};
use axum::{
    Extension,
    extract::{
        RawQuery, State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{
        HeaderMap, StatusCode, Uri,
        header::{HOST, ORIGIN},
    },
    response::Response,
};
use cairn_query::logql::{Direction, Line, LogqlAnswer, LogqlRequest};
use cairn_storage::{id::TenantId, time::Nanos};
use cairn_tenancy::principal::Principal;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// What arrives within this time is sent together.
const GATHER: Duration = Duration::from_millis(200);

/// A client that takes nothing for so long is gone; it is asked whether it is there as often.
const PATIENCE: Duration = Duration::from_secs(15);

/// How far from now the own time of a record may lie to be sent when it arrives, ns.
const REACH_NS: i64 = HOUR_NS;

/// `delay_for` is at most so long, as in Loki, ns.
const MOST_DELAY_NS: i64 = 5_000_000_000;

/// Clients send nothing but control frames.
const MOST_RECEIVED_BYTES: usize = 4 << 10;

/// Lines that pass `query`, which must be a log query.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    if api.local_names_only && is_of_other_page(&headers) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "without keys no web page of another origin may follow logs: configure tenancy.keys",
        ));
    }
    let parameters = Parameters::read(query.as_deref(), b"")?;
    let log = cairn_logql::parse_log(parameters.query()?).map_err(Failure::invalid)?;
    let delay = parameters.duration_ns("delay_for")?.unwrap_or(0);
    if delay > MOST_DELAY_NS {
        return Err(Failure::invalid("delay_for can't be greater than 5"));
    }
    let interval = parameters.interval(api.world.clock.as_ref(), HOUR_NS)?;
    let limit = parameters.limit("limit", (USUAL_LINES, MOST_LINES))?;
    let upgrade =
        upgrade.map_err(|rejection| Failure::new(rejection.status(), rejection.body_text()))?;
    let permit = Arc::clone(&api.tails).try_acquire_owned().map_err(|_| {
        Failure::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many clients follow logs; try again later",
        )
    })?;
    let tail = Tail {
        after: api.parts()?.store.sequence(),
        query: cairn_logql::Expr::Log(log).to_string(),
        tenant: principal.tenant,
        delay: Duration::from_nanos(delay.unsigned_abs()).max(GATHER),
        headers,
        api,
        _permit: permit,
    };
    let upgrade = upgrade
        .max_message_size(MOST_RECEIVED_BYTES)
        .max_frame_size(MOST_RECEIVED_BYTES);
    Ok(upgrade.on_upgrade(move |socket| tail.run(socket, (interval.start_ns, limit))))
}

/// Whether a browser sent this for a page that came from elsewhere: of WebSockets it does not ask whether that page may.
fn is_of_other_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(|origin| origin.authority());
    origin.map(|authority| authority.as_str()) != text(HOST)
}

/// A client that follows.
struct Tail {
    api: Arc<Api>,
    tenant: TenantId,
    query: String,
    headers: HeaderMap,
    delay: Duration,
    /// Requests up to this commit sequence were looked at.
    after: u64,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    /// Until the client goes or something fails, which is the reason that the socket is closed with.
    async fn run(mut self, mut socket: WebSocket, (start_ns, limit): (i64, usize)) {
        let sequences = (0, self.after);
        let mut next = self.lines(start_ns, sequences, limit).await;
        loop {
            let sent = match next {
                Ok(lines) => self.send(&mut socket, &lines, limit).await,
                Err(failure) => {
                    self.close(&mut socket, &failure).await;
                    return;
                }
            };
            if !sent {
                return;
            }
            next = tokio::select! {
                arrived = self.arrived() => arrived,
                () = left(&mut socket) => return,
            };
        }
    }

    /// What arrived next; nothing where none of it passes, or where nothing arrives for long.
    async fn arrived(&mut self) -> Result<Vec<Line>, Failure> {
        let clock = Arc::clone(&self.api.world.clock);
        let store = self.api.parts()?.store;
        tokio::select! {
            _ = store.reached(self.after + 1) => {}
            () = clock.sleep(PATIENCE) => return Ok(Vec::new()),
        }
        clock.sleep(self.delay).await;
        let through = store.sequence();
        let Nanos(now) = clock.now();
        let after = std::mem::replace(&mut self.after, through);
        self.lines(now.saturating_sub(REACH_NS), (after, through), MOST_LINES)
            .await
    }

    /// The newest lines, oldest first.
    async fn lines(
        &self,
        start_ns: i64,
        sequences: (u64, u64),
        limit: usize,
    ) -> Result<Vec<Line>, Failure> {
        let Nanos(now) = self.api.world.clock.now();
        let request = LogqlRequest {
            tenant: self.tenant.clone(),
            query: self.query.clone(),
            start_ns,
            // Clocks of senders may be ahead.
            end_ns: now.saturating_add(REACH_NS),
            step_ns: 0,
            limit,
            direction: Direction::Backward,
            interval_ns: 0,
            sequences: Some(sequences),
            deadline: None,
        };
        let (found, _) = self.api.parts()?.engine.logql(request).await?;
        let LogqlAnswer::Lines(mut lines) = found else {
            return Err(Failure::invalid("only log queries can be followed"));
        };
        lines.reverse();
        Ok(lines)
    }

    /// Sends lines, or asks whether the client is there where there are none; false when it is gone.
    async fn send(&self, socket: &mut WebSocket, lines: &[Line], limit: usize) -> bool {
        let message = match lines {
            [] => Message::Ping(Vec::new().into()),
            [first, ..] => {
                let mut message = json!({ "streams": answer::streams(lines, &self.headers) });
                if answer::categorizes(&self.headers) {
                    message["encodingFlags"] = json!(["categorize-labels"]);
                }
                if lines.len() >= MOST_LINES && limit < MOST_LINES {
                    message["dropped_entries"] = json!([{
                        "labels": answer::labels(&first.stream),
                        "timestamp": first.time_ns.to_string(),
                    }]);
                }
                Message::Text(message.to_string().into())
            }
        };
        let clock = Arc::clone(&self.api.world.clock);
        tokio::select! {
            sent = socket.send(message) => sent.is_ok(),
            () = clock.sleep(PATIENCE) => false,
        }
    }

    async fn close(&self, socket: &mut WebSocket, failure: &Failure) {
        /// The longest reason of a close frame, in bytes (RFC 6455, section 5.5).
        const REASON_BYTES: usize = 123;
        let mut reason = failure.to_string();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        let frame = axum::extract::ws::CloseFrame {
            code: axum::extract::ws::close_code::ERROR,
            reason: reason.into(),
        };
        let clock = Arc::clone(&self.api.world.clock);
        // The client may be gone, which is as well.
        tokio::select! {
            _ = socket.send(Message::Close(Some(frame))) => {}
            () = clock.sleep(PATIENCE) => {}
        }
    }
}

/// When the client has gone. What it sends beside that means nothing.
async fn left(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_other_page;
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn pages_of_elsewhere_are_told_by_their_origin() {
        let check = |origin: Option<&'static str>, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:4319"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_of_other_page(&headers), expected, "{origin:?}");
        };
        check(None, false);
        check(Some("http://localhost:4319"), false);
        check(Some("http://evil.example"), true);
        check(Some("null"), true);
    }
}
