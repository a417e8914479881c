//! `changes`, `resets`: how often something happened from one point to the next.

use super::{
    extended,
    window::{RangeCall, Window},
};
use crate::{expr::Extension, histogram::Histogram, row::Sample};

/// A point of either kind.
#[derive(Clone, Copy)]
enum Point<'s> {
    Float(f64),
    Histogram(&'s Histogram),
}

/// Counts the pairs of neighbours that `happened` accepts.
fn count(window: &Window, call: &RangeCall, happened: fn(Point, Point) -> bool) -> Sample {
    if call.extension == Some(Extension::Anchored) && window.histograms.is_empty() {
        return floats(extended::anchored(window), happened);
    }
    if window.histograms.is_empty() {
        return floats(window.values, happened);
    }
    let (mut float, mut histogram) = (0, 0);
    let mut before = None;
    let mut count = 0;
    for _ in 0..window.count() {
        let float_ms = window.times_ms.get(float).copied().unwrap_or(i64::MAX);
        let point = match window.histograms.get(histogram) {
            Some((time, point)) if *time < float_ms => {
                histogram += 1;
                Point::Histogram(point)
            }
            _ => {
                float += 1;
                Point::Float(window.values[float - 1])
            }
        };
        count += usize::from(before.is_some_and(|before| happened(before, point)));
        before = Some(point);
    }
    Sample::Float(count as f64)
}

fn floats(values: &[f64], happened: fn(Point, Point) -> bool) -> Sample {
    if values.is_empty() {
        return Sample::Absent;
    }
    let pairs = values.windows(2);
    let count = pairs
        .filter(|pair| happened(Point::Float(pair[0]), Point::Float(pair[1])))
        .count();
    Sample::Float(count as f64)
}

pub(super) fn changes(window: &Window, call: &RangeCall) -> Sample {
    count(window, call, |before, now| match (before, now) {
        (Point::Float(before), Point::Float(now)) => {
            before != now && !(before.is_nan() && now.is_nan())
        }
        (Point::Histogram(before), Point::Histogram(now)) => before != now,
        _ => true,
    })
}

pub(super) fn resets(window: &Window, call: &RangeCall) -> Sample {
    count(window, call, |before, now| match (before, now) {
        (Point::Float(before), Point::Float(now)) => now < before,
        (Point::Histogram(before), Point::Histogram(now)) => now.detect_reset(before),
        _ => true,
    })
}
