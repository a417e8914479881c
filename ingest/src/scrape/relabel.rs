//! Rules that rename, add and drop labels, targets and series.
//!
//! Source: Prometheus 3, "Configuration", `relabel_config`; patterns match whole values, `.` also a line break.

use super::labels::Labels;
use md5::{Digest, Md5};
use regex::{Captures, Regex, RegexBuilder};

/// Bytes of a compiled pattern.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

impl Action {
    const ALL: [(&'static str, Action); 11] = [
        ("replace", Action::Replace),
        ("keep", Action::Keep),
        ("drop", Action::Drop),
        ("keepequal", Action::KeepEqual),
        ("dropequal", Action::DropEqual),
        ("hashmod", Action::HashMod),
        ("labelmap", Action::LabelMap),
        ("labeldrop", Action::LabelDrop),
        ("labelkeep", Action::LabelKeep),
        ("lowercase", Action::Lowercase),
        ("uppercase", Action::Uppercase),
    ];

    /// The action of this name, in any case.
    pub(super) fn parse(name: &str) -> Option<Action> {
        let name = name.to_ascii_lowercase();
        let known = Action::ALL.iter().find(|known| known.0 == name);
        known.map(|known| known.1)
    }

    pub(super) fn name(self) -> &'static str {
        let known = Action::ALL.iter().find(|known| known.1 == self);
        known.map_or("", |known| known.0)
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) source_labels: Vec<String>,
    pub(super) separator: String,
    pub(super) target_label: String,
    pub(super) pattern: Regex,
    pub(super) modulus: u64,
    pub(super) replacement: String,
    pub(super) action: Action,
}

/// The pattern that matches whole values that `text` matches.
pub(super) fn whole(text: &str) -> Result<Regex, String> {
    let build = |pattern: &str| {
        let built = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .build();
        built.map_err(|error| error.to_string())
    };
    // By itself first: what is wrong is told of what was written, and it cannot close the group around it.
    build(text)?;
    build(&format!("^(?s:{text})$"))
}

/// Applies `rules` in their order; `false` where one drops the target or series.
pub(super) fn apply(rules: &[Rule], labels: &mut Labels) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    /// Applies the rule; `false` drops.
    fn apply(&self, labels: &mut Labels) -> bool {
        let values: Vec<&str> = self
            .source_labels
            .iter()
            .map(|name| labels.get(name))
            .collect();
        let value = values.join(&self.separator);
        match self.action {
            Action::Keep => return self.pattern.is_match(&value),
            Action::Drop => return !self.pattern.is_match(&value),
            Action::KeepEqual => return labels.get(&self.target_label) == value,
            Action::DropEqual => return labels.get(&self.target_label) != value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => labels.set(&self.target_label, value.to_lowercase()),
            Action::Uppercase => labels.set(&self.target_label, value.to_uppercase()),
            Action::HashMod => {
                let number = hash(value.as_bytes()) % self.modulus.max(1);
                labels.set(&self.target_label, number.to_string());
            }
            Action::LabelMap => self.map(labels),
            Action::LabelDrop => labels.retain(|name| !self.pattern.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.pattern.is_match(name)),
        }
        true
    }

    fn replace(&self, value: &str, labels: &mut Labels) {
        let Some(captures) = self.pattern.captures(value) else {
            return;
        };
        let target = expand(&captures, &self.target_label);
        if target.is_empty() {
            return;
        }
        labels.set(&target, expand(&captures, &self.replacement));
    }

    /// Gives labels whose names match the name that the replacement makes of it, beside their own.
    fn map(&self, labels: &mut Labels) {
        let mapped = labels.iter().filter_map(|(name, value)| {
            let captures = self.pattern.captures(name)?;
            Some((expand(&captures, &self.replacement), value.to_string()))
        });
        let mapped: Vec<(String, String)> = mapped.collect();
        for (name, value) in mapped.into_iter().filter(|(name, _)| !name.is_empty()) {
            labels.set(&name, value);
        }
    }
}

fn expand(captures: &Captures<'_>, template: &str) -> String {
    let mut out = String::new();
    captures.expand(template, &mut out);
    out
}

/// The number that Prometheus divides: the last eight bytes of the MD5, big-endian.
fn hash(value: &[u8]) -> u64 {
    let digest: [u8; 16] = Md5::digest(value).into();
    let [_, _, _, _, _, _, _, _, last @ ..] = digest;
    u64::from_be_bytes(last)
}

#[cfg(test)]
mod tests;
