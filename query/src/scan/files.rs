//! The Parquet scan of the segments that remain.

use super::{
    Outline, SegmentPart,
    adapt::Adapt,
    groups::{self, Timed},
    probe::Probed,
    reader::Readers,
    statistics,
};
use crate::{
    columns::{self, PART},
    prune,
};
use arrow::datatypes::{Field, Schema};
use cairn_storage::segment::{Bounds, ObjectMeta};
use datafusion::{
    common::{ScalarValue, Statistics, config::TableParquetOptions},
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileScanConfigBuilder, ParquetSource, parquet::ParquetRowSelection},
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    error::Result,
    execution::object_store::ObjectStoreUrl,
    physical_plan::{ExecutionPlan, metrics::MetricBuilder},
};
use std::sync::Arc;

/// The scan asks its session's registry for a store before it asks for readers; this one is never used.
pub(crate) const STORE_URL: &str = "cairn://segments";

/// Plans the scan of `files`, which are newest first.
pub(super) fn plan(outline: &Outline<'_>, files: Vec<Probed>) -> Result<Arc<dyn ExecutionPlan>> {
    let (file_columns, part_column) = split(outline.request.schema);
    let file_columns = Arc::new(file_columns);
    let timed: Vec<Timed> = files
        .into_iter()
        .enumerate()
        .map(|(number, probed)| file(number, probed, &file_columns, part_column.is_some()))
        .collect();
    let parts: Vec<Arc<SegmentPart>> = timed
        .iter()
        .filter_map(|t| t.file.extension::<Arc<SegmentPart>>().cloned())
        .collect();
    let statistics = Statistics::try_merge_iter(
        timed.iter().filter_map(|t| t.file.statistics.as_deref()),
        outline.request.schema,
    )?;
    let in_order = match outline.ordering {
        Some(_) => groups::in_order(&timed, outline.partitions),
        None => None,
    };
    let ordering = in_order.as_ref().and(outline.ordering.clone());
    let groups = in_order.unwrap_or_else(|| groups::balanced(&timed, outline.partitions));
    let columns = TableSchema::builder(file_columns)
        .with_table_partition_cols(part_column.into_iter().collect::<Vec<_>>())
        .build();
    let source = source(outline, columns);
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_output_ordering(ordering.into_iter().collect())
        .with_limit(outline.request.limit)
        .with_expr_adapter(Some(Arc::new(Adapt::of_files(parts))))
        .with_projection_indices(outline.request.projection.cloned())?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The columns that lie in files, and the hidden part number where there is one.
fn split(schema: &Schema) -> (Schema, Option<Arc<Field>>) {
    let (part, file): (Vec<_>, Vec<_>) = schema
        .fields()
        .iter()
        .cloned()
        .partition(|field| field.name() == PART);
    (Schema::new(file), part.into_iter().next())
}

fn file(number: usize, probed: Probed, columns: &Schema, with_part: bool) -> Timed {
    let Probed {
        part,
        selection,
        is_whole,
    } = probed;
    let part = Arc::new(part);
    let object = part.object();
    // The name is for people who read plans; readers go by the extension.
    let name = format!("{}.{}", part.segment.meta.id, object.table);
    let mut file = PartitionedFile::new(name, object.file.size_bytes)
        .with_metadata_size_hint(object.footer_bytes as usize)
        .with_arrow_schema(columns::file_schema(object, number));
    if with_part {
        file = file.with_partition_values(vec![ScalarValue::Int32(Some(part.number))]);
    }
    let statistics = match is_whole {
        true => statistics::of_object(object, columns),
        false => statistics::of_object(object, columns).to_inexact(),
    };
    file = file.with_statistics(Arc::new(statistics));
    if let Some(selection) = selection {
        file = file.with_extension(ParquetRowSelection::new(selection));
    }
    let (min, max) = instants(object).unwrap_or((i64::MIN, i64::MAX));
    Timed {
        file: file.with_extension(part),
        min,
        max,
    }
}

/// The first and the last `timestamp` of an object.
fn instants(object: &ObjectMeta) -> Option<(i64, i64)> {
    let stats = object
        .columns
        .iter()
        .find(|stats| stats.column == "timestamp")?;
    match stats.bounds {
        Some(Bounds::Int(min, max)) => Some((min, max)),
        _ => None,
    }
}

fn source(outline: &Outline<'_>, columns: TableSchema) -> ParquetSource {
    let mut options = TableParquetOptions::default();
    options.global.max_in_list_size = prune::LIST_VALUES;
    let request = outline.request;
    let mut source = ParquetSource::new(columns)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(Readers {
            scope: request.scope.clone(),
        }))
        // Filtered top-n needs the filter inside the scan: a sort is not pushed across a filter. `adapt`
        // keeps to the rules that make it safe.
        .with_pushdown_filters(true)
        .with_reorder_filters(true)
        // Our files have none; the index sidecar has the filters.
        .with_bloom_filter_on_read(false);
    if let Some(predicate) = &outline.predicate {
        source = source.with_predicate(predicate.clone());
    }
    for metric in outline.metrics.clone_inner().iter() {
        let value = metric.value();
        let counter = MetricBuilder::new(
            datafusion::datasource::physical_plan::FileSource::metrics(&source),
        )
        .global_counter(value.name().to_string());
        counter.add(value.as_usize());
    }
    source
}
