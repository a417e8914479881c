//! Labels of a target or a series: names and values, sorted by name.

use xxhash_rust::xxh3::xxh3_128;

/// The label of a metric's name.
pub(super) const NAME: &str = "__name__";

/// Names that mean something to the scraper.
pub(super) const ADDRESS: &str = "__address__";
pub(super) const SCHEME: &str = "__scheme__";
pub(super) const METRICS_PATH: &str = "__metrics_path__";
pub(super) const INTERVAL: &str = "__scrape_interval__";
pub(super) const TIMEOUT: &str = "__scrape_timeout__";
/// What a parameter of the scrape's address has before its name.
pub(super) const PARAMETER: &str = "__param_";
/// What names have that no stored series keeps.
pub(super) const RESERVED: &str = "__";
/// What a discovery's own labels have before their names.
pub(super) const META: &str = "__meta_";
pub(super) const JOB: &str = "job";
pub(super) const INSTANCE: &str = "instance";
/// What the label of a sample gets before its name where the target has one of that name.
pub(super) const EXPORTED: &str = "exported_";

/// Labels sorted by name, each name once, no value empty: an empty value is the same as no label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of `name`, where it has one.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let at = self.position(name).ok()?;
        Some(&self.0[at].1)
    }

    /// The value of `name`, empty where it has none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Gives `name` a value; an empty one removes it.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match (self.position(name), value.is_empty()) {
            (Ok(at), false) => self.0[at].1 = value,
            (Ok(at), true) => drop(self.0.remove(at)),
            (Err(at), false) => self.0.insert(at, (name.to_string(), value)),
            (Err(_), true) => {}
        }
    }

    /// Gives `name` a value where it has none.
    pub(super) fn set_missing(&mut self, name: &str, value: &str) {
        if self.find(name).is_none() {
            self.set(name, value);
        }
    }

    /// Keeps the labels whose names `keep` takes.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// A number that other labels have only by a chance of 1 in 2^128.
    pub(super) fn hash(&self) -> u128 {
        xxh3_128(&self.encoded())
    }

    /// The labels as bytes, lengths before texts.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let bytes = self
            .iter()
            .map(|(name, value)| name.len() + value.len() + 8);
        let mut out = Vec::with_capacity(bytes.sum());
        for (name, value) in self.iter() {
            for text in [name, value] {
                // Longer texts than that do not fit in a body.
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
        out
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|label| label.0.as_str().cmp(name))
    }
}

/// The labels that [`Labels::encoded`] made these bytes of.
pub(super) fn decoded(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(text)
    };
    let mut labels = Vec::new();
    while let (Some(name), Some(value)) = (next(), next()) {
        labels.push((name, value));
    }
    labels
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Labels {
        let mut labels = Labels::default();
        for (name, value) in pairs {
            labels.set(&name.into(), value);
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_find_and_bytes() {
        let mut labels: Labels = [("b", "2"), ("a", "1"), ("c", "")].into_iter().collect();
        labels.set("b", "3");
        labels.set("a", "");
        labels.set_missing("b", "4");
        labels.set_missing("d", "5");
        let expected = [("b", "3"), ("d", "5")];
        assert_eq!(labels.iter().collect::<Vec<_>>(), expected);
        let bytes = labels.encoded();
        let again = decoded(&bytes);
        let expected = expected.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert_eq!(again, expected);
        assert_ne!(labels.hash(), Labels::default().hash());
    }
}
