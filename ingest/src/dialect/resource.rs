//! The names that say who sent a record, and belong to its resource.
//!
//! Source: OpenTelemetry semantic conventions, resources; the names after the first six are those that Loki makes
//! index labels of (`distributor.otlp_config.default_resource_attributes_as_index_labels`).

const NAMES: [&str; 23] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "service.version",
    "host.name",
    "host.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "container.name",
    "container.id",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// The attribute of a resource that `name` is.
pub(super) fn named(name: &[u8]) -> Option<&'static str> {
    NAMES.into_iter().find(|known| known.as_bytes() == name)
}

/// The same for a name in which dots are underscores, as labels have it.
pub(super) fn labelled(label: &[u8]) -> Option<&'static str> {
    let same = |(known, found): (&u8, &u8)| known == found || (*known == b'.' && *found == b'_');
    NAMES
        .into_iter()
        .find(|known| known.len() == label.len() && known.as_bytes().iter().zip(label).all(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_underscores() {
        assert_eq!(named(b"service.name"), Some("service.name"));
        assert_eq!(named(b"service_name"), None);
        assert_eq!(labelled(b"service_name"), Some("service.name"));
        assert_eq!(labelled(b"service.name"), Some("service.name"));
        let zone = "cloud.availability_zone";
        assert_eq!(labelled(b"cloud_availability_zone"), Some(zone));
        assert_eq!(labelled(b"cloud_availability.zone"), None);
        assert_eq!(labelled(b"job"), None);
    }
}
