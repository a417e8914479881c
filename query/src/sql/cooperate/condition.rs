//! A condition that fails when its statement is stopped.

use super::stopped;
use datafusion::{
    arrow::{
        datatypes::{DataType, FieldRef, Schema},
        record_batch::RecordBatch,
    },
    error::Result,
    logical_expr::ColumnarValue,
    physical_expr::PhysicalExpr,
};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Holds where its inner condition holds.
#[derive(Debug)]
pub(super) struct Condition {
    inner: Arc<dyn PhysicalExpr>,
    stop: CancellationToken,
}

impl Condition {
    pub(super) fn over(
        inner: Arc<dyn PhysicalExpr>,
        stop: &CancellationToken,
    ) -> Arc<dyn PhysicalExpr> {
        Arc::new(Condition {
            inner,
            stop: stop.clone(),
        })
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Condition {}

impl Hash for Condition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Condition {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.stop.is_cancelled() {
            true => Err(stopped()),
            false => self.inner.evaluate(batch),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| self.inner.clone());
        Ok(Condition::over(inner, &self.stop))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
