//! `and`, `or`, `unless`: which elements of one vector have or lack a match in another.

use super::matching::Signature;
use crate::{
    error::Result,
    expr::{BinaryOp, Matching},
    labels::Labels,
    row::{Row, Rows, Sample},
};
use std::{cell::RefCell, collections::HashMap, rc::Rc};

type Present = HashMap<Labels, Vec<bool>>;

fn note(present: &mut Present, signature: Labels, row: &Row) {
    let steps = present
        .entry(signature)
        .or_insert_with(|| vec![false; row.samples.len()]);
    for (seen, sample) in steps.iter_mut().zip(&row.samples) {
        *seen |= !sample.is_absent();
    }
}

/// The row without the samples at steps where `drop` holds for whether there is a match.
fn masked(mut row: Row, matched: Option<&Vec<bool>>, drop: bool) -> Row {
    for (step, sample) in row.samples.iter_mut().enumerate() {
        if matched.is_some_and(|matched| matched[step]) == drop {
            *sample = Sample::Absent;
        }
    }
    row
}

/// Joins two vectors; the side that decides is read first, the other one streams.
pub(crate) fn join<'a>(
    op: BinaryOp,
    matching: &'a Matching,
    left: Rows<'a>,
    right: Rows<'a>,
) -> Result<Rows<'a>> {
    let signature = Signature::new(matching);
    if op == BinaryOp::Or {
        return Ok(union(signature, left, right));
    }
    let mut present = Present::new();
    for row in right {
        let row = row?;
        note(&mut present, signature.of(&row.labels), &row);
    }
    let drop = op == BinaryOp::Unless;
    Ok(Box::new(left.map(move |row| {
        let row = row?;
        let matched = present.get(&signature.of(&row.labels));
        Ok(masked(row, matched, drop))
    })))
}

fn union<'a>(signature: Signature, left: Rows<'a>, right: Rows<'a>) -> Rows<'a> {
    let present = Rc::new(RefCell::new(Present::new()));
    let seen = Rc::clone(&present);
    let left_signature = signature.clone();
    let left = left.inspect(move |row| {
        if let Ok(row) = row {
            note(&mut seen.borrow_mut(), left_signature.of(&row.labels), row);
        }
    });
    let right = right.map(move |row| {
        let row = row?;
        let present = present.borrow();
        let matched = present.get(&signature.of(&row.labels));
        Ok(masked(row, matched, true))
    });
    Box::new(left.chain(right))
}
