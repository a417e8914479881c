//! `irate`, `idelta`: the difference of the last two points.

use super::window::{RangeCall, Window};
use crate::{
    annotations::Combining,
    histogram::{Histogram, ResetHint},
    row::Sample,
    source::Temporality,
};

pub(super) fn irate(window: &Window, call: &RangeCall) -> Sample {
    last_two(window, call, true)
}

pub(super) fn idelta(window: &Window, call: &RangeCall) -> Sample {
    last_two(window, call, false)
}

/// The last two points, by time, with their times.
fn newest(window: &Window) -> Option<[(i64, Sample); 2]> {
    let floats = window.times_ms.iter().zip(window.values);
    let floats = floats
        .rev()
        .take(2)
        .map(|(time, value)| (*time, Sample::Float(*value)));
    let histograms = window.histograms.iter().rev().take(2);
    let histograms = histograms.map(|(time, point)| (*time, Sample::Histogram(point.clone())));
    let mut points: Vec<(i64, Sample)> = floats.chain(histograms).collect();
    points.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let mut points = points.into_iter();
    let last = points.next()?;
    Some([points.next()?, last])
}

fn last_two(window: &Window, call: &RangeCall, rate: bool) -> Sample {
    let Some([(before_ms, before), (last_ms, last)]) = newest(window) else {
        return Sample::Absent;
    };
    let seconds = (last_ms - before_ms) as f64 / 1000.0;
    if seconds == 0.0 {
        return Sample::Absent;
    }
    let divisor = if rate { seconds } else { 1.0 };
    match (before, last) {
        (Sample::Float(_), Sample::Float(last)) if call.temporality == Temporality::Delta => {
            Sample::Float(last / divisor)
        }
        (Sample::Float(before), Sample::Float(last)) => {
            let reset = rate && last < before;
            Sample::Float(if reset { last } else { last - before } / divisor)
        }
        (Sample::Histogram(before), Sample::Histogram(last)) => {
            match histograms(&before, &last, call, rate) {
                Some(difference) if rate => difference.div(divisor).into(),
                Some(difference) => difference.into(),
                None => Sample::Absent,
            }
        }
        _ => {
            call.notes.mixed_samples(call.span, call.metric);
            Sample::Absent
        }
    }
}

fn histograms(
    before: &Histogram,
    last: &Histogram,
    call: &RangeCall,
    rate: bool,
) -> Option<Histogram> {
    let gauges = [before, last].map(|point| point.hint == ResetHint::Gauge);
    if rate && (gauges[0] || gauges[1]) {
        call.notes.not_a_counter(call.span, call.metric);
    }
    if !rate && gauges != [true, true] {
        call.notes.not_a_gauge(call.span, call.metric);
    }
    let whole = call.temporality == Temporality::Delta || rate && last.detect_reset(before);
    if whole {
        return Some(last.clone().with_hint(ResetHint::Gauge));
    }
    let Ok(combined) = last.sub(before) else {
        call.notes.mixed_schemas(call.span, call.metric);
        return None;
    };
    if combined.bounds_reconciled {
        call.notes
            .bounds_reconciled(call.span, Combining::Subtraction);
    }
    Some(combined.histogram.with_hint(ResetHint::Gauge))
}
