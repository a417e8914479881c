//! Label filters, compiled.

use super::{matching::Matching, set::LabelSet};
use crate::{
    ast::{Comparison, LabelFilter},
    error::{Error, Result},
    ip::Addresses,
    units,
};

/// What `__error__` says where a value is not what a filter compares.
const FILTER_ERROR: &str = "LabelFilterErr";

#[derive(Debug)]
pub(crate) enum Condition {
    Text(Matching),
    Number(Comparison<f64>),
    Duration(Comparison<i64>),
    Bytes(Comparison<u64>),
    Ip {
        name: String,
        negative: bool,
        addresses: Addresses,
    },
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    pub(crate) fn new(filter: &LabelFilter) -> Result<Condition> {
        let both =
            |left: &LabelFilter, right: &LabelFilter| -> Result<(Box<Condition>, Box<Condition>)> {
                Ok((
                    Box::new(Condition::new(left)?),
                    Box::new(Condition::new(right)?),
                ))
            };
        Ok(match filter {
            LabelFilter::Text(matcher) => Condition::Text(Matching::new(matcher)?),
            LabelFilter::Number(comparison) => Condition::Number(comparison.clone()),
            LabelFilter::Duration(comparison) => Condition::Duration(comparison.clone()),
            LabelFilter::Bytes(comparison) => Condition::Bytes(comparison.clone()),
            LabelFilter::Ip(ip) => Condition::Ip {
                name: ip.name.clone(),
                negative: ip.negative,
                addresses: Addresses::new(&ip.pattern).map_err(Error::invalid)?,
            },
            LabelFilter::And(left, right) => {
                let (left, right) = both(left, right)?;
                Condition::And(left, right)
            }
            LabelFilter::Or(left, right) => {
                let (left, right) = both(left, right)?;
                Condition::Or(left, right)
            }
        })
    }

    /// Whether the line passes. A label that is absent passes no comparison; one that cannot be read passes all of
    /// them, with an error.
    pub(crate) fn holds(&self, labels: &mut LabelSet<'_>) -> bool {
        match self {
            Condition::Text(matching) => matching.holds(labels.get(matching.name()).unwrap_or("")),
            Condition::Number(comparison) => compare(comparison, labels, |text| text.parse().ok()),
            Condition::Duration(comparison) => {
                compare(comparison, labels, units::parse_go_duration)
            }
            Condition::Bytes(comparison) => compare(comparison, labels, units::parse_bytes),
            Condition::Ip {
                name,
                negative,
                addresses,
            } => labels
                .get(name)
                .is_some_and(|value| addresses.is_in(value) != *negative),
            Condition::And(left, right) => {
                // Both are looked at, for the errors that they make.
                let left = left.holds(labels);
                right.holds(labels) && left
            }
            Condition::Or(left, right) => left.holds(labels) || right.holds(labels),
        }
    }
}

fn compare<T: PartialOrd + Copy>(
    comparison: &Comparison<T>,
    labels: &mut LabelSet<'_>,
    read: impl Fn(&str) -> Option<T>,
) -> bool {
    let Some(text) = labels.get(&comparison.name) else {
        return false;
    };
    if let Some(value) = read(text) {
        return comparison.op.holds(value, comparison.value);
    }
    if labels.error().is_none() {
        let details = format!(
            "{text:?} of the label {} cannot be compared",
            comparison.name
        );
        labels.set_error(FILTER_ERROR, &details);
    }
    true
}
