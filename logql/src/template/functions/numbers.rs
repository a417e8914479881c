//! Functions on numbers.

use super::{ANY, Context, Function, text_of};
use crate::{template::value::Value, units};

type Answer = Result<Value, String>;

const fn function(
    name: &'static str,
    least: usize,
    most: usize,
    call: fn(&mut Context<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        least,
        most,
        call,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("int", 1, 1, |_, a| Ok(Value::Int(a[0].to_int()))),
    function("float64", 1, 1, |_, a| Ok(Value::Float(a[0].to_float()))),
    function("add", 0, ANY, |_, a| ints(a, i64::wrapping_add)),
    function("sub", 2, 2, |_, a| ints(a, i64::wrapping_sub)),
    function("mul", 1, ANY, |_, a| ints(a, i64::wrapping_mul)),
    function("div", 2, 2, |_, a| divided(a, i64::wrapping_div)),
    function("mod", 2, 2, |_, a| divided(a, i64::wrapping_rem)),
    function("max", 1, ANY, |_, a| ints(a, i64::max)),
    function("min", 1, ANY, |_, a| ints(a, i64::min)),
    function("addf", 0, ANY, |_, a| floats(a, |left, right| left + right)),
    function("subf", 1, ANY, |_, a| floats(a, |left, right| left - right)),
    function("mulf", 1, ANY, |_, a| floats(a, |left, right| left * right)),
    function("divf", 1, ANY, |_, a| floats(a, |left, right| left / right)),
    function("maxf", 1, ANY, |_, a| floats(a, f64::max)),
    function("minf", 1, ANY, |_, a| floats(a, f64::min)),
    function("ceil", 1, 1, |_, a| {
        Ok(Value::Float(a[0].to_float().ceil()))
    }),
    function("floor", 1, 1, |_, a| {
        Ok(Value::Float(a[0].to_float().floor()))
    }),
    function("round", 2, 3, |_, a| Ok(Value::Float(round(a)))),
    function("bytes", 1, 1, |_, a| {
        let text = text_of(a, 0)?;
        let bytes = units::parse_bytes(text).ok_or_else(|| format!("{text:?} is no size"))?;
        Ok(Value::Float(bytes as f64))
    }),
    function("duration", 1, 1, |_, a| seconds(text_of(a, 0)?)),
    function("duration_seconds", 1, 1, |_, a| seconds(text_of(a, 0)?)),
];

fn ints(arguments: &[Value], join: fn(i64, i64) -> i64) -> Answer {
    let numbers = arguments.iter().map(Value::to_int);
    Ok(Value::Int(numbers.reduce(join).unwrap_or(0)))
}

fn divided(arguments: &[Value], join: fn(i64, i64) -> i64) -> Answer {
    match arguments[1].to_int() {
        0 => Err("integer divide by zero".to_string()),
        _ => ints(arguments, join),
    }
}

fn floats(arguments: &[Value], join: fn(f64, f64) -> f64) -> Answer {
    let numbers = arguments.iter().map(Value::to_float);
    Ok(Value::Float(numbers.reduce(join).unwrap_or(0.0)))
}

/// `round number digits [limit]`: from the limit on, 0.5 if there is none, up.
fn round(arguments: &[Value]) -> f64 {
    let digits = arguments[1].to_int().clamp(-300, 300) as i32;
    let limit = arguments.get(2).map_or(0.5, Value::to_float);
    let scale = 10f64.powi(digits);
    let scaled = arguments[0].to_float() * scale;
    let rounded = match scaled.fract() >= limit {
        true => scaled.ceil(),
        false => scaled.floor(),
    };
    rounded / scale
}

fn seconds(text: &str) -> Answer {
    let nanoseconds =
        units::parse_go_duration(text).ok_or_else(|| format!("{text:?} is no duration"))?;
    Ok(Value::Float(nanoseconds as f64 / 1e9))
}
