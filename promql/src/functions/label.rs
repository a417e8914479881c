//! `label_replace`, `label_join`.

use crate::{
    error::{Error, Result},
    labels::Labels,
    lex::quoted,
};
use regex::Regex;
use std::collections::HashMap;

/// A change of one label.
pub(crate) struct Relabel {
    target: String,
    change: Change,
    /// Results by labels: rows differ in values that the change does not look at.
    known: HashMap<Labels, Labels>,
}

enum Change {
    Replace {
        source: String,
        regex: Box<Regex>,
        replacement: String,
    },
    Join {
        separator: String,
        sources: Vec<String>,
    },
}

/// So many results are kept.
const KNOWN_MAX: usize = 10_000;

/// Any UTF-8 that is not empty is a name.
pub(crate) fn check_name(name: &str) -> std::result::Result<(), String> {
    match !name.is_empty() && name.chars().all(|c| quoted::stray_byte(c).is_none()) {
        true => Ok(()),
        false => Err(quoted::quote(name)),
    }
}

impl Relabel {
    /// `label_replace(…, target, replacement, source, regex)`.
    pub(crate) fn replace(args: &[String]) -> Result<Relabel> {
        let [target, replacement, source, pattern] = args else {
            return Err(Error::Evaluation(
                "label_replace takes four strings".to_owned(),
            ));
        };
        let regex = regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
            .size_limit(1 << 20)
            .build()
            .map_err(|_| {
                let pattern = quoted::quote(pattern);
                Error::Evaluation(format!(
                    "invalid regular expression in label_replace(): {pattern}"
                ))
            })?;
        check_name(target).map_err(|name| {
            Error::Evaluation(format!(
                "invalid destination label name in label_replace(): {name}"
            ))
        })?;
        Ok(Relabel {
            target: target.clone(),
            change: Change::Replace {
                source: source.clone(),
                regex: Box::new(regex),
                replacement: replacement.clone(),
            },
            known: HashMap::new(),
        })
    }

    /// `label_join(…, target, separator, sources…)`.
    pub(crate) fn join(args: &[String]) -> Result<Relabel> {
        let [target, separator, sources @ ..] = args else {
            return Err(Error::Evaluation(
                "label_join takes two strings or more".to_owned(),
            ));
        };
        for (word, name) in [("destination", target)]
            .into_iter()
            .chain(sources.iter().map(|name| ("source", name)))
        {
            check_name(name).map_err(|name| {
                Error::Evaluation(format!("invalid {word} label name in label_join(): {name}"))
            })?;
        }
        Ok(Relabel {
            target: target.clone(),
            change: Change::Join {
                separator: separator.clone(),
                sources: sources.to_vec(),
            },
            known: HashMap::new(),
        })
    }

    /// The label that is changed.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn apply(&mut self, labels: &Labels) -> Labels {
        if let Some(known) = self.known.get(labels) {
            return known.clone();
        }
        let changed = self.changed(labels);
        if self.known.len() < KNOWN_MAX {
            self.known.insert(labels.clone(), changed.clone());
        }
        changed
    }

    fn changed(&self, labels: &Labels) -> Labels {
        match &self.change {
            Change::Replace {
                source,
                regex,
                replacement,
            } => {
                let Some(found) = regex.captures(labels.get(source)) else {
                    return labels.clone();
                };
                let mut value = String::new();
                found.expand(replacement, &mut value);
                labels.with(&self.target, &value)
            }
            Change::Join { separator, sources } => {
                let values: Vec<&str> = sources.iter().map(|source| labels.get(source)).collect();
                labels.with(&self.target, &values.join(separator))
            }
        }
    }
}
