//! `cairn otlp-check`: what OTLP asks of a server, asked of any server over its sockets.
//!
//! Rows are numbered as in docs/conformance.md. What only the stored data can show (counts, types, round trips) is not
//! here; the project's own suite asks for that in SQL.
//!
//! The flow: [`run`] - `target` sends and takes answers apart - `protobuf`, `json`, `grpc` and `socket` hold the
//! checks - `message` makes what they send - `report` writes what came out.

/// The rows of a file, all asked in one way: `number level title function;`.
macro_rules! checks {
    ($way:ident: $($number:literal $level:ident $title:literal $ask:ident;)*) => {
        &[$(crate::check::Check {
            number: $number,
            level: crate::check::Level::$level,
            way: crate::check::Way::$way,
            title: $title,
            ask: |target| futures::FutureExt::boxed($ask(target)),
        }),*]
    };
}

mod grpc;
mod json;
mod message;
mod protobuf;
pub(crate) mod report;
mod socket;
mod target;

pub(crate) use target::{Target, headers};

use futures::future::BoxFuture;
use std::time::Duration;

/// No server takes longer for an answer that it has.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much a row weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// OTLP, gRPC or the JSON mapping of protobuf demand it.
    Must,
    /// OTLP recommends it.
    Should,
    /// Plain sense demands it.
    Sense,
}

/// How a check speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Protobuf,
    Json,
    Grpc,
    Socket,
}

/// What a check found: nothing, or what is wrong.
type Verdict = Result<(), String>;

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Check {
    pub(crate) number: u8,
    pub(crate) level: Level,
    pub(crate) way: Way,
    pub(crate) title: &'static str,
    ask: for<'t> fn(&'t Target) -> BoxFuture<'t, Verdict>,
}

/// A row with what was found.
pub(crate) struct Outcome {
    pub(crate) check: Check,
    pub(crate) verdict: Verdict,
}

/// Asks everything that the target has a port for, one after the other.
pub(crate) async fn run(target: &Target) -> Vec<Outcome> {
    let mut checks = [protobuf::CHECKS, json::CHECKS, grpc::CHECKS, socket::CHECKS].concat();
    checks.retain(|check| check.way != Way::Grpc || target.has_grpc());
    checks.sort_by_key(|check| check.number);
    let mut outcomes = Vec::with_capacity(checks.len());
    for check in checks {
        let verdict = tokio::select! {
            verdict = (check.ask)(target) => verdict,
            () = target.clock().sleep(PATIENCE) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        outcomes.push(Outcome { check, verdict });
    }
    outcomes
}

/// Fails with `what` unless `holds`.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}
