//! Functions of a number and of scalars: `clamp`, `clamp_min`, `clamp_max`, `round`.

use super::math::{max_of, min_of};

/// What the function makes of a value and its scalar arguments; nothing where there is no such function or no result.
pub(crate) type Apply = fn(f64, &[f64]) -> Option<f64>;

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<Apply> {
    Some(match name {
        "clamp" => clamp,
        "clamp_min" => |value, args| Some(max_of(value, *args.first()?)),
        "clamp_max" => |value, args| Some(min_of(value, *args.first()?)),
        "round" => round,
        _ => return None,
    })
}

fn clamp(value: f64, args: &[f64]) -> Option<f64> {
    let (least, most) = (*args.first()?, *args.get(1)?);
    // NaN lets everything through, so that it is seen.
    if most < least {
        return None;
    }
    Some(max_of(least, min_of(most, value)))
}

fn round(value: f64, args: &[f64]) -> Option<f64> {
    // Its inverse is used, as 0.1 and the like are no floats.
    let inverse = 1.0 / args.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}
