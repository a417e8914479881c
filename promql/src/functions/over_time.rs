//! `…_over_time`: what is to be said of the points in a range.

use super::window::{RangeCall, Window};
use crate::{
    annotations::Combining,
    histogram::{Accumulator, Histogram},
    row::Sample,
    summation::{Mean, Spread, Sum, quantile},
};
use std::sync::Arc;

pub(super) fn sum_over_time(window: &Window, call: &RangeCall) -> Sample {
    let floats = || {
        let mut sum = Sum::default();
        window.values.iter().for_each(|value| sum.add(*value));
        sum.value()
    };
    combined(window, call, floats, Accumulator::sum)
}

pub(super) fn avg_over_time(window: &Window, call: &RangeCall) -> Sample {
    let floats = || {
        let mut mean = Mean::default();
        window.values.iter().for_each(|value| mean.add(*value));
        mean.value()
    };
    combined(window, call, floats, Accumulator::mean)
}

fn combined(
    window: &Window,
    call: &RangeCall,
    floats: impl Fn() -> f64,
    histograms: fn(&Accumulator) -> Histogram,
) -> Sample {
    if window.is_mixed() {
        call.notes.mixed_samples(call.span, call.metric);
        return Sample::Absent;
    }
    let Some(((_, first), others)) = window.histograms.split_first() else {
        return match window.values.is_empty() {
            true => Sample::Absent,
            false => Sample::Float(floats()),
        };
    };
    let mut accumulator = Accumulator::new(first);
    for (_, other) in others {
        if accumulator.add(other).is_err() {
            call.notes.mixed_schemas(call.span, call.metric);
            return Sample::Absent;
        }
    }
    if accumulator.hints_collide() {
        call.notes
            .colliding_resets(call.span, Combining::Aggregation);
    }
    if accumulator.bounds_reconciled() {
        call.notes
            .bounds_reconciled(call.span, Combining::Aggregation);
    }
    histograms(&accumulator).into()
}

pub(super) fn count_over_time(window: &Window, _: &RangeCall) -> Sample {
    match window.count() {
        0 => Sample::Absent,
        count => Sample::Float(count as f64),
    }
}

pub(super) fn present_over_time(window: &Window, _: &RangeCall) -> Sample {
    match window.count() {
        0 => Sample::Absent,
        _ => Sample::Float(1.0),
    }
}

/// The point at one end, with its time.
fn end(window: &Window, newest: bool) -> Option<(i64, Sample)> {
    let pick = |length: usize| match newest {
        true => length.checked_sub(1),
        false => (length > 0).then_some(0),
    };
    let float = pick(window.times_ms.len())
        .map(|at| (window.times_ms[at], Sample::Float(window.values[at])));
    let histogram = pick(window.histograms.len()).map(|at| {
        let (time, point): &(i64, Arc<Histogram>) = &window.histograms[at];
        (*time, Sample::Histogram(point.clone()))
    });
    match (float, histogram) {
        (Some(float), Some(histogram)) if (float.0 < histogram.0) == newest => Some(histogram),
        (float, histogram) => float.or(histogram),
    }
}

pub(super) fn last_over_time(window: &Window, _: &RangeCall) -> Sample {
    end(window, true).map_or(Sample::Absent, |(_, sample)| sample)
}

pub(super) fn first_over_time(window: &Window, _: &RangeCall) -> Sample {
    end(window, false).map_or(Sample::Absent, |(_, sample)| sample)
}

fn seconds(time: Option<i64>) -> Sample {
    time.map_or(Sample::Absent, |time| Sample::Float(time as f64 / 1000.0))
}

pub(super) fn ts_of_last_over_time(window: &Window, _: &RangeCall) -> Sample {
    seconds(end(window, true).map(|(time, _)| time))
}

pub(super) fn ts_of_first_over_time(window: &Window, _: &RangeCall) -> Sample {
    seconds(end(window, false).map(|(time, _)| time))
}

/// The place of the value that `replaces` all before it; NaN only where there is nothing else.
fn extreme(
    window: &Window,
    call: &RangeCall,
    replaces: impl Fn(f64, f64) -> bool,
) -> Option<usize> {
    if window.values.is_empty() {
        return None;
    }
    call.note_ignored(window);
    let mut best = 0;
    for (at, &value) in window.values.iter().enumerate().skip(1) {
        if replaces(value, window.values[best]) || window.values[best].is_nan() {
            best = at;
        }
    }
    Some(best)
}

pub(super) fn min_over_time(window: &Window, call: &RangeCall) -> Sample {
    let at = extreme(window, call, |value, best| value < best);
    at.map_or(Sample::Absent, |at| Sample::Float(window.values[at]))
}

pub(super) fn max_over_time(window: &Window, call: &RangeCall) -> Sample {
    let at = extreme(window, call, |value, best| value > best);
    at.map_or(Sample::Absent, |at| Sample::Float(window.values[at]))
}

pub(super) fn ts_of_min_over_time(window: &Window, call: &RangeCall) -> Sample {
    seconds(extreme(window, call, |value, best| value <= best).map(|at| window.times_ms[at]))
}

pub(super) fn ts_of_max_over_time(window: &Window, call: &RangeCall) -> Sample {
    seconds(extreme(window, call, |value, best| value >= best).map(|at| window.times_ms[at]))
}

/// A function of floats alone.
fn of_floats(window: &Window, call: &RangeCall, value: impl FnOnce(&[f64]) -> f64) -> Sample {
    if window.values.is_empty() {
        return Sample::Absent;
    }
    call.note_ignored(window);
    Sample::Float(value(window.values))
}

fn variance(values: &[f64]) -> f64 {
    let mut spread = Spread::default();
    values.iter().for_each(|value| spread.add(*value));
    spread.variance()
}

pub(super) fn stdvar_over_time(window: &Window, call: &RangeCall) -> Sample {
    of_floats(window, call, variance)
}

pub(super) fn stddev_over_time(window: &Window, call: &RangeCall) -> Sample {
    of_floats(window, call, |values| variance(values).sqrt())
}

pub(super) fn quantile_over_time(window: &Window, call: &RangeCall) -> Sample {
    let q = call.params[0];
    if !(0.0..=1.0).contains(&q) && !window.values.is_empty() {
        call.notes.bad_quantile(call.param_span, q);
    }
    of_floats(window, call, |values| quantile(q, &mut values.to_vec()))
}

pub(super) fn mad_over_time(window: &Window, call: &RangeCall) -> Sample {
    of_floats(window, call, |values| {
        if values.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        let mut values = values.to_vec();
        let median = quantile(0.5, &mut values);
        values
            .iter_mut()
            .for_each(|value| *value = (*value - median).abs());
        quantile(0.5, &mut values)
    })
}
