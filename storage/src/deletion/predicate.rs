//! What is to be deleted: a range of time and conditions, all of which a row meets.

use super::field::{self, Kind};
use crate::{
    error::{Error, Result},
    signal::Signal,
    time::Nanos,
};
use sha2::{Digest, Sha256};

/// Conditions of one predicate.
pub const MAX_CONDITIONS: usize = 16;

/// Values of one condition.
pub const MAX_VALUES: usize = 1_000;

/// Bytes of all values of a predicate: it stands in the catalog, in the bucket and in memory until it is done.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// Rows of one signal: those whose time lies in the range and that meet every condition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// The first instant of the range; without it there is no earliest.
    #[serde(default)]
    pub from: Option<Nanos>,
    /// The instant that the range ends before; without it there is no latest.
    #[serde(default)]
    pub before: Option<Nanos>,
    /// 1 to [`MAX_CONDITIONS`].
    pub conditions: Vec<Condition>,
}

/// A field has one of some values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub field: Field,
    /// 1 to [`MAX_VALUES`] of them, as text: integers in digits, ids in hexadecimal digits of any case.
    pub values: Vec<String>,
}

/// What a condition is held against.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// A column of `logs`, `spans`, `dead_letters`, or of what `series` is told apart by: of text, ids or integers.
    Column(String),
    /// `attributes['k']` as text.
    Attribute(String),
    /// `resource['k']` as text.
    Resource(String),
}

impl Predicate {
    /// Checks it against the tables of `signal` and gives it the one form that it is kept in. `Invalid` says what to
    /// change.
    pub fn normal(mut self, signal: Signal) -> Result<Predicate> {
        let count = self.conditions.len();
        if count == 0 || count > MAX_CONDITIONS {
            return Err(invalid(format!(
                "it has {count} conditions: give 1 to {MAX_CONDITIONS}"
            )));
        }
        if let (Some(from), Some(before)) = (self.from, self.before)
            && from >= before
        {
            return Err(invalid("its range of time is empty".to_string()));
        }
        if signal == Signal::DeadLetters && self.conditions.iter().any(|c| c.field.is_map()) {
            return Err(invalid("dead letters have no attributes".to_string()));
        }
        for condition in &mut self.conditions {
            condition.normalize(signal)?;
        }
        let values = self.conditions.iter().flat_map(|c| &c.values);
        let bytes: usize = values.map(String::len).sum();
        if bytes > MAX_VALUE_BYTES {
            return Err(invalid(format!(
                "its values have {bytes} bytes and may have {MAX_VALUE_BYTES}: delete in several steps"
            )));
        }
        Ok(self)
    }

    /// SHA-256 of its JSON, in hexadecimal digits: what is left of it in the end.
    pub fn sha256(&self) -> String {
        let json = serde_json::to_vec(self).expect("its fields all have a JSON form");
        hex::encode(Sha256::digest(json))
    }

    /// Whether an instant lies in the range.
    pub fn covers_time(&self, time: i64) -> bool {
        self.from.is_none_or(|from| from.0 <= time)
            && self.before.is_none_or(|before| time < before.0)
    }

    /// Whether it says anything of the time.
    pub(super) fn has_range(&self) -> bool {
        self.from.is_some() || self.before.is_some()
    }
}

impl Condition {
    fn normalize(&mut self, signal: Signal) -> Result<()> {
        let count = self.values.len();
        if count == 0 || count > MAX_VALUES {
            return Err(invalid(format!(
                "{} has {count} values: give 1 to {MAX_VALUES}",
                self.field.name()
            )));
        }
        let Field::Column(name) = &self.field else {
            self.values.sort();
            self.values.dedup();
            return Ok(());
        };
        let kind = field::kind(signal, name).ok_or_else(|| {
            let columns = field::names(signal).join(", ");
            invalid(format!("{name} cannot be asked for: use one of {columns}"))
        })?;
        for value in &mut self.values {
            let normal = normal_value(kind, value).ok_or_else(|| {
                invalid(format!("{value} is no value of {name}: {}", kind.form()))
            })?;
            *value = normal;
        }
        self.values.sort();
        self.values.dedup();
        Ok(())
    }
}

impl Field {
    /// As SQL names it.
    pub fn name(&self) -> String {
        match self {
            Field::Column(name) => name.clone(),
            Field::Attribute(key) => format!("attributes['{key}']"),
            Field::Resource(key) => format!("resource['{key}']"),
        }
    }

    fn is_map(&self) -> bool {
        !matches!(self, Field::Column(_))
    }
}

/// The one form of a value; `None` where it is none of the kind.
fn normal_value(kind: Kind, value: &str) -> Option<String> {
    match kind {
        Kind::Text => Some(value.to_string()),
        Kind::Integer => value.parse::<i64>().ok().map(|value| value.to_string()),
        Kind::Id(width) => {
            let bytes = hex::decode(value).ok()?;
            (bytes.len() == width).then(|| hex::encode(bytes))
        }
    }
}

fn invalid(detail: String) -> Error {
    Error::Invalid {
        what: "predicate",
        detail,
    }
}
