//! The columns of a segment's files: names, types, field ids, where their values come from, how they are encoded.

use super::Promoted;
use crate::{
    schema::{self, FIELD_ID, ROW_EPOCH, ROW_ORDINAL, ROW_SEQUENCE},
    signal::Table,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::SortingColumn,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};
use std::{collections::HashMap, sync::Arc};

/// Milliseconds since the epoch, rounded down, in tables whose rows are points of series.
pub const TIME_MS: &str = "time_ms";
/// Nanoseconds beyond [`TIME_MS`], 0 to 999,999.
pub const TIME_REST_NS: &str = "time_rest_ns";
/// The first point of a series in its segment, in `series`.
pub const MIN_TIMESTAMP: &str = "min_timestamp";
/// The last point of a series in its segment, in `series`.
pub const MAX_TIMESTAMP: &str = "max_timestamp";
/// The first row of a series in `samples`; for histograms and summaries in `histograms`.
pub const ROW_START: &str = "row_start";
/// How many rows from [`ROW_START`] on belong to the series.
pub const ROW_COUNT: &str = "row_count";

/// Rows of a data page: what one entry of the page index and one block of the index sidecar stand for.
pub(crate) const PAGE_ROWS: usize = 8_192;
/// A page ends early at this size, so that values of a megabyte do not make a page of gigabytes.
const PAGE_BYTES: usize = 8 << 20;
/// Resource and scope columns have few but long values; falling back to plain would repeat them in every row.
const LARGE_DICTIONARY_BYTES: usize = 16 << 20;
/// Bounds in footers and page indexes are cut to this length.
const STATISTICS_BYTES: usize = 64;

/// What zstd's level is higher by for merged samples: their values repeat far apart, and there are most of them.
const MORE_FOR_SAMPLES: i32 = 3;

/// Where the values of a file's column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The column of the batches at this position.
    Batch(usize),
    /// What remains of the `attributes` after promotion.
    Overflow,
    RowEpoch,
    RowSequence,
    /// Split from the timestamp at this position of the batches.
    TimeMillis(usize),
    TimeRest(usize),
    MinTimestamp,
    MaxTimestamp,
    RowStart,
    RowCount,
    /// The promoted column at this position.
    Promoted(usize),
}

/// A column of a file.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// As a reader sees it.
    pub(crate) field: Field,
    pub(crate) source: Source,
    /// Whether values repeat enough for a dictionary.
    pub(crate) dictionary: bool,
}

/// Whether attributes of `table` get promoted columns.
pub fn has_attributes(table: Table) -> bool {
    match table {
        Table::Logs | Table::Spans | Table::SpanEvents | Table::SpanLinks => true,
        Table::Series | Table::Exemplars => true,
        Table::Samples | Table::Histograms | Table::DeadLetters => false,
    }
}

/// Whether rows of `table` are points of series, sorted by series and without a row id.
pub fn has_series(table: Table) -> bool {
    matches!(table, Table::Samples | Table::Histograms | Table::Exemplars)
}

/// The columns that every file of `table` has, in order, as a Parquet reader sees them.
pub fn fixed_schema(table: Table) -> SchemaRef {
    let fields: Vec<Field> = fixed_columns(table)
        .into_iter()
        .map(|column| column.field)
        .collect();
    Arc::new(Schema::new(fields))
}

/// The column that a promoted attribute gets.
pub fn promoted_field(promoted: &Promoted, field_id: i32) -> Field {
    use super::ValueKind::{Bool, Double, Int, Text};
    let data_type = match promoted.kind {
        Text => DataType::Utf8,
        Int => DataType::Int64,
        Double => DataType::Float64,
        Bool => DataType::Boolean,
    };
    with_id(Field::new(&promoted.column, data_type, true), field_id)
}

/// The fixed columns of a file with their sources.
pub(crate) fn fixed_columns(table: Table) -> Vec<Column> {
    let mut columns = Vec::new();
    for (position, field) in schema::batch_schema(table).fields().iter().enumerate() {
        let name = field.name().as_str();
        match name {
            "timestamp" if has_series(table) => {
                columns.push(added(
                    80,
                    TIME_MS,
                    DataType::Int64,
                    Source::TimeMillis(position),
                ));
                columns.push(added(
                    81,
                    TIME_REST_NS,
                    DataType::Int32,
                    Source::TimeRest(position),
                ));
            }
            ROW_ORDINAL if has_series(table) => {}
            ROW_ORDINAL => {
                columns.push(added(70, ROW_EPOCH, DataType::Int64, Source::RowEpoch));
                columns.push(added(
                    71,
                    ROW_SEQUENCE,
                    DataType::Int64,
                    Source::RowSequence,
                ));
                columns.push(from_batch(field, Source::Batch(position)));
            }
            "attributes" if has_attributes(table) => {
                columns.push(from_batch(field, Source::Overflow));
            }
            _ => columns.push(from_batch(field, Source::Batch(position))),
        }
    }
    if table == Table::Series {
        let instant = schema::timestamp_type;
        // The series of one scrape begin and end together.
        for (id, name, source) in [
            (82, MIN_TIMESTAMP, Source::MinTimestamp),
            (83, MAX_TIMESTAMP, Source::MaxTimestamp),
        ] {
            columns.push(Column {
                dictionary: true,
                ..added(id, name, instant(), source)
            });
        }
        columns.push(added(84, ROW_START, DataType::Int64, Source::RowStart));
        columns.push(added(85, ROW_COUNT, DataType::Int64, Source::RowCount));
    }
    columns
}

