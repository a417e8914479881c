//! From a text to a checked tree.
//!
//! A parser by hand, as the operators of the newest Prometheus (`</`, `fill`, duration expressions) are in no other one.

use crate::{
    check,
    error::{Error, Result},
    expr::Expr,
    lex,
};

mod cursor;
mod expression;
mod length;
mod matching;
mod selector;

/// Longer texts are refused: nobody writes them, and each byte may become a token.
const TEXT_BYTES_MAX: usize = 128 * 1024;

/// The expression that `text` is, with all its types checked.
///
/// `experimental` admits what Prometheus has behind flags. Errors carry line and column.
pub fn parse(text: &str, experimental: bool) -> Result<Expr> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::Limit(format!(
            "a query has at most {TEXT_BYTES_MAX} bytes, this one has {}",
            text.len()
        )));
    }
    let mut cursor = cursor::Cursor::new(text, lex::tokens(text)?);
    let expr = expression::whole(&mut cursor)?;
    check::check(&expr, experimental)
        .map_err(|(span, message)| lex::error_at(text, span.start, message))?;
    Ok(expr)
}

/// The length of a duration as PromQL has it (`1h30m`), in ms; `None` for anything else.
pub fn duration_ms(text: &str) -> Option<i64> {
    let seconds = lex::number::duration(text)?.ok()?;
    Some((seconds * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests;
