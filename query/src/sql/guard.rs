//! What a statement may say, checked on its text and syntax tree before anything is planned.
//!
//! This is the first of three nets: it bounds the work of planning and gives errors with a place. The second
//! is DataFusion's `SQLOptions`, the third the check of the plan in `plan`, on which safety rests.

use super::{allow, expansion::Expansion, limits, place, tokens};
use crate::error::{Error, Place, Result};
use datafusion::{
    common::format::ExplainFormat,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast::{self, Expr, Query, Select, SetExpr, Spanned, TableFactor, Visit, Visitor},
            dialect::Dialect,
            tokenizer::Tokenizer,
        },
    },
};
use std::ops::ControlFlow;

/// A statement that may be asked.
#[derive(Debug)]
pub(super) enum Asked {
    /// A query, or EXPLAIN of one.
    Query(Box<Statement>),
    /// `SHOW TABLES`.
    Tables,
    /// `DESCRIBE table` or `SHOW COLUMNS FROM table`.
    Columns(ast::ObjectName),
}

/// Parses `text` and refuses what is not allowed or too large. Needs a stack of 16 MiB.
pub(super) fn check(text: &str, dialect: &dyn Dialect) -> Result<Asked> {
    if text.len() > limits::STATEMENT_BYTES {
        return Err(Error::TooLarge {
            what: "the length of the statement in bytes".to_string(),
            limit: limits::STATEMENT_BYTES as u64,
            place: None,
        });
    }
    let tokens = Tokenizer::new(dialect, text)
        .tokenize_with_location()
        .map_err(|error| Error::Invalid {
            detail: error.message,
            place: place::of(error.location),
        })?;
    tokens::check(&tokens)?;
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(dialect)
        // Each parenthesis takes some levels of the parser; `tokens` holds the limit that matters.
        .with_recursion_limit(limits::NESTING * 8)
        .build()
        .map_err(place::locate)?;
    let mut statements = parser.parse_statements().map_err(place::locate)?;
    match (statements.pop_front(), statements.is_empty()) {
        (None, _) => Err(Error::invalid("the statement is empty")),
        (Some(statement), true) => allowed(statement),
        (Some(_), false) => Err(denied(
            "more than one statement",
            "send one a request",
            None,
        )),
    }
}

const STATEMENTS: &str =
    "use SELECT, WITH, VALUES, EXPLAIN [ANALYZE], DESCRIBE, SHOW TABLES or SHOW COLUMNS";

fn allowed(statement: Statement) -> Result<Asked> {
    match &statement {
        Statement::Explain(explain) => match explain.statement.as_ref() {
            // DataFusion panics where it cuts a letter of several bytes to fit into a box.
            _ if explain.options.format == Some(ExplainFormat::Tree) => {
                return Err(denied("EXPLAIN FORMAT TREE", "use FORMAT INDENT", None));
            }
            Statement::Statement(inner) => walk(inner)?,
            other => return Err(refused_statement(&first_words(&other.to_string()), None)),
        },
        Statement::Statement(inner) => match inner.as_ref() {
            ast::Statement::ShowTables { .. } => return Ok(Asked::Tables),
            ast::Statement::ExplainTable { table_name, .. } => {
                return Ok(Asked::Columns(table_name.clone()));
            }
            ast::Statement::ShowColumns { show_options, .. } => {
                let name = show_options
                    .show_in
                    .as_ref()
                    .and_then(|i| i.parent_name.clone());
                return name.map(Asked::Columns).ok_or_else(|| {
                    Error::invalid("SHOW COLUMNS needs a table: SHOW COLUMNS FROM logs")
                });
            }
            query => walk(query)?,
        },
        other => return Err(refused_statement(&first_words(&other.to_string()), None)),
    }
    Ok(Asked::Query(Box::new(statement)))
}

