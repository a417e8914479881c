//! Random requests: small, and rich in what is rare.

use cairn_storage::signal::Signal;
use opentelemetry_proto::tonic::{
    common::v1::{
        AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
        any_value::Value,
    },
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        Sum, Summary, SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets,
        metric::Data, number_data_point, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span},
};
use prost::Message;
use rand::{RngExt, rngs::StdRng};

struct Generator<'r> {
    random: &'r mut StdRng,
    /// Whether every NaN is the same one.
    one_nan: bool,
}

/// A request.
#[derive(Debug)]
pub(crate) enum Request {
    Logs(LogsData),
    Spans(TracesData),
    Metrics(MetricsData),
}

/// A request of `signal`, encoded.
pub(crate) fn request(random: &mut StdRng, signal: Signal) -> Vec<u8> {
    message(random, signal, false).encode()
}

/// A request of `signal`, in which every NaN is the same one where `one_nan` asks for it: JSON has only one.
pub(crate) fn message(random: &mut StdRng, signal: Signal, one_nan: bool) -> Request {
    let mut generator = Generator { random, one_nan };
    match signal {
        Signal::Logs => Request::Logs(generator.logs()),
        Signal::Spans => Request::Spans(generator.spans()),
        _ => Request::Metrics(generator.metrics()),
    }
}

impl Request {
    /// The request as protobuf.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Request::Logs(request) => request.encode_to_vec(),
            Request::Spans(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
        }
    }
}

const WORDS: [&str; 16] = [
    "",
    "a",
    "b",
    "$x",
    "$$x",
    "http.method",
    "service.name",
    "GET",
    "quote\"back\\slash",
    "tab\tnull\0bell\u{7}",
    "žluťoučký kůň",
    "日本語",
    "🦀",
    "a rather long text that is longer than one hundred and twenty-seven bytes, so that its length takes two bytes on the wire, as it does for many bodies",
    "new\nline",
    "\u{7f}\u{80}",
];

