//! What the user should hear of a result beside it: warnings and infos, in the words of Prometheus.

use crate::{expr::Span, lex};
use std::{cell::RefCell, collections::BTreeSet};

/// More different ones of a kind tell nothing; beyond it they are counted.
const NOTES_MAX: usize = 1_000;

/// All warnings and infos of an evaluation, each once.
pub(crate) struct Notes {
    /// Of the query, for the places; empty where it was none.
    text: String,
    warnings: RefCell<Kind>,
    infos: RefCell<Kind>,
}

#[derive(Default)]
struct Kind {
    messages: BTreeSet<String>,
    omitted: usize,
}

impl Kind {
    fn add(&mut self, message: String) {
        if self.messages.len() < NOTES_MAX {
            self.messages.insert(message);
        } else if !self.messages.contains(&message) {
            self.omitted += 1;
        }
    }

    fn list(self, name: &str) -> Vec<String> {
        let mut list: Vec<String> = self.messages.into_iter().collect();
        if self.omitted > 0 {
            list.push(format!("{} more {name} annotations omitted", self.omitted));
        }
        list
    }
}

/// What two histograms were combined for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Combining {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combining {
    fn name(self) -> &'static str {
        match self {
            Combining::Addition => "addition",
            Combining::Subtraction => "subtraction",
            Combining::Aggregation => "aggregation",
        }
    }
}

/// ` for metric name "x"`, where there is a name.
fn of_metric(metric: &str) -> String {
    match metric {
        "" => String::new(),
        metric => format!(" for metric name {metric:?}"),
    }
}

impl Notes {
    pub(crate) fn new(text: String) -> Notes {
        Notes {
            text,
            warnings: RefCell::default(),
            infos: RefCell::default(),
        }
    }

    /// Warnings and infos.
    pub(crate) fn finish(self) -> (Vec<String>, Vec<String>) {
        (
            self.warnings.into_inner().list("warning"),
            self.infos.into_inner().list("info"),
        )
    }

    fn at(&self, span: Span) -> String {
        if self.text.is_empty() {
            return String::new();
        }
        let (line, column) = lex::place(&self.text, span.start);
        format!(" ({line}:{column})")
    }

    fn warn(&self, span: Span, message: &str) {
        let message = format!("PromQL warning: {message}{}", self.at(span));
        self.warnings.borrow_mut().add(message);
    }

    fn info(&self, span: Span, message: &str) {
        let message = format!("PromQL info: {message}{}", self.at(span));
        self.infos.borrow_mut().add(message);
    }

    pub(crate) fn bad_quantile(&self, span: Span, q: f64) {
        let q = crate::histogram::shortest(q);
        self.warn(
            span,
            &format!("quantile value should be between 0 and 1, got {q}"),
        );
    }

    pub(crate) fn bad_ratio(&self, span: Span, ratio: f64, used: f64) {
        let ratio = crate::histogram::shortest(ratio);
        self.warn(
            span,
            &format!("ratio value should be between -1 and 1, got {ratio}, capping to {used}"),
        );
    }

    pub(crate) fn bad_bucket(&self, span: Span, metric: &str, le: &str) {
        let metric = of_metric(metric);
        self.warn(
            span,
            &format!("bucket label \"le\" is missing or has a malformed value of {le:?}{metric}"),
        );
    }

    pub(crate) fn mixed_samples(&self, span: Span, metric: &str) {
        self.warn(
            span,
            &format!("encountered a mix of histograms and floats for metric name {metric:?}"),
        );
    }

    pub(crate) fn mixed_samples_in_aggregation(&self, span: Span) {
        self.warn(
            span,
            "encountered a mix of histograms and floats for aggregation",
        );
    }

    pub(crate) fn mixed_histograms(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.warn(
            span,
            &format!("vector contains a mix of classic and native histograms{metric}"),
        );
    }

    pub(crate) fn mixed_schemas(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.warn(
            span,
            &format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas{metric}"
            ),
        );
    }

    pub(crate) fn not_a_counter(&self, span: Span, metric: &str) {
        self.warn(
            span,
            &format!("this native histogram metric is not a counter: {metric:?}"),
        );
    }

    pub(crate) fn not_a_gauge(&self, span: Span, metric: &str) {
        self.warn(
            span,
            &format!("this native histogram metric is not a gauge: {metric:?}"),
        );
    }

    pub(crate) fn colliding_resets(&self, span: Span, combining: Combining) {
        let name = combining.name();
        self.warn(
            span,
            &format!("conflicting counter resets during histogram {name}"),
        );
    }

    pub(crate) fn bounds_reconciled(&self, span: Span, combining: Combining) {
        let name = combining.name();
        self.info(
            span,
            &format!("mismatched custom buckets were reconciled during {name}"),
        );
    }

    pub(crate) fn incompatible_buckets(&self, span: Span, operator: &str) {
        self.warn(
            span,
            &format!("incompatible bucket layout encountered for binary operator {operator}"),
        );
    }

    pub(crate) fn sort_in_range(&self, span: Span) {
        self.warn(
            span,
            "sort is ineffective for range queries since results are always ordered by labels",
        );
    }

    pub(crate) fn maybe_no_counter(&self, span: Span, metric: &str) {
        self.info(
            span,
            &format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
            ),
        );
    }

    pub(crate) fn forced_monotonicity(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.info(
            span,
            &format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){metric}"
            ),
        );
    }

    pub(crate) fn incompatible_types(&self, span: Span, left: &str, operator: &str, right: &str) {
        self.info(
            span,
            &format!(
                "incompatible sample types encountered for binary operator {operator:?}: {left} {operator} {right}"
            ),
        );
    }

    pub(crate) fn ignored_in_aggregation(&self, span: Span, aggregation: &str) {
        self.info(
            span,
            &format!("ignored histogram in {aggregation} aggregation"),
        );
    }

    pub(crate) fn ignored_in_range(&self, span: Span, metric: &str) {
        self.info(
            span,
            &format!(
                "ignored histograms in a range containing both floats and histograms for metric name {metric:?}"
            ),
        );
    }

    pub(crate) fn quantile_is_nan(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.info(
            span,
            &format!("input to histogram_quantile has NaN observations, result is NaN{metric}"),
        );
    }

    pub(crate) fn quantile_is_skewed(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.info(
            span,
            &format!(
                "input to histogram_quantile has NaN observations, result is skewed higher{metric}"
            ),
        );
    }

    pub(crate) fn fraction_without_nan(&self, span: Span, metric: &str) {
        let metric = of_metric(metric);
        self.info(
            span,
            &format!(
                "input to histogram_fraction has NaN observations, which are excluded from all fractions{metric}"
            ),
        );
    }
}
