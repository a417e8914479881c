//! `cairn promqltest`: runs test scripts in Prometheus' format through a store of their own.
//!
//! Series come in as remote write 2.0 (delta series as OTLP), through the pipeline and the log like those of any client.
//! Every script runs twice: with its points in the buffer, and with all of them in segments.

use super::print;
use crate::{cli::PromqlTest, open::DataFolder, prompb};
use anyhow::{Context, Result, bail};
use cairn_ingest::pipeline::{Pipeline, Request};
use cairn_promql::{
    histogram::Buckets,
    labels::{Labels, METRIC_NAME},
    script::{self, Outcome, ScriptSeries, ScriptValue, Storage},
    source::{Selection, SeriesIter, Source, Temporality},
};
use cairn_proto::write_v2 as wire;
use cairn_query::engine::Engine;
use cairn_storage::{
    id::TenantId,
    signal::{Encoding, Signal},
    store::Store,
    telemetry::Telemetry,
    world,
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, exponential_histogram_data_point, metric::Data,
        number_data_point,
    },
};
use prometheus_client::registry::Registry;
use prost::Message;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tokio::runtime::Handle;

/// Where the points lie while a script is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Buffer,
    Segments,
}

/// Prints what failed and the counts of every file as it is done; fails when an evaluation failed.
pub(super) async fn run(options: &PromqlTest) -> Result<ExitCode> {
    let lab = Arc::new(Lab::open(&options.data_dir).await?);
    let (mut passed, mut failed) = (0, 0);
    for path in scripts(&options.paths)? {
        let script = lab.read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for (place, from) in [(Place::Buffer, "buffer"), (Place::Segments, "segments")] {
            let (world, lab, script) = (lab.world.clone(), Arc::clone(&lab), script.clone());
            let evaluated = world
                .blocking(move || evaluate(lab, &script, place))
                .await?;
            let outcome = evaluated.with_context(|| format!("running {}", path.display()))?;
            passed += outcome.passed;
            failed += outcome.failed.len();
            print(&told(&outcome, &name, from))?;
        }
    }
    print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What failed in a script, and its line of the table.
fn told(outcome: &Outcome, name: &str, from: &str) -> String {
    let mut text = String::new();
    for failure in &outcome.failed {
        text.push_str(&format!(
            "{name}:{} ({from}): {}\n    {}\n",
            failure.line,
            failure.query,
            failure.reason.replace('\n', "\n    ")
        ));
    }
    let (passed, failed) = (outcome.passed, outcome.failed.len());
    text.push_str(&format!(
        "{name:<32} {from:<8} {passed:>5} of {}\n",
        passed + failed
    ));
    text
}

/// The scripts that `paths` name: files, and folders for their files that end in `.test`.
fn scripts(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let disk = world::real::world().disk;
    let mut files = Vec::new();
    for path in paths {
        if path
            .extension()
            .is_some_and(|extension| extension == "test")
        {
            files.push(path.clone());
            continue;
        }
        let names = disk
            .list(path)
            .with_context(|| format!("reading {}", path.display()))?;
        let scripts = names.iter().filter(|name| name.ends_with(".test"));
        files.extend(scripts.map(|name| path.join(name)));
    }
    files.sort();
    if files.is_empty() {
        bail!("there is no file that ends in .test");
    }
    Ok(files)
}

fn evaluate(lab: Arc<Lab>, script: &str, place: Place) -> Result<Outcome> {
    let mut storage = Stored {
        handle: Handle::current(),
        tenant: lab.fresh_tenant()?,
        lab,
        place,
    };
    Ok(script::run(script, &mut storage)?)
}

/// A store of its own with what stands around it.
struct Lab {
    store: Arc<Store>,
    pipeline: Pipeline,
    engine: Engine,
    world: world::World,
    tenants: std::sync::atomic::AtomicU64,
    _folder: DataFolder,
}

impl Lab {
    async fn open(folder: &Path) -> Result<Lab> {
        let world = world::real::world();
        let config = cairn_storage::config::Config {
            data_dir: folder.to_path_buf(),
            ..Default::default()
        };
        let data_folder = DataFolder::take(&config, &world)?;
        let store = data_folder
            .store(&config, &world, Telemetry::unregistered())
            .await?;
        let query = cairn_query::config::Config {
            promql_experimental_functions: true,
            ..Default::default()
        };
        let spill = folder.join("spill");
        let engine = Engine::new(Arc::clone(&store), query, &spill, &mut Registry::default())?;
        let ingest = cairn_ingest::config::Config::default();
        Ok(Lab {
            pipeline: Pipeline::new(Arc::clone(&store), &ingest),
            engine,
            store,
            world,
            tenants: std::sync::atomic::AtomicU64::new(0),
            _folder: data_folder,
        })
    }

    fn read(&self, path: &Path) -> Result<String> {
        let read = || {
            let file = self.world.disk.open_read(path)?;
            let length = usize::try_from(file.length()?).map_err(std::io::Error::other)?;
            file.read_at(0, length)
        };
        let bytes = read().with_context(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8(bytes.into())?)
    }

    /// A tenant that nobody was yet: to forget all series is to become another.
    fn fresh_tenant(&self) -> Result<TenantId> {
        let number = self
            .tenants
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(format!("script-{number}").parse()?)
    }

    async fn ingest(&self, tenant: TenantId, encoding: Encoding, payload: Vec<u8>) -> Result<()> {
        let request = Request {
            tenant,
            signal: Signal::Metrics,
            encoding,
            memory: self.store.budget().reserve(payload.len() as u64)?,
            payload: payload.into(),
        };
        let outcome = self.pipeline.ingest(request).await?;
        match outcome.answer.rejected {
            0 => Ok(()),
            rejected => bail!("{rejected} points were rejected: {:?}", outcome.answer),
        }
    }
}

/// The series of one script in the store.
struct Stored {
    handle: Handle,
    lab: Arc<Lab>,
    tenant: TenantId,
    place: Place,
}

fn failed(error: anyhow::Error) -> cairn_promql::error::Error {
    cairn_promql::error::Error::Source(error.into())
}

impl Storage for Stored {
    fn clear(&mut self) -> cairn_promql::error::Result<()> {
        self.tenant = self.lab.fresh_tenant().map_err(failed)?;
        Ok(())
    }

    fn load(&mut self, series: &[ScriptSeries]) -> cairn_promql::error::Result<()> {
        let load = async {
            let (delta, cumulative): (Vec<&ScriptSeries>, Vec<&ScriptSeries>) = series
                .iter()
                .partition(|series| series.temporality == Temporality::Delta);
            if !cumulative.is_empty() {
                let request = written(&cumulative).encode_to_vec();
                self.lab
                    .ingest(self.tenant.clone(), Encoding::PrometheusV2, request)
                    .await?;
            }
            if !delta.is_empty() {
                let request = exported(&delta).encode_to_vec();
                self.lab
                    .ingest(self.tenant.clone(), Encoding::OtlpProtobuf, request)
                    .await?;
            }
            if self.place == Place::Segments {
                self.lab.store.flush_all().await?;
            }
            Ok(())
        };
        self.handle.block_on(load).map_err(failed)
    }

    fn source(&self) -> Box<dyn Source + '_> {
        Box::new(self)
    }
}

