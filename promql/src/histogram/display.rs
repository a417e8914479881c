//! A histogram as Prometheus prints it in answers.

use super::{model::Histogram, number::shortest};
use std::fmt;

/// `{count:…, sum:…, [lower,upper]:count, …}`, populated buckets from the lowest on.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            shortest(self.count),
            shortest(self.sum)
        )?;
        // Unlike in answers, no bucket ends where the zero bucket begins.
        let mut whole = self.clone();
        whole.zero_threshold = 0.0;
        for mut bucket in whole.buckets() {
            if bucket.includes_lower && bucket.includes_upper && !self.is_custom() {
                (bucket.lower, bucket.upper) = (-self.zero_threshold, self.zero_threshold);
            }
            let open = if bucket.includes_lower { '[' } else { '(' };
            let close = if bucket.includes_upper { ']' } else { ')' };
            let (lower, upper) = (shortest(bucket.lower), shortest(bucket.upper));
            write!(
                f,
                ", {open}{lower},{upper}{close}:{}",
                shortest(bucket.count)
            )?;
        }
        f.write_str("}")
    }
}
