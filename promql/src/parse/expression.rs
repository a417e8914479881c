//! Expressions: operators by precedence, and what stands between them.

use super::{
    cursor::{Cursor, Tree},
    length, matching, selector,
};
use crate::{
    error::{Error, Result},
    expr::{
        Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Extension, Kind, Number, RangeSelector,
        Shift, Span, Subquery,
    },
    lex::Token,
    signature,
};

/// Keywords that name no metric outside of quotes.
const NOT_METRICS: [&str; 6] = [
    "atan2",
    "bool",
    "group_left",
    "group_right",
    "ignoring",
    "on",
];

/// Times beyond this are none that a sample can have, in ms; far from where sums of them overflow.
const TIME_MAX_MS: f64 = 9.2e15;

/// The whole text.
pub(super) fn whole(cursor: &mut Cursor) -> Result<crate::expr::Expr> {
    if *cursor.peek() == Token::End {
        return Err(cursor.error(cursor.span().start, "no expression found in input"));
    }
    let tree = binary(cursor, 0)?;
    match cursor.peek() {
        Token::End => Ok(tree.expr),
        _ => Err(cursor.unexpected("", "")),
    }
}

/// Operators that bind at least as strongly as `least`.
fn binary(cursor: &mut Cursor, least: u8) -> Result<Tree> {
    cursor.enter()?;
    let mut left = unary(cursor)?;
    while let Some(op) = operator(cursor).filter(|op| op.precedence() >= least) {
        cursor.take();
        let (bool_modifier, mut matching) = matching::modifiers(cursor)?;
        if op.joins_sets() && matching.cardinality == crate::expr::Cardinality::OneToOne {
            matching.cardinality = crate::expr::Cardinality::ManyToMany;
        }
        // Powers bind to the right.
        let right = binary(cursor, op.precedence() + u8::from(op != BinaryOp::Pow))?;
        let span = Span {
            start: left.expr.span.start,
            end: right.expr.span.end,
        };
        let height = left.height.max(right.height);
        let kind = Kind::Binary(Box::new(Binary {
            op,
            lhs: left.expr,
            rhs: right.expr,
            bool_modifier,
            matching,
        }));
        left = cursor.node(kind, span, height)?;
    }
    cursor.leave();
    Ok(left)
}

fn operator(cursor: &Cursor) -> Option<BinaryOp> {
    match cursor.peek() {
        Token::Sign(sign) => match *sign {
            "+" => Some(BinaryOp::Add),
            "-" => Some(BinaryOp::Sub),
            "*" => Some(BinaryOp::Mul),
            "/" => Some(BinaryOp::Div),
            "%" => Some(BinaryOp::Mod),
            "^" => Some(BinaryOp::Pow),
            "==" => Some(BinaryOp::Equal),
            "!=" => Some(BinaryOp::NotEqual),
            "<" => Some(BinaryOp::Less),
            "<=" => Some(BinaryOp::LessEqual),
            ">" => Some(BinaryOp::Greater),
            ">=" => Some(BinaryOp::GreaterEqual),
            "</" => Some(BinaryOp::TrimUpper),
            ">/" => Some(BinaryOp::TrimLower),
            _ => None,
        },
        Token::Name(_) if cursor.is_word("and") => Some(BinaryOp::And),
        Token::Name(_) if cursor.is_word("or") => Some(BinaryOp::Or),
        Token::Name(_) if cursor.is_word("unless") => Some(BinaryOp::Unless),
        Token::Name(_) if cursor.is_word("atan2") => Some(BinaryOp::Atan2),
        _ => None,
    }
}

/// A sign binds like a product: below powers.
fn unary(cursor: &mut Cursor) -> Result<Tree> {
    let start = cursor.span().start;
    let negative = cursor.is_sign(0, "-");
    if !negative && !cursor.is_sign(0, "+") {
        let tree = primary(cursor)?;
        return postfix(cursor, tree);
    }
    cursor.take();
    let operand = binary(cursor, BinaryOp::Pow.precedence())?;
    let span = cursor.since(start);
    if let Kind::Number(number) = operand.expr.kind {
        let value = if negative {
            -number.value
        } else {
            number.value
        };
        return cursor.node(Kind::Number(Number { value, ..number }), span, 0);
    }
    let kind = Kind::Unary {
        negative,
        operand: Box::new(operand.expr),
    };
    cursor.node(kind, span, operand.height)
}

