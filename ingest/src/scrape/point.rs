//! A point of a series as a target exposes it, whatever the format.

use std::fmt::Write;

/// Labels as they were read.
pub(super) type Pairs = Vec<(String, String)>;

/// A point of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) name: String,
    /// Not sorted, without the name.
    pub(super) labels: Pairs,
    pub(super) value: Value,
    /// ns.
    pub(super) time: Option<i64>,
    /// ns; 0 where it is not known.
    pub(super) created: i64,
    pub(super) exemplars: Vec<Exemplar>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// A `prometheus.Histogram` without its time, encoded.
    Histogram(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exemplar {
    pub(super) labels: Pairs,
    pub(super) value: f64,
    /// ns.
    pub(super) time: Option<i64>,
}

/// A number as OpenMetrics writes it in `le` and `quantile`: as Go's shortest form, whole numbers with `.0`.
pub(super) fn shown(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_string();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_string();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's 'g' in its shortest form writes an exponent below -4 and from 6 on.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let mut text = digits.to_string();
        write!(text, "e{sign}{:02}", exponent.unsigned_abs()).expect("a string takes everything");
        return text;
    }
    let plain = number.to_string();
    match plain.contains('.') {
        true => plain,
        false => plain + ".0",
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn numbers_as_go_writes_them() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.5, "0.5"),
            (-3.0, "-3.0"),
            (123_456.0, "123456.0"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1e21, "1e+21"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(shown(number), expected);
        }
    }
}
