//! Turns expressions over a table's columns into expressions over the columns of one file or of a buffered batch.
//!
//! DataFusion decides on the table's columns whether a predicate can be evaluated inside the scan, takes its
//! own filter away, and ignores a conjunct that turns out not to be evaluable on a file (datafusion#25268). So everything here
//! becomes a literal, a column of a primitive type, a cast of one, or a function over such columns; never
//! anything nested. The test of filters with and without this path (`tests/it/pushdown.rs`) watches over it.

use super::{SegmentPart, time_parts};
use crate::{
    attributes::{
        evaluate::Wanted,
        function::Attribute,
        promoted::{OfColumns, WholeMap},
    },
    columns::FILE_NUMBER,
};
use arrow::datatypes::{DataType, SchemaRef};
use cairn_storage::segment::{
    Promoted, ValueKind,
    layout::{TIME_MS, TIME_REST_NS},
};
use datafusion::{
    common::{
        ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    error::{DataFusionError, Result},
    logical_expr::{Operator, ScalarUDF},
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, CastExpr, Column, Literal},
    },
    physical_expr_adapter::{
        DefaultPhysicalExprAdapter, PhysicalExprAdapter, PhysicalExprAdapterFactory,
    },
};
use std::{fmt, sync::Arc};

/// Makes the adapters of a scan.
pub(super) struct Adapt {
    /// By the number in the metadata of a file's columns; none for buffered batches.
    files: Vec<Arc<SegmentPart>>,
    options: Arc<ConfigOptions>,
}

impl Adapt {
    pub(super) fn of_files(files: Vec<Arc<SegmentPart>>) -> Adapt {
        Adapt {
            files,
            options: Arc::default(),
        }
    }

    pub(super) fn of_batches() -> Adapt {
        Adapt::of_files(Vec::new())
    }
}

impl fmt::Debug for Adapt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapt")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl PhysicalExprAdapterFactory for Adapt {
    fn create(
        &self,
        table: SchemaRef,
        physical: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let part = match physical.metadata().get(FILE_NUMBER) {
            Some(number) => {
                let part = number.parse::<usize>().ok().and_then(|n| self.files.get(n));
                let unknown = || DataFusionError::Internal("a file of another scan".to_string());
                Some(part.ok_or_else(unknown)?.clone())
            }
            None => None,
        };
        let rest = DefaultPhysicalExprAdapter::new(table, physical.clone());
        Ok(Arc::new(Adapter {
            part,
            physical,
            options: self.options.clone(),
            rest,
        }))
    }
}

/// Adapts to one file, or to buffered batches.
struct Adapter {
    part: Option<Arc<SegmentPart>>,
    physical: SchemaRef,
    options: Arc<ConfigOptions>,
    /// Casts and column positions.
    rest: DefaultPhysicalExprAdapter,
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapter")
    }
}

type Expr = Arc<dyn PhysicalExpr>;

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Expr) -> Result<Expr> {
        let done = |expr| Transformed::new(expr, true, TreeNodeRecursion::Jump);
        if let Some(call) = ScalarFunctionExpr::try_downcast_func::<Attribute>(expr.as_ref())
            && let Some(shown) = self.attribute(call, Use::Shown)?
        {
            return Ok(shown);
        }
        let adapted = expr
            .transform_down(|expr| {
                Ok(match self.replacement(&expr)? {
                    Some(replacement) => done(replacement),
                    None => Transformed::no(expr),
                })
            })
            .data()?;
        adapted
            .transform_down(|expr| {
                // What is finished refers to the file's own columns, as they are.
                Ok(match is_ours(&expr) {
                    true => Transformed::new(expr, false, TreeNodeRecursion::Jump),
                    // A column may become a cast of itself: what comes of it is finished, too.
                    false if expr.children().is_empty() => done(self.rest.rewrite(expr)?),
                    false => Transformed::no(expr),
                })
            })
            .data()
    }
}

/// What becomes of an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is a column of its own above the scan, often one to group by: numbers become text once a value.
    Shown,
    /// It is a part of something else, like a predicate: statistics should reach through it.
    Compared,
}

/// Whether `expr` is a function that this module put in.
fn is_ours(expr: &Expr) -> bool {
    ScalarFunctionExpr::try_downcast_func::<Attribute>(expr.as_ref()).is_some()
        || ScalarFunctionExpr::try_downcast_func::<OfColumns>(expr.as_ref()).is_some()
        || ScalarFunctionExpr::try_downcast_func::<WholeMap>(expr.as_ref()).is_some()
}

