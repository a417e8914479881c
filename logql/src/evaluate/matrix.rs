//! Series with a value, or none, at every step.

use super::Series;
use crate::{labels::Labels, times::Times};

/// What a part of a query answers.
#[derive(Debug)]
pub(super) enum Evaluated {
    Number(f64),
    Matrix(Matrix),
}

#[derive(Debug, Default)]
pub(super) struct Matrix {
    pub(super) series: Vec<Row>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// One for each step.
    pub(super) values: Vec<Option<f64>>,
}

impl Matrix {
    /// One value everywhere, without labels.
    pub(super) fn constant(value: f64, steps: usize) -> Matrix {
        let row = Row {
            labels: Labels::default(),
            values: vec![Some(value); steps],
        };
        Matrix { series: vec![row] }
    }
}

impl Evaluated {
    /// A number stands for a series without labels.
    pub(super) fn into_matrix(self, steps: usize) -> Matrix {
        match self {
            Evaluated::Number(value) => Matrix::constant(value, steps),
            Evaluated::Matrix(matrix) => matrix,
        }
    }
}

impl Row {
    /// The values with their times; `None` if there are none.
    pub(super) fn points(self, times: &Times) -> Option<Series> {
        let values = self.values.into_iter().enumerate();
        let points: Vec<(i64, f64)> = values
            .filter_map(|(at, value)| Some((times.step_at(at), value?)))
            .collect();
        let labels = self.labels;
        (!points.is_empty()).then_some(Series { labels, points })
    }
}
