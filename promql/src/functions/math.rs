//! Functions of one number.

use std::f64::consts::LN_2;

/// From here on the inverse hyperbolic functions are logarithms to the last digit; near the largest numbers only those
/// do not overflow.
const FAR: f64 = 268_435_456.0;

/// The function of this name, if it is one of a number alone.
pub(crate) fn find(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => |value| match value < FAR {
            true => value.acosh(),
            false => value.ln() + LN_2,
        },
        "asin" => f64::asin,
        "asinh" => |value| match value.abs() < FAR {
            true => value.asinh(),
            false => (value.abs().ln() + LN_2).copysign(value),
        },
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => f64::to_degrees,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => f64::to_radians,
        "sgn" => sign,
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}

/// The smaller one; NaN where either is.
pub(crate) fn min_of(one: f64, other: f64) -> f64 {
    match one.is_nan() || other.is_nan() {
        true => f64::NAN,
        false => one.min(other),
    }
}

/// The larger one; NaN where either is.
pub(crate) fn max_of(one: f64, other: f64) -> f64 {
    match one.is_nan() || other.is_nan() {
        true => f64::NAN,
        false => one.max(other),
    }
}
