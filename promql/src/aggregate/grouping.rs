//! Which rows are of one group.

use crate::{
    annotations::Notes,
    expr::{Aggregate, Span},
    labels::{Labels, METRIC_NAME},
};
use std::collections::HashMap;

/// What every aggregation knows.
pub(crate) struct Call<'c> {
    pub(crate) aggregate: &'c Aggregate,
    pub(crate) notes: &'c Notes,
    pub(crate) steps: usize,
}

impl<'c> Call<'c> {
    /// Where the vector stands in the query.
    pub(crate) fn span(&self) -> Span {
        self.aggregate.expr.span
    }

    pub(crate) fn groups<S>(&self) -> Groups<'c, S> {
        let mut names: Vec<&str> = self.aggregate.grouping.iter().map(String::as_str).collect();
        names.sort_unstable();
        Groups {
            names,
            without: self.aggregate.without,
            places: HashMap::new(),
            states: Vec::new(),
        }
    }

    pub(crate) fn note_ignored(&self) {
        self.notes
            .ignored_in_aggregation(self.span(), self.aggregate.op.name());
    }
}

/// The groups so far, each with its state.
pub(crate) struct Groups<'c, S> {
    names: Vec<&'c str>,
    without: bool,
    places: HashMap<Labels, usize>,
    pub(crate) states: Vec<(Labels, S)>,
}

impl<S> Groups<'_, S> {
    /// The state of the group that a row with these labels is in.
    pub(crate) fn of(&mut self, labels: &Labels, new: impl FnOnce() -> S) -> &mut S {
        let key = self.key(labels);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                self.places.insert(key.clone(), self.states.len());
                self.states.push((key, new()));
                self.states.len() - 1
            }
        };
        &mut self.states[place].1
    }

    fn key(&self, labels: &Labels) -> Labels {
        let listed = |name: &str| self.names.binary_search(&name).is_ok();
        match self.without {
            true => labels.filtered(|name| name != METRIC_NAME && !listed(name)),
            false if self.names.is_empty() => Labels::default(),
            false => labels.filtered(listed),
        }
    }
}
