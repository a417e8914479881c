//! The notation of histograms in test scripts: `{{schema:1 sum:3 count:2 buckets:[1 1]}}`.

use super::{
    bounds::{CUSTOM_SCHEMA, MAX_SCHEMA, MIN_SCHEMA},
    layout::Buckets,
    model::{Histogram, ResetHint},
    number::shortest,
};

/// A histogram as it was noted down.
#[derive(Debug, Clone)]
pub struct Noted {
    pub histogram: Histogram,
    /// The note says what the hint is.
    pub has_hint: bool,
}

/// More buckets than this come from no client, and would be all there is in memory. A wider gap is written shorter.
const MAX_BUCKETS: usize = 1 << 20;

impl Histogram {
    /// The notation that `parse_notation` reads, as Prometheus' own `TestExpression` writes it.
    pub fn notation(&self) -> String {
        let mut items: Vec<String> = Vec::new();
        if self.schema != 0 {
            items.push(format!("schema:{}", self.schema));
        }
        let numbers = [
            ("count", self.count),
            ("sum", self.sum),
            ("z_bucket", self.zero_count),
            ("z_bucket_w", self.zero_threshold),
        ];
        for (key, value) in numbers {
            if value != 0.0 {
                items.push(format!("{key}:{}", shortest(value)));
            }
        }
        if self.is_custom() {
            items.push(format!(
                "custom_values:[{}]",
                list(self.bounds.iter().copied())
            ));
        }
        match self.hint {
            ResetHint::Unknown => {}
            ResetHint::Reset => items.push("counter_reset_hint:reset".to_owned()),
            ResetHint::NotReset => items.push("counter_reset_hint:not_reset".to_owned()),
            ResetHint::Gauge => items.push("counter_reset_hint:gauge".to_owned()),
        }
        side(&mut items, "offset", "buckets", &self.positive);
        side(&mut items, "n_offset", "n_buckets", &self.negative);
        format!("{{{{{}}}}}", items.join(" "))
    }
}

fn list(values: impl Iterator<Item = f64>) -> String {
    values.map(shortest).collect::<Vec<_>>().join(" ")
}

fn side(items: &mut Vec<String>, offset: &str, name: &str, buckets: &Buckets) {
    let mut counts: Vec<f64> = Vec::new();
    let mut next = None;
    for (index, count) in buckets.iter() {
        match next {
            None if index != 0 => items.push(format!("{offset}:{index}")),
            None => {}
            Some(next) => {
                let gap = usize::try_from(index.abs_diff(next)).unwrap_or(MAX_BUCKETS);
                counts.extend(std::iter::repeat_n(0.0, gap.min(MAX_BUCKETS)));
            }
        }
        counts.push(count);
        next = index.checked_add(1);
    }
    if !counts.is_empty() {
        items.push(format!("{name}:[{}]", list(counts.into_iter())));
    }
}

/// Reads a notation from `{{` to `}}`; the error says what is wrong with it.
pub fn parse_notation(text: &str) -> Result<Noted, String> {
    let inner = text
        .trim()
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .ok_or_else(|| format!("a histogram is written {{{{…}}}}, not {text:?}"))?;
    let mut draft = Draft::default();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once(':')
            .ok_or_else(|| format!("no colon after {rest:?}"))?;
        let end = match after.strip_prefix('[') {
            Some(list) => list.find(']').map(|at| at + 2).ok_or("a list has no end")?,
            None => after.find(char::is_whitespace).unwrap_or(after.len()),
        };
        let (value, next) = after.split_at(end);
        draft.set(key.trim(), value)?;
        rest = next.trim_start();
    }
    draft.finish()
}

/// What was read so far.
#[derive(Default)]
struct Draft {
    histogram: Histogram,
    has_hint: bool,
    positive: Vec<f64>,
    negative: Vec<f64>,
    offset: i32,
    negative_offset: i32,
}

impl Draft {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let histogram = &mut self.histogram;
        match key {
            "schema" => {
                let schema: i8 = whole(value)?;
                if schema != CUSTOM_SCHEMA && !(MIN_SCHEMA..=MAX_SCHEMA).contains(&schema) {
                    return Err(format!("{schema} is no schema"));
                }
                histogram.schema = schema;
            }
            "sum" => histogram.sum = number(value)?,
            "count" => histogram.count = number(value)?,
            "z_bucket" => histogram.zero_count = number(value)?,
            "z_bucket_w" => histogram.zero_threshold = number(value)?,
            "custom_values" => histogram.bounds = numbers(value)?.into(),
            "buckets" => self.positive = numbers(value)?,
            "n_buckets" => self.negative = numbers(value)?,
            "offset" => self.offset = whole(value)?,
            "n_offset" => self.negative_offset = whole(value)?,
            "counter_reset_hint" => {
                histogram.hint = hint(value)?;
                self.has_hint = true;
            }
            _ => return Err(format!("{key:?} is nothing that a histogram has")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Noted, String> {
        let mut histogram = self.histogram;
        let too_long = |counts: &[f64]| counts.len() > MAX_BUCKETS;
        if too_long(&self.positive) || too_long(&self.negative) {
            return Err("there are too many buckets".to_owned());
        }
        histogram.positive = Buckets::dense(self.offset, self.positive);
        histogram.negative = Buckets::dense(self.negative_offset, self.negative);
        Ok(Noted {
            histogram,
            has_hint: self.has_hint,
        })
    }
}

fn hint(value: &str) -> Result<ResetHint, String> {
    match value {
        "unknown" => Ok(ResetHint::Unknown),
        "reset" => Ok(ResetHint::Reset),
        "not_reset" => Ok(ResetHint::NotReset),
        "gauge" => Ok(ResetHint::Gauge),
        _ => Err(format!("{value:?} is no counter reset hint")),
    }
}

fn whole<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{value:?} is no whole number here"))
}

fn number(value: &str) -> Result<f64, String> {
    value.parse().map_err(|_| format!("{value:?} is no number"))
}

fn numbers(value: &str) -> Result<Vec<f64>, String> {
    let inner = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(|| format!("{value:?} is no list"))?;
    inner.split_whitespace().map(number).collect()
}
