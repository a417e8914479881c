//! The values of one event. They are drawn once, so that a body and the attributes beside it tell the same story.

use rand::{RngExt, rngs::StdRng};
use std::io::Write;

const ROUTES: [(&str, &str); 12] = [
    ("/api/v1/cart/{id}", "/api/v1/cart/"),
    ("/api/v1/cart/{id}/items", "/api/v1/cart/items/"),
    ("/api/v1/products/{sku}", "/api/v1/products/"),
    ("/api/v1/search", "/api/v1/search?q=term"),
    ("/api/v1/orders/{id}", "/api/v1/orders/"),
    ("/api/v1/orders/{id}/status", "/api/v1/orders/status/"),
    ("/api/v1/checkout", "/api/v1/checkout?step="),
    ("/api/v1/users/{id}", "/api/v1/users/"),
    ("/api/v1/recommendations", "/api/v1/recommendations?for="),
    ("/assets/{file}", "/assets/app.4f2a."),
    ("/login", "/login?next=/account/"),
    ("/healthz", "/healthz?probe="),
];
const METHODS: [&str; 10] = [
    "GET", "GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE",
];
const TABLES: [&str; 9] = [
    "orders",
    "order_items",
    "products",
    "prices",
    "stock_levels",
    "customers",
    "sessions",
    "payments",
    "shipments",
];
const TOPICS: [&str; 6] = [
    "orders.created",
    "orders.paid",
    "stock.changed",
    "mail.outbound",
    "clickstream",
    "payments.settled",
];

/// A value that a text or an attribute asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    User,
    Order,
    Uuid,
    Ip,
    Milliseconds,
    Route,
    Path,
    Method,
    Status,
    Bytes,
    Sku,
    Hex,
    Small,
    Thread,
    Partition,
    Offset,
    Table,
    Topic,
    Amount,
    Attempt,
}

impl Fill {
    /// The fill that stands in braces in a text.
    pub(super) fn named(name: &str) -> Option<Fill> {
        Some(match name {
            "user" => Fill::User,
            "order" => Fill::Order,
            "uuid" => Fill::Uuid,
            "ip" => Fill::Ip,
            "ms" => Fill::Milliseconds,
            "route" => Fill::Route,
            "path" => Fill::Path,
            "method" => Fill::Method,
            "status" => Fill::Status,
            "bytes" => Fill::Bytes,
            "sku" => Fill::Sku,
            "hex" => Fill::Hex,
            "small" => Fill::Small,
            "thread" => Fill::Thread,
            "partition" => Fill::Partition,
            "offset" => Fill::Offset,
            "table" => Fill::Table,
            "topic" => Fill::Topic,
            "amount" => Fill::Amount,
            "attempt" => Fill::Attempt,
            _ => return None,
        })
    }
}

/// What is drawn for one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    bits: u64,
    uuid: u128,
    user: u64,
    order: u64,
    milliseconds: f64,
    offset: u64,
}

impl Facts {
    /// The facts of the event `number` (counted over the run).
    pub(super) fn draw(random: &mut StdRng, number: u64) -> Facts {
        let skewed = random.random::<f64>();
        let slow = random.random::<f64>();
        Facts {
            bits: random.random(),
            uuid: random.random(),
            // A few customers do most: the square of a uniform draw over 100,000.
            user: (skewed * skewed * 100_000.0) as u64,
            order: 48_000_000 + number / 40 + random.random_range(0..200),
            // Half below 18 ms, a hundredth above 550 ms, 2 s at most.
            milliseconds: 2.0 + 8.0 / (slow + 0.004),
            offset: 910_000_000 + number / 6,
        }
    }

    /// A number below `below` out of the bits from `shift` on.
    fn below(&self, shift: u32, below: usize) -> usize {
        (self.bits.rotate_right(shift) & 0xffff) as usize % below
    }

    fn status(&self) -> u64 {
        match self.below(4, 100) {
            0..=87 => 200,
            88..=90 => 201,
            91..=93 => 304,
            94..=97 => 404,
            98 => 429,
            _ => 503,
        }
    }

    fn bytes(&self) -> u64 {
        300 + self.below(9, 65_536) as u64 * (1 + self.below(50, 6) as u64)
    }

    /// In cents.
    fn amount(&self) -> u64 {
        499 + self.below(13, 25_000) as u64
    }

    /// Appends a value as text.
    pub(super) fn write(&self, out: &mut Vec<u8>, fill: Fill) {
        let written = match fill {
            Fill::User => write!(out, "u{:06}", self.user),
            Fill::Uuid => {
                let (high, low) = ((self.uuid >> 64) as u64, self.uuid as u64);
                write!(
                    out,
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xfff,
                    low >> 52,
                    low & 0xffff_ffff_ffff
                )
            }
            Fill::Ip => {
                let [a, b, c, ..] = self.bits.to_le_bytes();
                write!(out, "10.{}.{a}.{}", b & 15, c | 1)
            }
            Fill::Route => write!(out, "{}", self.route().0),
            Fill::Path => write!(out, "{}{}", self.route().1, self.user % 10_000),
            Fill::Method => write!(out, "{}", METHODS[self.below(17, METHODS.len())]),
            Fill::Sku => write!(out, "SKU-{:05}", self.below(23, 4_000)),
            Fill::Hex => write!(out, "{:016x}", self.uuid as u64),
            Fill::Thread => write!(out, "exec-{}", self.below(29, 24)),
            Fill::Table => write!(out, "{}", TABLES[self.below(33, TABLES.len())]),
            Fill::Topic => write!(out, "{}", TOPICS[self.below(37, TOPICS.len())]),
            Fill::Amount => write!(out, "{}.{:02}", self.amount() / 100, self.amount() % 100),
            Fill::Milliseconds => write!(out, "{:.1}", self.milliseconds),
            number => write!(out, "{}", self.int(number)),
        };
        written.expect("memory takes what is written to it");
    }

    /// A value as an integer; 0 for what is none.
    pub(super) fn int(&self, fill: Fill) -> u64 {
        match fill {
            Fill::User => self.user,
            Fill::Order => self.order,
            Fill::Status => self.status(),
            Fill::Bytes => self.bytes(),
            Fill::Small => self.below(41, 20) as u64,
            Fill::Partition => self.below(44, 24) as u64,
            Fill::Offset => self.offset,
            Fill::Attempt => 1 + self.below(47, 4) as u64,
            Fill::Milliseconds => self.milliseconds as u64,
            _ => 0,
        }
    }

    /// A value as a double.
    pub(super) fn double(&self, fill: Fill) -> f64 {
        match fill {
            Fill::Milliseconds => (self.milliseconds * 1000.0).round() / 1000.0,
            Fill::Amount => self.amount() as f64 / 100.0,
            other => self.int(other) as f64,
        }
    }

    /// How long the event took, ns.
    pub(super) fn nanoseconds(&self) -> u64 {
        (self.milliseconds * 1e6) as u64
    }

    /// A coin that lands on heads once in `of`.
    pub(super) fn once_in(&self, of: usize) -> bool {
        self.below(53, of) == 0
    }

    fn route(&self) -> (&'static str, &'static str) {
        ROUTES[self.below(57, ROUTES.len())]
    }
}
