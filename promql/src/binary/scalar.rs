//! A vector and a scalar, in either order.

use super::operate::Operator;
use crate::row::{Row, Sample};

/// Where the scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// The row with the operator applied at each step; labels are left as they are.
pub(crate) fn apply(mut row: Row, scalars: &[f64], side: Side, operator: Operator) -> Row {
    for (sample, scalar) in row.samples.iter_mut().zip(scalars) {
        if sample.is_absent() {
            continue;
        }
        let scalar = Sample::Float(*scalar);
        *sample = match side {
            Side::Right => operator.samples(sample, &scalar, sample),
            Side::Left => operator.samples(&scalar, sample, sample),
        };
    }
    row
}
