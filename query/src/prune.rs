//! Which segments (and buffered requests) a filter cannot match, from statistics alone, before a file is opened.
//!
//! Attributes are pruned like columns: `attr(attributes, 'k')` stands for a column whose bounds are those of the promoted
//! column, and which is all NULL where a segment neither promoted the key nor has it in its overflow. What
//! statistics cannot tell keeps the segment. DataFusion's `PruningPredicate` decides; this module gives it the bounds.

mod known;

pub(crate) use known::{Container, Known, Subject, of_type};

use crate::attributes::{evaluate::Wanted, function::parts};
use arrow::{
    array::{ArrayRef, BooleanArray, UInt64Array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::{
        Column, DFSchema, ScalarValue,
        pruning::PruningStatistics,
        tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        Expr, execution_props::ExecutionProps, physical_planning_context::PhysicalPlanningContext,
    },
    physical_expr::{PhysicalExpr, create_physical_expr},
    physical_optimizer::pruning::PruningPredicateBuilder,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Longer lists of values (`trace_id IN (…)`) are not checked one by one.
pub(crate) const LIST_VALUES: usize = 500;

/// For each container whether it may hold a row that all `filters` accept. `schema` is that of the table.
pub(crate) fn may_match<C: Container>(
    filters: &[Expr],
    schema: &SchemaRef,
    containers: &[C],
) -> Result<Vec<bool>> {
    let mut keep = vec![true; containers.len()];
    if containers.is_empty() {
        return Ok(keep);
    }
    for filter in filters {
        let (filter, subjects) = with_attribute_columns(filter.clone())?;
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        for (name, (_, wanted)) in &subjects {
            fields.push(Arc::new(Field::new(name, wanted.data_type(), true)));
        }
        let schema = Arc::new(Schema::new(fields));
        let filter = physical(&filter, &schema)?;
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(schema.clone())
            .with_max_in_list_size(LIST_VALUES)
            .build(filter);
        let Some(predicate) = predicate else { continue };
        let statistics = Statistics {
            containers,
            schema: &schema,
            subjects: &subjects,
        };
        for (keep, may) in keep.iter_mut().zip(predicate.prune(&statistics)?) {
            *keep &= may;
        }
    }
    Ok(keep)
}

/// The attributes that `filters` ask for, where they can have columns of their own.
pub(crate) fn asked(filters: &[Expr]) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for filter in filters {
        let (_, attributes) = with_attribute_columns(filter.clone())?;
        keys.extend(attributes.into_values().map(|(key, _)| key));
    }
    Ok(keys)
}

/// A filter over the columns of `schema`.
pub(crate) fn physical(filter: &Expr, schema: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
    let columns = DFSchema::try_from(schema.clone())?;
    // Filters come here after the optimizer: constants are folded and no subquery is left in them.
    let context = PhysicalPlanningContext::default();
    create_physical_expr(filter, &columns, &ExecutionProps::new(), &context)
}

type Attributes = BTreeMap<String, (String, Wanted)>;

/// Puts columns in the place of attributes, and says which attribute each stands for.
fn with_attribute_columns(filter: Expr) -> Result<(Expr, Attributes)> {
    let mut attributes = Attributes::new();
    let filter = filter
        .transform_down(|expr| {
            let Some((Expr::Column(map), key, wanted)) = parts(&expr) else {
                return Ok(Transformed::no(expr));
            };
            // Only this map has promoted columns; the others are left to the scan.
            if map.name != "attributes" {
                return Ok(Transformed::no(expr));
            }
            // No column of a table has a control character in its name.
            let name = format!("\u{1}{wanted:?}:{key}");
            let column = Expr::Column(Column::from_name(&name));
            attributes.insert(name, (key.to_string(), wanted));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })
        .data()?;
    Ok((filter, attributes))
}

struct Statistics<'a, C> {
    containers: &'a [C],
    schema: &'a Schema,
    subjects: &'a Attributes,
}

impl<C: Container> Statistics<'_, C> {
    fn known<'c>(&self, column: &'c Column) -> Option<(DataType, Vec<Known>)>
    where
        Self: 'c,
    {
        let data_type = self
            .schema
            .field_with_name(&column.name)
            .ok()?
            .data_type()
            .clone();
        let subject = match self.subjects.get(&column.name) {
            Some((key, wanted)) => Subject::Attribute {
                key,
                wanted: *wanted,
            },
            None => Subject::Column {
                name: &column.name,
                data_type: &data_type,
            },
        };
        let known = self.containers.iter().map(|c| c.known(&subject)).collect();
        Some((data_type, known))
    }

    fn bounds(&self, column: &Column, bound: fn(Known) -> Option<ScalarValue>) -> Option<ArrayRef> {
        let (data_type, known) = self.known(column)?;
        let null = ScalarValue::try_from(&data_type).ok()?;
        let mut any = false;
        let values = known.into_iter().map(|known| match bound(known) {
            Some(value) if value.data_type() == data_type => {
                any = true;
                value
            }
            _ => null.clone(),
        });
        let values: Vec<_> = values.collect();
        any.then(|| ScalarValue::iter_to_array(values).ok())
            .flatten()
    }
}

impl<C: Container> PruningStatistics for Statistics<'_, C> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |known| known.min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |known| known.max)
    }

    fn num_containers(&self) -> usize {
        self.containers.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (_, known) = self.known(column)?;
        let counts: UInt64Array = known.into_iter().map(|known| known.nulls).collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows: UInt64Array = self.containers.iter().map(|c| Some(c.rows())).collect();
        Some(Arc::new(rows))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests;
