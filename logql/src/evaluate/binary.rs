//! Operators between two queries.

use super::matrix::{Evaluated, Matrix, Row};
use crate::{
    ast::{Binary, BinaryOp, Group, Matching},
    error::{Error, Result},
    labels::Labels,
};
use std::collections::{BTreeMap, HashMap};

pub(super) fn binary(
    binary: &Binary,
    left: Evaluated,
    right: Evaluated,
    steps: usize,
) -> Result<Evaluated> {
    Ok(match (left, right) {
        (Evaluated::Number(left), Evaluated::Number(right)) => {
            Evaluated::Number(binary.op.of_numbers(left, right))
        }
        (Evaluated::Matrix(matrix), Evaluated::Number(number)) => {
            Evaluated::Matrix(with_number(binary, matrix, |value| (value, number)))
        }
        (Evaluated::Number(number), Evaluated::Matrix(matrix)) => {
            Evaluated::Matrix(with_number(binary, matrix, |value| (number, value)))
        }
        (Evaluated::Matrix(left), Evaluated::Matrix(right)) if binary.op.is_set() => {
            Evaluated::Matrix(sets(binary, left, right, steps))
        }
        (Evaluated::Matrix(left), Evaluated::Matrix(right)) => {
            Evaluated::Matrix(values(binary, left, right, steps)?)
        }
    })
}

/// What two values make; a comparison that does not hold makes nothing, and one that holds makes `kept`.
fn of_values(binary: &Binary, left: f64, right: f64, kept: f64) -> Option<f64> {
    let value = binary.op.of_numbers(left, right);
    match binary.op {
        BinaryOp::Compare(_) if !binary.returns_bool => (value != 0.0).then_some(kept),
        _ => Some(value),
    }
}

/// `sides` puts a value of the series and the number on the sides where they stand.
fn with_number(binary: &Binary, mut matrix: Matrix, sides: impl Fn(f64) -> (f64, f64)) -> Matrix {
    for value in matrix.series.iter_mut().flat_map(|row| &mut row.values) {
        *value = value.and_then(|value| {
            let (left, right) = sides(value);
            of_values(binary, left, right, value)
        });
    }
    matrix
}

/// The labels by which series of both sides find each other.
fn signature(matching: Option<&Matching>, labels: &Labels) -> Labels {
    match matching {
        None => labels.clone(),
        Some(matching) => {
            labels.filtered(|name| matching.labels.iter().any(|label| label == name) == matching.on)
        }
    }
}

/// The series of both sides that belong together, in an order that does not change.
type Pairs = BTreeMap<Labels, (Vec<Row>, Vec<Row>)>;

fn pairs(matching: Option<&Matching>, left: Matrix, right: Matrix) -> Pairs {
    let mut pairs = Pairs::new();
    for row in left.series {
        pairs
            .entry(signature(matching, &row.labels))
            .or_default()
            .0
            .push(row);
    }
    for row in right.series {
        pairs
            .entry(signature(matching, &row.labels))
            .or_default()
            .1
            .push(row);
    }
    pairs
}

fn is_present(rows: &[Row], step: usize) -> bool {
    rows.iter().any(|row| row.values[step].is_some())
}

fn sets(binary: &Binary, left: Matrix, right: Matrix, steps: usize) -> Matrix {
    let mut result: BTreeMap<Labels, Vec<Option<f64>>> = BTreeMap::new();
    for (_, (mut left, mut right)) in pairs(binary.matching.as_ref(), left, right) {
        for step in 0..steps {
            let (in_left, in_right) = (is_present(&left, step), is_present(&right, step));
            let keeps_left = match binary.op {
                BinaryOp::And => in_right,
                BinaryOp::Unless => !in_right,
                _ => true,
            };
            let keeps_right = binary.op == BinaryOp::Or && !in_left;
            if !keeps_left {
                left.iter_mut().for_each(|row| row.values[step] = None);
            }
            if !keeps_right {
                right.iter_mut().for_each(|row| row.values[step] = None);
            }
        }
        for row in left.into_iter().chain(right) {
            let values = result
                .entry(row.labels)
                .or_insert_with(|| vec![None; steps]);
            values
                .iter_mut()
                .zip(row.values)
                .for_each(|(value, found)| *value = value.or(found));
        }
    }
    let series = result
        .into_iter()
        .map(|(labels, values)| Row { labels, values });
    Matrix {
        series: series
            .filter(|row| {
                is_present(std::slice::from_ref(row), 0) || row.values.iter().any(Option::is_some)
            })
            .collect(),
    }
}

