//! What is printed: rows of Markdown tables, and the statistics in them.

use anyhow::Result;
use std::{
    io::{self, Write},
    time::Duration,
};

/// Prints a row.
pub(crate) fn line(cells: &[&str]) -> Result<()> {
    Ok(writeln!(io::stdout(), "| {} |", cells.join(" | "))?)
}

/// Prints the rule under the first row of a table.
pub(crate) fn rule(cells: usize) -> Result<()> {
    Ok(writeln!(io::stdout(), "|{}", "---|".repeat(cells))?)
}

/// The middle of `values`, NaN if there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds that `share` (0 to 1) of the sorted `waits` do not exceed.
pub(crate) fn percentile(waits: &[Duration], share: f64) -> f64 {
    let last = waits.len().saturating_sub(1);
    let at = (last as f64 * share).ceil() as usize;
    waits
        .get(at)
        .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
}

/// A whole number with commas.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        let waits: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&waits, 0.5), 51.0);
        assert_eq!(percentile(&waits, 0.99), 100.0);
        assert_eq!(percentile(&waits, 1.0), 100.0);
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(12.0), "12");
    }
}
