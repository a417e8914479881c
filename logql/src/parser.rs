//! Tokens -> the tree of a query, checked: what it returns can be evaluated.
//!
//! By recursive descent; operators between metric queries climb by precedence. Regular expressions, patterns,
//! templates, addresses and paths are read here for the first time, so that their errors have a place.

mod condition;
mod cursor;
mod metric;
mod selector;
mod stages;

use crate::{
    ast::{Expr, LogExpr},
    error::Result,
};
use cursor::Cursor;

/// Reads a query of either kind.
///
/// Errors name the line and column; a text over [`crate::limits::QUERY_BYTES`] and an expression deeper than
/// [`crate::limits::DEPTH`] are refused.
pub fn parse(text: &str) -> Result<Expr> {
    let mut cursor = Cursor::new(text)?;
    let expr = match is_log(&cursor) {
        true => Expr::Log(log(&mut cursor)?),
        false => Expr::Metric(metric::metric(&mut cursor)?),
    };
    end(&cursor)?;
    Ok(expr)
}

/// Reads a log query; a metric query is an error.
pub fn parse_log(text: &str) -> Result<LogExpr> {
    let mut cursor = Cursor::new(text)?;
    let expr = log(&mut cursor)?;
    end(&cursor)?;
    Ok(expr)
}

fn end(cursor: &Cursor<'_>) -> Result<()> {
    match cursor.is_at_end() {
        true => Ok(()),
        false => Err(cursor.unexpected("the end of the query")),
    }
}

/// Whether a brace comes after any number of parentheses.
fn is_log(cursor: &Cursor<'_>) -> bool {
    let mut ahead = 0;
    while cursor.is_symbol_at(ahead, "(") {
        ahead += 1;
    }
    cursor.is_symbol_at(ahead, "{")
}

fn log(cursor: &mut Cursor<'_>) -> Result<LogExpr> {
    if cursor.take("(") {
        cursor.enter()?;
        let expr = log(cursor)?;
        cursor.leave();
        cursor.expect(")")?;
        return Ok(expr);
    }
    let selector = selector::selector(cursor)?;
    let stages = stages::stages(cursor)?;
    if cursor.is_unwrap() {
        return Err(cursor
            .error("unwrap belongs into a metric query, like sum_over_time({…} | unwrap x [5m])"));
    }
    Ok(LogExpr { selector, stages })
}

#[cfg(test)]
mod tests;
