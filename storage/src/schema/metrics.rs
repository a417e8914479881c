//! `series`, `samples`, `histograms` and `exemplars`: labels belong to the series, not to the point.
//!
//! `series_id` is XXH3-64 over the identity of the series: metric name, type, unit, temporality,
//! monotonicity, resource attributes, scope name, version and attributes, point attributes (all canonical); for
//! series of Prometheus over the name, the attributes and the form of the points alone.

use super::{optional, repeated_text, required, resource_and_scope, row_ordinal, timestamp_type};
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// One row a series and request; the buffer and the segment keep one a series.
pub(super) fn series() -> Vec<Field> {
    let mut fields = vec![
        required(1, "series_id", DataType::Int64),
        required(2, "metric", repeated_text()),
        // `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
        required(3, "type", repeated_text()),
        optional(4, "unit", repeated_text()),
        optional(5, "description", repeated_text()),
        // `delta`, `cumulative`; NULL where the type has none or the sender left it out.
        optional(6, "temporality", repeated_text()),
        optional(7, "is_monotonic", DataType::Boolean),
        // `Metric.metadata` as canonical JSON.
        required(8, "metadata", repeated_text()),
        optional(9, "service_name", repeated_text()),
        required(10, "attributes", DataType::Utf8),
    ];
    fields.extend(resource_and_scope());
    fields
}

/// One row a number data point.
pub(super) fn samples() -> Vec<Field> {
    vec![
        required(1, "series_id", DataType::Int64),
        required(2, "metric", repeated_text()),
        required(3, "timestamp", timestamp_type()),
        optional(4, "start_timestamp", timestamp_type()),
        // Exactly one of the two, or neither where the point has no value.
        optional(5, "value", DataType::Float64),
        optional(6, "value_int", DataType::Int64),
        required(7, "flags", DataType::Int64),
        row_ordinal(),
    ]
}

fn list(of: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", of, false)))
}

/// One row a histogram, exponential histogram or summary data point; columns of other kinds are NULL.
pub(super) fn histograms() -> Vec<Field> {
    vec![
        required(1, "series_id", DataType::Int64),
        required(2, "metric", repeated_text()),
        required(3, "timestamp", timestamp_type()),
        optional(4, "start_timestamp", timestamp_type()),
        required(7, "flags", DataType::Int64),
        required(8, "count", DataType::UInt64),
        optional(9, "sum", DataType::Float64),
        optional(10, "min", DataType::Float64),
        optional(11, "max", DataType::Float64),
        optional(12, "explicit_bounds", list(DataType::Float64)),
        optional(13, "bucket_counts", list(DataType::UInt64)),
        optional(14, "scale", DataType::Int32),
        optional(15, "zero_count", DataType::UInt64),
        optional(16, "zero_threshold", DataType::Float64),
        optional(17, "positive_offset", DataType::Int32),
        optional(18, "positive_counts", list(DataType::UInt64)),
        optional(19, "negative_offset", DataType::Int32),
        optional(20, "negative_counts", list(DataType::UInt64)),
        optional(21, "quantiles", list(DataType::Float64)),
        optional(22, "quantile_values", list(DataType::Float64)),
        // What Prometheus' native histograms say and OTLP cannot; counts that are not whole stand here alone, and
        // `count` is then the nearest whole number. Files of before these columns do not have them.
        optional(23, "count_double", DataType::Float64),
        optional(24, "zero_count_double", DataType::Float64),
        optional(25, "positive_counts_double", list(DataType::Float64)),
        optional(26, "negative_counts_double", list(DataType::Float64)),
        optional(27, "bucket_counts_double", list(DataType::Float64)),
        // 1 there was a reset, 2 there was none, 3 a gauge; NULL where that is unknown.
        optional(28, "reset_hint", DataType::Int32),
        row_ordinal(),
    ]
}

/// One row an exemplar of any point.
pub(super) fn exemplars() -> Vec<Field> {
    vec![
        required(1, "series_id", DataType::Int64),
        required(2, "metric", repeated_text()),
        // The exemplar's own time; where it has none that of its point.
        required(3, "timestamp", timestamp_type()),
        required(4, "point_timestamp", timestamp_type()),
        optional(5, "value", DataType::Float64),
        optional(6, "value_int", DataType::Int64),
        optional(7, "trace_id", DataType::FixedSizeBinary(16)),
        optional(8, "span_id", DataType::FixedSizeBinary(8)),
        // `Exemplar.filtered_attributes`.
        required(9, "attributes", DataType::Utf8),
        row_ordinal(),
    ]
}
