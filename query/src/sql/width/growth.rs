//! What a function makes of the bytes of its arguments.

use crate::{
    error::{Error, Result},
    sql::limits,
};
use arrow::datatypes::DataType;
use datafusion::{
    common::ScalarValue,
    logical_expr::{Expr, simplify::SimplifyContext},
    optimizer::simplify_expressions::ExprSimplifier,
};

/// What every value takes beside its bytes.
const OVERHEAD: u64 = 16;

/// The bytes of an element of a list of numbers or instants.
const ELEMENT_BYTES: u64 = 16;

/// The most bytes that the function `name` gives for `args`, whose own widths are `bytes`.
///
/// Fails with `Denied` where the size of the result hangs on data: such calls need a constant.
pub(super) fn growth(name: &str, args: &[Expr], bytes: &[u64]) -> Result<u64> {
    let sum = bytes.iter().fold(OVERHEAD, |sum, b| sum.saturating_add(*b));
    let first = bytes.first().copied().unwrap_or(0);
    let nth = |index: usize| bytes.get(index).copied().unwrap_or(1);
    Ok(match name {
        "repeat" => first.saturating_mul(count(name, args, 1)?),
        "lpad" | "rpad" => {
            // Characters, each of up to four bytes.
            let target = count(name, args, 1)?;
            first.max(target.saturating_mul(4))
        }
        "array_repeat" => first
            .saturating_add(OVERHEAD)
            .saturating_mul(count(name, args, 1)?),
        "array_resize" => {
            let value = nth(2).saturating_add(OVERHEAD);
            first.max(value.saturating_mul(count(name, args, 1)?))
        }
        "range" | "generate_series" => elements(name, args)?.saturating_mul(ELEMENT_BYTES),
        // Each byte may be replaced, and an empty pattern matches before and after each too.
        "replace" | "regexp_replace" => replaced(args, first, nth(2)),
        "translate" => first.saturating_mul(4),
        "overlay" | "concat" | "array_concat" | "array_append" => sum,
        "concat_ws" => sum.saturating_add(first.saturating_mul(bytes.len() as u64)),
        // Hexadecimal doubles, base64 adds a third.
        "encode" | "hex" => first.saturating_mul(2),
        // One element for each byte.
        "string_to_array" => first.saturating_mul(OVERHEAD).saturating_add(first),
        // A delimiter for each element, and elements take two bytes or more.
        "array_to_string" => {
            let delimiters = (first / 2).saturating_mul(nth(1));
            sum.saturating_add(delimiters)
        }
        // Every directive becomes a few words.
        "to_char" => nth(1).saturating_mul(16).max(64),
        _ => sum,
    })
}

fn replaced(args: &[Expr], subject: u64, replacement: u64) -> u64 {
    // Real patterns match words rather than every byte; without this, `regexp_replace(body, '\d+', '<number>')`
    // would seem eight times as wide as it is. What is not a short constant counts in full.
    let is_short = args
        .get(2)
        .is_some_and(|arg| matches!(arg, Expr::Literal(..)))
        && replacement <= 64
        && args.get(1).is_some_and(|arg| !is_empty_text(arg));
    let times = if is_short {
        2
    } else {
        replacement.saturating_add(1)
    };
    subject.saturating_mul(times).saturating_add(replacement)
}

fn is_empty_text(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().is_none_or(str::is_empty),
        _ => true,
    }
}

/// The constant in argument `index` of `name`.
fn count(name: &str, args: &[Expr], index: usize) -> Result<u64> {
    let value = args
        .get(index)
        .and_then(constant)
        .and_then(|value| integer(&value));
    let Some(value) = value else {
        let place = args.get(index).and_then(|arg| arg.spans()?.first());
        return Err(Error::Denied {
            what: format!("{name} with a count that is not a constant number"),
            detail: format!("write the count of {name} as a number"),
            place: place.map(|s| crate::error::Place {
                line: s.start.line,
                column: s.start.column,
            }),
        });
    };
    Ok(u64::try_from(value).unwrap_or(0))
}

