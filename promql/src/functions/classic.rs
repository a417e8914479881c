//! Classic histograms: cumulative counts by upper bound.

/// A bucket: how many observations are not above `bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) count: f64,
}

/// The bound that a label `le` names.
pub(super) fn bound(le: &str) -> Option<f64> {
    // Rust reads "infinity", too, as Go does; both refuse blanks.
    le.parse().ok()
}

/// Counts that fall by less than this share, or differ by it, are taken for equal: rates of buckets are rounded each
/// for itself.
const TOLERANCE: f64 = 1e-12;

/// Sorted by bound, those of the same bound as one.
pub(super) fn sorted(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    buckets.sort_by(|one, other| one.bound.total_cmp(&other.bound));
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.bound == bucket.bound => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    merged
}

/// A quantile, and whether the counts had to be made monotonic.
pub(super) fn quantile(q: f64, mut buckets: Vec<Bucket>) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
        || buckets.len() < 2
    {
        return (f64::NAN, false);
    }
    let forced = make_monotonic(&mut buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if observations == 0.0 || observations.is_nan() {
        return (f64::NAN, forced);
    }
    let rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank);
    if at == last {
        return (buckets[last - 1].bound, forced);
    }
    let end = buckets[at].bound;
    if at == 0 && end <= 0.0 {
        return (end, forced);
    }
    let (start, below) = match at.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].count),
        None => (0.0, 0.0),
    };
    let share = (rank - below) / (buckets[at].count - below);
    (start + (end - start) * share, forced)
}

/// Lifts each count to at least that of the bucket before. Whether that was more than a matter of rounding.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    for at in 1..buckets.len() {
        let (before, now) = (buckets[at - 1].count, buckets[at].count);
        if before == now {
            continue;
        }
        if nearly_equal(before, now) {
            buckets[at].count = before;
        } else if now < before {
            buckets[at].count = before;
            forced = true;
        }
    }
    forced
}

fn nearly_equal(one: f64, other: f64) -> bool {
    if one.is_nan() || other.is_nan() {
        return one.is_nan() && other.is_nan();
    }
    let sum = one.abs() + other.abs();
    let difference = (one - other).abs();
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The share of the observations that are above `lower` and not above `upper`.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let Some(last) = buckets.last().filter(|last| last.bound == f64::INFINITY) else {
        return f64::NAN;
    };
    if last.count == 0.0 || last.count.is_nan() || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank(upper, buckets) - rank(lower, buckets)) / last.count
}

/// How many observations are not above `limit`, interpolated within a bucket.
fn rank(limit: f64, buckets: &[Bucket]) -> f64 {
    let at = buckets.partition_point(|bucket| bucket.bound < limit);
    let Some(bucket) = buckets.get(at) else {
        return buckets.last().map_or(0.0, |last| last.count);
    };
    let (start, below) = match at.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].count),
        // The lowest bucket begins at zero, unless it ends below.
        None if bucket.bound > 0.0 => (0.0, 0.0),
        None => (f64::NEG_INFINITY, 0.0),
    };
    if limit >= bucket.bound {
        return bucket.count;
    }
    // Nothing is known of where in an endless bucket the observations are.
    if start == f64::NEG_INFINITY {
        return match limit == f64::NEG_INFINITY {
            true => below,
            false => bucket.count,
        };
    }
    if limit <= start || bucket.bound == f64::INFINITY {
        return below;
    }
    below + (bucket.count - below) * (limit - start) / (bucket.bound - start)
}
