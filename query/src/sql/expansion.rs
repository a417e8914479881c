//! How large a statement becomes when every WITH query stands at each place that names it, as planning makes it.

use datafusion::sql::sqlparser::ast::{ObjectName, Query};
use std::collections::{HashMap, VecDeque};

/// Counts while a syntax tree is walked: call `enter` and `leave` around each query.
#[derive(Default)]
pub(super) struct Expansion {
    scopes: Vec<Scope>,
    /// The count of the query that was left last.
    last: Size,
}

#[derive(Default, Clone, Copy)]
struct Size {
    selects: u64,
    joins: u64,
}

#[derive(Default)]
struct Scope {
    size: Size,
    /// Names of WITH queries that are still to come, in order: they are the first queries directly below.
    coming: VecDeque<String>,
    known: HashMap<String, Size>,
}

impl Size {
    fn add(&mut self, other: Size) {
        self.selects = self.selects.saturating_add(other.selects);
        self.joins = self.joins.saturating_add(other.joins);
    }

    fn raise(&mut self, other: Size) {
        self.selects = self.selects.max(other.selects);
        self.joins = self.joins.max(other.joins);
    }
}

impl Expansion {
    pub(super) fn enter(&mut self, query: &Query) {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let coming = tables.map(|cte| folded(&cte.alias.name.value)).collect();
        self.scopes.push(Scope {
            coming,
            ..Scope::default()
        });
    }

    pub(super) fn leave(&mut self) {
        let Some(left) = self.scopes.pop() else {
            return;
        };
        self.last = left.size;
        let Some(outer) = self.scopes.last_mut() else {
            return;
        };
        match outer.coming.pop_front() {
            Some(name) => outer.known.entry(name).or_default().raise(left.size),
            None => outer.size.add(left.size),
        }
    }

    pub(super) fn select(&mut self, joins: usize) {
        self.add(Size {
            selects: 1,
            joins: joins as u64,
        });
    }

    pub(super) fn join(&mut self, joins: usize) {
        self.add(Size {
            selects: 0,
            joins: joins as u64,
        });
    }

    pub(super) fn relation(&mut self, name: &ObjectName) {
        let single = match name.0.as_slice() {
            [part] => part.as_ident().map(|ident| folded(&ident.value)),
            _ => None,
        };
        let known = single.and_then(|name| {
            self.scopes
                .iter()
                .rev()
                .find_map(|s| s.known.get(&name).copied())
        });
        self.add(known.unwrap_or(Size {
            selects: 1,
            joins: 0,
        }));
    }

    /// SELECTs and tables of the query that was left last.
    pub(super) fn selects(&self) -> u64 {
        self.last.selects
    }

    /// Joins of the query that was left last.
    pub(super) fn joins(&self) -> u64 {
        self.last.joins
    }

    fn add(&mut self, size: Size) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.size.add(size);
        }
    }
}

/// Names that differ in case alone are taken as one here, the larger count for all: that can only count more.
fn folded(name: &str) -> String {
    name.to_lowercase()
}
