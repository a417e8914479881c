//! Which fields of a document mean something, and which of two counts.

use crate::dialect::{instant::Unit, resource};

pub(super) const SERVICE: &str = "service.name";

const TRACE_ID: [&str; 3] = ["trace.id", "trace_id", "traceId"];
const SPAN_ID: [&str; 3] = ["span.id", "span_id", "spanId"];

/// The fields of a kind of documents.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) time: Names,
    pub(crate) body: Names,
    pub(crate) severity: Names,
    /// What a bare number in the field of the time counts.
    pub(crate) unit: Unit,
    /// The service of documents that name none.
    pub(crate) service: Option<String>,
}

/// The names that a field may have, the best first.
#[derive(Debug)]
pub(crate) enum Names {
    Known(&'static [&'static str]),
    One(String),
}

/// A place in a record that one field of a document is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Time = 0,
    Body = 1,
    Severity = 2,
    TraceId = 3,
    SpanId = 4,
}

/// What a field of a document is.
pub(super) enum Role<'f> {
    Attribute,
    Resource(&'static str),
    /// Of several for one slot the one of the lowest rank counts.
    Candidate {
        slot: Slot,
        rank: usize,
        name: &'f str,
    },
}

impl Slot {
    pub(super) const COUNT: usize = 5;

    pub(super) const ALL: [Slot; Slot::COUNT] = [
        Slot::Time,
        Slot::Body,
        Slot::Severity,
        Slot::TraceId,
        Slot::SpanId,
    ];
}

impl Names {
    /// The name that `path` is, and how good it is.
    fn find(&self, path: &[u8]) -> Option<(usize, &str)> {
        match self {
            Names::Known(names) => known(names, path),
            Names::One(name) => (name.as_bytes() == path).then_some((0, name)),
        }
    }
}

impl Fields {
    /// What the field `path` is.
    pub(super) fn role(&self, path: &[u8]) -> Role<'_> {
        let of_slot = |slot, found: Option<_>| found.map(|(rank, name)| (slot, rank, name));
        let found = of_slot(Slot::Time, self.time.find(path))
            .or_else(|| of_slot(Slot::Body, self.body.find(path)))
            .or_else(|| of_slot(Slot::Severity, self.severity.find(path)))
            .or_else(|| of_slot(Slot::TraceId, known(&TRACE_ID, path)))
            .or_else(|| of_slot(Slot::SpanId, known(&SPAN_ID, path)));
        match (found, resource::named(path)) {
            (Some((slot, rank, name)), _) => Role::Candidate { slot, rank, name },
            (None, Some(name)) => Role::Resource(name),
            (None, None) => Role::Attribute,
        }
    }
}

fn known(names: &[&'static str], path: &[u8]) -> Option<(usize, &'static str)> {
    let mut names = names.iter().copied().enumerate();
    names.find(|(_, name)| name.as_bytes() == path)
}