impl Generator<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_ratio(percent, 100)
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn some<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, percent: u32, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| one(self))
    }

    fn text(&mut self) -> String {
        WORDS[self.below(WORDS.len())].to_string()
    }

    fn int(&mut self) -> i64 {
        match self.below(6) {
            0 => 0,
            1 => i64::MIN,
            2 => i64::MAX,
            3 => -1,
            4 => self.random.random_range(0..300),
            _ => self.random.random(),
        }
    }

    fn double(&mut self) -> f64 {
        let value = self.any_double();
        if value.is_nan() && self.one_nan {
            return f64::NAN;
        }
        value
    }

    fn any_double(&mut self) -> f64 {
        match self.below(10) {
            0 => 0.0,
            1 => -0.0,
            2 => f64::NAN,
            3 => f64::INFINITY,
            4 => f64::NEG_INFINITY,
            5 => f64::from_bits(1),
            6 => f64::from_bits(self.random.random()),
            7 => 1e300,
            8 => self.random.random_range(-1000..1000) as f64,
            _ => self.random.random(),
        }
    }

    fn time(&mut self) -> u64 {
        match self.below(12) {
            0 | 1 => 0,
            2 => 1,
            3 => i64::MAX as u64,
            4 if self.chance(20) => i64::MAX as u64 + 1,
            5 if self.chance(20) => u64::MAX,
            _ => 1_700_000_000_000_000_000 + self.random.random_range(0..1_000_000_000_000),
        }
    }

    fn small(&mut self) -> u32 {
        match self.below(4) {
            0 | 1 => 0,
            2 => self.random.random_range(0..1000),
            _ => self.random.random(),
        }
    }

    fn id(&mut self, length: usize) -> Vec<u8> {
        match self.below(8) {
            0 | 1 => Vec::new(),
            2 => vec![0; length],
            3 => vec![7; length - 1],
            4 => vec![7; length + 1],
            _ => (0..length).map(|_| self.random.random()).collect(),
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        Some(match self.below(if depth == 0 { 9 } else { 14 }) {
            0 => return None,
            1..=3 => Value::StringValue(self.text()),
            4 => Value::BoolValue(self.chance(50)),
            5 => Value::IntValue(self.int()),
            6 => Value::DoubleValue(self.double()),
            7 => Value::BytesValue(self.id(5)),
            8 => Value::StringValueStrindex(self.int() as i32),
            9..=11 => Value::ArrayValue(ArrayValue {
                values: self.some(3, |g| AnyValue {
                    value: g.value(depth - 1),
                }),
            }),
            _ => Value::KvlistValue(KeyValueList {
                values: self.attributes(4, depth - 1),
            }),
        })
    }

    fn attributes(&mut self, most: usize, depth: usize) -> Vec<KeyValue> {
        self.some(most, |g| KeyValue {
            key: g.text(),
            value: g.maybe(90, |g| AnyValue {
                value: g.value(depth),
            }),
            key_strindex: if g.chance(5) { 3 } else { 0 },
        })
    }

    fn resource(&mut self) -> Option<Resource> {
        self.maybe(85, |g| Resource {
            attributes: g.attributes(4, 2),
            dropped_attributes_count: g.small(),
            entity_refs: g.some(2, |g| EntityRef {
                schema_url: g.text(),
                r#type: g.text(),
                id_keys: g.some(2, Self::text),
                description_keys: g.some(2, Self::text),
            }),
        })
    }

    fn scope(&mut self) -> Option<InstrumentationScope> {
        self.maybe(85, |g| InstrumentationScope {
            name: g.text(),
            version: g.text(),
            attributes: g.attributes(2, 1),
            dropped_attributes_count: g.small(),
        })
    }

    fn logs(&mut self) -> LogsData {
        LogsData {
            resource_logs: self.some(2, |g| ResourceLogs {
                resource: g.resource(),
                scope_logs: g.some(2, |g| ScopeLogs {
                    scope: g.scope(),
                    log_records: g.some(3, Self::log),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }

    fn log(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time(),
            observed_time_unix_nano: self.time(),
            severity_number: self.small() as i32,
            severity_text: self.text(),
            body: self.maybe(85, |g| AnyValue { value: g.value(4) }),
            attributes: self.attributes(5, 3),
            dropped_attributes_count: self.small(),
            flags: self.small(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    fn spans(&mut self) -> TracesData {
        TracesData {
            resource_spans: self.some(2, |g| ResourceSpans {
                resource: g.resource(),
                scope_spans: g.some(2, |g| ScopeSpans {
                    scope: g.scope(),
                    spans: g.some(3, Self::span),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.id(8),
            flags: self.small(),
            name: self.text(),
            kind: self.small() as i32,
            start_time_unix_nano: self.time(),
            end_time_unix_nano: self.time(),
            attributes: self.attributes(4, 2),
            dropped_attributes_count: self.small(),
            events: self.some(2, |g| span::Event {
                time_unix_nano: g.time(),
                name: g.text(),
                attributes: g.attributes(2, 1),
                dropped_attributes_count: g.small(),
            }),
            dropped_events_count: self.small(),
            links: self.some(2, |g| span::Link {
                trace_id: g.id(16),
                span_id: g.id(8),
                trace_state: g.text(),
                attributes: g.attributes(2, 1),
                dropped_attributes_count: g.small(),
                flags: g.small(),
            }),
            dropped_links_count: self.small(),
            status: self.maybe(60, |g| Status {
                message: g.text(),
                code: g.small() as i32,
            }),
        }
    }

    fn metrics(&mut self) -> MetricsData {
        MetricsData {
            resource_metrics: self.some(2, |g| ResourceMetrics {
                resource: g.resource(),
                scope_metrics: g.some(2, |g| ScopeMetrics {
                    scope: g.scope(),
                    metrics: g.some(3, Self::metric),
                    schema_url: g.text(),
                }),
                schema_url: g.text(),
            }),
        }
    }

    fn metric(&mut self) -> Metric {
        let aggregation_temporality = self.below(4) as i32;
        Metric {
            name: if self.chance(85) {
                "requests".to_string() + &self.text()
            } else {
                String::new()
            },
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(1, 1),
            data: match self.below(6) {
                0 => None,
                1 => Some(Data::Gauge(Gauge {
                    data_points: self.some(3, Self::number),
                })),
                2 => Some(Data::Sum(Sum {
                    data_points: self.some(3, Self::number),
                    aggregation_temporality,
                    is_monotonic: self.chance(50),
                })),
                3 => Some(Data::Histogram(Histogram {
                    data_points: self.some(3, Self::histogram),
                    aggregation_temporality,
                })),
                4 => Some(Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: self.some(3, Self::exponential),
                    aggregation_temporality,
                })),
                _ => Some(Data::Summary(Summary {
                    data_points: self.some(3, Self::summary),
                })),
            },
        }
    }

    fn number(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(3, 1),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            exemplars: self.some(1, Self::exemplar),
            flags: self.small(),
            value: match self.below(3) {
                0 => None,
                1 => Some(number_data_point::Value::AsDouble(self.double())),
                _ => Some(number_data_point::Value::AsInt(self.int())),
            },
        }
    }

    fn histogram(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(3, 1),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.int() as u64,
            sum: self.maybe(60, Self::double),
            bucket_counts: self.some(4, |g| g.int() as u64),
            explicit_bounds: self.some(3, Self::double),
            exemplars: self.some(2, Self::exemplar),
            flags: self.small(),
            min: self.maybe(60, Self::double),
            max: self.maybe(60, Self::double),
        }
    }

    fn exponential(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(3, 1),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.int() as u64,
            sum: self.maybe(60, Self::double),
            scale: self.int() as i32,
            zero_count: self.int() as u64,
            positive: self.maybe(60, Self::buckets),
            negative: self.maybe(60, Self::buckets),
            flags: self.small(),
            exemplars: self.some(2, Self::exemplar),
            min: self.maybe(60, Self::double),
            max: self.maybe(60, Self::double),
            zero_threshold: self.double(),
        }
    }

    fn buckets(&mut self) -> Buckets {
        Buckets {
            offset: self.int() as i32,
            bucket_counts: self.some(4, |g| g.int() as u64),
        }
    }

    fn summary(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(3, 1),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.int() as u64,
            sum: self.double(),
            quantile_values: self.some(3, |g| ValueAtQuantile {
                quantile: g.double(),
                value: g.double(),
            }),
            flags: self.small(),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(2, 1),
            time_unix_nano: self.time(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: match self.below(3) {
                0 => None,
                1 => Some(exemplar::Value::AsDouble(self.double())),
                _ => Some(exemplar::Value::AsInt(self.int())),
            },
        }
    }
}
