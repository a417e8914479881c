//! Aggregations that fold each row into a state as it comes: `sum`, `avg`, `count`, `group`, `min`, `max`, `stddev`,
//! `stdvar`.

use super::{grouping::Call, histogram::Combined};
use crate::{
    error::Result,
    expr::AggregateOp,
    row::{Row, Rows, Sample},
    summation::{Mean, Spread, Sum},
};

/// How floats are folded.
trait Fold: Copy + Default {
    fn add(&mut self, value: f64);
    fn value(self) -> f64;
}

impl Fold for Sum {
    fn add(&mut self, value: f64) {
        Sum::add(self, value);
    }

    fn value(self) -> f64 {
        Sum::value(self)
    }
}

impl Fold for Mean {
    fn add(&mut self, value: f64) {
        Mean::add(self, value);
    }

    fn value(self) -> f64 {
        Mean::value(self)
    }
}

#[derive(Clone, Copy)]
struct Extreme<const MAX: bool>(f64);

impl<const MAX: bool> Default for Extreme<MAX> {
    fn default() -> Self {
        Extreme(f64::NAN)
    }
}

impl<const MAX: bool> Fold for Extreme<MAX> {
    fn add(&mut self, value: f64) {
        let better = if MAX { value > self.0 } else { value < self.0 };
        if better || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn value(self) -> f64 {
        self.0
    }
}

#[derive(Clone, Copy, Default)]
struct Variance(Spread);

impl Fold for Variance {
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn value(self) -> f64 {
        self.0.variance()
    }
}

#[derive(Clone, Copy, Default)]
struct Deviation(Spread);

impl Fold for Deviation {
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn value(self) -> f64 {
        self.0.variance().sqrt()
    }
}

/// The state of a group over all steps.
struct State<F> {
    floats: Vec<F>,
    seen: Vec<bool>,
    /// Empty as long as there are none.
    histograms: Vec<Combined>,
}

/// Runs the aggregation over all rows.
pub(crate) fn aggregate(rows: Rows, call: &Call) -> Result<Vec<Row>> {
    match call.aggregate.op {
        AggregateOp::Sum => fold::<Sum>(rows, call, true),
        AggregateOp::Avg => fold::<Mean>(rows, call, true),
        AggregateOp::Min => fold::<Extreme<false>>(rows, call, false),
        AggregateOp::Max => fold::<Extreme<true>>(rows, call, false),
        AggregateOp::Stdvar => fold::<Variance>(rows, call, false),
        AggregateOp::Stddev => fold::<Deviation>(rows, call, false),
        _ => count(rows, call),
    }
}

fn fold<F: Fold>(rows: Rows, call: &Call, histograms: bool) -> Result<Vec<Row>> {
    let mut groups = call.groups::<State<F>>();
    for row in rows {
        let row = row?;
        if !histograms
            && row
                .samples
                .iter()
                .any(|sample| sample.histogram().is_some())
        {
            call.note_ignored();
        }
        if row
            .samples
            .iter()
            .all(|sample| sample.is_absent() || !histograms && sample.float().is_none())
        {
            continue;
        }
        let state = groups.of(&row.labels, || State {
            floats: vec![F::default(); call.steps],
            seen: vec![false; call.steps],
            histograms: Vec::new(),
        });
        state.add(&row, call, histograms);
    }
    let states = groups.states.into_iter();
    Ok(states
        .map(|(labels, state)| Row::new(labels, state.samples(call)))
        .collect())
}

impl<F: Fold> State<F> {
    fn add(&mut self, row: &Row, call: &Call, histograms: bool) {
        for (step, sample) in row.samples.iter().enumerate() {
            match sample {
                Sample::Absent => {}
                Sample::Float(value) => {
                    self.floats[step].add(*value);
                    self.seen[step] = true;
                }
                Sample::Histogram(_) if !histograms => {}
                Sample::Histogram(histogram) => {
                    if self.histograms.is_empty() {
                        self.histograms.resize_with(call.steps, || Combined::None);
                    }
                    self.histograms[step].add(histogram, row.labels.metric(), call);
                }
            }
        }
    }

    fn samples(self, call: &Call) -> Vec<Sample> {
        let histogram = |step: usize| self.histograms.get(step).unwrap_or(&Combined::None);
        let sample = |step: usize| match (self.seen[step], histogram(step)) {
            (true, Combined::None) => Sample::Float(self.floats[step].value()),
            (true, _) => {
                call.notes.mixed_samples_in_aggregation(call.span());
                Sample::Absent
            }
            (false, histograms) => histograms.sample(call),
        };
        (0..call.steps).map(sample).collect()
    }
}

/// `count` and `group`, which take samples of both kinds.
fn count(rows: Rows, call: &Call) -> Result<Vec<Row>> {
    let mut groups = call.groups::<Vec<u64>>();
    for row in rows {
        let row = row?;
        if row.is_empty() {
            continue;
        }
        let counts = groups.of(&row.labels, || vec![0; call.steps]);
        for (count, sample) in counts.iter_mut().zip(&row.samples) {
            *count += u64::from(!sample.is_absent());
        }
    }
    let group = call.aggregate.op == AggregateOp::Group;
    let sample = |count: u64| match count {
        0 => Sample::Absent,
        _ if group => Sample::Float(1.0),
        count => Sample::Float(count as f64),
    };
    let states = groups.states.into_iter();
    Ok(states
        .map(|(labels, counts)| Row::new(labels, counts.into_iter().map(sample).collect()))
        .collect())
}