fn primary(cursor: &mut Cursor) -> Result<Tree> {
    let start = cursor.span().start;
    let kind = match cursor.peek().clone() {
        Token::Number(value) => literal(cursor, value, false),
        Token::Duration(value) => literal(cursor, value, true),
        Token::String(text) => {
            cursor.take();
            Kind::String(text)
        }
        Token::Sign("{") => {
            let selector = selector::selector(cursor, None, start)?;
            Kind::Selector(selector)
        }
        Token::Sign("(") => {
            cursor.take();
            let inner = binary(cursor, 0)?;
            cursor.need(")", "")?;
            let span = cursor.since(start);
            return cursor.node(Kind::Paren(Box::new(inner.expr)), span, inner.height);
        }
        Token::Name(name) => return named(cursor, name),
        _ => return Err(cursor.unexpected("", "")),
    };
    let span = cursor.since(start);
    cursor.node(kind, span, 0)
}

fn literal(cursor: &mut Cursor, value: f64, duration: bool) -> Kind {
    cursor.take();
    Kind::Number(Number { value, duration })
}

/// A number in letters, an aggregation, a call or a metric.
fn named(cursor: &mut Cursor, name: String) -> Result<Tree> {
    let start = cursor.span().start;
    cursor.take();
    let lower = name.to_ascii_lowercase();
    let aggregation = AggregateOp::ALL.iter().find(|(word, _)| *word == lower);
    if let Some((_, op)) = aggregation
        && (cursor.is_sign(0, "(") || cursor.is_word("by") || cursor.is_word("without"))
    {
        return aggregate(cursor, *op, start);
    }
    if cursor.is_sign(0, "(") {
        return call(cursor, &name, start);
    }
    let kind = match lower.as_str() {
        "inf" => Kind::Number(Number {
            value: f64::INFINITY,
            duration: false,
        }),
        "nan" => Kind::Number(Number {
            value: f64::NAN,
            duration: false,
        }),
        word if NOT_METRICS.contains(&word) => {
            return Err(cursor.error(start, format!("unexpected <{word}>")));
        }
        _ => Kind::Selector(selector::selector(cursor, Some(name), start)?),
    };
    let span = cursor.since(start);
    cursor.node(kind, span, 0)
}

/// `(expr, …)`, with the height of the highest.
fn arguments(cursor: &mut Cursor, context: &str) -> Result<(Vec<crate::expr::Expr>, usize)> {
    cursor.need("(", context)?;
    let mut args = Vec::new();
    let mut height = 0;
    if cursor.sign(")") {
        return Ok((args, height));
    }
    loop {
        let arg = binary(cursor, 0)?;
        height = height.max(arg.height);
        args.push(arg.expr);
        if cursor.sign(")") {
            return Ok((args, height));
        }
        let comma = cursor.span().start;
        cursor.need(",", context)?;
        if cursor.is_sign(0, ")") {
            return Err(cursor.error(comma, "trailing commas not allowed in function call args"));
        }
    }
}

fn call(cursor: &mut Cursor, name: &str, start: usize) -> Result<Tree> {
    let Some(function) = signature::find(name) else {
        return Err(cursor.error(start, format!("unknown function with name {name:?}")));
    };
    let (args, height) = arguments(cursor, "function call")?;
    let span = cursor.since(start);
    cursor.node(Kind::Call(Call { function, args }), span, height)
}

fn aggregate(cursor: &mut Cursor, op: AggregateOp, start: usize) -> Result<Tree> {
    let mut grouping = aggregate_modifier(cursor)?;
    let (mut args, height) = arguments(cursor, "aggregation")?;
    if grouping.is_none() {
        grouping = aggregate_modifier(cursor)?;
    }
    let (without, grouping) = grouping.unwrap_or_default();
    let span = cursor.since(start);
    if args.is_empty() {
        let message = "no arguments for aggregate expression provided";
        return Err(cursor.error(start, message));
    }
    let wanted = 1 + usize::from(op.has_param());
    if args.len() != wanted {
        let message = format!(
            "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
            args.len()
        );
        return Err(cursor.error(start, message));
    }
    let expr = args
        .pop()
        .ok_or_else(|| cursor.unexpected("aggregation", ""))?;
    let kind = Kind::Aggregate(Box::new(Aggregate {
        op,
        param: args.pop(),
        expr,
        without,
        grouping,
    }));
    cursor.node(kind, span, height)
}

fn aggregate_modifier(cursor: &mut Cursor) -> Result<Option<(bool, Vec<String>)>> {
    let without = cursor.is_word("without");
    if !without && !cursor.is_word("by") {
        return Ok(None);
    }
    cursor.take();
    Ok(Some((without, selector::grouping(cursor)?)))
}

/// Brackets, `@`, `offset`, `anchored`, `smoothed`.
fn postfix(cursor: &mut Cursor, mut tree: Tree) -> Result<Tree> {
    loop {
        let start = cursor.span().start;
        if cursor.sign("[") {
            tree = brackets(cursor, tree, start)?;
        } else if cursor.is_word("offset") {
            cursor.take();
            offset(cursor, &mut tree, start)?;
        } else if cursor.sign("@") {
            at(cursor, &mut tree, start)?;
        } else if cursor.is_word("anchored") || cursor.is_word("smoothed") {
            extension(cursor, &mut tree)?;
        } else {
            return Ok(tree);
        }
        tree.expr.span = cursor.since(tree.expr.span.start);
    }
}

