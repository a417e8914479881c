//! The labels of a line on its way: those of its stream, those of the line, and those that stages make.
//!
//! A label that is extracted and that stream or line have already gets `_extracted` to its name. Of two that are
//! extracted under one name the first stays; what a later stage sets replaces what is there.

use super::{Entry, Needs};
use crate::{
    labels::{ERROR, ERROR_DETAILS, Labels},
    limits,
};

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Stream,
    /// The structured metadata of the line.
    Metadata,
    /// Extracted or made by a stage.
    Parsed,
}

#[derive(Debug, Default)]
struct Slot {
    name: String,
    value: String,
    category: Option<Category>,
}

/// The memory of the labels, kept from line to line.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    used: usize,
    hidden_stream: Vec<bool>,
    hidden_metadata: Vec<bool>,
    error: String,
    details: String,
    /// Needed labels that no parser has found yet; `None` if all are needed.
    missing: Option<usize>,
    key: String,
}

/// The labels of one line.
#[derive(Debug)]
pub struct LabelSet<'a> {
    stream: &'a [(&'a str, &'a str)],
    metadata: &'a [(&'a str, &'a str)],
    slots: &'a mut Slots,
    needs: &'a Needs,
}

const SUFFIX: &str = "_extracted";

fn place(pairs: &[(&str, &str)], name: &str) -> Option<usize> {
    pairs.iter().position(|(label, _)| *label == name)
}

impl Slots {
    fn start(&mut self, entry: &Entry<'_>, needs: &Needs) {
        self.used = 0;
        self.error.clear();
        self.details.clear();
        self.hidden_stream.clear();
        self.hidden_stream.resize(entry.stream.len(), false);
        self.hidden_metadata.clear();
        self.hidden_metadata.resize(entry.metadata.len(), false);
        self.missing = needs.names().map(|names| {
            let is_known = |name: &String| {
                place(entry.stream, name)
                    .or(place(entry.metadata, name))
                    .is_some()
            };
            names.iter().filter(|name| !is_known(name)).count()
        });
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.slots[..self.used]
            .iter()
            .position(|slot| slot.name == name)
    }

    fn put(&mut self, name: &str, value: &str, category: Category) {
        let at = self.find(name).unwrap_or(self.used);
        if at == self.used {
            self.used += 1;
            if self.slots.len() < self.used {
                self.slots.push(Slot::default());
            }
            self.slots[at].name.clear();
            self.slots[at].name.push_str(name);
        }
        let slot = &mut self.slots[at];
        slot.value.clear();
        slot.value.push_str(value);
        slot.category = Some(category);
    }
}

impl<'a> LabelSet<'a> {
    pub(super) fn new(entry: &Entry<'a>, slots: &'a mut Slots, needs: &'a Needs) -> LabelSet<'a> {
        slots.start(entry, needs);
        // A label of the line that its stream has, too, is another one.
        for (at, (name, value)) in entry.metadata.iter().enumerate() {
            if place(entry.stream, name).is_some() {
                slots.hidden_metadata[at] = true;
                slots.put(&format!("{name}{SUFFIX}"), value, Category::Metadata);
            }
        }
        LabelSet {
            stream: entry.stream,
            metadata: entry.metadata,
            slots,
            needs,
        }
    }

    /// The value of a label; of `__error__` and `__error_details__`, too, where something went wrong.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_with_category(name).map(|(value, _)| value)
    }

    pub(super) fn get_with_category(&self, name: &str) -> Option<(&str, Category)> {
        if name.starts_with("__error") {
            return self.special(name).map(|text| (text, Category::Parsed));
        }
        if let Some(at) = self.slots.find(name) {
            let slot = &self.slots.slots[at];
            return Some((&slot.value, slot.category.unwrap_or(Category::Parsed)));
        }
        if let Some(at) = place(self.metadata, name).filter(|at| !self.slots.hidden_metadata[*at]) {
            return Some((self.metadata[at].1, Category::Metadata));
        }
        let at = place(self.stream, name).filter(|at| !self.slots.hidden_stream[*at])?;
        Some((self.stream[at].1, Category::Stream))
    }

    fn special(&self, name: &str) -> Option<&str> {
        let text = match name {
            ERROR => &self.slots.error,
            ERROR_DETAILS => &self.slots.details,
            _ => return None,
        };
        (!text.is_empty()).then_some(text.as_str())
    }

