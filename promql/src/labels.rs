//! The labels of a series: names and values, sorted by name.

use std::{fmt, sync::Arc};

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// The labels of a series, sorted by name, each name once, no empty values (an empty value is an absent label).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Labels of pairs in any order; of a name that comes twice the last counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Labels {
        let mut labels: Vec<(Arc<str>, Arc<str>)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        // Stable, so that of equal names the last stays last.
        labels.sort_by(|one, other| one.0.cmp(&other.0));
        labels.reverse();
        labels.dedup_by(|later, kept| later.0 == kept.0);
        labels.reverse();
        labels.retain(|(_, value)| !value.is_empty());
        Labels(labels.into())
    }

    /// The value of `name`; "" where the label is absent.
    pub fn get(&self, name: &str) -> &str {
        match self
            .0
            .binary_search_by(|(label, _)| label.as_ref().cmp(name))
        {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }

    /// The metric's name; "" where it has none.
    pub fn metric(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// The labels whose names `keep` accepts.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Labels {
        Labels(
            self.0
                .iter()
                .filter(|(name, _)| keep(name))
                .cloned()
                .collect(),
        )
    }

    /// The labels without the metric's name.
    pub fn without_metric(&self) -> Labels {
        match self.metric() {
            "" => self.clone(),
            _ => self.filtered(|name| name != METRIC_NAME),
        }
    }

    /// The labels with another value of one of them; an empty value takes it away.
    pub fn with(&self, name: &str, value: &str) -> Labels {
        let mut labels: Vec<(Arc<str>, Arc<str>)> = self
            .0
            .iter()
            .filter(|(other, _)| other.as_ref() != name)
            .cloned()
            .collect();
        if !value.is_empty() {
            let at = labels.partition_point(|(other, _)| other.as_ref() < name);
            labels.insert(at, (name.into(), value.into()));
        }
        Labels(labels.into())
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As Prometheus writes a series: `name{label="value"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric())?;
        let others: Vec<_> = self
            .iter()
            .filter(|(name, _)| name.as_ref() != METRIC_NAME)
            .collect();
        if others.is_empty() && !self.metric().is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (at, (name, value)) in others.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}
