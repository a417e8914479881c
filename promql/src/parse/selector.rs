//! `name{label="value"}`, and lists of labels.

use super::cursor::Cursor;
use crate::{
    error::{Error, Result},
    expr::{Selector, Shift},
    labels::METRIC_NAME,
    lex::{Token, quoted},
    matcher::{MatchOp, Matcher},
};

/// A selector of the metric `name`, which has been taken; braces may follow.
pub(super) fn selector(cursor: &mut Cursor, name: Option<String>) -> Result<Selector> {
    let mut selector = Selector {
        matchers: name
            .iter()
            .map(|name| by_name(name))
            .collect::<Result<_>>()?,
        name,
        shift: Shift::default(),
        extension: None,
        statistics_only: false,
    };
    if !cursor.sign("{") {
        return Ok(selector);
    }
    while !cursor.sign("}") {
        item(cursor, &mut selector)?;
        if !cursor.sign(",") && !cursor.is_sign(0, "}") {
            return Err(cursor.unexpected("label matching", "\",\" or \"}\""));
        }
    }
    Ok(selector)
}

fn by_name(name: &str) -> Result<Matcher> {
    Matcher::new(METRIC_NAME, MatchOp::Equal, name)
}

fn item(cursor: &mut Cursor, selector: &mut Selector) -> Result<()> {
    let start = cursor.span().start;
    let (label, in_quotes) = match cursor.take() {
        Token::Name(name) => (name, false),
        Token::String(name) => (name, true),
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
        return metric_name(cursor, selector, start, label);
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
    if label == METRIC_NAME && op == MatchOp::Equal && selector.name.is_some() {
        return Err(twice(cursor, start, selector, &value));
    }
    let value_start = cursor.span().start;
    cursor.take();
    let matcher = Matcher::new(label, op, value).map_err(|error| match error {
        Error::Pattern { pattern, source } => cursor.error(
            value_start,
            format!("regular expression {pattern:?}: {source}"),
        ),
        other => other,
    })?;
    selector.matchers.push(matcher);
    Ok(())
}

/// `{"my.metric"}`.
fn metric_name(cursor: &Cursor, selector: &mut Selector, start: usize, name: String) -> Result<()> {
    if selector.name.is_some() {
        return Err(twice(cursor, start, selector, &name));
    }
    selector.matchers.insert(0, by_name(&name)?);
    selector.name = Some(name);
    Ok(())
}

fn twice(cursor: &Cursor, start: usize, selector: &Selector, second: &str) -> Error {
    let first = quoted::quote(selector.name.as_deref().unwrap_or(""));
    let second = quoted::quote(second);
    cursor.error(
        start,
        format!("metric name must not be set twice: {first} or {second}"),
    )
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