    /// Every label with its value and where it comes from, in no order, without those of errors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Category)> {
        let visible = |(pair, _): (&(&'a str, &'a str), &bool)| *pair;
        let stream = self.stream.iter().zip(&self.slots.hidden_stream);
        let stream = stream.filter(|(_, hidden)| !**hidden).map(visible);
        let metadata = self.metadata.iter().zip(&self.slots.hidden_metadata);
        let metadata = metadata.filter(|(_, hidden)| !**hidden).map(visible);
        let stream = stream.map(|(name, value)| (name, value, Category::Stream));
        let metadata = metadata.map(|(name, value)| (name, value, Category::Metadata));
        let made = self.slots.slots[..self.slots.used].iter().map(|slot| {
            let category = slot.category.unwrap_or(Category::Parsed);
            (slot.name.as_str(), slot.value.as_str(), category)
        });
        stream.chain(metadata).chain(made)
    }

    /// Names and values with those of errors, as an answer shows them.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let errors = [ERROR, ERROR_DETAILS].into_iter();
        let errors = errors.filter_map(|name| Some((name, self.special(name)?)));
        self.iter()
            .map(|(name, value, _)| (name, value))
            .chain(errors)
    }

    /// All labels as an answer shows them: the streams of a log query are the lines that have the same.
    pub fn to_labels(&self) -> Labels {
        self.pairs().collect()
    }

    /// The labels of one origin; errors belong to what was parsed.
    pub fn of_category(&self, wanted: Category) -> Labels {
        let labels = self.iter().filter(|(_, _, category)| *category == wanted);
        let labels = labels.map(|(name, value, _)| (name, value));
        let errors = [ERROR, ERROR_DETAILS]
            .into_iter()
            .filter(|_| wanted == Category::Parsed);
        labels
            .chain(errors.filter_map(|name| Some((name, self.special(name)?))))
            .collect()
    }

    /// What went wrong with the line, if something did.
    pub fn error(&self) -> Option<&str> {
        self.special(ERROR)
    }

    /// Whether somebody looks at `__error__`, so that errors are part of the answer and not a reason to have none.
    pub(crate) fn keeps_errors(&self) -> bool {
        self.needs.looks_at_errors()
    }

    pub(crate) fn set_error(&mut self, error: &str, details: &str) {
        self.slots.error.clear();
        self.slots.error.push_str(error);
        self.slots.details.clear();
        self.slots.details.push_str(details);
    }

    pub(super) fn clear_error(&mut self) {
        self.slots.error.clear();
        self.slots.details.clear();
    }

    pub(super) fn clear_error_details(&mut self) {
        self.slots.details.clear();
    }

    /// Whether parsers need not look at the line: nobody looks at a label, or all that are looked at are found.
    pub(super) fn has_all(&self) -> bool {
        self.slots.missing == Some(0)
    }

    /// Whether a label that begins so is looked at.
    pub(super) fn needs_prefix(&self, prefix: &str) -> bool {
        self.needs.has_prefix(prefix)
    }

    /// Takes over what a parser found; false if the line has more labels than are allowed.
    pub(super) fn extract(&mut self, name: &str, value: &str) -> bool {
        let slots = &mut *self.slots;
        slots.key.clear();
        slots.key.push_str(name);
        if place(self.stream, name).is_some() || place(self.metadata, name).is_some() {
            slots.key.push_str(SUFFIX);
        }
        if !self.needs.contains(&slots.key) {
            return true;
        }
        let known = slots.find(&slots.key);
        if known.is_some_and(|at| slots.slots[at].category == Some(Category::Parsed)) {
            return true;
        }
        if slots.used >= limits::EXTRACTED_LABELS {
            return false;
        }
        let key = std::mem::take(&mut slots.key);
        slots.put(&key, value, Category::Parsed);
        slots.key = key;
        slots.missing = slots.missing.map(|missing| missing.saturating_sub(1));
        true
    }

    /// Sets a label, whatever was there.
    pub(super) fn set(&mut self, name: &str, value: &str, category: Category) {
        self.hide(name);
        self.slots.put(name, value, category);
    }

    /// Takes a label away.
    pub(super) fn remove(&mut self, name: &str) {
        match name {
            ERROR => return self.clear_error(),
            ERROR_DETAILS => return self.clear_error_details(),
            _ => self.hide(name),
        }
        if let Some(at) = self.slots.find(name) {
            self.slots.used -= 1;
            let last = self.slots.used;
            self.slots.slots.swap(at, last);
        }
    }

    fn hide(&mut self, name: &str) {
        if let Some(at) = place(self.metadata, name) {
            self.slots.hidden_metadata[at] = true;
        }
        if let Some(at) = place(self.stream, name) {
            self.slots.hidden_stream[at] = true;
        }
    }
}
