//! Values between two points.

/// The value at `now`, on the line from the point at `at` to the one after it.
pub(super) fn between((times, values): (&[i64], &[f64]), at: usize, now: i64) -> f64 {
    let (before, after) = (times[at], times[at + 1]);
    if now <= before {
        return values[at];
    }
    let share = (now - before) as f64 / (after - before) as f64;
    values[at] + (values[at + 1] - values[at]) * share
}
