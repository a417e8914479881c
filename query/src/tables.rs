//! The tables of a tenant as SQL sees them.

mod metrics;
mod segments;
mod shared_parts;
mod unordered;

pub use segments::SegmentTable;
pub use shared_parts::SharedParts;
pub use unordered::Unordered;

use crate::scope::Scope;
use async_trait::async_trait;
use cairn_storage::{
    signal::{Signal, Table},
    snapshot::Snapshot,
};
use datafusion::{
    catalog::{CatalogProvider, SchemaProvider, TableProvider},
    datasource::ViewTable,
    error::Result,
};
use std::sync::Arc;

/// The catalog of a session, and the schema in it that unqualified names are looked up in.
pub const CATALOG: &str = "cairn";
/// See [`CATALOG`].
pub const SCHEMA: &str = "public";

/// The view of points with their labels.
pub const METRICS: &str = "metrics";

/// The stored tables that statements can name, beside the view [`METRICS`].
pub const NAMED: [Table; 6] = [
    Table::Logs,
    Table::Spans,
    Table::SpanEvents,
    Table::SpanLinks,
    Table::Exemplars,
    Table::DeadLetters,
];

/// The names of all tables, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = NAMED.iter().map(|table| table.as_str()).collect();
    names.push(METRICS);
    names.sort_unstable();
    names
}

/// One tenant's tables, and nothing else: the catalog with its one schema.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    scope: Arc<Scope>,
}

impl Tables {
    /// The tables of what `scope` sees.
    pub(crate) fn new(scope: Arc<Scope>) -> Tables {
        Tables { scope }
    }

    /// A stored table, also one that statements cannot name.
    pub(crate) fn stored(&self, table: Table) -> SegmentTable {
        SegmentTable::new(self.scope.clone(), table)
    }

    /// The snapshot of a signal.
    pub(crate) fn snapshot(&self, signal: Signal) -> Arc<Snapshot> {
        self.scope.snapshot(signal)
    }

    fn provider(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == METRICS {
            let view = ViewTable::new(metrics::view(&self.scope)?, None);
            return Ok(Some(Arc::new(view)));
        }
        let table = NAMED.iter().find(|table| table.as_str() == name);
        Ok(table.map(|table| -> Arc<dyn TableProvider> {
            Arc::new(SegmentTable::new(self.scope.clone(), *table))
        }))
    }
}

impl CatalogProvider for Tables {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_string()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA).then(|| -> Arc<dyn SchemaProvider> {
            Arc::new(Tables {
                scope: self.scope.clone(),
            })
        })
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        names().into_iter().map(str::to_string).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.provider(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        names().contains(&name)
    }
}
