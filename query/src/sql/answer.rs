//! An answer: its columns, its rows as they come, and at the end what it is based on.

use crate::{completeness::Completeness, error::Result};
use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use futures::stream::BoxStream;
use std::time::Duration;

/// The answer to a statement. Dropping it stops the statement.
pub struct SqlAnswer {
    pub schema: SchemaRef,
    /// Batches with `schema`, then exactly one [`Part::End`]; or an error, after which nothing comes.
    pub parts: BoxStream<'static, Result<Part>>,
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Part {
    /// The next rows; never an empty batch.
    Rows(RecordBatch),
    /// Nothing comes after this. An answer without it is not whole.
    End(Box<AnswerEnd>),
}

/// What is known once the last row is out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerEnd {
    pub completeness: Completeness,
    /// Rows in the answer.
    pub rows: u64,
    /// Why rows are left out at the end, if any are.
    pub truncated: Option<Truncated>,
    /// From the request to the last row.
    pub elapsed: Duration,
}

/// The limit at which an answer was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncated {
    /// The most rows that an answer may hold.
    Rows(u64),
    /// The most bytes that an answer may hold.
    Bytes(u64),
}

impl std::fmt::Display for Truncated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Truncated::Rows(limit) => write!(f, "row limit of {limit} reached"),
            Truncated::Bytes(limit) => write!(f, "size limit of {limit} bytes reached"),
        }
    }
}
