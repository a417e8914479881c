//! The labels of a stored series in Prometheus' terms.

use super::metric::Spelling;
use crate::translate;
use cairn_promql::labels::{Labels, METRIC_NAME};
use cairn_storage::attributes::{convert, decode};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The series that has the attributes of a resource as its labels.
pub(super) const TARGET: &str = "target_info";

/// Texts that series share, each kept once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashMap<Arc<str>, ()>,
    bytes: usize,
}

/// What a text takes beside its bytes.
const TEXT_BYTES: usize = 48;

/// What of a series its labels come from; maps are canonical JSON.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct Described<'a> {
    pub(super) attributes: &'a str,
    pub(super) resource: &'a str,
    pub(super) scope_name: &'a str,
    pub(super) scope_version: &'a str,
    pub(super) scope_schema_url: &'a str,
}

impl Texts {
    /// The text as it is known, or from now on.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.known.get_key_value(text) {
            return known.clone();
        }
        let shared: Arc<str> = text.into();
        self.known.insert(shared.clone(), ());
        self.bytes += TEXT_BYTES + text.len();
        shared
    }

    /// About the memory that they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of what no series has any more.
    pub(super) fn forget(&mut self) {
        self.known.retain(|text, ()| Arc::strong_count(text) > 1);
        self.bytes = self.known.keys().map(|text| TEXT_BYTES + text.len()).sum();
    }

    /// The labels of a series of the metric `name`, without those that its points give.
    ///
    /// Attributes of the point; `job` and `instance` of the resource; the scope as `otel_scope_…` (OpenTelemetry
    /// specification, "Prometheus and OpenMetrics Compatibility": resource attributes, instrumentation scope).
    pub(super) fn labels(
        &mut self,
        name: &str,
        described: Described<'_>,
        spelling: Spelling,
    ) -> Labels {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(8);
        for (key, value) in resource_identity(described.resource) {
            pairs.push((self.share(key), self.share(&value)));
        }
        let scope = [
            ("otel_scope_name", described.scope_name),
            ("otel_scope_version", described.scope_version),
            ("otel_scope_schema_url", described.scope_schema_url),
        ];
        for (key, value) in scope.into_iter().filter(|(_, value)| !value.is_empty()) {
            pairs.push((self.share(key), self.share(value)));
        }
        self.map(described.attributes, spelling, &mut pairs);
        pairs.push((self.share(METRIC_NAME), self.share(name)));
        Labels::new(pairs)
    }

    /// The labels of [`TARGET`]: all attributes of the resource, beside `job` and `instance`.
    pub(super) fn target(&mut self, resource: &str, spelling: Spelling) -> Labels {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(8);
        self.map(resource, spelling, &mut pairs);
        let identifying = |name: &str| {
            IDENTIFYING.iter().any(|key| match spelling {
                Spelling::AsSent => *key == name,
                Spelling::Translated => translate::label(key) == name,
            })
        };
        pairs.retain(|(name, _)| !identifying(name));
        for (key, value) in resource_identity(resource) {
            pairs.push((self.share(key), self.share(&value)));
        }
        pairs.push((self.share(METRIC_NAME), self.share(TARGET)));
        Labels::new(pairs)
    }

    /// The entries of a map as labels. Keys that become one name have their values joined, in the order of the keys.
    fn map(&mut self, json: &str, spelling: Spelling, pairs: &mut Vec<(Arc<str>, Arc<str>)>) {
        let first = pairs.len();
        let mut collided: BTreeMap<Arc<str>, String> = BTreeMap::new();
        for entry in decode::entries(json) {
            let Some(value) = convert::json_text(entry.value) else {
                continue;
            };
            let key = entry.key();
            let name = match spelling {
                Spelling::Translated => self.share(&translate::label(&key)),
                Spelling::AsSent => self.share(&key),
            };
            match pairs[first..].iter().find(|(known, _)| *known == name) {
                Some((_, before)) => {
                    let joined = collided.entry(name).or_insert_with(|| before.to_string());
                    joined.push(';');
                    joined.push_str(&value);
                }
                None => {
                    let value = self.share(&value);
                    pairs.push((name, value));
                }
            }
        }
        // Of equal names the last counts.
        pairs.extend(
            collided
                .into_iter()
                .map(|(name, value)| (name, value.into())),
        );
    }
}

/// Attributes of a resource that `job` and `instance` are made of.
const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// `job` and `instance`, as far as the resource names them.
pub(super) fn resource_identity(resource: &str) -> Vec<(&'static str, String)> {
    let text = |key: &str| -> Option<Cow<'_, str>> {
        let text = convert::json_text(decode::find(resource, key)?)?;
        (!text.is_empty()).then_some(text)
    };
    let mut identity = Vec::with_capacity(2);
    if let Some(name) = text("service.name") {
        identity.push(match text("service.namespace") {
            Some(namespace) => ("job", format!("{namespace}/{name}")),
            None => ("job", name.into_owned()),
        });
    }
    if let Some(instance) = text("service.instance.id") {
        identity.push(("instance", instance.into_owned()));
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::{Described, Texts};
    use crate::promql::metric::Spelling;

    const DESCRIBED: Described<'_> = Described {
        attributes: r#"{"http.method":"GET","http_method":"get","n":3}"#,
        resource: r#"{"host.name":"h","service.instance.id":"i-1","service.name":"shop","service.namespace":"eu"}"#,
        scope_name: "lib",
        scope_version: "",
        scope_schema_url: "",
    };

    #[test]
    fn attributes_identity_and_scope_become_labels() {
        let labels = Texts::default().labels("m", DESCRIBED, Spelling::Translated);
        let expected = r#"m{http_method="GET;get", instance="i-1", job="eu/shop", n="3", otel_scope_name="lib"}"#;
        assert_eq!(labels.to_string(), expected);
        let sent = Texts::default().labels("m", DESCRIBED, Spelling::AsSent);
        assert_eq!(
            (sent.get("http.method"), sent.get("http_method")),
            ("GET", "get")
        );
    }

    #[test]
    fn a_target_has_what_does_not_identify_it() {
        let target = Texts::default().target(DESCRIBED.resource, Spelling::Translated);
        assert_eq!(
            target.to_string(),
            r#"target_info{host_name="h", instance="i-1", job="eu/shop"}"#
        );
    }
}
