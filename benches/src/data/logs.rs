//! Log requests: what a collector or an SDK sends of one or several pods.

mod statements;

use super::{
    EventClock, Made,
    facts::Facts,
    shop::{Kind, Resource, Shop},
    text::{Attribute, Text},
    wire,
};
use rand::{RngExt, rngs::StdRng};
use statements::STATEMENTS;

/// Records of one resource in a large request; a small one is of one resource.
const RECORDS_PER_RESOURCE: usize = 200;

/// Traces that are under way at the same time, and how many records each gets on average.
const OPEN_TRACES: usize = 512;
const RECORDS_PER_TRACE: usize = 8;

/// The share of records with a trace id, in percent.
const TRACED_PERCENT: u32 = 30;

/// A log statement of a program, ready to be filled in.
#[derive(Debug)]
struct Statement {
    severity: u64,
    body: Text,
    attributes: Vec<Attribute>,
}

/// The statements of services of one kind, each as often as it weighs.
#[derive(Debug)]
struct Repertoire {
    kind: Kind,
    statements: Vec<Statement>,
    /// Indexes into `statements`.
    weighted: Vec<usize>,
}

/// Makes log requests.
#[derive(Debug)]
pub(super) struct Logs {
    repertoires: Vec<Repertoire>,
    traces: Vec<u128>,
    made: u64,
}

impl Logs {
    pub(super) fn new(random: &mut StdRng) -> Logs {
        let kinds = [
            Kind::Web,
            Kind::Order,
            Kind::Pay,
            Kind::Data,
            Kind::Queue,
            Kind::Auth,
        ];
        Logs {
            repertoires: kinds.into_iter().map(Repertoire::new).collect(),
            traces: (0..OPEN_TRACES).map(|_| random.random()).collect(),
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
        let mut bytes = Vec::with_capacity(batch * 330 + 1024);
        let mut left = batch;
        while left > 0 {
            let count = left.min(RECORDS_PER_RESOURCE);
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

    /// Appends a `ResourceLogs`.
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
                wire::bytes(
                    scope,
                    1,
                    format!("shop.{}.log", resource.service).as_bytes(),
                );
                wire::bytes(scope, 2, b"1.4.0");
            });
            for _ in 0..count {
                let time = clock.tick(random);
                let facts = Facts::draw(random, self.made);
                self.made += 1;
                let trace = self.trace(random);
                let statement = self.statement(resource.kind, random);
                wire::message(out, 2, |out| {
                    statement.record(out, time, &facts);
                    if let Some((trace, span)) = trace {
                        wire::fixed32(out, 8, 1);
                        wire::bytes(out, 9, &trace.to_be_bytes());
                        wire::bytes(out, 10, &span.to_be_bytes());
                    }
                    wire::fixed64(out, 11, time + random.random_range(1_000..90_000));
                });
            }
        });
        wire::bytes(out, 3, b"https://opentelemetry.io/schemas/1.37.0");
    }

    /// The trace and the span of a record, where it has them.
    fn trace(&mut self, random: &mut StdRng) -> Option<(u128, u64)> {
        if random.random_range(0..100) >= TRACED_PERCENT {
            return None;
        }
        let open = random.random_range(0..OPEN_TRACES);
        if random.random_range(0..RECORDS_PER_TRACE) == 0 {
            self.traces[open] = random.random();
        }
        Some((self.traces[open], random.random()))
    }

    fn statement(&self, kind: Kind, random: &mut StdRng) -> &Statement {
        let repertoire = self.repertoires.iter().find(|of| of.kind == kind);
        let of = repertoire.expect("every kind has statements");
        &of.statements[of.weighted[random.random_range(0..of.weighted.len())]]
    }
}

impl Repertoire {
    fn new(kind: Kind) -> Repertoire {
        let mut repertoire = Repertoire {
            kind,
            statements: Vec::new(),
            weighted: Vec::new(),
        };
        let of_kind = STATEMENTS.into_iter().filter(|of| of.kinds.contains(&kind));
        for (index, statement) in of_kind.enumerate() {
            repertoire
                .weighted
                .extend(std::iter::repeat_n(index, statement.weight));
            repertoire.statements.push(Statement {
                severity: statement.severity,
                body: Text::parse(statement.body),
                attributes: statement
                    .attributes
                    .iter()
                    .map(|of| Attribute::parse(*of))
                    .collect(),
            });
        }
        repertoire
    }
}

impl Statement {
    /// Appends the fields of a `LogRecord` up to its attributes; `time` in ns.
    fn record(&self, out: &mut Vec<u8>, time: u64, facts: &Facts) {
        wire::fixed64(out, 1, time);
        wire::int(out, 2, self.severity);
        let severity: &[u8] = match self.severity {
            5 => b"DEBUG",
            9 => b"INFO",
            13 => b"WARN",
            _ => b"ERROR",
        };
        wire::bytes(out, 3, severity);
        wire::message(out, 5, |out| {
            wire::message(out, 1, |out| self.body.write(out, facts));
        });
        for attribute in &self.attributes {
            attribute.write(out, 6, facts);
        }
    }
}
