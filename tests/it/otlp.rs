//! One request a signal in which every text names its sender, with every kind of metric and with records to be rejected.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
        SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};

/// A time of event, ns.
const TIME: u64 = 1_760_000_000_000_000_000;

/// So often a word makes a key that is longer than a key may be (1,024 bytes).
const REPEATS: usize = 200;

/// Who sends: a word that stands in every text, and a byte that all ids are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) word: &'static str,
    pub(crate) byte: u8,
}

impl Sender {
    /// The trace id of everything this sender sends, in hexadecimal.
    pub(crate) fn trace_id(self) -> String {
        hex::encode([self.byte; 16])
    }

    fn text(self, what: &str) -> String {
        format!("{}-{what}", self.word)
    }

    fn attribute(self, key: &str) -> KeyValue {
        let value = AnyValue {
            value: Some(Value::StringValue(self.text("value"))),
        };
        KeyValue {
            key: key.to_string(),
            value: Some(value),
            ..KeyValue::default()
        }
    }

    fn attributes(self) -> Vec<KeyValue> {
        // A key of one's own too: keys stand in `/api/v1/schema`.
        vec![
            self.attribute("mutual.key"),
            self.attribute(&self.text("key")),
        ]
    }

    fn resource(self) -> Option<Resource> {
        Some(Resource {
            attributes: vec![
                self.attribute("service.name"),
                self.attribute(&self.text("resource")),
            ],
            ..Resource::default()
        })
    }

    fn scope(self) -> Option<InstrumentationScope> {
        Some(InstrumentationScope {
            name: self.text("scope"),
            version: self.text("version"),
            attributes: self.attributes(),
            ..InstrumentationScope::default()
        })
    }

    /// An attribute that makes its record one to be rejected.
    fn refused_attribute(self) -> KeyValue {
        self.attribute(&self.word.repeat(REPEATS))
    }

    /// One log record.
    pub(crate) fn logs(self) -> ExportLogsServiceRequest {
        self.logs_of(LogRecord {
            time_unix_nano: TIME,
            severity_text: self.text("severity"),
            event_name: self.text("event"),
            body: self.attribute("body").value,
            attributes: self.attributes(),
            trace_id: vec![self.byte; 16],
            span_id: vec![self.byte; 8],
            ..LogRecord::default()
        })
    }

    /// One log record that is rejected.
    pub(crate) fn refused_logs(self) -> ExportLogsServiceRequest {
        self.logs_of(LogRecord {
            attributes: vec![self.refused_attribute()],
            ..LogRecord::default()
        })
    }

    fn logs_of(self, record: LogRecord) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: self.resource(),
                scope_logs: vec![ScopeLogs {
                    scope: self.scope(),
                    log_records: vec![record],
                    schema_url: self.text("schema"),
                }],
                schema_url: self.text("schema"),
            }],
        }
    }

    /// One span with an event and a link.
    pub(crate) fn spans(self) -> ExportTraceServiceRequest {
        self.spans_of(Span {
            trace_id: vec![self.byte; 16],
            span_id: vec![self.byte; 8],
            parent_span_id: vec![self.byte; 8],
            trace_state: format!("{}=1", self.word),
            name: self.text("span"),
            start_time_unix_nano: TIME,
            end_time_unix_nano: TIME + 1,
            attributes: self.attributes(),
            events: vec![Event {
                time_unix_nano: TIME,
                name: self.text("event"),
                attributes: self.attributes(),
                ..Event::default()
            }],
            links: vec![Link {
                trace_id: vec![self.byte; 16],
                span_id: vec![self.byte; 8],
                attributes: self.attributes(),
                ..Link::default()
            }],
            status: Some(Status {
                message: self.text("status"),
                code: 2,
            }),
            ..Span::default()
        })
    }

    /// One span that is rejected.
    pub(crate) fn refused_spans(self) -> ExportTraceServiceRequest {
        self.spans_of(Span {
            attributes: vec![self.refused_attribute()],
            ..Span::default()
        })
    }

    fn spans_of(self, span: Span) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: self.resource(),
                scope_spans: vec![ScopeSpans {
                    scope: self.scope(),
                    spans: vec![span],
                    schema_url: self.text("schema"),
                }],
                schema_url: self.text("schema"),
            }],
        }
    }

    /// One point of each of the five kinds, the four that may have one with an exemplar.
    pub(crate) fn metrics(self) -> ExportMetricsServiceRequest {
        let kinds = [
            Data::Gauge(Gauge {
                data_points: vec![self.number()],
            }),
            Data::Sum(Sum {
                data_points: vec![self.number()],
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            self.histogram(),
            self.exponential(),
            self.summary(),
        ];
        self.metrics_of(kinds.into_iter().map(|data| self.metric(data)).collect())
    }

    /// One data point that is rejected.
    pub(crate) fn refused_metrics(self) -> ExportMetricsServiceRequest {
        let mut point = self.number();
        point.attributes = vec![self.refused_attribute()];
        let data = Data::Gauge(Gauge {
            data_points: vec![point],
        });
        self.metrics_of(vec![self.metric(data)])
    }

    fn metrics_of(self, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: self.resource(),
                scope_metrics: vec![ScopeMetrics {
                    scope: self.scope(),
                    metrics,
                    schema_url: self.text("schema"),
                }],
                schema_url: self.text("schema"),
            }],
        }
    }

    fn metric(self, data: Data) -> Metric {
        Metric {
            name: self.text("metric"),
            description: self.text("description"),
            unit: self.text("unit"),
            metadata: self.attributes(),
            data: Some(data),
        }
    }

    fn exemplar(self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: TIME,
            value: Some(exemplar::Value::AsInt(1)),
            trace_id: vec![self.byte; 16],
            span_id: vec![self.byte; 8],
        }
    }

    fn number(self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            time_unix_nano: TIME,
            value: Some(number_data_point::Value::AsInt(1)),
            exemplars: vec![self.exemplar()],
            ..NumberDataPoint::default()
        }
    }

    fn histogram(self) -> Data {
        let point = HistogramDataPoint {
            attributes: self.attributes(),
            time_unix_nano: TIME,
            count: 1,
            explicit_bounds: vec![1.0],
            bucket_counts: vec![1, 0],
            exemplars: vec![self.exemplar()],
            ..HistogramDataPoint::default()
        };
        Data::Histogram(Histogram {
            data_points: vec![point],
            aggregation_temporality: 1,
        })
    }

    fn exponential(self) -> Data {
        let point = ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            time_unix_nano: TIME,
            count: 1,
            positive: Some(Buckets {
                offset: 0,
                bucket_counts: vec![1],
            }),
            exemplars: vec![self.exemplar()],
            ..ExponentialHistogramDataPoint::default()
        };
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: 1,
        })
    }

    fn summary(self) -> Data {
        let point = SummaryDataPoint {
            attributes: self.attributes(),
            time_unix_nano: TIME,
            count: 1,
            sum: 1.0,
            quantile_values: vec![ValueAtQuantile {
                quantile: 0.5,
                value: 1.0,
            }],
            ..SummaryDataPoint::default()
        };
        Data::Summary(Summary {
            data_points: vec![point],
        })
    }
}
