//! The one door to questions over stored telemetry.

use crate::{
    config::Config,
    error::{Error, Result},
    sql::answer::SqlAnswer,
};
use cairn_storage::{id::TenantId, signal::Signal, store::Store};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};

/// Answers questions of all tenants. Share it in an `Arc`.
pub struct Engine {
    store: Arc<Store>,
}

/// A statement and who asks it.
#[derive(Debug, Clone)]
pub struct SqlRequest {
    /// Whose rows the statement sees.
    pub tenant: TenantId,
    /// One statement: `SELECT`, `WITH … SELECT`, `VALUES`, `EXPLAIN [ANALYZE]` of these, `DESCRIBE table`,
    /// `SHOW TABLES`, `SHOW COLUMNS FROM table`.
    pub statement: String,
    /// `null`, an array for `$1`, `$2`, …, or an object for `$name`. Values are scalars or arrays of scalars.
    pub parameters: Value,
    /// From now to the last row; the configured limit where `None` or longer than that.
    pub deadline: Option<Duration>,
    /// The most rows of the answer; the configured limit where `None` or more than that.
    pub max_rows: Option<u64>,
    /// Wait until requests up to this commit sequence can be seen (read your writes).
    pub min_sequence: Option<u64>,
}

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
    /// Whether some segment has more keys outside columns of their own than it lists, so that some are not here.
    pub more_attributes: bool,
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
    /// Segments that have the key, in a column of its own or not.
    pub segments: u64,
    /// Buffered rows that have the key.
    pub buffered_rows: u64,
}

impl Engine {
    /// An engine over `store`. What does not fit in memory goes to files under `spill_dir`.
    ///
    /// Fails with `Invalid` for settings that cannot work and with `Unavailable` when the folder cannot be made.
    pub fn new(
        store: Arc<Store>,
        config: Config,
        spill_dir: &Path,
        registry: &mut Registry,
    ) -> Result<Engine> {
        let _ = (config, spill_dir, registry);
        Ok(Engine { store })
    }

    /// Answers a statement. Returns when the first rows are under way; the rest comes with the answer's parts.
    pub async fn sql(&self, request: SqlRequest) -> Result<SqlAnswer> {
        let _ = (request, &self.store);
        Err(Error::Internal("to come".to_string()))
    }

    /// The tables of a tenant with their columns and attribute keys, as far as the catalog and the buffers know.
    pub fn schema(&self, tenant: &TenantId) -> Result<SchemaAnswer> {
        let _ = self.store.snapshot(tenant, Signal::Logs);
        Err(Error::Internal("to come".to_string()))
    }
}
