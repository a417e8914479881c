//! Where in the text of a statement something is: from tokens, syntax trees and DataFusion's errors.

use crate::error::{Error, Place};
use datafusion::{
    common::SchemaError,
    error::DataFusionError,
    sql::sqlparser::tokenizer::{Location, Span},
};

/// The place of a token or node; `None` for what has no place of its own.
pub(super) fn of(location: Location) -> Option<Place> {
    let known = location.line > 0 && location.column > 0;
    known.then_some(Place {
        line: location.line,
        column: location.column,
    })
}

/// The start of a node; `None` for what has no place of its own.
pub(super) fn start(span: Span) -> Option<Place> {
    of(span.start)
}

/// An error from parsing or planning as one of ours, with its place where DataFusion says it.
pub(super) fn locate(error: DataFusionError) -> Error {
    locate_or(error, |_| None)
}

/// The same; where DataFusion says no place, `search` may find one.
pub(super) fn locate_or(
    error: DataFusionError,
    search: impl FnOnce(&DataFusionError) -> Option<Place>,
) -> Error {
    let place = diagnosed(&error)
        .or_else(|| of_column(&error))
        .or_else(|| in_message(&root_message(&error)))
        .or_else(|| search(&error));
    match Error::from(error) {
        Error::Engine(source) if place.is_some() && is_about_text(&source) => Error::Invalid {
            detail: without_place(&root_message(&source)),
            place,
        },
        other => other,
    }
}

fn is_about_text(error: &DataFusionError) -> bool {
    use DataFusionError::{NotImplemented, Plan, SQL, SchemaError};
    matches!(
        error.find_root(),
        SQL(..) | Plan(_) | SchemaError(..) | NotImplemented(_)
    )
}

fn diagnosed(error: &DataFusionError) -> Option<Place> {
    let span = error.iter().find_map(|e| e.diagnostic()?.span)?;
    Some(Place {
        line: span.start.line,
        column: span.start.column,
    })
}

/// The place that a column brings along into the error that it is not there.
fn of_column(error: &DataFusionError) -> Option<Place> {
    let DataFusionError::SchemaError(schema, _) = error.find_root() else {
        return None;
    };
    let (SchemaError::FieldNotFound { field, .. } | SchemaError::AmbiguousReference { field }) =
        schema.as_ref()
    else {
        return None;
    };
    let span = field.spans().first()?;
    Some(Place {
        line: span.start.line,
        column: span.start.column,
    })
}

fn root_message(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::SQL(source, _) => match source.as_ref() {
            datafusion::sql::sqlparser::parser::ParserError::TokenizerError(text)
            | datafusion::sql::sqlparser::parser::ParserError::ParserError(text) => text.clone(),
            other => other.to_string(),
        },
        root => root.message().into_owned(),
    }
}

/// The marker that sqlparser puts before a place, at the end of its messages.
const MARKER: &str = " at Line: ";

fn in_message(message: &str) -> Option<Place> {
    let (_, rest) = message.rsplit_once(MARKER)?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(Place {
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    })
}

fn without_place(message: &str) -> String {
    match message.rsplit_once(MARKER) {
        Some((before, _)) => before.to_string(),
        None => message.to_string(),
    }
}
