//! Metric requests: 80 resources with 125 series each, scraped one after the other.

use super::{EventClock, Made, shop::Shop, wire};
use rand::{RngExt, rngs::StdRng};

/// Series of one resource; with 80 resources 10,000 in all.
pub(super) const SERIES_PER_RESOURCE: usize = 125;

const ROUTES: [&str; 10] = [
    "/api/v1/cart/{id}",
    "/api/v1/cart/{id}/items",
    "/api/v1/products/{sku}",
    "/api/v1/search",
    "/api/v1/orders/{id}",
    "/api/v1/checkout",
    "/api/v1/users/{id}",
    "/api/v1/recommendations",
    "/login",
    "/healthz",
];

/// Bounds of an explicit histogram, in seconds: those that the semantic conventions give for durations.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// A metric and its series of one resource: 72 + 32 + 5 + 10 + 5 + 1 = 125.
const METRICS: [Source; 24] = [
    counter("http.server.requests", "{request}", "http.route"),
    counter("http.client.requests", "{request}", "server.address"),
    counter("http.server.errors", "{request}", "error.type"),
    counter("rpc.server.calls", "{call}", "rpc.method"),
    counter("db.client.operations", "{operation}", "db.collection.name"),
    counter("db.client.rows", "{row}", "db.collection.name"),
    counter(
        "messaging.publish.messages",
        "{message}",
        "messaging.destination.name",
    ),
    counter(
        "messaging.receive.messages",
        "{message}",
        "messaging.destination.name",
    ),
    counter("cache.requests", "{request}", "cache.name"),
    counter("cache.evictions", "{item}", "cache.name"),
    counter("system.network.io", "By", "network.interface.name"),
    counter("shop.orders.value", "EUR", "region"),
    gauge("process.memory.usage", "By", "memory.type"),
    gauge("process.cpu.utilization", "1", "cpu.mode"),
    gauge("jvm.memory.used", "By", "jvm.memory.pool.name"),
    gauge("system.cpu.utilization", "1", "cpu.mode"),
    gauge("system.filesystem.utilization", "1", "system.device"),
    gauge("db.client.connection.count", "{connection}", "pool.name"),
    gauge("queue.depth", "{message}", "queue"),
    gauge("container.cpu.throttling", "1", "container.id"),
    Source {
        name: "process.thread.count",
        unit: "{thread}",
        kind: Kind::Integer,
        key: "thread.state",
        series: 5,
    },
    Source {
        name: "http.server.request.duration",
        unit: "s",
        kind: Kind::Histogram,
        key: "http.route",
        series: 10,
    },
    Source {
        name: "rpc.client.duration",
        unit: "s",
        kind: Kind::Exponential,
        key: "rpc.method",
        series: 5,
    },
    Source {
        name: "gc.pause",
        unit: "s",
        kind: Kind::Summary,
        key: "gc.name",
        series: 1,
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Integer,
    Histogram,
    Exponential,
    Summary,
}

struct Source {
    name: &'static str,
    unit: &'static str,
    kind: Kind,
    /// The attribute that tells its series apart.
    key: &'static str,
    series: usize,
}

const fn counter(name: &'static str, unit: &'static str, key: &'static str) -> Source {
    Source {
        name,
        unit,
        kind: Kind::Counter,
        key,
        series: 6,
    }
}

const fn gauge(name: &'static str, unit: &'static str, key: &'static str) -> Source {
    Source {
        name,
        unit,
        kind: Kind::Gauge,
        key,
        series: 4,
    }
}

/// A series: its attributes written already, and its state.
#[derive(Debug)]
struct Series {
    /// The `KeyValue` messages, less key and length.
    attributes: Vec<Vec<u8>>,
    total: u64,
    level: f64,
}

/// Makes metric requests.
#[derive(Debug)]
pub(super) struct Metrics {
    /// In the order of resources, and in a resource of [`METRICS`].
    series: Vec<Series>,
    next_resource: usize,
    /// When every counter began, ns; 0 before the first request.
    begin: u64,
}

impl Metrics {
    pub(super) fn new(random: &mut StdRng) -> Metrics {
        let resources = Shop::new().resources.len();
        let series = (0..resources)
            .flat_map(|_| METRICS.into_iter())
            .flat_map(|of| (0..of.series).map(move |number| of.series_attributes(number)))
            .map(|attributes| Series {
                attributes,
                total: random.random_range(0..1_000_000),
                level: random.random(),
            });
        Metrics {
            series: series.collect(),
            next_resource: 0,
            begin: 0,
        }
    }

    pub(super) fn request(
        &mut self,
        shop: &Shop,
        clock: &mut EventClock,
        random: &mut StdRng,
        batch: usize,
    ) -> Made {
        let mut bytes = Vec::with_capacity(batch * 120 + 1024);
        let resources = (batch / SERIES_PER_RESOURCE).max(1);
        for _ in 0..resources {
            let number = self.next_resource % shop.resources.len();
            self.next_resource += 1;
            let resource = &shop.resources[number];
            // All points of a scrape have one time.
            let time = (0..SERIES_PER_RESOURCE).fold(0, |_, _| clock.tick(random));
            if self.begin == 0 {
                self.begin = time - 3_600_000_000_000;
            }
            let first = number * SERIES_PER_RESOURCE;
            let series = &mut self.series[first..first + SERIES_PER_RESOURCE];
            let times = (self.begin, time);
            wire::message(&mut bytes, 1, |out| {
                wire::bytes(out, 1, &resource.message);
                wire::message(out, 2, |out| scope(out, series, times, random));
                wire::bytes(out, 3, b"https://opentelemetry.io/schemas/1.37.0");
            });
        }
        Made {
            bytes,
            records: (resources * SERIES_PER_RESOURCE) as u64,
        }
    }
}

/// Appends the fields of a `ScopeMetrics`.
fn scope(out: &mut Vec<u8>, mut series: &mut [Series], times: (u64, u64), random: &mut StdRng) {
    wire::message(out, 1, |scope| {
        wire::bytes(scope, 1, b"shop.metrics");
        wire::bytes(scope, 2, b"2.21.0");
    });
    for source in &METRICS {
        let (own, rest) = std::mem::take(&mut series).split_at_mut(source.series);
        series = rest;
        wire::message(out, 2, |out| source.metric(out, own, times, random));
    }
}

impl Source {
    fn series_attributes(&self, number: usize) -> Vec<Vec<u8>> {
        let value = match self.key {
            "http.route" => ROUTES[number].to_string(),
            key => format!("{}-{number}", key.rsplit('.').next().unwrap_or(key)),
        };
        let mut attributes = vec![(self.key, value)];
        if self.key == "http.route" {
            let method = ["GET", "POST"][number % 2];
            attributes.push(("http.request.method", method.to_string()));
            attributes.push(("http.response.status_code", "200".to_string()));
        }
        let one = |(name, value): (&str, String)| {
            let mut message = Vec::new();
            wire::bytes(&mut message, 1, name.as_bytes());
            wire::message(&mut message, 2, |out| wire::bytes(out, 1, value.as_bytes()));
            message
        };
        attributes.into_iter().map(one).collect()
    }

    /// Appends the fields of a `Metric` with one point a series.
    fn metric(
        &self,
        out: &mut Vec<u8>,
        series: &mut [Series],
        times: (u64, u64),
        random: &mut StdRng,
    ) {
        wire::bytes(out, 1, self.name.as_bytes());
        wire::bytes(out, 3, self.unit.as_bytes());
        let field = match self.kind {
            Kind::Gauge | Kind::Integer => 5,
            Kind::Counter => 7,
            Kind::Histogram => 9,
            Kind::Exponential => 10,
            Kind::Summary => 11,
        };
        wire::message(out, field, |out| {
            for of in series {
                wire::message(out, 1, |out| self.point(out, of, times, random));
            }
            if matches!(
                self.kind,
                Kind::Counter | Kind::Histogram | Kind::Exponential
            ) {
                // Cumulative.
                wire::int(out, 2, 2);
            }
            if self.kind == Kind::Counter {
                wire::int(out, 3, 1);
            }
        });
    }

    /// Appends the fields of a data point of its kind.
    fn point(
        &self,
        out: &mut Vec<u8>,
        series: &mut Series,
        (begin, time): (u64, u64),
        random: &mut StdRng,
    ) {
        series.total += random.random_range(0..500);
        series.level = (series.level + random.random::<f64>() / 20.0) % 1.0;
        let attribute = match self.kind {
            Kind::Histogram => 9,
            Kind::Exponential => 1,
            _ => 7,
        };
        for of in &series.attributes {
            wire::bytes(out, attribute, of);
        }
        if !matches!(self.kind, Kind::Gauge | Kind::Integer) {
            wire::fixed64(out, 2, begin);
        }
        wire::fixed64(out, 3, time);
        match self.kind {
            Kind::Counter => wire::fixed64(out, 6, series.total),
            Kind::Integer => wire::fixed64(out, 6, series.total % 200),
            Kind::Gauge => wire::double(out, 4, series.level),
            Kind::Histogram => histogram(out, series.total, time, random),
            Kind::Exponential => exponential(out, series.total),
            Kind::Summary => summary(out, series.total, series.level),
        }
    }
}

/// Appends what a `HistogramDataPoint` has besides; one in five has an exemplar.
fn histogram(out: &mut Vec<u8>, total: u64, time: u64, random: &mut StdRng) {
    wire::fixed64(out, 4, total);
    wire::double(out, 5, total as f64 * 0.018);
    let shares = (1..=BOUNDS.len() as u64 + 1).map(|bucket| total / (bucket * bucket * 2));
    wire::packed_fixed64(out, 6, shares);
    wire::packed_fixed64(out, 7, BOUNDS.iter().map(|bound| bound.to_bits()));
    if random.random_range(0..5) == 0 {
        wire::message(out, 8, |out| {
            wire::fixed64(out, 2, time);
            wire::double(out, 3, random.random());
            wire::bytes(out, 4, &random.random::<u64>().to_be_bytes());
            wire::bytes(out, 5, &random.random::<u128>().to_be_bytes());
        });
    }
    wire::double(out, 11, 0.001);
    wire::double(out, 12, 7.25);
}

/// Appends what an `ExponentialHistogramDataPoint` has besides.
fn exponential(out: &mut Vec<u8>, total: u64) {
    wire::fixed64(out, 4, total);
    wire::double(out, 5, total as f64 * 0.018);
    wire::zigzag(out, 6, 3);
    wire::fixed64(out, 7, total / 100);
    wire::message(out, 8, |out| {
        wire::zigzag(out, 1, -40);
        wire::message(out, 2, |out| {
            (1..=32).for_each(|bucket| wire::varint(out, total / (bucket * 7)));
        });
    });
    wire::double(out, 12, 0.001);
    wire::double(out, 13, 7.25);
}

/// Appends what a `SummaryDataPoint` has besides.
fn summary(out: &mut Vec<u8>, total: u64, level: f64) {
    wire::fixed64(out, 4, total);
    wire::double(out, 5, total as f64 * 0.004);
    for quantile in [0.5, 0.9, 0.99] {
        wire::message(out, 6, |out| {
            wire::double(out, 1, quantile);
            wire::double(out, 2, level * quantile / 50.0);
        });
    }
}
