//! `name{label="value"}`, and lists of labels.

use super::cursor::Cursor;
use crate::{
    error::{Error, Result},
    expr::{Selector, Shift},
    labels::METRIC_NAME,
    lex::{Token, quoted},
    matcher::{MatchOp, Matcher},
};

/// A selector of the metric `name`, which stood at `start` and has been taken; braces may follow. The matcher of `name` is the last.
pub(super) fn selector(
    cursor: &mut Cursor,
    name: Option<String>,
    start: usize,
) -> Result<Selector> {
    let mut matchers = Vec::new();
    if cursor.sign("{") {
        while !cursor.sign("}") {
            matchers.push(item(cursor)?);
            if !cursor.sign(",") && !cursor.is_sign(0, "}") {
                return Err(cursor.unexpected("label matching", "\",\" or \"}\""));
            }
        }
    }
    if let Some(name) = &name {
        if let Some(second) = matchers.iter().find(|second| second.name == METRIC_NAME) {
            let (first, second) = (quoted::quote(name), quoted::quote(&second.value));
            let message = format!("metric name must not be set twice: {first} or {second}");
            return Err(cursor.error(start, message));
        }
        matchers.push(by_name(name)?);
    }
    Ok(Selector {
        matchers,
        name,
        shift: Shift::default(),
        extension: None,
        statistics_only: false,
    })
}

fn by_name(name: &str) -> Result<Matcher> {
    Matcher::new(METRIC_NAME, MatchOp::Equal, name)
}

/// `label="value"`, or `"my.metric"`.
fn item(cursor: &mut Cursor) -> Result<Matcher> {
    let start = cursor.span().start;
    let (label, in_quotes) = match cursor.take() {
        Token::Name(name) => (name, false),
        Token::String(name) => (name, true),
        Token::End => return Err(cursor.unexpected("label matching", "identifier or \"}\"")),
        // Read in the way of a name, `inf` would be a number elsewhere.
        _ => {
            let before = cursor.error(
                start,
                "unexpected token in label matching, expected identifier or \"}\"",
            );
            return Err(before);
        }
    };
    if in_quotes && (cursor.is_sign(0, ",") || cursor.is_sign(0, "}")) {
        return by_name(&label);
    }
    let op = match cursor.peek() {
        Token::Sign("=") => MatchOp::Equal,
        Token::Sign("!=") => MatchOp::NotEqual,
        Token::Sign("=~") => MatchOp::Matches,
        Token::Sign("!~") => MatchOp::NotMatches,
        _ => return Err(cursor.unexpected("label matching", "label matching operator")),
    };
    cursor.take();
    if !valid_label(&label) {
        return Err(cursor.error(
            start,
            format!("invalid label name {}", quoted::quote(&label)),
        ));
    }
    let Token::String(value) = cursor.peek().clone() else {
        return Err(cursor.unexpected("label matching", "string"));
    };
    let value_start = cursor.span().start;
    cursor.take();
    Matcher::new(label, op, value).map_err(|error| match error {
        Error::Pattern { pattern, source } => cursor.error(
            value_start,
            format!("regular expression {pattern:?}: {source}"),
        ),
        other => other,
    })
}

/// `(label, "other label")`.
pub(super) fn grouping(cursor: &mut Cursor) -> Result<Vec<String>> {
    cursor.need("(", "grouping opts")?;
    let mut labels = Vec::new();
    while !cursor.sign(")") {
        let (Token::Name(label) | Token::String(label)) = cursor.peek().clone() else {
            return Err(cursor.unexpected("grouping opts", "label"));
        };
        if !valid_label(&label) || label.contains(':') && matches!(cursor.peek(), Token::Name(_)) {
            return Err(cursor.unexpected("grouping opts", "label"));
        }
        cursor.take();
        labels.push(label);
        if !cursor.sign(",") && !cursor.is_sign(0, ")") {
            return Err(cursor.unexpected("grouping opts", "\",\" or \")\""));
        }
    }
    Ok(labels)
}

/// Any UTF-8 that is not empty.
fn valid_label(label: &str) -> bool {
    !label.is_empty() && label.chars().all(|c| quoted::stray_byte(c).is_none())
}