fn values(binary: &Binary, left: Matrix, right: Matrix, steps: usize) -> Result<Matrix> {
    let mut result: HashMap<Labels, Vec<Option<f64>>> = HashMap::new();
    for (signature, (left, right)) in pairs(binary.matching.as_ref(), left, right) {
        let joiner = Joiner {
            binary,
            signature: &signature,
        };
        // The side of which each series finds one of the other.
        let (many, one) = match joiner.group() {
            Group::Right(_) => (&right, &left),
            _ => (&left, &right),
        };
        for step in 0..steps {
            joiner.step(many, one, step, &mut |labels, value| {
                let values = result.entry(labels).or_insert_with(|| vec![None; steps]);
                values[step].replace(value).is_none()
            })?;
        }
    }
    let series = result
        .into_iter()
        .map(|(labels, values)| Row { labels, values });
    Ok(Matrix {
        series: series.collect(),
    })
}

/// The series of one signature.
struct Joiner<'a> {
    binary: &'a Binary,
    signature: &'a Labels,
}

impl Joiner<'_> {
    fn group(&self) -> &Group {
        self.binary
            .matching
            .as_ref()
            .map_or(&Group::None, |matching| &matching.group)
    }

    /// Joins the series that have a value at a step; `put` tells whether the place was free.
    fn step(
        &self,
        many: &[Row],
        one: &[Row],
        step: usize,
        put: &mut dyn FnMut(Labels, f64) -> bool,
    ) -> Result<()> {
        let present = |rows: &[Row]| rows.iter().filter(|row| row.values[step].is_some()).count();
        let (many_count, one_count) = (present(many), present(one));
        if many_count == 0 || one_count == 0 {
            return Ok(());
        }
        if one_count > 1 || *self.group() == Group::None && many_count > 1 {
            return Err(self.refuse(one_count > 1));
        }
        let Some(single) = one.iter().find(|row| row.values[step].is_some()) else {
            return Ok(());
        };
        for row in many {
            let (Some(of_many), Some(of_one)) = (row.values[step], single.values[step]) else {
                continue;
            };
            let (left, right) = match self.group() {
                Group::Right(_) => (of_one, of_many),
                _ => (of_many, of_one),
            };
            let Some(value) = of_values(self.binary, left, right, left) else {
                continue;
            };
            if !put(self.labels(&row.labels, &single.labels), value) {
                return Err(Error::invalid(format!(
                    "multiple matches for the labels {}: the labels of the answer must tell its series apart",
                    self.signature
                )));
            }
        }
        Ok(())
    }

    fn refuse(&self, on_one_side: bool) -> Error {
        let advice = match (on_one_side, self.group()) {
            (true, Group::None) | (false, _) => {
                "add group_left or group_right, or aggregate a side"
            }
            (true, _) => "the side without many series has several; aggregate it",
        };
        let signature = self.signature;
        Error::invalid(format!(
            "several series match the labels {signature}: {advice}"
        ))
    }

    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        match (self.binary.matching.as_ref(), self.group()) {
            (None, _) => many.clone(),
            (Some(_), Group::None) => self.signature.clone(),
            (Some(_), Group::Left(included) | Group::Right(included)) => {
                let take =
                    |labels: Labels, name: &String| labels.with(name, one.get(name).unwrap_or(""));
                included.iter().fold(many.clone(), take)
            }
        }
    }
}
