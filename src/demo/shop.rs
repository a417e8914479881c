//! The shop: its services, what a customer can ask of it, and when it is broken.

use super::attributes::attribute;
use opentelemetry_proto::tonic::resource::v1::Resource;

/// A service of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Storefront,
    Catalog,
    Inventory,
    Checkout,
    Payments,
    Mailer,
}

/// One of the two pods of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pod {
    pub(super) service: Service,
    pub(super) number: u8,
}

/// How one operation is called by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Method and route; server and client.
    Http(&'static str, &'static str),
    /// Service and method; server and client.
    Rpc(&'static str, &'static str),
    /// System and statement; a client only.
    Database(&'static str, &'static str),
    /// Destination; the consumer works later in a trace of its own, linked to the message.
    Queue(&'static str),
}

/// Something that the shop does, and what it calls for it, in order.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) service: Service,
    pub(super) protocol: Protocol,
    /// Its own work, at the median.
    pub(super) work_ms: f64,
    /// What it says when it worked; with one `{}`, the number of the order or product goes there.
    pub(super) says: Option<&'static str>,
    pub(super) calls: &'static [Operation],
}

const fn operation(
    service: Service,
    protocol: Protocol,
    work_ms: f64,
    says: Option<&'static str>,
    calls: &'static [Operation],
) -> Operation {
    Operation {
        service,
        protocol,
        work_ms,
        says,
        calls,
    }
}

const BROWSE: Operation = operation(
    Service::Storefront,
    Protocol::Http("GET", "/products/{id}"),
    4.0,
    Some("showed product {}"),
    &[
        operation(
            Service::Catalog,
            Protocol::Rpc("shop.Catalog", "GetProduct"),
            1.5,
            None,
            &[operation(
                Service::Catalog,
                Protocol::Database("postgresql", "SELECT * FROM products WHERE id = $1"),
                2.5,
                None,
                &[],
            )],
        ),
        operation(
            Service::Inventory,
            Protocol::Rpc("shop.Inventory", "GetStock"),
            1.0,
            None,
            &[operation(
                Service::Inventory,
                Protocol::Database("redis", "GET stock:?"),
                0.4,
                None,
                &[],
            )],
        ),
    ],
);

const SEARCH: Operation = operation(
    Service::Storefront,
    Protocol::Http("GET", "/search"),
    6.0,
    Some("search gave {} products"),
    &[operation(
        Service::Catalog,
        Protocol::Rpc("shop.Catalog", "Search"),
        8.0,
        None,
        &[operation(
            Service::Catalog,
            Protocol::Database(
                "postgresql",
                "SELECT id FROM products WHERE words @@ $1 LIMIT 20",
            ),
            14.0,
            None,
            &[],
        )],
    )],
);

const ADD_TO_CART: Operation = operation(
    Service::Storefront,
    Protocol::Http("POST", "/cart"),
    3.0,
    Some("put product {} into the cart"),
    &[operation(
        Service::Storefront,
        Protocol::Database("redis", "HSET cart:? ? ?"),
        0.5,
        None,
        &[],
    )],
);

const PLACE_ORDER: Operation = operation(
    Service::Storefront,
    Protocol::Http("POST", "/checkout"),
    5.0,
    Some("checkout of order {} done"),
    &[operation(
        Service::Checkout,
        Protocol::Rpc("shop.Checkout", "PlaceOrder"),
        6.0,
        Some("order {} placed"),
        &[
            operation(
                Service::Inventory,
                Protocol::Rpc("shop.Inventory", "Reserve"),
                2.0,
                Some("reserved stock for order {}"),
                &[operation(
                    Service::Inventory,
                    Protocol::Database(
                        "postgresql",
                        "UPDATE stock SET reserved = reserved + $1 WHERE product = $2",
                    ),
                    4.0,
                    None,
                    &[],
                )],
            ),
            operation(
                Service::Payments,
                Protocol::Rpc("shop.Payments", "Charge"),
                35.0,
                Some("charged order {}"),
                &[operation(
                    Service::Payments,
                    Protocol::Database(
                        "postgresql",
                        "INSERT INTO charges (order_id, cents) VALUES ($1, $2)",
                    ),
                    3.0,
                    None,
                    &[],
                )],
            ),
            operation(
                Service::Mailer,
                Protocol::Queue("orders"),
                25.0,
                Some("sent the confirmation of order {}"),
                &[],
            ),
        ],
    )],
);

/// What customers do and how often, in parts of 100.
pub(super) const JOURNEYS: [(u32, &Operation); 4] = [
    (50, &BROWSE),
    (22, &SEARCH),
    (16, &ADD_TO_CART),
    (12, &PLACE_ORDER),
];

/// Whether the card processor behind `Payments` is down at `second`: minutes 8 to 12 of every 20.
pub(super) fn is_broken(second: u64) -> bool {
    (480..720).contains(&(second % 1_200))
}

impl Service {
    /// Every service.
    pub(super) const ALL: [Service; 6] = [
        Service::Storefront,
        Service::Catalog,
        Service::Inventory,
        Service::Checkout,
        Service::Payments,
        Service::Mailer,
    ];

    /// The value of `service.name`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Service::Storefront => "storefront",
            Service::Catalog => "catalog",
            Service::Inventory => "inventory",
            Service::Checkout => "checkout",
            Service::Payments => "payments",
            Service::Mailer => "mailer",
        }
    }

    fn language(self) -> &'static str {
        match self {
            Service::Storefront => "nodejs",
            Service::Catalog | Service::Inventory => "java",
            Service::Checkout => "go",
            Service::Payments => "rust",
            Service::Mailer => "python",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Service::Storefront => "3.14.2",
            Service::Catalog => "1.9.0",
            Service::Inventory => "1.4.7",
            Service::Checkout => "2.7.1",
            Service::Payments => "5.0.3",
            Service::Mailer => "0.8.12",
        }
    }
}

impl Pod {
    /// Every pod.
    pub(super) fn all() -> impl Iterator<Item = Pod> {
        Service::ALL
            .into_iter()
            .flat_map(|service| [0, 1].map(|number| Pod { service, number }))
    }

    /// The pod's name, also its instance id.
    pub(super) fn name(self) -> String {
        format!(
            "{}-{}",
            self.service.name(),
            ["7f9c4", "x2k8d"][usize::from(self.number % 2)]
        )
    }

    /// What all telemetry of the pod carries.
    pub(super) fn resource(self) -> Resource {
        let service = self.service;
        Resource {
            attributes: vec![
                attribute("service.name", service.name()),
                attribute("service.namespace", "shop"),
                attribute("service.version", service.version()),
                attribute("service.instance.id", self.name()),
                attribute("deployment.environment.name", "demo"),
                attribute("k8s.namespace.name", "shop"),
                attribute("k8s.pod.name", self.name()),
                attribute("host.name", format!("node-{}", self.number + 1)),
                attribute("telemetry.sdk.name", "opentelemetry"),
                attribute("telemetry.sdk.language", service.language()),
                attribute("process.pid", 1_000 + i64::from(self.number) * 17),
            ],
            ..Resource::default()
        }
    }
}
