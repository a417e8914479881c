//! JSON: one object with rows as arrays; and NDJSON: one object a row.

use super::{
    envelope,
    value::{Column, json_text},
};
use crate::{error::Error, error::Result, sql::answer::AnswerEnd, sql::sql_type};
use arrow::{array::RecordBatch, datatypes::Schema};

/// `{"columns":[…],"rows":[`.
pub(super) fn start(schema: &Schema) -> Vec<u8> {
    let mut out = b"{\"columns\":".to_vec();
    columns(schema, &mut out);
    out.extend_from_slice(b",\"rows\":[");
    out
}

/// The first line of NDJSON.
pub(super) fn columns_line(schema: &Schema) -> Vec<u8> {
    let mut out = b"{\"$columns\":".to_vec();
    columns(schema, &mut out);
    out.extend_from_slice(b"}\n");
    out
}

fn columns(schema: &Schema, out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, field) in schema.fields().iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        json_text(field.name(), out);
        out.extend_from_slice(b",\"type\":");
        json_text(&sql_type(field.data_type()), out);
        out.push(b'}');
    }
    out.push(b']');
}

/// Rows as arrays.
#[derive(Default)]
pub(super) struct Rows {
    begun: bool,
}

impl Rows {
    /// `[…],[…]`, with a comma before where rows came before.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let columns = batch
            .columns()
            .iter()
            .map(Column::new)
            .collect::<Result<Vec<_>>>()?;
        let mut out = Vec::new();
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if self.begun { b",\n[" } else { b"\n[" });
            self.begun = true;
            for (position, column) in columns.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                column.json(row, &mut out);
            }
            out.push(b']');
        }
        Ok(out)
    }
}

/// Rows as lines.
pub(super) struct Lines {
    /// What stands before the value of each column: `{"name":` or `,"name":`.
    before: Vec<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(schema: &Schema) -> Lines {
        let names = schema.fields().iter().enumerate();
        let before = names.map(|(position, field)| {
            let mut before = if position == 0 {
                b"{".to_vec()
            } else {
                b",".to_vec()
            };
            json_text(field.name(), &mut before);
            before.push(b':');
            before
        });
        Lines {
            before: before.collect(),
        }
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let columns = batch
            .columns()
            .iter()
            .map(Column::new)
            .collect::<Result<Vec<_>>>()?;
        let mut out = Vec::new();
        for row in 0..batch.num_rows() {
            if columns.is_empty() {
                out.push(b'{');
            }
            for (before, column) in self.before.iter().zip(&columns) {
                out.extend_from_slice(before);
                column.json(row, &mut out);
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(out)
    }
}

/// `],"completeness":{…}}`.
pub(super) fn end(end: &AnswerEnd) -> Vec<u8> {
    format!("\n],\"completeness\":{}}}\n", envelope::completeness(end)).into_bytes()
}

/// The last line of NDJSON.
pub(super) fn end_line(end: &AnswerEnd) -> Vec<u8> {
    format!("{{\"$completeness\":{}}}\n", envelope::completeness(end)).into_bytes()
}

/// `],"error":{…}}`, instead of the completeness.
pub(super) fn failed(error: &Error) -> Vec<u8> {
    format!("\n],\"error\":{}}}\n", envelope::error(error)).into_bytes()
}

/// The last line of NDJSON that failed on its way.
pub(super) fn failed_line(error: &Error) -> Vec<u8> {
    format!("{{\"$error\":{}}}\n", envelope::error(error)).into_bytes()
}