fn brackets(cursor: &mut Cursor, tree: Tree, start: usize) -> Result<Tree> {
    let range = length::whole(cursor, "subquery or range selector")?;
    let first = tree.expr.span.start;
    if cursor.sign(":") {
        let step = match cursor.is_sign(0, "]") {
            true => None,
            false => Some(length::whole(cursor, "subquery selector")?),
        };
        cursor.need("]", "subquery selector")?;
        let span = cursor.since(first);
        let kind = Kind::Subquery(Box::new(Subquery {
            expr: tree.expr,
            range,
            step,
            shift: Shift::default(),
        }));
        return cursor.node(kind, span, tree.height);
    }
    if !cursor.sign("]") {
        return Err(cursor.unexpected("subquery or range", "\":\" or \"]\""));
    }
    let selector_span = tree.expr.span;
    let Kind::Selector(selector) = tree.expr.kind else {
        return Err(cursor.error(start, "ranges only allowed for vector selectors"));
    };
    if selector.shift.offset.is_some() {
        return Err(cursor.error(start, "no offset modifiers allowed before range"));
    }
    if selector.shift.at.is_some() {
        return Err(cursor.error(start, "no @ modifiers allowed before range"));
    }
    let kind = Kind::Range(RangeSelector {
        selector,
        selector_span,
        range,
    });
    let span = cursor.since(first);
    cursor.node(kind, span, 0)
}

/// What `@` and `offset` change.
fn shift<'t>(
    cursor: &Cursor,
    tree: &'t mut Tree,
    word: &str,
    start: usize,
) -> Result<&'t mut Shift> {
    match &mut tree.expr.kind {
        Kind::Selector(selector) => Ok(&mut selector.shift),
        Kind::Range(range) => Ok(&mut range.selector.shift),
        Kind::Subquery(subquery) => Ok(&mut subquery.shift),
        _ => Err(cursor.error(start, format!(
            "{word} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        ))),
    }
}

fn offset(cursor: &mut Cursor, tree: &mut Tree, start: usize) -> Result<()> {
    let length = length::single(cursor, "offset")?;
    let shift = shift(cursor, tree, "offset", start)?;
    if shift.offset.is_some() {
        return Err(cursor.error(start, "offset may not be set multiple times"));
    }
    shift.offset = Some(length);
    Ok(())
}

fn at(cursor: &mut Cursor, tree: &mut Tree, start: usize) -> Result<()> {
    let time = time(cursor)?;
    let shift = shift(cursor, tree, "@", start)?;
    if shift.at.is_some() {
        return Err(cursor.error(start, "@ <timestamp> may not be set multiple times"));
    }
    shift.at = Some(time);
    Ok(())
}

fn time(cursor: &mut Cursor) -> Result<At> {
    for (word, at) in [("start", At::Start), ("end", At::End)] {
        if cursor.is_word(word) && cursor.is_sign(1, "(") {
            cursor.take();
            cursor.take();
            cursor.need(")", "@")?;
            return Ok(at);
        }
    }
    let start = cursor.span().start;
    let negative = cursor.sign("-");
    if !negative {
        cursor.sign("+");
    }
    let seconds = match cursor.peek() {
        Token::Number(value) | Token::Duration(value) => *value,
        Token::Name(name) if matches!(name.to_ascii_lowercase().as_str(), "inf" | "nan") => {
            f64::NAN
        }
        _ => return Err(cursor.unexpected("@", "timestamp")),
    };
    cursor.take();
    let millis = (if negative { -seconds } else { seconds } * 1000.0).round();
    // NaN fails this, too.
    if millis.abs() <= TIME_MAX_MS {
        return Ok(At::Time(millis as i64));
    }
    Err(cursor.error(
        start,
        format!("timestamp out of bounds for @ modifier: {seconds}"),
    ))
}

fn extension(cursor: &mut Cursor, tree: &mut Tree) -> Result<()> {
    let anchored = cursor.is_word("anchored");
    let word = if anchored { "anchored" } else { "smoothed" };
    let error: Error = cursor.error(
        cursor.span().start,
        format!("{word} modifier must be preceded by an instant or range selector, and only one"),
    );
    let selector = match &mut tree.expr.kind {
        Kind::Selector(selector) => selector,
        Kind::Range(range) => &mut range.selector,
        _ => return Err(error),
    };
    if selector.extension.is_some() {
        return Err(error);
    }
    selector.extension = Some(match anchored {
        true => Extension::Anchored,
        false => Extension::Smoothed,
    });
    cursor.take();
    Ok(())
}
