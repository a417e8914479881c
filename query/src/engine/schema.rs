//! What a tenant can ask about: tables, columns, attribute keys.

mod attributes;

use crate::sql::describe::{self, Described};
use arrow::{datatypes::Field, record_batch::RecordBatch};
use cairn_storage::{id::TenantId, store::Store};
use std::time::Duration;

/// The column whose keys come from the rows themselves.
pub(super) const RESOURCES: &str = "resource_attributes";

/// Different resources of a table that are looked at.
pub(super) const MOST_RESOURCES: usize = 1_000;

/// The answer does not wait longer for the resources of one table.
pub(super) const RESOURCES_DEADLINE: Duration = Duration::from_secs(2);

/// The tables of a tenant.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SchemaAnswer {
    pub tables: Vec<TableAnswer>,
}

/// A table with its columns and the attribute keys seen in it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TableAnswer {
    pub name: String,
    pub description: String,
    pub columns: Vec<ColumnAnswer>,
    /// Sorted by key, then by where it was seen.
    pub attributes: Vec<AttributeAnswer>,
    /// Whether there are or may be keys that are not here.
    pub more_attributes: bool,
    /// Days that its rows are kept; `None` for ever.
    pub retention_days: Option<u32>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ColumnAnswer {
    pub name: String,
    /// The type as SQL names it, e.g. `BIGINT`, `TIMESTAMP`, `VARCHAR`.
    #[serde(rename = "type")]
    pub sql_type: String,
    pub nullable: bool,
    pub description: String,
}

/// A key of a map column.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AttributeAnswer {
    /// The map column, e.g. `attributes`.
    pub column: String,
    pub key: String,
    /// Types seen, sorted: `text`, `int`, `double`, `bool`, `other`.
    pub types: Vec<String>,
    /// Segments that list the key, in a column of its own or not.
    pub segments: u64,
    /// Rows of segments that have the key in a column of its own. Segments do not count the rows that have it
    /// elsewhere, which are few: about one in a hundred makes a column.
    pub segment_rows: u64,
    /// Buffered rows that have the key, of those looked at.
    pub buffered_rows: u64,
}

/// The answer for one table. `resources` holds its distinct resources in one column, `None` if they are not known.
pub(super) fn table(
    store: &Store,
    tenant: &TenantId,
    table: &Described,
    resources: Option<Vec<RecordBatch>>,
) -> TableAnswer {
    let column = |field: &Field| ColumnAnswer {
        name: field.name().clone(),
        sql_type: describe::sql_type(field.data_type()),
        nullable: field.is_nullable(),
        description: table.column_description(field.name()).to_string(),
    };
    let mut keys = attributes::Keys::of(store, tenant, &table.name);
    match resources {
        Some(batches) => batches
            .iter()
            .for_each(|batch| keys.add(RESOURCES, batch.column(0))),
        None => keys.miss(),
    }
    let stored = attributes::stored_table(&table.name);
    TableAnswer {
        retention_days: stored.and_then(|stored| store.retention_days(tenant, stored.signal())),
        name: table.name.clone(),
        description: table.description.to_string(),
        columns: table.columns().map(column).collect(),
        more_attributes: keys.is_partial(),
        attributes: keys.answer(),
    }
}
