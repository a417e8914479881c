//! `limitk`, `limit_ratio`: some series of each group, whatever their values.

use super::grouping::Call;
use crate::{
    error::{Error, Result},
    expr::Span,
    labels::Labels,
    row::{Row, Rows, Sample},
};
use xxhash_rust::xxh64::xxh64;

/// Rows of which some samples are picked.
pub(super) struct Picked {
    held: Vec<Row>,
    /// The picked samples of each row.
    samples: Vec<Vec<Sample>>,
    /// Rows in the order in which they were first picked.
    order: Vec<usize>,
}

impl Picked {
    pub(super) fn new(held: Vec<Row>) -> Picked {
        Picked {
            samples: vec![Vec::new(); held.len()],
            held,
            order: Vec::new(),
        }
    }

    /// The members with a float at this step.
    pub(super) fn floats(&self, members: &[usize], step: usize) -> Vec<(usize, f64)> {
        let float = |member: &usize| Some((*member, self.held[*member].samples[step].float()?));
        members.iter().filter_map(float).collect()
    }

    fn present(&self, member: usize, step: usize) -> bool {
        !self.held[member].samples[step].is_absent()
    }

    pub(super) fn pick(&mut self, member: usize, step: usize) {
        if self.samples[member].is_empty() {
            self.samples[member] = vec![Sample::Absent; self.held[member].samples.len()];
            self.order.push(member);
        }
        self.samples[member][step] = self.held[member].samples[step].clone();
    }

    pub(super) fn rows(mut self) -> Vec<Row> {
        let row = |member: usize| {
            let samples = std::mem::take(&mut self.samples[member]);
            Row {
                samples,
                ..self.held[member].clone()
            }
        };
        self.order.into_iter().map(row).collect()
    }
}

/// The parameter as a number of series at each step.
pub(super) fn counts(k: &[f64]) -> Result<Vec<usize>> {
    let count = |k: &f64| {
        if k.is_nan() {
            return Err(Error::Evaluation("Parameter value is NaN".to_owned()));
        }
        if *k >= i64::MAX as f64 || *k <= i64::MIN as f64 {
            return Err(Error::Evaluation(format!(
                "Scalar value {k} overflows int64"
            )));
        }
        Ok(k.max(0.0) as usize)
    };
    k.iter().map(count).collect()
}

fn held(rows: Rows, call: &Call) -> Result<(Vec<Row>, Vec<Vec<usize>>)> {
    let mut groups = call.groups::<Vec<usize>>();
    let mut held: Vec<Row> = Vec::new();
    for row in rows {
        let row = row?;
        if !row.is_empty() {
            groups.of(&row.labels, Vec::new).push(held.len());
            held.push(row);
        }
    }
    let members = groups.states.into_iter().map(|(_, members)| members);
    Ok((held, members.collect()))
}

/// `limitk`: the first series of each group by labels.
pub(crate) fn first(rows: Rows, call: &Call, k: &[f64]) -> Result<Vec<Row>> {
    let counts = counts(k)?;
    let (mut held, _) = held(rows, call)?;
    held.sort_by(|one, other| one.labels.cmp(&other.labels));
    let mut groups = call.groups::<Vec<usize>>();
    for (at, row) in held.iter().enumerate() {
        groups.of(&row.labels, Vec::new).push(at);
    }
    let mut picked = Picked::new(held);
    for (_, members) in groups.states {
        for (step, count) in counts.iter().enumerate() {
            let mut left = *count;
            for &member in members.iter().filter(|_| *count > 0) {
                if left > 0 && picked.present(member, step) {
                    picked.pick(member, step);
                    left -= 1;
                }
            }
        }
    }
    Ok(picked.rows())
}

/// `limit_ratio`: a share of the series, chosen by a hash of their labels, so that a negative ratio picks exactly
/// those that its complement leaves out.
pub(crate) fn ratio(rows: Rows, call: &Call, (ratios, span): (&[f64], Span)) -> Result<Vec<Row>> {
    let mut capped = Vec::with_capacity(ratios.len());
    for ratio in ratios {
        if ratio.is_nan() {
            return Err(Error::Evaluation("Ratio value is NaN".to_owned()));
        }
        let used = ratio.clamp(-1.0, 1.0);
        if used != *ratio {
            call.notes.bad_ratio(span, *ratio, used);
        }
        capped.push(used);
    }
    let (held, _) = held(rows, call)?;
    let places: Vec<f64> = held.iter().map(|row| place(&row.labels)).collect();
    let mut picked = Picked::new(held);
    for (member, place) in places.into_iter().enumerate() {
        for (step, ratio) in capped.iter().enumerate() {
            let chosen = match *ratio >= 0.0 {
                true => place < *ratio,
                false => place >= 1.0 + ratio,
            };
            if chosen && picked.present(member, step) {
                picked.pick(member, step);
            }
        }
    }
    Ok(picked.rows())
}

/// Where from 0 to 1 a series is: where Prometheus' hash of labels has it, which is XXH64 over each name and value with
/// its length before it: one byte, or 255 and three bytes, the lowest first.
fn place(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < u8::MAX => bytes.push(length),
            _ => {
                bytes.push(u8::MAX);
                bytes.extend_from_slice(&text.len().to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxh64(&bytes, 0) as f64 / u64::MAX as f64
}
