//! Span requests: servers, clients, databases and queues of the shop.

use super::{
    EventClock, Made,
    facts::{Facts, Fill},
    shop::{Resource, Shop},
    text::{
        Attribute, Text,
        Value::{self, Int, Text as Filled},
    },
    wire,
};
use rand::{RngExt, rngs::StdRng};

/// Spans of one resource in a large request; a small one is of one resource.
const SPANS_PER_RESOURCE: usize = 200;

/// Traces under way, and the spans that each gets on average.
const OPEN_TRACES: usize = 256;
const SPANS_PER_TRACE: usize = 12;

/// One span in so many has an exception event, a status and so on.
const FAILED: usize = 20;

/// One span in so many links to another trace.
const LINKED: usize = 100;

/// Name, kind and attributes.
type Template = (&'static str, u64, &'static [(&'static str, Value)]);

/// What spans are made after.
const OPERATIONS: [Template; 6] = [
    (
        "{method} {route}",
        2,
        &[
            ("http.request.method", Filled("{method}")),
            ("http.route", Filled("{route}")),
            ("http.response.status_code", Int(Fill::Status)),
        ],
    ),
    (
        "{method}",
        3,
        &[
            ("http.request.method", Filled("{method}")),
            ("server.address", Filled("{table}.shop.svc")),
            ("http.response.status_code", Int(Fill::Status)),
        ],
    ),
    (
        "SELECT {table}",
        3,
        &[
            ("db.system.name", Filled("postgresql")),
            ("db.collection.name", Filled("{table}")),
            ("db.response.returned_rows", Int(Fill::Small)),
        ],
    ),
    (
        "{topic} process",
        5,
        &[
            ("messaging.destination.name", Filled("{topic}")),
            ("messaging.kafka.offset", Int(Fill::Offset)),
        ],
    ),
    (
        "cache.get",
        1,
        &[
            ("cache.key", Filled("{table}:{sku}")),
            ("user.id", Filled("{user}")),
        ],
    ),
    (
        "PlaceOrder",
        1,
        &[
            ("order.id", Int(Fill::Order)),
            ("order.items", Int(Fill::Small)),
            ("user.id", Filled("{user}")),
        ],
    ),
];

#[derive(Debug)]
struct Operation {
    name: Text,
    kind: u64,
    attributes: Vec<Attribute>,
}

/// A trace under way: its id and its last span.
#[derive(Debug)]
struct Trace {
    id: u128,
    last_span: Option<u64>,
}

/// Makes span requests.
#[derive(Debug)]
pub(super) struct Spans {
    operations: Vec<Operation>,
    exception: Vec<Attribute>,
    traces: Vec<Trace>,
    made: u64,
}

impl Spans {
    pub(super) fn new(random: &mut StdRng) -> Spans {
        let operations = OPERATIONS
            .into_iter()
            .map(|(name, kind, attributes)| Operation {
                name: Text::parse(name),
                kind,
                attributes: attributes.iter().map(|of| Attribute::parse(*of)).collect(),
            });
        let exception = [
            ("exception.type", Filled("java.net.SocketTimeoutException")),
            ("exception.message", Filled("Read timed out after {ms} ms")),
        ];
        Spans {
            operations: operations.collect(),
            exception: exception.into_iter().map(Attribute::parse).collect(),
            traces: (0..OPEN_TRACES).map(|_| Trace::begin(random)).collect(),
            made: 0,
        }
    }

    pub(super) fn request(
        &mut self,
        shop: &Shop,
        clock: &mut EventClock,
        random: &mut StdRng,
        batch: usize,
    ) -> Made {
        let mut bytes = Vec::with_capacity(batch * 230 + 1024);
        let mut left = batch;
        while left > 0 {
            let count = left.min(SPANS_PER_RESOURCE);
            left -= count;
            let resource = shop.pick(random);
            wire::message(&mut bytes, 1, |out| {
                self.group(out, resource, (&mut *clock, &mut *random), count);
            });
        }
        Made {
            bytes,
            records: batch as u64,
        }
    }

    /// Appends a `ResourceSpans`.
    fn group(
        &mut self,
        out: &mut Vec<u8>,
        resource: &Resource,
        (clock, random): (&mut EventClock, &mut StdRng),
        count: usize,
    ) {
        wire::bytes(out, 1, &resource.message);
        wire::message(out, 2, |out| {
            wire::message(out, 1, |scope| {
                let name = format!("shop.{}.trace", resource.service);
                wire::bytes(scope, 1, name.as_bytes());
                wire::bytes(scope, 2, b"2.21.0");
            });
            for _ in 0..count {
                let time = clock.tick(random);
                wire::message(out, 2, |out| self.span(out, time, random));
            }
        });
        wire::bytes(out, 3, b"https://opentelemetry.io/schemas/1.37.0");
    }

    /// Appends the fields of a `Span` that begins at `time`, ns.
    fn span(&mut self, out: &mut Vec<u8>, time: u64, random: &mut StdRng) {
        let facts = Facts::draw(random, self.made);
        self.made += 1;
        let trace = &mut self.traces[random.random_range(0..OPEN_TRACES)];
        if random.random_range(0..SPANS_PER_TRACE) == 0 {
            *trace = Trace::begin(random);
        }
        let span: u64 = random.random();
        let operation = &self.operations[random.random_range(0..self.operations.len())];
        wire::bytes(out, 1, &trace.id.to_be_bytes());
        wire::bytes(out, 2, &span.to_be_bytes());
        if let Some(parent) = trace.last_span.replace(span) {
            wire::bytes(out, 4, &parent.to_be_bytes());
        }
        wire::message(out, 5, |out| operation.name.write(out, &facts));
        wire::int(out, 6, operation.kind);
        let end = time + facts.nanoseconds();
        wire::fixed64(out, 7, time);
        wire::fixed64(out, 8, end);
        for attribute in &operation.attributes {
            attribute.write(out, 9, &facts);
        }
        let failed = random.random_range(0..FAILED) == 0;
        if failed {
            wire::message(out, 11, |out| {
                wire::fixed64(out, 1, end);
                wire::bytes(out, 2, b"exception");
                for attribute in &self.exception {
                    attribute.write(out, 3, &facts);
                }
            });
        }
        if random.random_range(0..LINKED) == 0 {
            wire::message(out, 13, |out| {
                wire::bytes(out, 1, &random.random::<u128>().to_be_bytes());
                wire::bytes(out, 2, &random.random::<u64>().to_be_bytes());
                wire::text_attribute(out, 4, "link.reason", "batch");
            });
        }
        if failed {
            wire::message(out, 15, |out| {
                wire::bytes(out, 2, b"Read timed out");
                wire::int(out, 3, 2);
            });
        }
        wire::fixed32(out, 16, 0x101);
    }
}

impl Trace {
    fn begin(random: &mut StdRng) -> Trace {
        Trace {
            id: random.random(),
            last_span: None,
        }
    }
}