impl Adapter {
    /// What stands for `expr` (this node with its children) in the file; `None` where nothing special does.
    fn replacement(&self, expr: &Expr) -> Result<Option<Expr>> {
        if let Some(call) = ScalarFunctionExpr::try_downcast_func::<Attribute>(expr.as_ref()) {
            return self.attribute(call, Use::Compared);
        }
        if let Some(comparison) = expr.downcast_ref::<BinaryExpr>() {
            return self.time_comparison(comparison);
        }
        let Some(column) = expr.downcast_ref::<Column>() else {
            return Ok(None);
        };
        match column.name() {
            "attributes" => self.whole_map(),
            "timestamp" if self.has_time_parts() => Ok(Some(self.timestamp()?)),
            _ => Ok(None),
        }
    }

    fn column(&self, name: &str) -> Result<Expr> {
        Ok(Arc::new(Column::new_with_schema(name, &self.physical)?))
    }

    fn call(&self, function: Arc<ScalarUDF>, args: Vec<Expr>) -> Result<Expr> {
        let options = self.options.clone();
        Ok(Arc::new(ScalarFunctionExpr::try_new(
            function,
            args,
            &self.physical,
            options,
        )?))
    }

    /// `attr(map, 'key')`, where the map is a column.
    fn attribute(&self, call: &ScalarFunctionExpr, used: Use) -> Result<Option<Expr>> {
        let [map, key] = call.args() else {
            return Ok(None);
        };
        let Some(map) = map.downcast_ref::<Column>() else {
            return Ok(None);
        };
        let wanted = call
            .fun()
            .inner()
            .downcast_ref::<Attribute>()
            .map(Attribute::wanted);
        let key_text = key
            .downcast_ref::<Literal>()
            .and_then(|k| k.value().try_as_str().flatten());
        let (Some(wanted), Some(key_text)) = (wanted, key_text) else {
            return Ok(None);
        };
        match &self.part {
            Some(part) if map.name() == "attributes" => {
                Ok(Some(self.promoted(part, key_text, wanted, used)?))
            }
            // Over the column as it is: a dictionary is read once a distinct value.
            _ => {
                let args = vec![self.column(map.name())?, key.clone()];
                Ok(Some(self.call(Attribute::udf(wanted), args)?))
            }
        }
    }

    fn promoted(&self, part: &SegmentPart, key: &str, wanted: Wanted, used: Use) -> Result<Expr> {
        let object = part.object();
        let in_overflow = match &object.overflow_keys {
            Some(keys) => keys.binary_search_by(|k| k.as_str().cmp(key)).is_ok(),
            None => true,
        };
        let mut columns = object
            .promoted
            .iter()
            .filter(|p| p.key == key)
            .collect::<Vec<_>>();
        // A boolean is no number, and a double is no integer.
        columns.retain(|promoted| {
            !matches!(
                (promoted.kind, wanted),
                (ValueKind::Bool, Wanted::Double | Wanted::Int) | (ValueKind::Double, Wanted::Int)
            )
        });
        match (columns.as_slice(), in_overflow) {
            ([], false) => Ok(literal(ScalarValue::try_from(&wanted.data_type())?)),
            ([], true) => {
                let key = literal(ScalarValue::from(key));
                self.call(
                    Attribute::udf(wanted),
                    vec![self.column("attributes")?, key],
                )
            }
            ([only], false) => match self.plain(only, wanted, used)? {
                Some(plain) => Ok(plain),
                None => self.of_columns(key, wanted, &columns, false),
            },
            (_, in_overflow) => self.of_columns(key, wanted, &columns, in_overflow),
        }
    }

    /// A promoted column that is, or is cast to, what is wanted: statistics still prune it.
    fn plain(&self, promoted: &Promoted, wanted: Wanted, used: Use) -> Result<Option<Expr>> {
        let column = self.column(&promoted.column)?;
        let to = match (promoted.kind, wanted) {
            (ValueKind::Text, Wanted::Text)
            | (ValueKind::Double, Wanted::Double)
            | (ValueKind::Int, Wanted::Int) => return Ok(Some(column)),
            (ValueKind::Int, Wanted::Double) => DataType::Float64,
            // The same digits and words as `convert` writes.
            (ValueKind::Int | ValueKind::Bool, Wanted::Text) if used == Use::Compared => {
                DataType::Utf8View
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(CastExpr::new(column, to, None))))
    }

