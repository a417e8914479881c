//! Which functions take a range, and what they make of a window.

use super::{
    changes, instant_rate, over_time, rate, regression,
    window::{RangeCall, Window},
};
use crate::{expr::Extension, row::Sample};

/// Computes the sample of a step.
pub(crate) type Apply = fn(&Window, &RangeCall) -> Sample;

/// The function of this name, if it takes a range.
pub(crate) fn find(name: &str) -> Option<Apply> {
    Some(match name {
        "avg_over_time" => over_time::avg_over_time,
        "changes" => changes::changes,
        "count_over_time" => over_time::count_over_time,
        "delta" => rate::delta,
        "deriv" => regression::deriv,
        "double_exponential_smoothing" => regression::smoothing,
        "first_over_time" => over_time::first_over_time,
        "idelta" => instant_rate::idelta,
        "increase" => rate::increase,
        "irate" => instant_rate::irate,
        "last_over_time" => over_time::last_over_time,
        "mad_over_time" => over_time::mad_over_time,
        "max_over_time" => over_time::max_over_time,
        "min_over_time" => over_time::min_over_time,
        "predict_linear" => regression::predict_linear,
        "present_over_time" => over_time::present_over_time,
        "quantile_over_time" => over_time::quantile_over_time,
        "rate" => rate::rate,
        "resets" => changes::resets,
        "stddev_over_time" => over_time::stddev_over_time,
        "stdvar_over_time" => over_time::stdvar_over_time,
        "sum_over_time" => over_time::sum_over_time,
        "ts_of_first_over_time" => over_time::ts_of_first_over_time,
        "ts_of_last_over_time" => over_time::ts_of_last_over_time,
        "ts_of_max_over_time" => over_time::ts_of_max_over_time,
        "ts_of_min_over_time" => over_time::ts_of_min_over_time,
        _ => return None,
    })
}

/// Whether the name of the metric stays: the samples are those of the series.
pub(crate) fn keeps_name(name: &str) -> bool {
    matches!(name, "last_over_time" | "first_over_time")
}

/// Why the function cannot have a range with this extension.
pub(crate) fn refuse_extension(name: &str, extension: Extension) -> Option<String> {
    let (word, allowed): (_, &[&str]) = match extension {
        Extension::Anchored => (
            "anchored",
            &["changes", "delta", "increase", "rate", "resets"],
        ),
        Extension::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    if allowed.contains(&name) {
        return None;
    }
    let list = allowed.join(", ");
    Some(format!(
        "{word} modifier can only be used with: {list} - not with {name}"
    ))
}

/// Whether the name of a metric that `rate` or `increase` was asked of is one of a counter.
pub(crate) fn named_as_counter(metric: &str) -> bool {
    ["_total", "_sum", "_count", "_bucket"]
        .iter()
        .any(|end| metric.ends_with(end))
}
