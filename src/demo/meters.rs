//! Measurements to metrics, every kind of them: cumulative and delta sums, gauges, explicit and exponential
//! histograms with exemplars, a summary.

mod distribution;

use super::{
    attributes::attribute,
    journey::{Measured, Measurement},
    shop::{Pod, Service},
};
use distribution::{Explicit, Exponential, Quantiles};
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum, metric::Data,
        number_data_point::Value,
    },
};
use std::collections::BTreeMap;

/// The instruments of all pods.
pub(super) struct Meters {
    /// Start of the cumulative series.
    started: u64,
    /// The last export: start of the delta series.
    exported: u64,
    http: BTreeMap<(Pod, &'static str, i64), Explicit>,
    rpc: BTreeMap<(Pod, &'static str, bool), Exponential>,
    database: BTreeMap<(Pod, &'static str), Quantiles>,
    orders: BTreeMap<(Pod, &'static str, bool), i64>,
    revenue: BTreeMap<(Pod, &'static str), f64>,
    messages: BTreeMap<Pod, Explicit>,
}

impl Meters {
    /// Instruments that begin at `started`.
    pub(super) fn new(started: u64) -> Meters {
        Meters {
            started,
            exported: started,
            http: BTreeMap::new(),
            rpc: BTreeMap::new(),
            database: BTreeMap::new(),
            orders: BTreeMap::new(),
            revenue: BTreeMap::new(),
            messages: BTreeMap::new(),
        }
    }

    /// Takes measurements in.
    pub(super) fn record(&mut self, measurements: &[Measurement]) {
        for measurement in measurements {
            let pod = measurement.pod;
            match measurement.what {
                Measured::Http(route, status, seconds) => {
                    let histogram = self.http.entry((pod, route, status));
                    histogram
                        .or_insert_with(Explicit::of_seconds)
                        .record(seconds, measurement);
                }
                Measured::Rpc(method, worked, seconds) => {
                    self.rpc
                        .entry((pod, method, worked))
                        .or_default()
                        .record(seconds, measurement);
                }
                Measured::Database(system, seconds) => {
                    self.database
                        .entry((pod, system))
                        .or_default()
                        .record(seconds);
                }
                Measured::Order(method, placed, euros) => {
                    *self.orders.entry((pod, method, placed)).or_default() += 1;
                    if placed {
                        *self.revenue.entry((pod, method)).or_default() += euros;
                    }
                }
                Measured::Message(bytes) => {
                    self.messages
                        .entry(pod)
                        .or_insert_with(Explicit::of_bytes)
                        .record(bytes, measurement);
                }
            }
        }
    }

    /// All metrics as they are at `now`; delta instruments begin anew.
    pub(super) fn export(&mut self, now: u64) -> Vec<(Pod, Metric)> {
        let window = (self.exported, now);
        let since_start = (self.started, now);
        self.exported = now;
        let mut metrics = Vec::new();
        self.export_durations(since_start, window, &mut metrics);
        self.export_orders(since_start, window, &mut metrics);
        for pod in Pod::all() {
            metrics.push((pod, memory(pod, since_start)));
            metrics.push((pod, processor(pod, now)));
        }
        metrics.push((
            Pod {
                service: Service::Mailer,
                number: 0,
            },
            queue_depth(now),
        ));
        metrics
    }

    fn export_durations(
        &mut self,
        since_start: (u64, u64),
        window: (u64, u64),
        metrics: &mut Vec<(Pod, Metric)>,
    ) {
        for ((pod, route, status), histogram) in &mut self.http {
            let attributes = vec![
                attribute("http.route", *route),
                attribute("http.response.status_code", *status),
            ];
            let data = histogram.export(attributes, since_start);
            let about = (
                "http.server.request.duration",
                "s",
                "Duration of HTTP server requests",
            );
            metrics.push((*pod, metric(about, data)));
        }
        for ((pod, method, worked), histogram) in std::mem::take(&mut self.rpc) {
            let code = if worked { 0_i64 } else { 14 };
            let attributes = vec![
                attribute("rpc.method", method),
                attribute("rpc.grpc.status_code", code),
            ];
            let about = ("rpc.server.duration", "s", "Duration of RPC server calls");
            metrics.push((pod, metric(about, histogram.export(attributes, window))));
        }
        for ((pod, system), quantiles) in &mut self.database {
            let attributes = vec![attribute("db.system.name", *system)];
            let about = (
                "db.client.operation.duration",
                "s",
                "Duration of database operations",
            );
            metrics.push((
                *pod,
                metric(about, quantiles.export(attributes, since_start)),
            ));
        }
        for (pod, histogram) in &mut self.messages {
            let about = (
                "messaging.process.body.size",
                "By",
                "Size of message bodies",
            );
            let attributes = vec![attribute("messaging.destination.name", "orders")];
            metrics.push((
                *pod,
                metric(about, histogram.export(attributes, since_start)),
            ));
        }
    }

    fn export_orders(
        &mut self,
        since_start: (u64, u64),
        window: (u64, u64),
        metrics: &mut Vec<(Pod, Metric)>,
    ) {
        for ((pod, method, placed), count) in &self.orders {
            let outcome = if *placed { "placed" } else { "failed" };
            let attributes = vec![
                attribute("payment.method", *method),
                attribute("outcome", outcome),
            ];
            let points = vec![point(attributes, since_start, Value::AsInt(*count))];
            let data = sum(points, AggregationTemporality::Cumulative, true);
            metrics.push((
                *pod,
                metric(("shop.orders", "{order}", "Orders by outcome"), data),
            ));
        }
        for ((pod, method), euros) in std::mem::take(&mut self.revenue) {
            let attributes = vec![attribute("payment.method", method)];
            let points = vec![point(attributes, window, Value::AsDouble(euros))];
            let data = sum(points, AggregationTemporality::Delta, true);
            metrics.push((
                pod,
                metric(("shop.revenue", "EUR", "Value of the orders placed"), data),
            ));
        }
    }
}

/// Name, unit and description.
type About = (&'static str, &'static str, &'static str);

fn metric((name, unit, description): About, data: Data) -> Metric {
    Metric {
        name: name.to_string(),
        unit: unit.to_string(),
        description: description.to_string(),
        data: Some(data),
        ..Metric::default()
    }
}

fn point(attributes: Vec<KeyValue>, (start, end): (u64, u64), value: Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: end,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn sum(
    data_points: Vec<NumberDataPoint>,
    temporality: AggregationTemporality,
    is_monotonic: bool,
) -> Data {
    Data::Sum(Sum {
        data_points,
        aggregation_temporality: temporality.into(),
        is_monotonic,
    })
}

fn gauge(attributes: Vec<KeyValue>, value: Value, now: u64) -> Data {
    Data::Gauge(Gauge {
        data_points: vec![point(attributes, (0, now), value)],
    })
}

/// A slow saw tooth, as of a garbage collector: a function of the time, so that it needs no state.
fn memory(pod: Pod, (start, now): (u64, u64)) -> Metric {
    let phase = (now / 1_000_000_000 + u64::from(pod.number) * 97) % 300;
    let bytes = 180_000_000 + phase as i64 * 400_000;
    let points = vec![point(Vec::new(), (start, now), Value::AsInt(bytes))];
    let data = sum(points, AggregationTemporality::Cumulative, false);
    metric(
        ("process.memory.usage", "By", "Physical memory in use"),
        data,
    )
}

fn processor(pod: Pod, now: u64) -> Metric {
    let seconds = now as f64 / 1e9 + f64::from(pod.number) * 40.0;
    let share = 0.25 + 0.15 * (seconds / 90.0).sin() + 0.05 * (seconds / 7.0).sin();
    metric(
        (
            "process.cpu.utilization",
            "1",
            "Share of the processors in use",
        ),
        gauge(Vec::new(), Value::AsDouble(share), now),
    )
}

fn queue_depth(now: u64) -> Metric {
    let depth = (now / 1_000_000_000 % 60) as i64 % 7;
    let attributes = vec![attribute("messaging.destination.name", "orders")];
    metric(
        ("messaging.queue.depth", "{message}", "Messages that wait"),
        gauge(attributes, Value::AsInt(depth), now),
    )
}
