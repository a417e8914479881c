//! CSV as RFC 4180 has it. NULL is an empty field, an empty text is `""`.

use super::value::Column;
use crate::error::Result;
use arrow::{array::RecordBatch, datatypes::Schema};

/// The names of the columns.
pub(super) fn header(schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    for (position, field) in schema.fields().iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&quoted(field.name().as_bytes().to_vec()));
    }
    out.extend_from_slice(b"\r\n");
    out
}

pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<u8>> {
    let columns = batch
        .columns()
        .iter()
        .map(Column::new)
        .collect::<Result<Vec<_>>>()?;
    let mut out = Vec::new();
    for row in 0..batch.num_rows() {
        for (position, column) in columns.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            if !column.is_null(row) {
                field(column, row, &mut out);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// Appends a field, and goes over it again only if it has to be quoted.
fn field(column: &Column<'_>, row: usize, out: &mut Vec<u8>) {
    let start = out.len();
    column.text(row, out);
    if needs_quotes(&out[start..]) {
        let bare = out.split_off(start);
        out.extend_from_slice(&quoted(bare));
    }
}

fn needs_quotes(field: &[u8]) -> bool {
    let blank = |byte: Option<&u8>| byte.is_none_or(|b| *b == b' ' || *b == b'\t');
    blank(field.first())
        || blank(field.last())
        || field
            .iter()
            .any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n'))
}

fn quoted(field: Vec<u8>) -> Vec<u8> {
    if !needs_quotes(&field) {
        return field;
    }
    let mut out = Vec::with_capacity(field.len() + 2);
    out.push(b'"');
    for byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}
