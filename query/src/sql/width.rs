//! How large the values and expressions of a plan can become, estimated from above before anything is computed.
//!
//! Constant folding runs inside planning and charges no memory pool, and neither do projections:
//! `repeat('a', 1000000000)` takes a gigabyte whatever the limits are. So each expression gets a width in bytes,
//! from literals, column types and what each function makes of its arguments, and a size in nodes once the
//! expressions that it refers to below are put in its place, as the optimizer does when it moves filters down.
//! Columns of text count with a nominal width, as their real one is data: what such a value is multiplied by is
//! bounded, and the rows of a batch are lowered so that a batch of the widest rows stays bounded too.

mod growth;

use super::limits;
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::{
    common::{Column, DFSchema, ScalarValue},
    logical_expr::{Aggregate, Distinct, Expr, LogicalPlan, Unnest, expr::Sort},
};
use growth::growth;

/// What a text, binary or list column is taken to hold.
const NOMINAL_BYTES: u64 = 512;

/// What an aggregate that collects values is taken to give.
const COLLECTED_BYTES: u64 = 64 << 10;

/// Bounds of one expression or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bounds {
    bytes: u64,
    nodes: u64,
}

impl Bounds {
    fn plus(self, other: Bounds) -> Bounds {
        Bounds {
            bytes: self.bytes.saturating_add(other.bytes),
            nodes: self.nodes.saturating_add(other.nodes),
        }
    }

    fn max(self, other: Bounds) -> Bounds {
        Bounds {
            bytes: self.bytes.max(other.bytes),
            nodes: self.nodes.max(other.nodes),
        }
    }
}

/// Refuses a plan with values or expressions that are too large, and returns how many bytes its widest
/// computed row may have.
pub(super) fn check(plan: &LogicalPlan) -> Result<u64> {
    let mut measure = Measure { widest_row: 0 };
    measure.plan(plan)?;
    Ok(measure.widest_row)
}

/// The rows that a batch may have when its rows are `row_bytes` wide.
pub(super) fn batch_rows(row_bytes: u64, configured: usize) -> usize {
    let fitting = (limits::BATCH_BYTES / row_bytes.max(1))
        .try_into()
        .unwrap_or(usize::MAX);
    configured
        .min(fitting)
        .max(limits::LEAST_BATCH_ROWS.min(configured))
}

struct Measure {
    widest_row: u64,
}

/// The columns that an expression can refer to.
struct Scope<'a> {
    schema: &'a DFSchema,
    columns: &'a [Bounds],
}

impl Scope<'_> {
    fn column(&self, column: &Column) -> Bounds {
        let index = self.schema.maybe_index_of_column(column);
        let known = index.and_then(|index| self.columns.get(index).copied());
        // A column of an outer query.
        known.unwrap_or(Bounds {
            bytes: NOMINAL_BYTES,
            nodes: 1,
        })
    }
}

