//! A table that lies in segments and buffered requests.

use crate::{
    columns,
    scan::{self, ScanRequest},
    scope::Scope,
};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use cairn_storage::signal::Table;
use datafusion::{
    catalog::{Session, TableProvider},
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::ExecutionPlan,
};
use std::{collections::BTreeSet, sync::Arc};

/// A table that lies in segments and buffered requests.
#[derive(Debug, Clone)]
pub struct SegmentTable {
    scope: Arc<Scope>,
    table: Table,
    schema: SchemaRef,
    /// Parts of the snapshot to which a join has narrowed this table; all where `None`.
    parts: Option<Arc<BTreeSet<i32>>>,
    /// Whether the order of rows is of use to what is above.
    ordered: bool,
}

impl SegmentTable {
    /// `table` as `scope` sees it.
    pub(crate) fn new(scope: Arc<Scope>, table: Table) -> SegmentTable {
        let mut schema = columns::table_schema(table);
        if columns::has_part(table) {
            let part = Arc::new(columns::part_field());
            let fields: Vec<_> = schema.fields().iter().cloned().chain([part]).collect();
            schema = Arc::new(Schema::new(fields));
        }
        SegmentTable {
            scope,
            table,
            schema,
            parts: None,
            ordered: true,
        }
    }

    /// This table for those who do not care about the order of its rows; `None` if it is that already.
    pub(crate) fn unordered(&self) -> Option<SegmentTable> {
        self.ordered.then(|| SegmentTable {
            ordered: false,
            ..self.clone()
        })
    }

    /// The table that this is.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Whether a join has narrowed this table already.
    pub(super) fn is_narrowed(&self) -> bool {
        self.parts.is_some()
    }

    /// This table, narrowed to `parts` of the snapshot.
    pub(crate) fn narrowed(&self, parts: Arc<BTreeSet<i32>>) -> SegmentTable {
        SegmentTable {
            parts: Some(parts),
            ..self.clone()
        }
    }

    /// Notes that an answer is made of this table, as a scan of it does: what is damaged of it is missing then.
    pub(crate) fn note_read(&self) {
        let snapshot = self.scope.snapshot(self.table.signal());
        self.scope.report().table_read(&snapshot, self.table);
    }

    /// The parts of the snapshot in which there may be rows that `filters` accept.
    pub(crate) fn parts(&self, filters: &[Expr]) -> Result<BTreeSet<i32>> {
        scan::parts(&self.request(None, filters, None))
    }

    fn request<'a>(
        &'a self,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
        limit: Option<usize>,
    ) -> ScanRequest<'a> {
        ScanRequest {
            scope: &self.scope,
            table: self.table,
            schema: &self.schema,
            parts: self.parts.as_deref(),
            ordered: self.ordered,
            projection,
            filters,
            limit,
        }
    }

    /// Whether the scan can evaluate `filter` in every file: it looks at columns that are not nested, and at
    /// nothing else.
    fn can_evaluate(&self, filter: &Expr) -> bool {
        let mut can = true;
        let visited = filter.apply(|expr| {
            let fits = match expr {
                Expr::Column(column) => {
                    let field = self.schema.field_with_name(&column.name);
                    field.is_ok_and(|field| !field.data_type().is_nested())
                }
                Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_) => false,
                _ => true,
            };
            can &= fits;
            Ok(if fits {
                TreeNodeRecursion::Continue
            } else {
                TreeNodeRecursion::Stop
            })
        });
        can && visited.is_ok()
    }
}

#[async_trait]
impl TableProvider for SegmentTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.can_evaluate(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        scan::plan(state, &self.request(projection, filters, limit)).await
    }
}
