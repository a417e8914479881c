//! Which selectors feed functions that look at nothing of a histogram but its count and its sum.

use crate::expr::{BinaryOp, Expr, Kind};

/// Marks them. Prometheus reads the points of these without buckets, and finds out on the way which hints are open: so
/// functions above them see resets that others do not. What a subquery reads and what is trimmed needs the buckets.
pub(crate) fn mark(expr: &mut Expr) {
    descend(expr, false);
}

fn descend(expr: &mut Expr, statistics_only: bool) {
    let below = match &mut expr.kind {
        Kind::Selector(selector) => {
            selector.statistics_only = statistics_only;
            return;
        }
        Kind::Range(range) => {
            range.selector.statistics_only = statistics_only;
            return;
        }
        Kind::Subquery(_) => return,
        Kind::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => false,
            _ => statistics_only,
        },
        Kind::Binary(binary) if matches!(binary.op, BinaryOp::TrimLower | BinaryOp::TrimUpper) => {
            false
        }
        _ => statistics_only,
    };
    for child in expr.children_mut() {
        descend(child, below);
    }
}
