//! Metric queries.

use super::{
    condition,
    cursor::{self, Cursor},
    selector, stages,
};
use crate::{
    ast::{
        Binary, BinaryOp, CompareOp, Conversion, Group, Grouping, LabelReplace, LogExpr, LogRange,
        Matching, Metric, RangeAggregation, RangeOp, Unwrap, VectorAggregation, VectorOp,
    },
    error::Result,
    lexer::Token,
    regexes, units,
};

/// A query and how deep it is.
type Deep = (Metric, usize);

/// A whole metric query.
pub(super) fn metric(cursor: &mut Cursor<'_>) -> Result<Metric> {
    Ok(climb(cursor, 0)?.0)
}

/// The operator at the cursor with its precedence; a higher one binds more.
fn binary_op(cursor: &Cursor<'_>) -> Option<(BinaryOp, u8)> {
    Some(match cursor.peek() {
        Token::Word(word) => match word.to_ascii_lowercase().as_str() {
            "or" => (BinaryOp::Or, 1),
            "and" => (BinaryOp::And, 2),
            "unless" => (BinaryOp::Unless, 2),
            _ => return None,
        },
        Token::Symbol("==") => (BinaryOp::Compare(CompareOp::Equal), 3),
        Token::Symbol("!=") => (BinaryOp::Compare(CompareOp::NotEqual), 3),
        Token::Symbol(">") => (BinaryOp::Compare(CompareOp::Greater), 3),
        Token::Symbol(">=") => (BinaryOp::Compare(CompareOp::GreaterEqual), 3),
        Token::Symbol("<") => (BinaryOp::Compare(CompareOp::Less), 3),
        Token::Symbol("<=") => (BinaryOp::Compare(CompareOp::LessEqual), 3),
        Token::Symbol("+") => (BinaryOp::Add, 4),
        Token::Symbol("-") => (BinaryOp::Sub, 4),
        Token::Symbol("*") => (BinaryOp::Mul, 5),
        Token::Symbol("/") => (BinaryOp::Div, 5),
        Token::Symbol("%") => (BinaryOp::Mod, 5),
        Token::Symbol("^") => (BinaryOp::Pow, 6),
        _ => return None,
    })
}

fn climb(cursor: &mut Cursor<'_>, lowest: u8) -> Result<Deep> {
    cursor.enter()?;
    let mut left = operand(cursor)?;
    while let Some((op, precedence)) = binary_op(cursor).filter(|(_, found)| *found >= lowest) {
        let at = cursor.at();
        cursor.advance();
        let returns_bool = cursor.take_word("bool");
        if returns_bool && !matches!(op, BinaryOp::Compare(_)) {
            return Err(cursor.error_at(at, "bool goes with comparisons only"));
        }
        let matching = matching(cursor)?;
        if op.is_set() && matches!(&matching, Some(found) if found.group != Group::None) {
            return Err(cursor.error_at(at, format!("no grouping is allowed for {}", op.symbol())));
        }
        // All but the power are joined from the left.
        let right = climb(cursor, precedence + u8::from(op != BinaryOp::Pow))?;
        let is_literal = |side: &Deep| matches!(side.0, Metric::Literal(_));
        if op.is_set() && (is_literal(&left) || is_literal(&right)) {
            return Err(cursor.error_at(
                at,
                format!("{} goes between series, not with a number", op.symbol()),
            ));
        }
        let depth = left.1.max(right.1) + 1;
        cursor::check_depth(depth)?;
        let binary = Binary {
            op,
            returns_bool,
            matching,
            left: Box::new(left.0),
            right: Box::new(right.0),
        };
        left = (folded(binary), depth);
    }
    cursor.leave();
    Ok(left)
}

/// Two numbers make one.
fn folded(binary: Binary) -> Metric {
    if let (Metric::Literal(left), Metric::Literal(right)) = (&*binary.left, &*binary.right) {
        let value = binary.op.of_numbers(*left, *right);
        if value.is_finite() {
            return Metric::Literal(value);
        }
    }
    Metric::Binary(binary)
}