/// How many elements `range` or `generate_series` makes.
fn elements(name: &str, args: &[Expr]) -> Result<u64> {
    let refused = || Error::Denied {
        what: format!("{name} with bounds that are not constant numbers or instants"),
        detail: "write start, end and step as constants".to_string(),
        place: None,
    };
    let values = args.iter().map(|arg| constant(arg).ok_or_else(refused));
    let values = values.collect::<Result<Vec<_>>>()?;
    let elements = match values.as_slice() {
        [end] => integer(end),
        [start, end] => integer(start)
            .zip(integer(end))
            .map(|(s, e)| e.saturating_sub(s)),
        [start, end, step] => match (integer(start), integer(end), integer(step)) {
            (Some(start), Some(end), Some(step)) => {
                Some(end.saturating_sub(start).checked_div(step).unwrap_or(0))
            }
            _ => instants(start, end, step),
        },
        _ => None,
    };
    let elements = elements.ok_or_else(refused)?;
    // A step in the wrong direction gives nothing.
    Ok(u64::try_from(elements).unwrap_or(0).saturating_add(1))
}

fn instants(start: &ScalarValue, end: &ScalarValue, step: &ScalarValue) -> Option<i128> {
    let (start, end, step) = (
        nanoseconds(start)?,
        nanoseconds(end)?,
        interval_nanoseconds(step)?,
    );
    Some(end.saturating_sub(start).checked_div(step).unwrap_or(0))
}

const DAY_NANOSECONDS: i128 = 86_400_000_000_000;

fn nanoseconds(value: &ScalarValue) -> Option<i128> {
    let times = |value: &Option<i64>, unit: i128| Some(i128::from((*value)?) * unit);
    match value {
        ScalarValue::TimestampSecond(value, _) => times(value, 1_000_000_000),
        ScalarValue::TimestampMillisecond(value, _) => times(value, 1_000_000),
        ScalarValue::TimestampMicrosecond(value, _) => times(value, 1_000),
        ScalarValue::TimestampNanosecond(value, _) => times(value, 1),
        ScalarValue::Date32(value) => Some(i128::from((*value)?) * DAY_NANOSECONDS),
        ScalarValue::Date64(value) => times(value, 1_000_000),
        // A bare text is taken for an instant by the function itself.
        other => {
            let text = other.try_as_str().flatten()?;
            let instant = arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text);
            instant.ok().map(i128::from)
        }
    }
}

/// At least this long: a month has 28 days or more.
fn interval_nanoseconds(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(value)) => Some(
            i128::from(value.months) * 28 * DAY_NANOSECONDS
                + i128::from(value.days) * DAY_NANOSECONDS
                + i128::from(value.nanoseconds),
        ),
        ScalarValue::IntervalDayTime(Some(value)) => Some(
            i128::from(value.days) * DAY_NANOSECONDS + i128::from(value.milliseconds) * 1_000_000,
        ),
        ScalarValue::IntervalYearMonth(Some(months)) => {
            Some(i128::from(*months) * 28 * DAY_NANOSECONDS)
        }
        _ => None,
    }
}

fn integer(value: &ScalarValue) -> Option<i128> {
    match value.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(number) if value.data_type().is_numeric() => number.map(i128::from),
        _ => None,
    }
}

/// The value of an expression without columns. Its own width has been checked before, so folding it is safe.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    if let Expr::Literal(value, _) = expr {
        return Some(value.clone());
    }
    if expr.any_column_refs() || expr.is_volatile() {
        return None;
    }
    let context = SimplifyContext::builder().with_current_time().build();
    match ExprSimplifier::new(context).simplify(expr.clone()) {
        Ok(Expr::Literal(value, _)) => Some(value),
        _ => None,
    }
}

const _: () = assert!(
    limits::VALUE_BYTES / ELEMENT_BYTES >= 60_000,
    "a series of 60,000 points fits"
);
