//! Aggregations: many rows become one a group.

pub(crate) mod count_values;
pub(crate) mod grouping;
pub(crate) mod limit;
pub(crate) mod quantile;
pub(crate) mod simple;
pub(crate) mod top;

mod histogram;
