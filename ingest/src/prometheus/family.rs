//! What metadata says about metrics: type, unit and help.
//!
//! Remote write 1.0 sends it apart from samples, about once a minute. It is kept in memory, per tenant and with limits,
//! and describes series that come later; it is no part of any identity, and a series that is not described is `unknown`.

use cairn_storage::id::TenantId;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Metrics of a tenant that are kept: ten times what a large fleet has. Those beyond stay `unknown`.
const MAX_FAMILIES: usize = 50_000;

/// Bytes of a name that is kept.
const MAX_NAME_BYTES: usize = 1 << 10;

/// Bytes of a help text or unit that are kept.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// Tenants that are kept. Tenants are those of the server's keys.
const MAX_TENANTS: usize = 4_096;

/// The type of a metric; the numbers of both versions of remote write are these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricType {
    #[default]
    Unknown = 0,
    Counter = 1,
    Gauge = 2,
    Histogram = 3,
    GaugeHistogram = 4,
    Summary = 5,
    Info = 6,
    StateSet = 7,
}

impl MetricType {
    const ALL: [MetricType; 8] = [
        MetricType::Unknown,
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::GaugeHistogram,
        MetricType::Summary,
        MetricType::Info,
        MetricType::StateSet,
    ];

    /// The type with this number on the wire; one that is not known is `Unknown`.
    pub fn from_number(number: u64) -> MetricType {
        let of = usize::try_from(number)
            .ok()
            .and_then(|at| MetricType::ALL.get(at));
        of.copied().unwrap_or_default()
    }

    /// The type with this name in the text formats (`untyped` is the older name of `unknown`).
    pub fn from_name(name: &[u8]) -> Option<MetricType> {
        if name == b"untyped" {
            return Some(MetricType::Unknown);
        }
        MetricType::ALL
            .into_iter()
            .find(|of| of.as_str().as_bytes() == name)
    }

    /// The name, as OpenTelemetry writes it into `prometheus.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Unknown => "unknown",
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
        }
    }

    /// The column `metadata` of its series.
    pub(super) fn metadata(self) -> &'static [u8] {
        match self {
            MetricType::Unknown => br#"{"prometheus.type":"unknown"}"#,
            MetricType::Counter => br#"{"prometheus.type":"counter"}"#,
            MetricType::Gauge => br#"{"prometheus.type":"gauge"}"#,
            MetricType::Histogram => br#"{"prometheus.type":"histogram"}"#,
            MetricType::GaugeHistogram => br#"{"prometheus.type":"gaugehistogram"}"#,
            MetricType::Summary => br#"{"prometheus.type":"summary"}"#,
            MetricType::Info => br#"{"prometheus.type":"info"}"#,
            MetricType::StateSet => br#"{"prometheus.type":"stateset"}"#,
        }
    }

    /// Whether samples under `suffix` belong to a metric of this type.
    fn has_suffix(self, suffix: &str) -> bool {
        match suffix {
            "_bucket" => matches!(self, MetricType::Histogram | MetricType::GaugeHistogram),
            "_sum" | "_count" => matches!(self, MetricType::Histogram | MetricType::Summary),
            "_gsum" | "_gcount" => self == MetricType::GaugeHistogram,
            "_total" => self == MetricType::Counter,
            "_info" => self == MetricType::Info,
            _ => false,
        }
    }
}

/// The suffixes under which samples of a metric may stand.
const SUFFIXES: [&str; 7] = [
    "_bucket", "_sum", "_count", "_gsum", "_gcount", "_total", "_info",
];

/// What is known of one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) of: MetricType,
    pub(crate) unit: Box<[u8]>,
    pub(crate) help: Box<[u8]>,
}

/// What is known of metrics, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Families {
    by_name: HashMap<Box<[u8]>, Family>,
}

/// Type, unit and help of a metric.
type Said = (MetricType, Box<[u8]>, Box<[u8]>);

impl Families {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Learns what a metric is. Texts are cut and what is no text is left out, names beyond the limit are not kept.
    pub(crate) fn learn(&mut self, name: &[u8], of: MetricType, unit: &[u8], help: &[u8]) {
        let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
        let has_room = self.by_name.len() < MAX_FAMILIES || self.by_name.contains_key(name);
        if !fits || !has_room {
            return;
        }
        let family = Family {
            of,
            unit: kept(unit),
            help: kept(help),
        };
        self.by_name.insert(name.into(), family);
    }

    /// Type, unit and help of the metric of just this name.
    pub(crate) fn find_exact(&self, name: &[u8]) -> Option<Said> {
        let family = self.by_name.get(name)?;
        Some((family.of, family.unit.clone(), family.help.clone()))
    }

    /// Every metric with what is known of it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Family)> {
        self.by_name.iter().map(|(name, family)| (&**name, family))
    }

    /// What is known of the series `name`: of the metric of this name, or of one whose samples have a suffix.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Family> {
        if self.by_name.is_empty() {
            return None;
        }
        if let Some(family) = self.by_name.get(name) {
            return Some(family);
        }
        SUFFIXES.iter().find_map(|suffix| {
            let family = self.by_name.get(name.strip_suffix(suffix.as_bytes())?)?;
            family.of.has_suffix(suffix).then_some(family)
        })
    }
}

/// The start of a text, cut where a character ends; nothing of what is not UTF-8.
fn kept(text: &[u8]) -> Box<[u8]> {
    match simdutf8::basic::from_utf8(text) {
        Ok(text) => text.as_bytes()[..text.floor_char_boundary(MAX_TEXT_BYTES)].into(),
        Err(_) => Box::default(),
    }
}

/// What is known of the metrics of every tenant. Cheap to clone; all clones know the same.
#[derive(Debug, Clone, Default)]
pub struct KnownFamilies {
    tenants: Arc<Mutex<HashMap<TenantId, Arc<Families>>>>,
}

impl KnownFamilies {
    /// What is known of the metrics of `tenant`.
    pub fn of(&self, tenant: &TenantId) -> Arc<Families> {
        self.tenants.lock().get(tenant).cloned().unwrap_or_default()
    }

    /// Adds what a request of `tenant` said.
    pub fn learn(&self, tenant: &TenantId, said: Families) {
        if said.is_empty() {
            return;
        }
        let mut tenants = self.tenants.lock();
        if tenants.len() >= MAX_TENANTS && !tenants.contains_key(tenant) {
            return;
        }
        let known = Arc::make_mut(tenants.entry(tenant.clone()).or_default());
        for (name, family) in said.by_name {
            known.learn(&name, family.of, &family.unit, &family.help);
        }
    }
}