impl Source for &Stored {
    fn select(&self, selection: &Selection) -> cairn_promql::error::Result<SeriesIter<'_>> {
        let read = self
            .lab
            .engine
            .select_series(self.tenant.clone(), selection.clone());
        let series = self
            .handle
            .block_on(read)
            .map_err(|error| failed(error.into()))?;
        Ok(Box::new(series.into_iter().map(Ok)))
    }
}

/// Texts of a request, each once.
struct Symbols {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Symbols {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn labels(&mut self, labels: &Labels) -> Vec<u32> {
        labels
            .iter()
            .flat_map(|(name, value)| [&**name, &**value])
            .map(|text| self.number(text))
            .collect()
    }
}

/// Series as remote write 2.0.
fn written(series: &[&ScriptSeries]) -> wire::Request {
    let mut symbols = Symbols {
        numbers: HashMap::from([(String::new(), 0)]),
        texts: vec![String::new()],
    };
    let timeseries = series.iter().map(|series| {
        let mut written = wire::TimeSeries {
            labels_refs: symbols.labels(&series.labels),
            ..wire::TimeSeries::default()
        };
        for (timestamp, value) in &series.points {
            let sample = |value| wire::Sample {
                value,
                timestamp: *timestamp,
                start_timestamp: 0,
            };
            match value {
                ScriptValue::Float(value) => written.samples.push(sample(*value)),
                ScriptValue::Stale => written.samples.push(sample(prompb::STALE)),
                ScriptValue::Histogram(histogram) => {
                    written
                        .histograms
                        .push(prompb::histogram(histogram, *timestamp));
                }
            }
        }
        written
    });
    let timeseries = timeseries.collect();
    wire::Request {
        timeseries,
        symbols: symbols.texts,
    }
}

/// Delta series as OTLP.
fn exported(series: &[&ScriptSeries]) -> ExportMetricsServiceRequest {
    let metrics = series.iter().map(|series| {
        let labels = series
            .labels
            .iter()
            .filter(|(name, _)| name.as_ref() != METRIC_NAME);
        let attributes: Vec<KeyValue> = labels
            .map(|(name, value)| KeyValue {
                key: name.to_string(),
                value: Some(AnyValue {
                    value: Some(Value::StringValue(value.to_string())),
                }),
                ..KeyValue::default()
            })
            .collect();
        Metric {
            name: series.labels.metric().to_owned(),
            data: Some(data(series, &attributes)),
            ..Metric::default()
        }
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: metrics.collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

/// The points of a delta series, which are numbers or exponential histograms.
fn data(series: &ScriptSeries, attributes: &[KeyValue]) -> Data {
    let nanos = |time: i64| u64::try_from(time).unwrap_or(0) * 1_000_000;
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    for (time, value) in &series.points {
        match value {
            ScriptValue::Float(value) => numbers.push(NumberDataPoint {
                attributes: attributes.to_vec(),
                time_unix_nano: nanos(*time),
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            }),
            ScriptValue::Histogram(histogram) => histograms.push(ExponentialHistogramDataPoint {
                attributes: attributes.to_vec(),
                time_unix_nano: nanos(*time),
                count: histogram.count as u64,
                sum: Some(histogram.sum),
                scale: histogram.schema.into(),
                zero_count: histogram.zero_count as u64,
                zero_threshold: histogram.zero_threshold,
                positive: side(&histogram.positive),
                negative: side(&histogram.negative),
                ..ExponentialHistogramDataPoint::default()
            }),
            ScriptValue::Stale => {}
        }
    }
    match histograms.is_empty() {
        true => Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality: 1,
            is_monotonic: false,
        }),
        false => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: histograms,
            aggregation_temporality: 1,
        }),
    }
}

/// Buckets as OTLP numbers them: by their lower bounds.
fn side(buckets: &Buckets) -> Option<exponential_histogram_data_point::Buckets> {
    let (first, _) = buckets.iter().next()?;
    let (last, _) = buckets.iter().next_back()?;
    let mut bucket_counts = vec![0; usize::try_from(last - first).ok()? + 1];
    for (index, count) in buckets.iter() {
        bucket_counts[usize::try_from(index - first).ok()?] = count as u64;
    }
    Some(exponential_histogram_data_point::Buckets {
        offset: first - 1,
        bucket_counts,
    })
}
