//! What is wrong with the store now, for `/healthz`, `/readyz` and the operator.

use crate::time::Nanos;

/// The state of the store at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether requests are taken: not while closing, and not while the log cannot be written.
    pub accepting: bool,
    /// Everything that is wrong, the oldest first. Empty when all is well.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The part that has it: `wal`, `flush`, `upload`, `catalog`, `segment`, `replay`.
    pub part: &'static str,
    /// What it concerns, for example a tenant's signal, a file or a segment.
    pub subject: String,
    /// What happened.
    pub detail: String,
    pub since: Nanos,
}
