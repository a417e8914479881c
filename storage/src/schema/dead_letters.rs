//! `dead_letters`: one row a record that was offered and is not a row of its signal.

use super::{optional, repeated_text, required, row_ordinal, timestamp_type};
use arrow::datatypes::{DataType, Field};

pub(super) fn fields() -> Vec<Field> {
    vec![
        // The time of receipt.
        required(1, "timestamp", timestamp_type()),
        required(2, "signal", repeated_text()),
        // `rejected` (the client was told) or `quarantined` (the client was told OK).
        required(3, "outcome", repeated_text()),
        required(4, "reason", repeated_text()),
        required(5, "detail", DataType::Utf8),
        required(6, "encoding", repeated_text()),
        // The bytes of the record itself (`LogRecord`, `Span`, `Metric`), without resource and scope.
        optional(7, "record", DataType::Binary),
        row_ordinal(),
    ]
}
