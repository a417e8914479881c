//! A set of labels: sorted by name, each name once.

use crate::units;
use std::fmt;

/// The label that names what went wrong with a line.
pub const ERROR: &str = "__error__";

/// The label that tells how it went wrong.
pub const ERROR_DETAILS: &str = "__error_details__";

/// The labels of a stream or a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .binary_search_by(|(label, _)| label.as_str().cmp(name));
        found.ok().map(|at| self.0[at].1.as_str())
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The same labels with one set; the value "" removes it.
    pub fn with(mut self, name: &str, value: &str) -> Labels {
        let found = self
            .0
            .binary_search_by(|(label, _)| label.as_str().cmp(name));
        match (found, value.is_empty()) {
            (Ok(at), true) => drop(self.0.remove(at)),
            (Ok(at), false) => self.0[at].1 = value.to_string(),
            (Err(_), true) => {}
            (Err(at), false) => self.0.insert(at, (name.to_string(), value.to_string())),
        }
        self
    }

    /// The labels whose name is wanted.
    pub fn filtered(&self, mut wanted: impl FnMut(&str) -> bool) -> Labels {
        Labels(
            self.0
                .iter()
                .filter(|(name, _)| wanted(name))
                .cloned()
                .collect(),
        )
    }
}

/// Of several labels of one name the last is kept.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Labels {
        let mut labels: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        labels.sort_by(|left, right| left.0.cmp(&right.0));
        labels.reverse();
        labels.dedup_by(|left, right| left.0 == right.0);
        labels.reverse();
        Labels(labels)
    }
}

/// As LogQL writes a selector: `{a="b", c="d"}`.
impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(formatter, "{comma}{name}={}", units::quote(value))?;
        }
        formatter.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_is_kept_and_all_are_sorted() {
        let labels: Labels = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"{a="2", b="3"}"#);
        assert_eq!(labels.get("b"), Some("3"));
        let labels = labels.with("c", "4").with("a", "");
        assert_eq!(labels.to_string(), r#"{b="3", c="4"}"#);
    }
}
