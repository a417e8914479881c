//! `dead_letters`: one row a record that was offered and is not a row of its signal, and one for each of them that
//! became one later.

use super::{optional, repeated_text, required, row_ordinal, timestamp_type};
use arrow::datatypes::{DataType, Field};

pub(super) fn fields() -> Vec<Field> {
    vec![
        // The time of receipt.
        required(1, "timestamp", timestamp_type()),
        required(2, "signal", repeated_text()),
        // `rejected` (the client was told), `quarantined` (the client was told OK), or `replayed`: a mark that the dead
        // letter named by the `letter_…` columns was offered again and is a row now.
        required(3, "outcome", repeated_text()),
        required(4, "reason", repeated_text()),
        required(5, "detail", DataType::Utf8),
        required(6, "encoding", repeated_text()),
        // The bytes of the record itself (`LogRecord`, `Span`, a data point, or a `Metric` that is broken as a whole),
        // without resource and scope.
        optional(7, "record", DataType::Binary),
        // What the record stood in, so that it can be offered again: the messages around it without what is nested in
        // them (`append::Envelope`). NULL in older rows, and where it was too much for the request.
        optional(8, "record_resource", DataType::Binary),
        optional(9, "record_scope", DataType::Binary),
        // Of data points only.
        optional(10, "record_metric", DataType::Binary),
        // Of marks only: the row id of the dead letter.
        optional(11, "letter_epoch", DataType::Int64),
        optional(12, "letter_sequence", DataType::Int64),
        optional(13, "letter_ordinal", DataType::Int32),
        // Bytes of the record and of what it stood in. NULL in marks and in older rows.
        optional(14, "size_bytes", DataType::Int64),
        row_ordinal(),
    ]
}
