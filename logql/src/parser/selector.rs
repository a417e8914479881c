//! Stream selectors and the matchers in them.

use super::cursor::Cursor;
use crate::{
    ast::{MatchOp, Matcher},
    error::Result,
    lexer::Token,
    regexes,
};

/// `{app="x", env=~"prod|dev"}`; one matcher at least does not match "".
pub(super) fn selector(cursor: &mut Cursor<'_>) -> Result<Vec<Matcher>> {
    let at = cursor.at();
    if !cursor.take("{") {
        return Err(cursor.unexpected("a stream selector like {app=\"x\"}"));
    }
    let mut matchers = Vec::new();
    while !cursor.take("}") {
        matchers.push(matcher(cursor)?);
        if !cursor.take(",") && !cursor.is_symbol_at(0, "}") {
            return Err(cursor.unexpected(", or }"));
        }
    }
    if matchers.iter().all(matches_empty) {
        return Err(cursor.error_at(
            at,
            "a selector needs at least one matcher = or =~ that does not match an empty value, like {app=\"x\"} or {app=~\".+\"}",
        ));
    }
    Ok(matchers)
}

fn matches_empty(matcher: &Matcher) -> bool {
    match matcher.op {
        MatchOp::Equal => matcher.value.is_empty(),
        MatchOp::Regex => regexes::whole(&matcher.value).is_ok_and(|regex| regex.is_match("")),
        MatchOp::NotEqual | MatchOp::NotRegex => true,
    }
}

/// `name="value"` with one of the four operators.
pub(super) fn matcher(cursor: &mut Cursor<'_>) -> Result<Matcher> {
    let name = cursor.name("the name of a label")?;
    let op = match_op(cursor.peek()).ok_or_else(|| cursor.unexpected("=, !=, =~ or !~"))?;
    cursor.advance();
    let (value, at) = cursor.text("a text between quotes")?;
    checked(cursor, Matcher { name, op, value }, at)
}

/// The operator of a matcher that a token is.
pub(super) fn match_op(token: &Token) -> Option<MatchOp> {
    match token {
        Token::Symbol("=") => Some(MatchOp::Equal),
        Token::Symbol("!=") => Some(MatchOp::NotEqual),
        Token::Symbol("=~") => Some(MatchOp::Regex),
        Token::Symbol("!~") => Some(MatchOp::NotRegex),
        _ => None,
    }
}

/// The matcher, if its regular expression can be compiled; its value stands at `at`.
pub(super) fn checked(cursor: &Cursor<'_>, matcher: Matcher, at: usize) -> Result<Matcher> {
    if matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex) {
        regexes::whole(&matcher.value).map_err(|detail| cursor.error_at(at, detail))?;
    }
    Ok(matcher)
}