fn walk(statement: &ast::Statement) -> Result<()> {
    let mut walk = Walk::default();
    match statement.visit(&mut walk) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The kind of a statement for a message, without what the user wrote in it.
fn first_words(statement: &str) -> String {
    let is_keyword = |w: &&str| w.bytes().all(|b| b.is_ascii_uppercase());
    let words: Vec<&str> = statement
        .split_whitespace()
        .take(2)
        .take_while(is_keyword)
        .collect();
    if words.is_empty() {
        "this statement".to_string()
    } else {
        words.join(" ")
    }
}

fn refused_statement(what: &str, place: Option<Place>) -> Error {
    denied(what, STATEMENTS, place)
}

fn denied(what: &str, detail: &str, place: Option<Place>) -> Error {
    Error::Denied {
        what: what.to_string(),
        detail: detail.to_string(),
        place,
    }
}

#[derive(Default)]
struct Walk {
    depth: usize,
    /// Queries with WITH around the place.
    withs: usize,
    expansion: Expansion,
}

type Step = ControlFlow<Error>;

impl Walk {
    fn limit(&self, what: &str, count: usize, most: usize, place: Option<Place>) -> Step {
        if count <= most {
            return Step::Continue(());
        }
        Step::Break(Error::TooLarge {
            what: what.to_string(),
            limit: most as u64,
            place,
        })
    }

    fn function(&self, function: &ast::Function) -> Step {
        let Some(name) = function.name.0.last().and_then(|part| part.as_ident()) else {
            return Step::Continue(());
        };
        let at = place::start(function.name.span());
        if function.name.0.len() > 1 {
            return Step::Break(denied(
                "a function name with a prefix",
                "use the bare name",
                at,
            ));
        }
        match allow::refusal(&name.value.to_ascii_lowercase()) {
            Some(reason) => {
                Step::Break(denied(&format!("the function {}", name.value), reason, at))
            }
            None => Step::Continue(()),
        }
    }
}

impl Visitor for Walk {
    type Break = Error;

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> Step {
        match statement {
            ast::Statement::Query(_) => Step::Continue(()),
            other => {
                let at = place::start(other.span());
                Step::Break(refused_statement(&first_words(&other.to_string()), at))
            }
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        self.depth += 1;
        self.limit(
            "the depth of the statement",
            self.depth,
            limits::DEPTH,
            None,
        )?;
        let at = place::start(query.span());
        if let Some(with) = &query.with {
            let at = place::start(with.span());
            if with.recursive {
                let detail = "write the query without recursion";
                return Step::Break(denied("WITH RECURSIVE", detail, at));
            }
            self.withs += 1;
            self.limit("the depth of WITH", self.withs, limits::WITHS, at)?;
        }
        if let Some(clause) = refused_clause_of_query(query) {
            return Step::Break(denied(clause, "leave it out", at));
        }
        if let Some(statement) = refused_body(&query.body) {
            return Step::Break(refused_statement(statement, at));
        }
        self.expansion.enter(query);
        Step::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> Step {
        self.depth -= 1;
        self.withs -= usize::from(query.with.is_some());
        self.expansion.leave();
        let (selects, joins) = (self.expansion.selects(), self.expansion.joins());
        let at = place::start(query.span());
        let most = limits::EXPANDED_SELECTS;
        let what = "the number of SELECTs and tables, WITH queries counted at each use";
        self.limit(
            what,
            selects.try_into().unwrap_or(usize::MAX),
            most as usize,
            at,
        )?;
        let what = "the number of joins, WITH queries counted at each use";
        self.limit(
            what,
            joins.try_into().unwrap_or(usize::MAX),
            limits::JOINS,
            at,
        )
    }

    fn pre_visit_select(&mut self, select: &Select) -> Step {
        let at = place::start(select.span());
        if let Some(clause) = refused_clause_of_select(select) {
            return Step::Break(denied(clause, "leave it out", at));
        }
        self.limit(
            "the length of a SELECT list",
            select.projection.len(),
            limits::SELECT_LIST,
            at,
        )?;
        if let Some(sets) = grouping_sets(&select.group_by) {
            let sets = sets.try_into().unwrap_or(usize::MAX);
            self.limit(
                "the number of grouping sets",
                sets,
                limits::GROUPING_SETS as usize,
                at,
            )?;
        }
        let explicit: usize = select.from.iter().map(|table| table.joins.len()).sum();
        self.expansion
            .select(explicit + select.from.len().saturating_sub(1));
        Step::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> Step {
        self.expansion.relation(relation);
        Step::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Step {
        let at = place::start(factor.span());
        match factor {
            TableFactor::Table { name, .. } if !is_plain_table(factor) => {
                let what = format!("{name} with arguments or hints");
                Step::Break(denied(&what, "name a table as it is", at))
            }
            TableFactor::Table { name, .. } => match is_path_like(name) {
                true => Step::Break(denied("reading from a path or URL", "name a table", at)),
                false => Step::Continue(()),
            },
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                self.expansion.join(table_with_joins.joins.len());
                Step::Continue(())
            }
            TableFactor::Derived { sample: None, .. } | TableFactor::UNNEST { .. } => {
                Step::Continue(())
            }
            _ => Step::Break(denied(
                "a table function in FROM",
                "use tables, sub-selects and UNNEST",
                at,
            )),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        self.depth += 1;
        self.limit(
            "the depth of the statement",
            self.depth,
            limits::DEPTH,
            None,
        )?;
        let at = || place::start(expr.span());
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::InList { list, .. } => self.limit(
                "the length of an IN list",
                list.len(),
                limits::IN_LIST,
                at(),
            ),
            Expr::Case { conditions, .. } => {
                let (count, most) = (conditions.len(), limits::CASE_BRANCHES);
                self.limit("the number of CASE branches", count, most, at())
            }
            _ => Step::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Step {
        self.depth -= 1;
        Step::Continue(())
    }
}

fn refused_clause_of_query(query: &Query) -> Option<&'static str> {
    [
        (!query.locks.is_empty(), "FOR UPDATE or FOR SHARE"),
        (query.for_clause.is_some(), "FOR XML, JSON or BROWSE"),
        (query.settings.is_some(), "SETTINGS"),
        (query.format_clause.is_some(), "FORMAT"),
        (!query.pipe_operators.is_empty(), "a pipe operator"),
    ]
    .into_iter()
    .find_map(|(present, name)| present.then_some(name))
}

fn refused_body(body: &SetExpr) -> Option<&'static str> {
    match body {
        SetExpr::Insert(_) => Some("INSERT"),
        SetExpr::Update(_) => Some("UPDATE"),
        SetExpr::Delete(_) => Some("DELETE"),
        SetExpr::Merge(_) => Some("MERGE"),
        SetExpr::Table(_) => Some("TABLE"),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => None,
        SetExpr::SetOperation { left, right, .. } => refused_body(left).or(refused_body(right)),
    }
}

fn refused_clause_of_select(select: &Select) -> Option<&'static str> {
    [
        (select.into.is_some(), "SELECT INTO"),
        (select.top.is_some(), "TOP"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.value_table_mode.is_some(), "SELECT AS"),
    ]
    .into_iter()
    .find_map(|(present, name)| present.then_some(name))
}

fn is_plain_table(factor: &TableFactor) -> bool {
    matches!(
        factor,
        TableFactor::Table {
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
            ..
        } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()
    )
}

/// Whether a table name looks like a file or URL. No table of ours has such a name, and no session can open
/// one; this says so before anything is looked up.
fn is_path_like(name: &ast::ObjectName) -> bool {
    name.0.iter().any(|part| match part.as_ident() {
        Some(ident) => {
            ident.quote_style == Some('\'') || ident.value.contains(['/', '\\', ':', '.', '*'])
        }
        None => true,
    })
}

/// How many grouping sets a GROUP BY makes: the product over its parts.
fn grouping_sets(group_by: &ast::GroupByExpr) -> Option<u64> {
    let (expressions, modifiers) = match group_by {
        ast::GroupByExpr::Expressions(expressions, modifiers) => {
            (expressions.as_slice(), modifiers)
        }
        ast::GroupByExpr::All(modifiers) => (&[][..], modifiers),
    };
    let power = |n: usize| 1_u64.checked_shl(n.min(63) as u32).unwrap_or(u64::MAX);
    let sets = |expr: &Expr| match expr {
        Expr::Cube(parts) => power(parts.len()),
        Expr::Rollup(parts) => parts.len() as u64 + 1,
        Expr::GroupingSets(parts) => parts.len() as u64,
        _ => 1,
    };
    let product = expressions
        .iter()
        .map(sets)
        .fold(1_u64, u64::saturating_mul);
    let modified = if modifiers.is_empty() {
        1
    } else {
        power(expressions.len())
    };
    Some(product.saturating_mul(modified))
}

#[cfg(test)]
mod tests;
