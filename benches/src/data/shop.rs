//! The senders: 20 services of a shop with 4 pods each, 80 resources.

use super::wire;
use rand::{RngExt, rngs::StdRng};

/// What a service does, and so which statements it logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Web,
    Order,
    Pay,
    Data,
    Queue,
    Auth,
}

/// Name, kind and language. The first ones send the most (see [`Shop::pick`]).
const SERVICES: [(&str, Kind, &str); 20] = [
    ("api-gateway", Kind::Web, "go"),
    ("storefront", Kind::Web, "nodejs"),
    ("catalog", Kind::Data, "java"),
    ("cart", Kind::Order, "dotnet"),
    ("checkout", Kind::Order, "java"),
    ("session", Kind::Auth, "go"),
    ("search", Kind::Data, "java"),
    ("inventory", Kind::Data, "rust"),
    ("payment", Kind::Pay, "java"),
    ("recommendation", Kind::Data, "python"),
    ("shipping", Kind::Order, "go"),
    ("notification", Kind::Queue, "python"),
    ("identity", Kind::Auth, "java"),
    ("pricing", Kind::Data, "rust"),
    ("fraud-detection", Kind::Pay, "python"),
    ("event-relay", Kind::Queue, "go"),
    ("image-proxy", Kind::Web, "rust"),
    ("ledger", Kind::Pay, "java"),
    ("reporting", Kind::Queue, "java"),
    ("returns", Kind::Order, "nodejs"),
];

const PODS: usize = 4;

/// One sender.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) service: &'static str,
    pub(super) kind: Kind,
    /// A `Resource` message without its own key and length.
    pub(super) message: Vec<u8>,
}

/// All senders.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) resources: Vec<Resource>,
}

impl Shop {
    pub(super) fn new() -> Shop {
        let resources = (0..SERVICES.len() * PODS).map(resource).collect();
        Shop { resources }
    }

    /// A sender; the product of two draws makes the first ones frequent and none rare: the busiest service sends a
    /// fifth, the quietest about one in 800.
    pub(super) fn pick(&self, random: &mut StdRng) -> &Resource {
        let services = SERVICES.len() as f64;
        let service = random.random::<f64>() * random.random::<f64>() * services;
        let pod = random.random_range(0..PODS);
        &self.resources[service as usize * PODS + pod]
    }
}

fn resource(number: usize) -> Resource {
    let (service, kind, language) = SERVICES[number / PODS];
    // Any fixed mixing does: names only have to look like those of a cluster.
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let node = format!("node-{:02}.eu-central-1.internal", mixed % 12);
    let pod = format!(
        "{service}-{:010x}-{:05x}",
        mixed >> 24,
        mixed >> 3 & 0xf_ffff
    );
    let version = format!("{}.{}.{}", 1 + mixed % 4, mixed % 19, mixed % 7);
    let instance = format!(
        "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
        mixed as u32,
        mixed >> 40 & 0xffff,
        mixed >> 20 & 0xfff,
        mixed >> 8 & 0xfff,
        mixed >> 16
    );
    let attributes = [
        ("service.name", service),
        ("service.namespace", "shop"),
        ("service.version", &version),
        ("service.instance.id", &instance),
        ("deployment.environment.name", "production"),
        ("k8s.cluster.name", "shop-eu-1"),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", &pod),
        ("k8s.node.name", &node),
        ("telemetry.sdk.language", language),
        ("telemetry.sdk.name", "opentelemetry"),
    ];
    let mut message = Vec::new();
    for (name, value) in attributes {
        wire::text_attribute(&mut message, 1, name, value);
    }
    Resource {
        service,
        kind,
        message,
    }
}
