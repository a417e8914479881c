//! Functions on times.

use super::{Context, Function, of_text, text_of};
use crate::template::{moment::Moment, value::Value};

type Answer = Result<Value, String>;

const fn function(
    name: &'static str,
    arguments: usize,
    call: fn(&mut Context<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        least: arguments,
        most: arguments,
        call,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("__timestamp__", 0, |context, _| {
        Ok(Value::Time(Moment::of_nanos(context.input.timestamp)))
    }),
    function("now", 0, |context, _| {
        Ok(Value::Time(Moment::of_nanos(context.input.now)))
    }),
    function("date", 2, |context, a| {
        let moment = match &a[1] {
            Value::Time(moment) => moment.clone(),
            Value::Int(seconds) => Moment::of_seconds(*seconds),
            // Whatever else there is, sprig takes the time that it is.
            _ => Moment::of_nanos(context.input.now),
        };
        of_text(moment.format(text_of(a, 0)?))
    }),
    function("toDate", 2, |_, a| {
        Ok(Value::Time(Moment::parse(
            text_of(a, 0)?,
            text_of(a, 1)?,
            "UTC",
        )))
    }),
    function("toDateInZone", 3, |_, a| {
        Ok(Value::Time(Moment::parse(
            text_of(a, 0)?,
            text_of(a, 2)?,
            text_of(a, 1)?,
        )))
    }),
    function("unixEpoch", 1, |_, a| {
        of_text(nanos(a)?.div_euclid(1_000_000_000).to_string())
    }),
    function("unixEpochMillis", 1, |_, a| {
        of_text(nanos(a)?.div_euclid(1_000_000).to_string())
    }),
    function("unixEpochNanos", 1, |_, a| of_text(nanos(a)?.to_string())),
    function("unixToTime", 1, |_, a| unix_to_time(text_of(a, 0)?)),
];

fn nanos(arguments: &[Value]) -> Result<i128, String> {
    match &arguments[0] {
        Value::Time(moment) => Ok(moment.nanos()),
        other => Err(format!(
            "wrong type for value; expected time; got {}",
            other.kind()
        )),
    }
}

/// The unit goes by the number of digits: days, seconds, milliseconds, microseconds or nanoseconds since 1970.
fn unix_to_time(text: &str) -> Answer {
    let value: i64 = text
        .parse()
        .map_err(|_| format!("unable to parse time {text:?}"))?;
    let moment = match text.len() {
        5 => Moment::of_seconds(value * 86_400),
        10 => Moment::of_seconds(value),
        13 => Moment::of_nanos(value.saturating_mul(1_000_000)),
        16 => Moment::of_nanos(value.saturating_mul(1_000)),
        19 => Moment::of_nanos(value),
        _ => {
            return Err(format!(
                "unable to parse time {text:?}: not 5, 10, 13, 16 or 19 digits"
            ));
        }
    };
    Ok(Value::Time(moment))
}