fn matching(cursor: &mut Cursor<'_>) -> Result<Option<Matching>> {
    let on = cursor.take_word("on");
    if !on && !cursor.take_word("ignoring") {
        return match cursor.is_word_at(0, "group_left") || cursor.is_word_at(0, "group_right") {
            true => {
                Err(cursor.error("group_left and group_right stand after on (…) or ignoring (…)"))
            }
            false => Ok(None),
        };
    }
    let labels = cursor.names()?;
    let group = match (
        cursor.take_word("group_left"),
        cursor.take_word("group_right"),
    ) {
        (true, _) => Group::Left(included(cursor)?),
        (_, true) => Group::Right(included(cursor)?),
        _ => Group::None,
    };
    Ok(Some(Matching { on, labels, group }))
}

/// The labels after `group_left`. A parenthesis may as well begin the other side: then what is in it is no list.
fn included(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut ahead = 1;
    while matches!(cursor.peek_at(ahead), Token::Word(_)) && cursor.is_symbol_at(ahead + 1, ",") {
        ahead += 2;
    }
    ahead += usize::from(matches!(cursor.peek_at(ahead), Token::Word(_)));
    match cursor.is_symbol_at(0, "(") && cursor.is_symbol_at(ahead, ")") {
        true => cursor.names(),
        false => Ok(Vec::new()),
    }
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Deep> {
    if let Some(value) = literal(cursor) {
        return Ok((Metric::Literal(value), 1));
    }
    if cursor.take("(") {
        let inner = climb(cursor, 0)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    let Token::Word(word) = cursor.peek() else {
        return Err(cursor.unexpected("a metric query like rate({app=\"x\"}[5m]), or a selector"));
    };
    let word = word.to_ascii_lowercase();
    if let Some((op, _)) = RangeOp::ALL.iter().find(|(_, name)| *name == word) {
        return Ok((Metric::Range(range_aggregation(cursor, *op)?), 1));
    }
    if let Some((op, _)) = VectorOp::ALL.iter().find(|(_, name)| *name == word) {
        return vector_aggregation(cursor, *op);
    }
    match word.as_str() {
        "vector" => {
            cursor.advance();
            cursor.expect("(")?;
            let value = literal(cursor).ok_or_else(|| cursor.unexpected("a number"))?;
            cursor.expect(")")?;
            Ok((Metric::Vector(value), 1))
        }
        "label_replace" => label_replace(cursor),
        _ => Err(cursor.error(format!(
            "unknown function {word:?}; metric queries look like rate({{app=\"x\"}}[5m])"
        ))),
    }
}

/// A number with or without a sign.
fn literal(cursor: &mut Cursor<'_>) -> Option<f64> {
    let is_signed = cursor.is_symbol_at(0, "-") || cursor.is_symbol_at(0, "+");
    let Token::Number(value) = *cursor.peek_at(usize::from(is_signed)) else {
        return None;
    };
    let is_negative = cursor.take("-");
    if !is_negative {
        cursor.take("+");
    }
    cursor.advance();
    Some(if is_negative { -value } else { value })
}

fn grouping(cursor: &mut Cursor<'_>) -> Result<Option<Grouping>> {
    let without = cursor.take_word("without");
    if !without && !cursor.take_word("by") {
        return Ok(None);
    }
    let labels = cursor.names()?;
    Ok(Some(Grouping { without, labels }))
}

fn range_aggregation(cursor: &mut Cursor<'_>, op: RangeOp) -> Result<RangeAggregation> {
    let at = cursor.at();
    cursor.advance();
    cursor.expect("(")?;
    let parameter = literal(cursor);
    if parameter.is_some() {
        cursor.expect(",")?;
    }
    let range = log_range(cursor)?;
    cursor.expect(")")?;
    let grouping = grouping(cursor)?;
    let name = op.name();
    let wrong = match op {
        RangeOp::Quantile if parameter.is_none() => {
            Some(format!("{name} needs the quantile first: {name}(0.99, …)"))
        }
        RangeOp::Quantile => None,
        _ if parameter.is_some() => Some(format!("{name} takes no number before the selector")),
        _ => None,
    };
    let wrong = wrong.or_else(|| misuse(op, range.unwrap.is_some(), grouping.is_some()));
    match wrong {
        Some(detail) => Err(cursor.error_at(at, detail)),
        None => Ok(RangeAggregation {
            op,
            parameter,
            range,
            grouping,
        }),
    }
}

/// What is wrong about a function with or without a number and labels.
fn misuse(op: RangeOp, has_unwrap: bool, has_grouping: bool) -> Option<String> {
    let name = op.name();
    let counts_lines = matches!(op, RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate);
    let takes_both = matches!(op, RangeOp::Rate | RangeOp::Absent);
    if has_unwrap && counts_lines {
        return Some(format!("{name} counts lines and takes no unwrap"));
    }
    if !has_unwrap && !counts_lines && !takes_both {
        return Some(format!(
            "{name} needs a number: add | unwrap LABEL before the range"
        ));
    }
    let may_group = matches!(
        op,
        RangeOp::Avg
            | RangeOp::Max
            | RangeOp::Min
            | RangeOp::First
            | RangeOp::Last
            | RangeOp::Stdvar
            | RangeOp::Stddev
            | RangeOp::Quantile
    );
    (has_grouping && !may_group)
        .then(|| format!("grouping is not allowed for {name}: use sum by (…) ({name}(…))"))
}

/// A selector, stages, `unwrap`, the range and the offset; the stages may also stand after the range.
fn log_range(cursor: &mut Cursor<'_>) -> Result<LogRange> {
    if cursor.take("(") {
        cursor.enter()?;
        // The range is within or after the parentheses.
        let inner = parts(cursor, true)?;
        cursor.leave();
        return Ok(inner);
    }
    parts(cursor, false)
}

fn parts(cursor: &mut Cursor<'_>, in_parentheses: bool) -> Result<LogRange> {
    if in_parentheses && cursor.is_symbol_at(0, "(") {
        let inner = log_range(cursor)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    let selector = selector::selector(cursor)?;
    let mut stages = stages::stages(cursor)?;
    let mut unwrap = unwrap(cursor)?;
    let closed = in_parentheses && cursor.take(")");
    let Token::Range(interval) = *cursor.peek() else {
        return Err(cursor.unexpected("a range like [5m]"));
    };
    cursor.advance();
    let offset = offset(cursor)?;
    if stages.is_empty() && unwrap.is_none() && !closed {
        stages = stages::stages(cursor)?;
        unwrap = self::unwrap(cursor)?;
    }
    if in_parentheses && !closed {
        cursor.expect(")")?;
    }
    let log = LogExpr { selector, stages };
    Ok(LogRange {
        log,
        unwrap,
        interval,
        offset,
    })
}

fn offset(cursor: &mut Cursor<'_>) -> Result<i64> {
    if !cursor.take_word("offset") {
        return Ok(0);
    }
    let is_negative = cursor.take("-");
    let Token::Duration(offset) = *cursor.peek() else {
        return Err(cursor.unexpected("a duration like 5m"));
    };
    cursor.advance();
    Ok(if is_negative { -offset } else { offset })
}

fn unwrap(cursor: &mut Cursor<'_>) -> Result<Option<Unwrap>> {
    if !cursor.is_unwrap() {
        return Ok(None);
    }
    cursor.advance();
    cursor.advance();
    let name_at = cursor.at();
    let name = cursor.name("a label")?;
    let (label, conversion) = match cursor.take("(") {
        false => (name, Conversion::Number),
        true => {
            let conversion = match name.to_ascii_lowercase().as_str() {
                "bytes" => Conversion::Bytes,
                "duration" => Conversion::Duration,
                "duration_seconds" => Conversion::DurationSeconds,
                _ => {
                    let detail = format!(
                        "unwrap knows bytes(), duration() and duration_seconds(), not {name}()"
                    );
                    return Err(cursor.error_at(name_at, detail));
                }
            };
            let label = cursor.name("a label")?;
            cursor.expect(")")?;
            (label, conversion)
        }
    };
    let mut filters = Vec::new();
    while cursor.take("|") {
        if !condition::is_start(cursor) {
            return Err(
                cursor.unexpected("a label filter: after unwrap only label filters are allowed")
            );
        }
        filters.push(condition::filter(cursor)?);
    }
    Ok(Some(Unwrap {
        label,
        conversion,
        filters,
    }))
}

fn vector_aggregation(cursor: &mut Cursor<'_>, op: VectorOp) -> Result<Deep> {
    let at = cursor.at();
    cursor.advance();
    let before = grouping(cursor)?;
    cursor.expect("(")?;
    // A number and a comma; a number alone belongs to the query.
    let is_parameter = matches!(cursor.peek(), Token::Number(_)) && cursor.is_symbol_at(1, ",");
    let parameter = if is_parameter { literal(cursor) } else { None };
    if is_parameter {
        cursor.expect(",")?;
    }
    let (inner, depth) = climb(cursor, 0)?;
    cursor.expect(")")?;
    let after = grouping(cursor)?;
    if before.is_some() && after.is_some() {
        return Err(cursor.error_at(
            at,
            "the grouping stands before or after the parentheses, not both",
        ));
    }
    let grouping = before
        .or(after)
        .filter(|found| found.without || !found.labels.is_empty());
    let name = op.name();
    let takes_number = matches!(
        op,
        VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk
    );
    let parameter = match (takes_number, parameter) {
        (false, None) => None,
        (false, Some(_)) => return Err(cursor.error_at(at, format!("{name} takes no number"))),
        (true, None) => {
            return Err(cursor.error_at(at, format!("{name} needs a number first: {name}(10, …)")));
        }
        (true, Some(value))
            if value >= 1.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0 =>
        {
            Some(value as u32)
        }
        (true, Some(_)) => {
            return Err(cursor.error_at(at, format!("the number of {name} is whole and above 0")));
        }
    };
    if grouping.is_some()
        && matches!(
            op,
            VectorOp::Sort | VectorOp::SortDesc | VectorOp::ApproxTopk
        )
    {
        return Err(cursor.error_at(at, format!("grouping is not allowed for {name}")));
    }
    let depth = depth + 1;
    cursor::check_depth(depth)?;
    let inner = Box::new(inner);
    Ok((
        Metric::Aggregation(VectorAggregation {
            op,
            parameter,
            grouping,
            inner,
        }),
        depth,
    ))
}

fn label_replace(cursor: &mut Cursor<'_>) -> Result<Deep> {
    cursor.advance();
    cursor.expect("(")?;
    let (inner, depth) = climb(cursor, 0)?;
    cursor.expect(",")?;
    let (destination, destination_at) = cursor.text("the label to write, between quotes")?;
    cursor.expect(",")?;
    let (replacement, _) = cursor.text("the replacement, between quotes")?;
    cursor.expect(",")?;
    let (source, _) = cursor.text("the label to read, between quotes")?;
    cursor.expect(",")?;
    let (regex, at) = cursor.text("a regular expression between quotes")?;
    cursor.expect(")")?;
    regexes::whole(&regex).map_err(|detail| cursor.error_at(at, detail))?;
    if !units::is_label_name(&destination) {
        return Err(cursor.error_at(
            destination_at,
            format!("{destination:?} cannot be the name of a label"),
        ));
    }
    let depth = depth + 1;
    cursor::check_depth(depth)?;
    let inner = Box::new(inner);
    let replace = LabelReplace {
        inner,
        destination,
        replacement,
        source,
        regex,
    };
    Ok((Metric::LabelReplace(replace), depth))
}