fn from_batch(field: &Field, source: Source) -> Column {
    let plain = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    let dictionary = match field.data_type() {
        DataType::Dictionary(..) | DataType::List(_) | DataType::Boolean => true,
        // Codes with few values, and start times, which are the same for a whole process.
        DataType::Int32 => field.name() != ROW_ORDINAL,
        DataType::Timestamp(..) => field.name() == "start_timestamp",
        DataType::Utf8 => matches!(field.name().as_str(), "trace_state" | "status_message"),
        _ => false,
    };
    Column {
        field: field.clone().with_data_type(plain),
        source,
        dictionary,
    }
}

fn added(id: i32, name: &str, data_type: DataType, source: Source) -> Column {
    let field = with_id(Field::new(name, data_type, false), id);
    Column {
        field,
        source,
        dictionary: false,
    }
}

fn with_id(field: Field, id: i32) -> Field {
    field.with_metadata(HashMap::from([(FIELD_ID.to_string(), id.to_string())]))
}

/// The order of a file's rows: column names, and whether descending.
pub fn sort_order(table: Table) -> &'static [(&'static str, bool)] {
    match table {
        Table::Series => &[("metric", false), ("series_id", false)],
        Table::Samples | Table::Histograms | Table::Exemplars => &[
            ("metric", false),
            ("series_id", false),
            (TIME_MS, false),
            (TIME_REST_NS, false),
        ],
        _ => &[
            ("timestamp", true),
            (ROW_EPOCH, true),
            (ROW_SEQUENCE, true),
            (ROW_ORDINAL, true),
        ],
    }
}

/// How the columns of a file are encoded.
pub(crate) fn properties(
    table: Table,
    columns: &[Column],
    row_group_rows: usize,
    compression_level: i32,
) -> WriterProperties {
    let level = match table {
        Table::Samples if compression_level > 1 => compression_level + MORE_FOR_SAMPLES,
        _ => compression_level,
    };
    let level = ZstdLevel::try_new(level).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("cairn {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES))
        .set_sorting_columns(Some(sorting(table, columns)));
    for column in columns {
        builder = encoding(builder, table, column);
    }
    builder.build()
}

fn encoding(
    builder: WriterPropertiesBuilder,
    table: Table,
    column: &Column,
) -> WriterPropertiesBuilder {
    let name = column.field.name();
    let path = match column.field.data_type() {
        DataType::List(item) => {
            ColumnPath::new(vec![name.clone(), "list".to_string(), item.name().clone()])
        }
        _ => ColumnPath::new(vec![name.clone()]),
    };
    let mut builder = builder.set_column_dictionary_enabled(path.clone(), column.dictionary);
    if matches!(
        column.field.data_type(),
        DataType::Int32 | DataType::Int64 | DataType::Timestamp(..)
    ) {
        // Without a dictionary, or when it grows too large.
        builder = builder.set_column_encoding(path.clone(), numbers(table, name));
    }
    if long_values(name) {
        builder =
            builder.set_column_dictionary_page_size_limit(path.clone(), LARGE_DICTIONARY_BYTES);
    }
    builder.set_column_statistics_enabled(path, statistics(&column.field))
}

/// How numbers are encoded. Differences of neighbours are small but where one series ends and the next begins, and there
/// they widen a whole block of 128: values of points compress better byte by byte, and ids as they are.
fn numbers(table: Table, name: &str) -> Encoding {
    match (table, name) {
        (Table::Samples, "value_int") => Encoding::BYTE_STREAM_SPLIT,
        (Table::Samples | Table::Series, "series_id") => Encoding::PLAIN,
        _ => Encoding::DELTA_BINARY_PACKED,
    }
}

/// Resource, scope, service and metric columns.
fn long_values(name: &str) -> bool {
    name.starts_with("resource_")
        || name.starts_with("scope_")
        || matches!(name, "service_name" | "metric")
}

/// Which statistics prune something: none on free text, maps and lists; ids are random, so their pages say nothing.
fn statistics(field: &Field) -> EnabledStatistics {
    match (field.name().as_str(), field.data_type()) {
        ("body" | "detail" | "attributes" | "metadata", _) => EnabledStatistics::None,
        ("resource_attributes" | "scope_attributes", _) => EnabledStatistics::None,
        // The same few values in every page; comparing them all costs more than it prunes.
        ("timestamp_origin" | "body_type" | "scope_version", _) => EnabledStatistics::None,
        ("resource_schema_url" | "resource_entity_refs" | "scope_schema_url", _) => {
            EnabledStatistics::None
        }
        (_, DataType::List(_) | DataType::Binary) => EnabledStatistics::None,
        (_, DataType::FixedSizeBinary(_)) => EnabledStatistics::Chunk,
        _ => EnabledStatistics::Page,
    }
}

fn sorting(table: Table, columns: &[Column]) -> Vec<SortingColumn> {
    let order = sort_order(table).iter();
    order
        .map(|(name, descending)| SortingColumn {
            // Every field has exactly one leaf, so positions of fields are positions of leaves.
            column_idx: columns
                .iter()
                .position(|column| column.field.name() == name)
                .expect("every table has the columns that it is sorted by")
                as i32,
            descending: *descending,
            // SQL's default for either direction; there are no nulls.
            nulls_first: *descending,
        })
        .collect()
}
