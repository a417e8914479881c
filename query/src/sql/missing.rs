//! Where a statement names a column or a function that does not exist, for errors that come without a place.
//!
//! DataFusion loses the places of names on some of its ways (after GROUP BY, in functions, with a prefix), so the
//! name is looked up in the statement again. Only done once planning has failed.

use super::place;
use crate::error::Place;
use datafusion::{
    common::{Column, SchemaError},
    error::DataFusionError,
    sql::{
        parser::Statement,
        sqlparser::ast::{Expr, Ident, Spanned, Visit, Visitor},
    },
};
use std::ops::ControlFlow;

/// What a statement names and the session does not have.
#[derive(Debug, PartialEq)]
pub(super) enum Missing {
    Column(Column),
    Function(String),
}

/// How DataFusion begins the message about a function that it does not know; the name follows.
const NO_FUNCTION: &str = "Invalid function '";

impl Missing {
    /// What `error` says is missing.
    pub(super) fn of(error: &DataFusionError) -> Option<Missing> {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, .. }
                | SchemaError::AmbiguousReference { field } => {
                    Some(Missing::Column(field.as_ref().clone()))
                }
                _ => None,
            },
            DataFusionError::Plan(message) => {
                let (name, _) = message.strip_prefix(NO_FUNCTION)?.split_once('\'')?;
                Some(Missing::Function(name.to_string()))
            }
            _ => None,
        }
    }

    /// Where `statement` names it first.
    pub(super) fn place(&self, statement: &Statement) -> Option<Place> {
        let inner = match statement {
            Statement::Statement(inner) => inner,
            Statement::Explain(explain) => return self.place(&explain.statement),
            _ => return None,
        };
        let exact = Search {
            missing: self,
            with_prefix: true,
        };
        let bare = Search {
            missing: self,
            with_prefix: false,
        };
        // The planner may have put a prefix to the name that the statement does not have.
        [exact, bare].into_iter().find_map(|mut search| {
            let found = inner.visit(&mut search);
            found.break_value().flatten()
        })
    }
}

struct Search<'a> {
    missing: &'a Missing,
    /// Whether the prefix of a column has to be the same.
    with_prefix: bool,
}

impl Search<'_> {
    fn is_column(&self, column: &Column, names: &[Ident]) -> bool {
        let Some((name, prefix)) = names.split_last() else {
            return false;
        };
        let prefix = prefix.last().map(normal);
        let wanted = column.relation.as_ref().map(|table| table.table());
        normal(name) == column.name && (!self.with_prefix || prefix.as_deref() == wanted)
    }
}

/// A name as the planner looks it up.
fn normal(name: &Ident) -> String {
    match name.quote_style {
        None => name.value.to_lowercase(),
        Some(_) => name.value.clone(),
    }
}

impl Visitor for Search<'_> {
    type Break = Option<Place>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Option<Place>> {
        let found = match (self.missing, expr) {
            (Missing::Column(column), Expr::Identifier(name)) => {
                self.is_column(column, std::slice::from_ref(name))
            }
            (Missing::Column(column), Expr::CompoundIdentifier(names)) => {
                self.is_column(column, names)
            }
            (Missing::Function(wanted), Expr::Function(function)) => {
                let name = function.name.0.last().and_then(|part| part.as_ident());
                name.is_some_and(|name| name.value.eq_ignore_ascii_case(wanted))
            }
            _ => false,
        };
        match found {
            true => ControlFlow::Break(place::start(expr.span())),
            false => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests;