impl Measure {
    /// The bounds of the columns of `plan`, in order.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Bounds>> {
        let inputs = plan.inputs();
        let below = inputs
            .into_iter()
            .map(|i| self.plan(i))
            .collect::<Result<Vec<_>>>()?;
        match plan {
            LogicalPlan::Projection(projection) => {
                let scope = scope(projection.input.schema(), &below[0]);
                self.row(&projection.expr, &scope)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, &below[0]),
            LogicalPlan::Window(window) => {
                let scope = scope(window.input.schema(), &below[0]);
                let computed = self.row(&window.window_expr, &scope)?;
                Ok(below
                    .into_iter()
                    .next()
                    .unwrap_or_default()
                    .into_iter()
                    .chain(computed)
                    .collect())
            }
            LogicalPlan::Join(join) => {
                let (left, right) = (below[0].clone(), below[1].clone());
                let both: Vec<Bounds> = left.into_iter().chain(right).collect();
                // Sides that share a name cannot be told apart here: their columns then count as nominal.
                let schema = join.left.schema().join(join.right.schema());
                let schema = schema.unwrap_or_else(|_| DFSchema::empty());
                self.others(plan, &scope(&schema, &both))?;
                // Semi and anti joins give one side, marks one column more.
                let columns = plan.schema().fields().len();
                Ok(if both.len() >= columns {
                    both
                } else {
                    typed(plan.schema())
                })
            }
            LogicalPlan::Union(_) => Ok(widest(&below)),
            LogicalPlan::Values(values) => {
                let empty = DFSchema::empty();
                let scope = scope(&empty, &[]);
                let rows = values.values.iter().map(|row| self.row(row, &scope));
                Ok(widest(&rows.collect::<Result<Vec<_>>>()?))
            }
            LogicalPlan::Unnest(unnest) => Ok(unnested(unnest, &below[0])),
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let scope = scope(on.input.schema(), &below[0]);
                self.others(plan, &scope)?;
                self.row(&on.select_expr, &scope)
            }
            LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) => Ok(typed(plan.schema())),
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Ok(typed(plan.schema())),
            // Filter, Sort, Limit, Distinct, Subquery, SubqueryAlias: the columns of what they take.
            other => {
                let columns = below.into_iter().next().unwrap_or_default();
                let schema = other.inputs().first().map(|i| i.schema().clone());
                if let Some(schema) = schema {
                    self.others(other, &scope(&schema, &columns))?;
                }
                Ok(columns)
            }
        }
    }

    /// The bounds of expressions that become columns of one row.
    fn row(&mut self, expressions: &[Expr], scope: &Scope<'_>) -> Result<Vec<Bounds>> {
        let mut row_bytes = 0_u64;
        let mut columns = Vec::with_capacity(expressions.len());
        for expr in expressions {
            let bounds = self.expression(expr, scope)?;
            // A bare column is passed on, not computed.
            if !matches!(expr, Expr::Column(_)) {
                row_bytes = row_bytes.saturating_add(bounds.bytes);
            }
            columns.push(bounds);
        }
        self.widest_row = self.widest_row.max(row_bytes);
        Ok(columns)
    }

    fn aggregate(&mut self, aggregate: &Aggregate, below: &[Bounds]) -> Result<Vec<Bounds>> {
        let scope = scope(aggregate.input.schema(), below);
        let mut groups = Vec::new();
        for expr in &aggregate.group_expr {
            match expr {
                Expr::GroupingSet(sets) => {
                    for expr in sets.distinct_expr() {
                        groups.push(self.expression(expr, &scope)?);
                    }
                }
                expr => groups.push(self.expression(expr, &scope)?),
            }
        }
        let computed = self.row(&aggregate.aggr_expr, &scope)?;
        let mut columns = typed(&aggregate.schema);
        // Groups come first, then perhaps the grouping id, then the aggregates.
        let first = columns.len().saturating_sub(computed.len());
        for (column, bounds) in columns.iter_mut().zip(groups) {
            *column = bounds;
        }
        for (column, bounds) in columns.iter_mut().skip(first).zip(computed) {
            *column = bounds;
        }
        Ok(columns)
    }

    /// Measures all expressions of a node that do not become columns.
    fn others(&mut self, plan: &LogicalPlan, scope: &Scope<'_>) -> Result<()> {
        for expr in plan.expressions() {
            self.expression(&expr, scope)?;
        }
        Ok(())
    }

    fn expression(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Bounds> {
        let bounds = match expr {
            Expr::Column(column) => scope.column(column),
            Expr::Literal(value, _) => Bounds {
                bytes: literal_bytes(value),
                nodes: 1,
            },
            Expr::ScalarSubquery(subquery) => {
                let columns = self.plan(&subquery.subquery)?;
                columns.first().copied().unwrap_or_default()
            }
            Expr::Exists(exists) => self.subquery(&exists.subquery.subquery)?,
            Expr::InSubquery(inside) => {
                let probed = self.expression(&inside.expr, scope)?;
                self.subquery(&inside.subquery.subquery)?.plus(probed)
            }
            Expr::SetComparison(compared) => {
                let probed = self.expression(&compared.expr, scope)?;
                self.subquery(&compared.subquery.subquery)?.plus(probed)
            }
            Expr::ScalarFunction(call) => {
                let args = self.all(&call.args, scope)?;
                let bytes = growth(call.func.name(), &call.args, &args.each)?;
                Bounds {
                    bytes,
                    nodes: args.sum.nodes.saturating_add(1),
                }
            }
            Expr::AggregateFunction(call) => {
                let params = &call.params;
                let args = self.all(&params.args, scope)?;
                self.around(&params.order_by, params.filter.as_deref(), scope)?;
                Bounds {
                    bytes: collected(call.func.name(), args.sum.bytes),
                    nodes: 1,
                }
            }
            Expr::WindowFunction(call) => {
                let params = &call.params;
                let args = self.all(&params.args, scope)?;
                self.all(&params.partition_by, scope)?;
                self.around(&params.order_by, params.filter.as_deref(), scope)?;
                Bounds {
                    bytes: collected(call.fun.name(), args.sum.bytes),
                    nodes: 1,
                }
            }
            other => self.node(other, scope)?,
        };
        too_large(expr, bounds)
    }

    /// An expression that gives at most the bytes of all its parts together.
    fn node(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Bounds> {
        use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
        let mut sum = Bounds {
            bytes: 16,
            nodes: 1,
        };
        expr.apply_children(|child| {
            sum = sum.plus(self.expression(child, scope)?);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(match expr {
            Expr::Alias(_) => Bounds {
                bytes: sum.bytes - 16,
                nodes: sum.nodes,
            },
            // Names in the type of a cast to text do not matter; a number takes up to 40 digits.
            Expr::Cast(_) | Expr::TryCast(_) => Bounds {
                bytes: sum.bytes + 24,
                ..sum
            },
            _ => sum,
        })
    }

    /// Measures what stands around the arguments of an aggregate or window function.
    fn around(
        &mut self,
        order_by: &[Sort],
        filter: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Result<()> {
        for expr in order_by.iter().map(|sort| &sort.expr).chain(filter) {
            self.expression(expr, scope)?;
        }
        Ok(())
    }

    fn subquery(&mut self, plan: &LogicalPlan) -> Result<Bounds> {
        self.plan(plan)?;
        Ok(Bounds { bytes: 1, nodes: 1 })
    }

    fn all(&mut self, expressions: &[Expr], scope: &Scope<'_>) -> Result<All> {
        let each = expressions
            .iter()
            .map(|e| self.expression(e, scope))
            .collect::<Result<Vec<_>>>()?;
        let sum = each.iter().fold(Bounds::default(), |sum, b| sum.plus(*b));
        Ok(All {
            each: each.iter().map(|b| b.bytes).collect(),
            sum,
        })
    }
}

struct All {
    each: Vec<u64>,
    sum: Bounds,
}

fn scope<'a>(schema: &'a DFSchema, columns: &'a [Bounds]) -> Scope<'a> {
    Scope { schema, columns }
}

fn too_large(expr: &Expr, bounds: Bounds) -> Result<Bounds> {
    let name = match expr {
        Expr::ScalarFunction(call) => format!("the result of {}", call.func.name()),
        _ => "the result of an expression".to_string(),
    };
    let place = expr
        .spans()
        .and_then(|spans| spans.first())
        .map(|span| crate::error::Place {
            line: span.start.line,
            column: span.start.column,
        });
    if bounds.bytes > limits::VALUE_BYTES {
        let what = format!("{name} in bytes, estimated from above,");
        return Err(Error::TooLarge {
            what,
            limit: limits::VALUE_BYTES,
            place,
        });
    }
    if bounds.nodes > limits::INLINED_NODES {
        let what = "an expression with all it refers to in sub-selects".to_string();
        return Err(Error::TooLarge {
            what,
            limit: limits::INLINED_NODES,
            place,
        });
    }
    Ok(bounds)
}

fn collected(name: &str, bytes: u64) -> u64 {
    match name {
        "array_agg" | "string_agg" => COLLECTED_BYTES.max(bytes),
        _ => bytes.max(16),
    }
}

fn widest(rows: &[Vec<Bounds>]) -> Vec<Bounds> {
    let mut rows = rows.iter();
    let mut widest = rows.next().cloned().unwrap_or_default();
    for row in rows {
        for (column, bounds) in widest.iter_mut().zip(row) {
            *column = column.max(*bounds);
        }
    }
    widest
}

fn unnested(unnest: &Unnest, below: &[Bounds]) -> Vec<Bounds> {
    let bounds = |index: &usize| below.get(*index).copied().unwrap_or_default();
    unnest.dependency_indices.iter().map(bounds).collect()
}

fn typed(schema: &DFSchema) -> Vec<Bounds> {
    let bounds = |data_type: &DataType| Bounds {
        bytes: type_bytes(data_type),
        nodes: 1,
    };
    schema
        .fields()
        .iter()
        .map(|field| bounds(field.data_type()))
        .collect()
}

fn type_bytes(data_type: &DataType) -> u64 {
    match data_type {
        DataType::FixedSizeBinary(size) => u64::try_from(*size).unwrap_or(0),
        other => other
            .primitive_width()
            .map_or(NOMINAL_BYTES, |width| width as u64),
    }
}

fn literal_bytes(value: &ScalarValue) -> u64 {
    match value.try_as_str() {
        Some(text) => text.map_or(1, |text| text.len() as u64),
        None => value.size() as u64,
    }
}

#[cfg(test)]
mod tests;
