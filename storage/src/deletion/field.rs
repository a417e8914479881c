//! The columns that conditions may name.

use crate::{schema, signal::Signal, signal::Table};
use arrow::datatypes::DataType;

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    /// Bytes of this length.
    Id(usize),
}

impl Kind {
    /// What a value has to be.
    pub(super) fn form(self) -> &'static str {
        match self {
            Kind::Text => "any text",
            Kind::Integer => "digits of an integer of 64 bits",
            Kind::Id(16) => "32 hexadecimal digits",
            Kind::Id(_) => "16 hexadecimal digits",
        }
    }
}

/// What series are told apart by, apart from attributes: what is not part of it may differ from request to request.
const SERIES: [&str; 8] = [
    "metric",
    "series_id",
    "type",
    "unit",
    "temporality",
    "service_name",
    "scope_name",
    "scope_version",
];

/// The table whose rows the conditions are held against.
pub(super) fn main_table(signal: Signal) -> Table {
    match signal {
        Signal::Logs => Table::Logs,
        Signal::Metrics => Table::Series,
        Signal::Spans => Table::Spans,
        Signal::DeadLetters => Table::DeadLetters,
    }
}

/// The kind of a column of the main table; `None` where it cannot be asked for.
pub(super) fn kind(signal: Signal, name: &str) -> Option<Kind> {
    let schema = schema::batch_schema(main_table(signal));
    let field = schema.field_with_name(name).ok()?;
    let is_map = name.ends_with("attributes") || name == "resource_entity_refs";
    if is_map || name == schema::ROW_ORDINAL || signal == Signal::Metrics && !SERIES.contains(&name)
    {
        return None;
    }
    match field.data_type() {
        DataType::Utf8 | DataType::Dictionary(..) => Some(Kind::Text),
        DataType::Int32 | DataType::Int64 => Some(Kind::Integer),
        DataType::FixedSizeBinary(width) => Some(Kind::Id(*width as usize)),
        _ => None,
    }
}

/// The names of all of them, in the order of the table.
pub(super) fn names(signal: Signal) -> Vec<String> {
    let schema = schema::batch_schema(main_table(signal));
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.filter(|name| kind(signal, name).is_some()).collect()
}
