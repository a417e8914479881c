//! Which labels of a line anybody looks at: parsers leave the others where they are.

use crate::{
    ast::{LabelFilter, LabelSource, Stage, Target, Unwrap},
    error::{Error, Result},
    labels::ERROR,
    template::Template,
};
use std::collections::BTreeSet;

/// All labels, or those of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    names: Option<BTreeSet<String>>,
    /// Whether `__error__` is looked at.
    errors: bool,
}

impl Needs {
    /// Every label that can be extracted.
    pub fn all() -> Needs {
        Needs {
            names: None,
            errors: false,
        }
    }

    /// Some labels.
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Needs {
        Needs {
            names: Some(names.into_iter().map(str::to_string).collect()),
            errors: false,
        }
    }

    /// The names, if it is not all.
    pub(super) fn names(&self) -> Option<&BTreeSet<String>> {
        self.names.as_ref()
    }

    pub(super) fn looks_at_errors(&self) -> bool {
        self.errors
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether a name that is needed begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        let first = |names: &BTreeSet<String>| {
            let from = names.range::<str, _>((
                std::ops::Bound::Included(prefix),
                std::ops::Bound::Unbounded,
            ));
            from.take(1).any(|name| name.starts_with(prefix))
        };
        self.names.as_ref().is_none_or(first)
    }

    fn add(&mut self, name: &str) {
        self.errors |= name == ERROR;
        if let Some(names) = &mut self.names {
            names.insert(name.to_string());
        }
    }

    /// Adds what the stages look at.
    pub(super) fn add_stages(&mut self, stages: &[Stage]) -> Result<()> {
        for stage in stages {
            match stage {
                Stage::Label(filter) => self.add_filter(filter),
                Stage::LineFormat(template) => self.add_template(template)?,
                Stage::LabelFormat(formats) => {
                    for format in formats {
                        self.add(&format.name);
                        match &format.source {
                            LabelSource::Label(label) => self.add(label),
                            LabelSource::Template(template) => self.add_template(template)?,
                        }
                    }
                }
                Stage::Drop(targets) | Stage::Keep(targets) => {
                    for target in targets {
                        if let Target::Matching(matcher) = target {
                            self.add(&matcher.name);
                        }
                    }
                }
                Stage::Line(_)
                | Stage::Json(_)
                | Stage::Logfmt(_)
                | Stage::Pattern(_)
                | Stage::Regexp(_)
                | Stage::Unpack
                | Stage::Decolorize => {}
            }
        }
        Ok(())
    }

    /// Adds what an unwrap looks at.
    pub(crate) fn add_unwrap(&mut self, unwrap: &Unwrap) {
        self.add(&unwrap.label);
        for filter in &unwrap.filters {
            self.add_filter(filter);
        }
    }

    fn add_template(&mut self, template: &str) -> Result<()> {
        let template = Template::new(template).map_err(Error::invalid)?;
        match template.labels() {
            Some(names) => names.into_iter().for_each(|name| self.add(name)),
            None => self.names = None,
        }
        Ok(())
    }

    fn add_filter(&mut self, filter: &LabelFilter) {
        match filter {
            LabelFilter::Text(matcher) => self.add(&matcher.name),
            LabelFilter::Number(comparison) => self.add(&comparison.name),
            LabelFilter::Duration(comparison) => self.add(&comparison.name),
            LabelFilter::Bytes(comparison) => self.add(&comparison.name),
            LabelFilter::Ip(ip) => self.add(&ip.name),
            LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
                self.add_filter(left);
                self.add_filter(right);
            }
        }
    }
}
