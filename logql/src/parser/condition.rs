//! Label filters: comparisons joined by `and`, `or`, commas and parentheses.

use super::{
    cursor::{self, Cursor},
    selector,
};
use crate::{
    ast::{CompareOp, Comparison, IpFilter, LabelFilter, MatchOp, Matcher},
    error::Result,
    ip::Addresses,
    lexer::Token,
};

/// A filter and how deep it is.
type Deep = (LabelFilter, usize);

/// A whole filter. `or` binds less than `and`; a comma, and nothing between two filters, are `and`.
pub(super) fn filter(cursor: &mut Cursor<'_>) -> Result<LabelFilter> {
    Ok(alternatives(cursor)?.0)
}

fn alternatives(cursor: &mut Cursor<'_>) -> Result<Deep> {
    let mut left = conjunction(cursor)?;
    while cursor.take_word("or") {
        let right = conjunction(cursor)?;
        left = join(LabelFilter::Or, left, right)?;
    }
    Ok(left)
}

fn conjunction(cursor: &mut Cursor<'_>) -> Result<Deep> {
    let mut left = single(cursor)?;
    loop {
        let goes_on = cursor.take_word("and") || cursor.take(",") || is_start(cursor);
        if !goes_on {
            return Ok(left);
        }
        let right = single(cursor)?;
        left = join(LabelFilter::And, left, right)?;
    }
}

fn join(
    kind: fn(Box<LabelFilter>, Box<LabelFilter>) -> LabelFilter,
    left: Deep,
    right: Deep,
) -> Result<Deep> {
    let depth = left.1.max(right.1) + 1;
    cursor::check_depth(depth)?;
    Ok((kind(Box::new(left.0), Box::new(right.0)), depth))
}

/// Whether a filter begins here: a name and an operator, or a parenthesis.
pub(super) fn is_start(cursor: &Cursor<'_>) -> bool {
    cursor.is_symbol_at(0, "(")
        || matches!(cursor.peek(), Token::Word(_)) && is_operator(cursor.peek_at(1))
}

fn is_operator(token: &Token) -> bool {
    selector::match_op(token).is_some() || compare_op(token).is_some()
}

fn compare_op(token: &Token) -> Option<CompareOp> {
    match token {
        Token::Symbol("=" | "==") => Some(CompareOp::Equal),
        Token::Symbol("!=") => Some(CompareOp::NotEqual),
        Token::Symbol(">") => Some(CompareOp::Greater),
        Token::Symbol(">=") => Some(CompareOp::GreaterEqual),
        Token::Symbol("<") => Some(CompareOp::Less),
        Token::Symbol("<=") => Some(CompareOp::LessEqual),
        _ => None,
    }
}

fn single(cursor: &mut Cursor<'_>) -> Result<Deep> {
    if cursor.take("(") {
        cursor.enter()?;
        let inner = alternatives(cursor)?;
        cursor.leave();
        cursor.expect(")")?;
        return Ok(inner);
    }
    let name = cursor.name("a label filter like level=\"error\" or duration > 1s")?;
    let operator = cursor.peek().clone();
    if !is_operator(&operator) {
        return Err(
            cursor.unexpected("an operator of a label filter: =, !=, =~, !~, ==, >, >=, < or <=")
        );
    }
    cursor.advance();
    let is_ip = cursor.is_word_at(0, "ip") && cursor.is_symbol_at(1, "(");
    let filter = match (selector::match_op(&operator), compare_op(&operator)) {
        (Some(op), _) if matches!(cursor.peek(), Token::Text(_)) => text(cursor, name, op)?,
        (Some(MatchOp::Equal), _) if is_ip => ip(cursor, name, false)?,
        (Some(MatchOp::NotEqual), _) if is_ip => ip(cursor, name, true)?,
        (_, Some(op)) => value(cursor, name, op)?,
        _ => return Err(cursor.unexpected("a text between quotes")),
    };
    Ok((filter, 1))
}

fn text(cursor: &mut Cursor<'_>, name: String, op: MatchOp) -> Result<LabelFilter> {
    let (value, at) = cursor.text("a text between quotes")?;
    let matcher = Matcher { name, op, value };
    Ok(LabelFilter::Text(selector::checked(cursor, matcher, at)?))
}

fn ip(cursor: &mut Cursor<'_>, name: String, negative: bool) -> Result<LabelFilter> {
    cursor.advance();
    cursor.expect("(")?;
    let (pattern, at) = cursor.text("an address between quotes")?;
    cursor.expect(")")?;
    Addresses::new(&pattern).map_err(|detail| cursor.error_at(at, detail))?;
    Ok(LabelFilter::Ip(IpFilter {
        name,
        negative,
        pattern,
    }))
}

fn value(cursor: &mut Cursor<'_>, name: String, op: CompareOp) -> Result<LabelFilter> {
    let is_negative = cursor.take("-");
    if !is_negative {
        cursor.take("+");
    }
    let sign = if is_negative { -1 } else { 1 };
    let filter = match *cursor.peek() {
        Token::Number(value) => LabelFilter::Number(Comparison {
            name,
            op,
            value: value * f64::from(sign),
        }),
        Token::Duration(value) => LabelFilter::Duration(Comparison {
            name,
            op,
            value: value * i64::from(sign),
        }),
        Token::Bytes(value) if !is_negative => LabelFilter::Bytes(Comparison { name, op, value }),
        _ => {
            return Err(cursor.unexpected(
                "a number, a duration like 5m or a size like 5KB (text is compared by =, !=, =~ and !~)",
            ));
        }
    };
    cursor.advance();
    Ok(filter)
}
