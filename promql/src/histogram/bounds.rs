//! The schemas, and the bucket bounds of the exponential ones.

use super::powers::POWERS;

/// The schema whose bucket bounds are listed in the histogram.
pub const CUSTOM_SCHEMA: i8 = -53;
/// The coarsest exponential schema: each bucket ends at 65,536 times its start.
pub const MIN_SCHEMA: i8 = -4;
/// The finest exponential schema: 256 buckets to each power of two.
pub const MAX_SCHEMA: i8 = 8;

/// The upper bound of a bucket on the positive side: 2^(index / 2^schema).
///
/// The last bucket of finite numbers ends at the largest of them, so that the one behind holds infinity alone.
pub(super) fn upper(index: i32, schema: i8) -> f64 {
    let bound = if schema <= 0 {
        let exponent = i64::from(index) << u32::from(schema.unsigned_abs());
        power_of_two(exponent)
    } else {
        let parts = 1_i32 << schema;
        let fraction = index.rem_euclid(parts) << (MAX_SCHEMA - schema);
        scaled(
            POWERS[fraction as usize],
            i64::from(index.div_euclid(parts)),
        )
    };
    let is_last_finite = exponent_reached(index, schema);
    if is_last_finite { f64::MAX } else { bound }
}

/// The index in a coarser schema of the bucket that takes in bucket `index`.
pub(super) fn coarser(index: i32, from: i8, to: i8) -> i32 {
    let halvings = u32::from((from - to).unsigned_abs());
    index
        .saturating_sub(1)
        .checked_shr(halvings)
        .unwrap_or(0)
        .saturating_add(1)
}

/// Whether the bound is 2^1024, which is one step above the largest number.
fn exponent_reached(index: i32, schema: i8) -> bool {
    let at = if schema <= 0 {
        i64::from(index) << u32::from(schema.unsigned_abs())
    } else if index.rem_euclid(1 << schema) == 0 {
        i64::from(index.div_euclid(1 << schema))
    } else {
        return false;
    };
    at == 1024
}

fn power_of_two(exponent: i64) -> f64 {
    scaled(1.0, exponent)
}

/// `value` times a power of two, without an overflow or a loss on the way.
fn scaled(value: f64, exponent: i64) -> f64 {
    // Far beyond what any number times 2^e can still tell apart; `powi` wants an i32.
    let exponent = i32::try_from(exponent.clamp(-2200, 2200)).unwrap_or_default();
    let half = exponent / 2;
    value * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}