    fn of_columns(
        &self,
        key: &str,
        wanted: Wanted,
        columns: &[&Promoted],
        in_overflow: bool,
    ) -> Result<Expr> {
        let kinds = columns.iter().map(|promoted| promoted.kind).collect();
        let mut args = columns
            .iter()
            .map(|promoted| self.column(&promoted.column))
            .collect::<Result<Vec<_>>>()?;
        if in_overflow {
            args.push(self.column("attributes")?);
        }
        self.call(OfColumns::udf(key, wanted, kinds, in_overflow), args)
    }

    /// `attributes` as a whole: overflow and promoted columns put together.
    fn whole_map(&self) -> Result<Option<Expr>> {
        let Some(part) = &self.part else {
            return Ok(None);
        };
        let mut promoted: Vec<_> = part.object().promoted.iter().collect();
        if promoted.is_empty() {
            return Ok(None);
        }
        promoted.sort_by(|a, b| a.key.cmp(&b.key));
        let mut args = vec![self.column("attributes")?];
        for column in &promoted {
            args.push(self.column(&column.column)?);
        }
        let columns = promoted.iter().map(|p| (p.key.clone(), p.kind)).collect();
        Ok(Some(self.call(WholeMap::udf(columns), args)?))
    }

    /// Whether `timestamp` lies in the file as milliseconds and a rest.
    fn has_time_parts(&self) -> bool {
        self.physical.index_of(TIME_MS).is_ok()
    }

    fn timestamp(&self) -> Result<Expr> {
        self.call(
            time_parts::udf(),
            vec![self.column(TIME_MS)?, self.column(TIME_REST_NS)?],
        )
    }

    /// `timestamp <op> literal` over milliseconds, which statistics can prune, and the rest.
    fn time_comparison(&self, comparison: &BinaryExpr) -> Result<Option<Expr>> {
        if !self.has_time_parts() {
            return Ok(None);
        }
        let is_time = |e: &Expr| {
            e.downcast_ref::<Column>()
                .is_some_and(|c| c.name() == "timestamp")
        };
        let instant = |e: &Expr| match e.downcast_ref::<Literal>().map(Literal::value) {
            Some(ScalarValue::TimestampNanosecond(Some(nanos), _)) => Some(*nanos),
            _ => None,
        };
        let (op, nanos) = match (comparison.left(), comparison.right()) {
            (left, right) if is_time(left) => (Some(*comparison.op()), instant(right)),
            (left, right) if is_time(right) => (comparison.op().swap(), instant(left)),
            _ => return Ok(None),
        };
        let (Some(op), Some(nanos)) = (op, nanos) else {
            return Ok(None);
        };
        let (millis, rest) = (nanos.div_euclid(1_000_000), nanos.rem_euclid(1_000_000));
        let millis = |op| self.compare(TIME_MS, op, ScalarValue::from(millis));
        let rest = |op| self.compare(TIME_REST_NS, op, ScalarValue::from(rest as i32));
        // The first conjunct prunes; the second is exact at the edge.
        let edge = |outer, beyond, inner| -> Result<Expr> {
            let exact = binary(millis(beyond)?, Operator::Or, rest(inner)?);
            Ok(binary(millis(outer)?, Operator::And, exact))
        };
        Ok(Some(match op {
            Operator::Eq => binary(millis(op)?, Operator::And, rest(op)?),
            Operator::NotEq => binary(millis(op)?, Operator::Or, rest(op)?),
            Operator::Gt => edge(Operator::GtEq, Operator::Gt, Operator::Gt)?,
            Operator::GtEq => edge(Operator::GtEq, Operator::Gt, Operator::GtEq)?,
            Operator::Lt => edge(Operator::LtEq, Operator::Lt, Operator::Lt)?,
            Operator::LtEq => edge(Operator::LtEq, Operator::Lt, Operator::LtEq)?,
            _ => return Ok(None),
        }))
    }

    fn compare(&self, column: &str, op: Operator, value: ScalarValue) -> Result<Expr> {
        Ok(binary(self.column(column)?, op, literal(value)))
    }
}

fn literal(value: ScalarValue) -> Expr {
    Arc::new(Literal::new(value))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Arc::new(BinaryExpr::new(left, op, right))
}

#[cfg(test)]
mod tests;
