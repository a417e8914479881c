//! One customer's request through the shop: a tree of spans over several services, the log records that the services
//! write on the way, and what they measure.

use super::{
    NANOS,
    attributes::{any, attribute},
    shop::{JOURNEYS, Operation, Pod, Protocol, Service, is_broken},
};
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    logs::v1::{LogRecord, SeverityNumber},
    trace::v1::{
        Span, Status,
        span::{Event, Link, SpanKind},
        status::StatusCode,
    },
};
use rand::{RngExt, rngs::StdRng};

/// What happened in a stretch of time, by the pod that tells it.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) spans: Vec<(Pod, Span)>,
    pub(super) logs: Vec<(Pod, LogRecord)>,
    pub(super) measurements: Vec<Measurement>,
}

/// Something that a pod measured.
pub(super) struct Measurement {
    pub(super) pod: Pod,
    pub(super) time: u64,
    pub(super) what: Measured,
    pub(super) trace_id: Vec<u8>,
    pub(super) span_id: Vec<u8>,
}

/// The measured values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Measured {
    /// Route, status, seconds.
    Http(&'static str, i64, f64),
    /// Method, whether it worked, seconds.
    Rpc(&'static str, bool, f64),
    /// System, seconds.
    Database(&'static str, f64),
    /// Payment method, whether it was placed, value in euros.
    Order(&'static str, bool, f64),
    /// Bytes of a message's body.
    Message(f64),
}

/// One request of a customer that begins at `start` (nanoseconds since the Unix epoch).
pub(super) fn tell(mut random: StdRng, start: u64, batch: &mut Batch) {
    let mut choice = random.random_range(0..100);
    let chosen = JOURNEYS.iter().find(|(share, _)| {
        let is_it = choice < *share;
        choice = choice.saturating_sub(*share);
        is_it
    });
    let operation = chosen.map_or(JOURNEYS[0].1, |(_, operation)| operation);
    let order = Order {
        number: random.random_range(100_000..1_000_000),
        customer: random.random_range(1..5_000),
        euros: (random.random_range(500..20_000) as f64) / 100.0,
        method: ["card", "card", "card", "invoice", "voucher"][random.random_range(0..5)],
    };
    let trace_id = bytes(&mut random, 16);
    Trace {
        random,
        trace_id,
        order,
        batch,
    }
    .serve(operation, start, None);
}

/// What the request is about.
#[derive(Clone)]
struct Order {
    number: i64,
    customer: i64,
    euros: f64,
    method: &'static str,
}

/// A trace while it is told.
struct Trace<'a> {
    random: StdRng,
    trace_id: Vec<u8>,
    order: Order,
    batch: &'a mut Batch,
}

/// How a call ended.
#[derive(Clone, Copy)]
struct Outcome {
    end: u64,
    worked: bool,
}

fn bytes(random: &mut StdRng, count: usize) -> Vec<u8> {
    // Never all zero, which stands for no id: the last byte is not.
    (1..=count)
        .map(|at| random.random_range(u8::from(at == count)..=255))
        .collect()
}

impl Trace<'_> {
    /// A duration around `median_ms`, mostly within a third of it and now and then far above, in nanoseconds.
    fn around(&mut self, median_ms: f64) -> u64 {
        let spread: f64 = (0..4).map(|_| self.random.random::<f64>() - 0.5).sum();
        let tail = if self.random.random_bool(0.02) {
            6.0
        } else {
            1.0
        };
        (median_ms * (spread * 0.8).exp() * tail * 1e6) as u64
    }

    fn pod(&mut self, service: Service) -> Pod {
        Pod {
            service,
            number: self.random.random_range(0..2),
        }
    }

    /// The serving side of `operation`, with everything it calls.
    fn serve(
        &mut self,
        operation: &'static Operation,
        start: u64,
        parent: Option<&[u8]>,
    ) -> Outcome {
        let pod = self.pod(operation.service);
        let span_id = bytes(&mut self.random, 8);
        let work = self.around(operation.work_ms);
        let mut now = start + work * 3 / 10;
        let mut worked = true;
        for called in operation.calls {
            let outcome = self.call(called, now, (pod, &span_id));
            now = outcome.end + self.around(0.05);
            worked = outcome.worked;
            if !worked {
                break;
            }
        }
        let is_down = operation.service == Service::Payments
            && is_broken(start / NANOS)
            && self.random.random_bool(0.7);
        if is_down {
            now += self.around(1_500.0).min(3_000_000_000);
            worked = false;
        }
        let end = now + work * 7 / 10;
        let mut span = self.span(operation, SpanKind::Server, (start, end), &span_id);
        span.parent_span_id = parent.unwrap_or_default().to_vec();
        self.conclude(&mut span, operation, worked, is_down);
        self.say(operation, pod, &span, worked, is_down);
        self.measure(operation, pod, &span, worked);
        self.batch.spans.push((pod, span));
        Outcome { end, worked }
    }

    /// The calling side; a failed call to `Payments` is tried once more.
    fn call(&mut self, operation: &'static Operation, start: u64, caller: (Pod, &[u8])) -> Outcome {
        let outcome = self.call_once(operation, start, caller);
        if outcome.worked || operation.service != Service::Payments {
            return outcome;
        }
        let pause = self.around(100.0);
        self.call_once(operation, outcome.end + pause, caller)
    }

    fn call_once(
        &mut self,
        operation: &'static Operation,
        start: u64,
        (pod, parent): (Pod, &[u8]),
    ) -> Outcome {
        let span_id = bytes(&mut self.random, 8);
        let (kind, outcome) = match operation.protocol {
            Protocol::Http(..) | Protocol::Rpc(..) => {
                let network = self.around(0.3);
                let served = self.serve(operation, start + network, Some(&span_id));
                (
                    SpanKind::Client,
                    Outcome {
                        end: served.end + network,
                        ..served
                    },
                )
            }
            Protocol::Database(..) => {
                let end = start + self.around(operation.work_ms);
                (SpanKind::Client, Outcome { end, worked: true })
            }
            Protocol::Queue(_) => {
                let end = start + self.around(0.8);
                self.consume(operation, end, &span_id);
                (SpanKind::Producer, Outcome { end, worked: true })
            }
        };
        let mut span = self.span(operation, kind, (start, outcome.end), &span_id);
        span.parent_span_id = parent.to_vec();
        self.conclude(&mut span, operation, outcome.worked, false);
        if kind == SpanKind::Client && matches!(operation.protocol, Protocol::Database(..)) {
            self.measure(operation, pod, &span, true);
        }
        self.batch.spans.push((pod, span));
        outcome
    }

    /// What becomes of a message: a trace of its own, linked to the span that sent it.
    fn consume(&mut self, operation: &'static Operation, sent: u64, producer: &[u8]) {
        let pod = self.pod(operation.service);
        let producer_trace = std::mem::replace(&mut self.trace_id, bytes(&mut self.random, 16));
        let start = sent + self.around(40.0);
        let end = start + self.around(operation.work_ms);
        let span_id = bytes(&mut self.random, 8);
        let mut span = self.span(operation, SpanKind::Consumer, (start, end), &span_id);
        span.links.push(Link {
            trace_id: producer_trace.clone(),
            span_id: producer.to_vec(),
            attributes: vec![attribute(
                "messaging.message.id",
                format!("m-{}", self.order.number),
            )],
            ..Link::default()
        });
        self.say(operation, pod, &span, true, false);
        self.measure(operation, pod, &span, true);
        self.batch.spans.push((pod, span));
        self.trace_id = producer_trace;
    }

    fn span(
        &self,
        operation: &Operation,
        kind: SpanKind,
        (start, end): (u64, u64),
        span_id: &[u8],
    ) -> Span {
        Span {
            trace_id: self.trace_id.clone(),
            span_id: span_id.to_vec(),
            flags: 1,
            name: span_name(operation, kind),
            kind: kind.into(),
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes: self.span_attributes(operation, kind),
            ..Span::default()
        }
    }

    fn span_attributes(&self, operation: &Operation, kind: SpanKind) -> Vec<KeyValue> {
        let mut attributes = match operation.protocol {
            Protocol::Http(method, route) => vec![
                attribute("http.request.method", method),
                attribute("http.route", route),
                attribute(
                    "url.path",
                    route.replace("{id}", &(self.order.number % 500).to_string()),
                ),
                attribute("user_agent.original", "Mozilla/5.0 (demo)"),
            ],
            Protocol::Rpc(service, method) => vec![
                attribute("rpc.system", "grpc"),
                attribute("rpc.service", service),
                attribute("rpc.method", method),
            ],
            Protocol::Database(system, statement) => vec![
                attribute("db.system.name", system),
                attribute("db.query.text", statement),
                attribute("server.address", format!("{system}.shop.svc")),
            ],
            Protocol::Queue(destination) => vec![
                attribute("messaging.system", "kafka"),
                attribute("messaging.destination.name", destination),
                attribute("messaging.message.id", format!("m-{}", self.order.number)),
            ],
        };
        if kind == SpanKind::Server {
            attributes.push(attribute("enduser.id", self.order.customer));
        }
        if matches!(operation.service, Service::Checkout | Service::Payments) {
            attributes.push(attribute("order.id", self.order.number));
            attributes.push(attribute("order.value", self.order.euros));
            attributes.push(attribute("payment.method", self.order.method));
        }
        attributes
    }

    /// Status, status code attributes, and the exception where it arose.
    fn conclude(&self, span: &mut Span, operation: &Operation, worked: bool, is_origin: bool) {
        if let Protocol::Http(..) = operation.protocol {
            span.attributes
                .push(attribute("http.response.status_code", http_status(worked)));
        }
        if let Protocol::Rpc(..) = operation.protocol {
            let code = if worked { 0_i64 } else { 14 };
            span.attributes
                .push(attribute("rpc.grpc.status_code", code));
        }
        if worked {
            return;
        }
        let message = if is_origin {
            "card processor timed out"
        } else {
            ""
        };
        span.status = Some(Status {
            message: message.to_string(),
            code: StatusCode::Error.into(),
        });
        if is_origin {
            span.events.push(Event {
                time_unix_nano: span.end_time_unix_nano - 200_000,
                name: "exception".to_string(),
                attributes: exception(),
                ..Event::default()
            });
        }
    }

    /// The log record of the serving side.
    fn say(&mut self, operation: &Operation, pod: Pod, span: &Span, worked: bool, is_origin: bool) {
        let number = self.order.number.to_string();
        let (severity, body) = match (worked, is_origin) {
            (true, _) => match operation.says {
                Some(text) => (SeverityNumber::Info, text.replace("{}", &number)),
                None => return,
            },
            (false, true) => (
                SeverityNumber::Error,
                format!("charge of order {number} failed: card processor timed out"),
            ),
            (false, false) => (
                SeverityNumber::Warn,
                format!("order {number} was not placed: payments unavailable"),
            ),
        };
        let millis = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e6;
        let mut attributes = vec![
            attribute("duration_ms", (millis * 100.0).round() / 100.0),
            attribute("customer.id", self.order.customer),
            attribute("retryable", !worked),
        ];
        if matches!(
            operation.service,
            Service::Checkout | Service::Payments | Service::Mailer
        ) {
            attributes.push(attribute("order.id", self.order.number));
            attributes.push(attribute("order.value", self.order.euros));
        }
        if is_origin {
            attributes.extend(exception());
        }
        let time = span.end_time_unix_nano - 50_000;
        self.batch.logs.push((
            pod,
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: time + 30_000,
                severity_number: severity.into(),
                severity_text: severity_text(severity).to_string(),
                body: Some(any(body)),
                attributes,
                flags: 1,
                trace_id: span.trace_id.clone(),
                span_id: span.span_id.clone(),
                ..LogRecord::default()
            },
        ));
    }

    fn measure(&mut self, operation: &Operation, pod: Pod, span: &Span, worked: bool) {
        let seconds = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e9;
        let what = match operation.protocol {
            Protocol::Http(_, route) => Measured::Http(route, http_status(worked), seconds),
            Protocol::Rpc(_, method) => Measured::Rpc(method, worked, seconds),
            Protocol::Database(system, _) => Measured::Database(system, seconds),
            Protocol::Queue(_) => {
                Measured::Message(f64::from(self.random.random_range(400_u32..4_000)))
            }
        };
        let mut measured = vec![what];
        if operation.protocol == Protocol::Rpc("shop.Checkout", "PlaceOrder") {
            measured.push(Measured::Order(self.order.method, worked, self.order.euros));
        }
        for what in measured {
            self.batch.measurements.push(Measurement {
                pod,
                time: span.end_time_unix_nano,
                what,
                trace_id: span.trace_id.clone(),
                span_id: span.span_id.clone(),
            });
        }
    }
}

fn span_name(operation: &Operation, kind: SpanKind) -> String {
    match operation.protocol {
        Protocol::Http(method, route) => format!("{method} {route}"),
        Protocol::Rpc(service, method) => format!("{service}/{method}"),
        Protocol::Database(system, statement) => {
            format!(
                "{} {system}",
                statement.split(' ').next().unwrap_or(statement)
            )
        }
        Protocol::Queue(destination) if kind == SpanKind::Producer => format!("send {destination}"),
        Protocol::Queue(destination) => format!("process {destination}"),
    }
}

fn http_status(worked: bool) -> i64 {
    if worked { 200 } else { 503 }
}

fn severity_text(severity: SeverityNumber) -> &'static str {
    match severity {
        SeverityNumber::Error => "ERROR",
        SeverityNumber::Warn => "WARN",
        _ => "INFO",
    }
}

fn exception() -> Vec<KeyValue> {
    vec![
        attribute("exception.type", "ProcessorTimeout"),
        attribute("exception.message", "card processor timed out"),
        attribute(
            "exception.stacktrace",
            "at payments::charge (charge.rs:88)\nat payments::serve (main.rs:41)",
        ),
    ]
}
