//! Gives batches of an input the columns of the output.
//!
//! Where every promoted column of the input is one of the output's and nothing else is promoted that its overflow may
//! hold, columns are taken as they are. Else the attributes of each row are put together and split anew.

use super::input::{Input, view_of};
use crate::{
    attributes::{convert::Value, kind::ValueKind, merge},
    error::{Error, Result},
    schema::batch_schema,
    segment::{
        Promoted,
        layout::{Column, Source},
        promote::{Choice, Splitter},
    },
    signal::Table,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, NullArray, RecordBatch, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef},
};
use std::{borrow::Cow, sync::Arc};

/// The columns of the output, as batches on their way to it have them.
pub(super) struct Shape {
    pub(super) schema: SchemaRef,
    sources: Vec<Source>,
}

impl Shape {
    pub(super) fn new(columns: &[Column]) -> Shape {
        let fields = columns.iter().map(|column| {
            // What is computed for the merged rows has no value in a batch of an input.
            let data_type = match is_computed(column.source) {
                true => DataType::Null,
                false => view_of(column.field.data_type()),
            };
            Field::new(column.field.name(), data_type, true)
        });
        Shape {
            schema: Arc::new(Schema::new(fields.collect::<Vec<Field>>())),
            sources: columns.iter().map(|column| column.source).collect(),
        }
    }
}

/// Whether a column says where the points of a series are.
pub(super) fn is_computed(source: Source) -> bool {
    matches!(
        source,
        Source::MinTimestamp | Source::MaxTimestamp | Source::RowStart | Source::RowCount
    )
}

/// Reshapes the batches of one input.
pub(super) struct Reshape {
    table: Table,
    shape: Arc<Shape>,
    attributes: Attributes,
}

enum Attributes {
    /// Columns are taken as they are; the names of the output's promoted columns.
    Same(Vec<String>),
    /// Rows are split anew.
    Split {
        splitter: Box<Splitter>,
        /// The promoted columns of the input, sorted by key.
        promoted: Vec<Promoted>,
    },
}

impl Reshape {
    pub(super) fn new(input: &Input, shape: Arc<Shape>, choices: &[Choice]) -> Reshape {
        let object = &input.object;
        let chosen = |promoted: &Promoted| choices.iter().any(|c| c.promoted == *promoted);
        let in_overflow = |choice: &&Choice| {
            let key = &choice.promoted.key;
            !object.promoted.contains(&choice.promoted)
                && object
                    .overflow_keys
                    .as_ref()
                    .is_none_or(|keys| keys.binary_search(key).is_ok())
        };
        // Where rows are left out, their keys must not be listed any more: what stays is looked at.
        let has_map = batch_schema(object.table).index_of("attributes").is_ok();
        let same = (input.kept.is_none() || !has_map)
            && object.promoted.iter().all(chosen)
            && !choices.iter().any(|c| in_overflow(&c));
        let attributes = if same {
            let names = choices.iter().map(|choice| choice.promoted.column.clone());
            Attributes::Same(names.collect())
        } else {
            let mut promoted = object.promoted.clone();
            promoted.sort_by(|a, b| a.key.cmp(&b.key));
            Attributes::Split {
                splitter: Box::new(Splitter::new(choices)),
                promoted,
            }
        };
        Reshape {
            table: object.table,
            shape,
            attributes,
        }
    }

    /// The keys in the overflow of what it was given: as `known`, the input's own, where nothing was split.
    pub(super) fn overflow_keys(&self, known: &Option<Vec<String>>) -> Option<Vec<String>> {
        match &self.attributes {
            Attributes::Same(_) => known.clone(),
            Attributes::Split { splitter, .. } => splitter.overflow_keys(),
        }
    }

    /// The rows of `batch` with the columns of the output.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let split = match &mut self.attributes {
            Attributes::Same(_) => None,
            Attributes::Split { splitter, promoted } => Some(split(batch, splitter, promoted)?),
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.shape.sources.len());
        for (source, field) in self.shape.sources.iter().zip(self.shape.schema.fields()) {
            let array = match (*source, &split) {
                (source, _) if is_computed(source) => {
                    Arc::new(NullArray::new(batch.num_rows())) as ArrayRef
                }
                (Source::Overflow, Some((overflow, _))) => overflow.clone(),
                (Source::Promoted(at), Some((_, promoted))) => promoted[at].clone(),
                (Source::Promoted(at), None) => self.promoted(batch, at, field),
                _ => match batch.column_by_name(field.name()) {
                    Some(column) => column.clone(),
                    None => self.absent(field, batch.num_rows())?,
                },
            };
            columns.push(match array.data_type() == field.data_type() {
                true => array,
                false => cast(&array, field.data_type()).map_err(arrow)?,
            });
        }
        RecordBatch::try_new(self.shape.schema.clone(), columns).map_err(arrow)
    }

    /// A promoted column as the batch has it; nulls where it has none, for then no row has a value.
    fn promoted(&self, batch: &RecordBatch, at: usize, field: &Field) -> ArrayRef {
        let Attributes::Same(names) = &self.attributes else {
            unreachable!("what is split gives its columns itself");
        };
        match batch.column_by_name(&names[at]) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        }
    }

    /// A fixed column that the object was written before: nulls, where rows may lack a value.
    fn absent(&self, field: &Field, rows: usize) -> Result<ArrayRef> {
        let name = field.name();
        let schema = batch_schema(self.table);
        let optional = schema.field_with_name(name).is_ok_and(Field::is_nullable);
        if optional {
            return Ok(new_null_array(field.data_type(), rows));
        }
        Err(Error::Internal(format!(
            "an object of {} has no column {name}, and it is merged",
            self.table
        )))
    }
}

/// The overflow and promoted columns of the rows of `batch`.
fn split(
    batch: &RecordBatch,
    splitter: &mut Splitter,
    promoted: &[Promoted],
) -> Result<(ArrayRef, Vec<ArrayRef>)> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::Internal(format!("an object lists {name} and has it not")))
    };
    let overflow = column("attributes")?.as_string_view();
    let columns = promoted
        .iter()
        .map(|p| column(&p.column))
        .collect::<Result<Vec<&ArrayRef>>>()?;
    let mut map = Vec::new();
    for row in 0..batch.num_rows() {
        let entries = promoted.iter().zip(&columns).filter_map(|(p, values)| {
            let value = values.is_valid(row).then(|| value(p.kind, values, row))?;
            Some((p.key.as_str(), value))
        });
        map.clear();
        merge::merge(&mut map, overflow.value(row), entries);
        let text = std::str::from_utf8(&map)
            .map_err(|e| Error::Internal(format!("attributes put together are no text: {e}")))?;
        splitter.push(text);
    }
    splitter.finish_rows()
}

fn value(kind: ValueKind, values: &ArrayRef, row: usize) -> Value<'_> {
    match kind {
        ValueKind::Text => Value::Text(Cow::Borrowed(values.as_string_view().value(row))),
        ValueKind::Int => Value::Int(values.as_primitive::<Int64Type>().value(row)),
        ValueKind::Double => Value::Double(values.as_primitive::<Float64Type>().value(row)),
        ValueKind::Bool => Value::Bool(values.as_boolean().value(row)),
    }
}

fn arrow(source: arrow::error::ArrowError) -> Error {
    Error::Arrow {
        doing: "merging segments",
        source,
    }
}
