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
        for bucket in self.buckets() {
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
