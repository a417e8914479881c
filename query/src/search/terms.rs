//! What the text of a search is made of.

use crate::error::{Error, Place};

/// A piece of the text, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) at: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    Or,
    And,
    /// `NOT`, or `-` in front of a term.
    Not,
    Term(Term),
}

/// One thing that a record has or has not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) field: Field,
    pub(super) test: Test,
    pub(super) at: Place,
}

/// Whose text is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Body,
    /// A column that holds text.
    Column(&'static str),
    Severity,
    /// A column of ids of so many hexadecimal digits.
    Id(&'static str, usize),
    Attribute(String),
    Resource(String),
    /// An attribute of the record or of its resource.
    Either(String),
}

/// What is said of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// It has these words, one behind the other.
    Words(String),
    /// The same, and the last one may go on.
    Beginning(String),
    /// It has this text anywhere, in any case.
    Part(String),
    Equal(String),
    /// It is there.
    Exists,
    Compare(&'static str, String),
    /// Nothing: every record passes.
    Everything,
}

/// The names of fields that are columns. Every other name is an attribute's.
const COLUMNS: [(&str, &str); 8] = [
    ("service", "service_name"),
    ("service_name", "service_name"),
    ("service.name", "service_name"),
    ("event", "event_name"),
    ("event_name", "event_name"),
    ("scope", "scope_name"),
    ("scope_name", "scope_name"),
    ("severity_text", "severity_text"),
];

impl Field {
    /// The field that `name` means.
    pub(super) fn of(name: &str) -> Field {
        if let Some((_, column)) = COLUMNS.iter().find(|(known, _)| *known == name) {
            return Field::Column(column);
        }
        match name {
            "body" => Field::Body,
            "severity" | "level" => Field::Severity,
            "trace_id" => Field::Id("trace_id", 32),
            "span_id" => Field::Id("span_id", 16),
            _ => match (
                name.strip_prefix("attributes."),
                name.strip_prefix("resource."),
            ) {
                (Some(key), _) if !key.is_empty() => Field::Attribute(key.to_owned()),
                (_, Some(key)) if !key.is_empty() => Field::Resource(key.to_owned()),
                _ => Field::Either(name.to_owned()),
            },
        }
    }
}

/// What is wrong with a search, and where.
pub(super) fn wrong(at: Place, detail: impl Into<String>) -> Error {
    Error::Invalid {
        detail: detail.into(),
        place: Some(at),
    }
}
