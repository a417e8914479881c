//! Arithmetic and comparisons between two vectors.
//!
//! The side of one (the right one of one-to-one) is held, by the labels that match; the side of many streams.

use super::operate::Operator;
use crate::{
    error::{Error, Result},
    expr::{Binary, Cardinality, Matching},
    labels::{Labels, METRIC_NAME},
    row::{Row, Rows, Sample, collect},
};
use std::{collections::HashMap, rc::Rc, sync::Arc};

/// Takes from labels those that have to be equal.
#[derive(Clone)]
pub(crate) struct Signature {
    on: bool,
    names: Arc<[String]>,
}

impl Signature {
    pub(crate) fn new(matching: &Matching) -> Signature {
        Signature {
            on: matching.on,
            names: matching.labels.as_slice().into(),
        }
    }

    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        let listed = |name: &str| self.names.iter().any(|label| label == name);
        match self.on {
            true => labels.filtered(listed),
            false => labels.filtered(|name| name != METRIC_NAME && !listed(name)),
        }
    }
}

/// What is known of the elements that share a match.
struct Match {
    /// Rows of the side of one; at each step one of them has a sample at most.
    ones: Vec<usize>,
    /// At which steps an element of the other side was there.
    used: Vec<bool>,
}

/// Two vectors being joined.
pub(crate) struct Join<'a> {
    binary: &'a Binary,
    operator: Operator<'a>,
    signature: Signature,
    delayed_name_removal: bool,
    steps: usize,
    ones: Vec<Rc<Row>>,
    matches: HashMap<Labels, Match>,
    /// Of `group_left` and `group_right`: at which steps results of these labels are there already.
    taken: HashMap<Labels, Vec<bool>>,
}

impl<'a> Join<'a> {
    /// Reads the side of one.
    pub(crate) fn new(
        binary: &'a Binary,
        operator: Operator<'a>,
        one: Rows,
        (steps, delayed_name_removal): (usize, bool),
    ) -> Result<Join<'a>> {
        let mut join = Join {
            binary,
            operator,
            signature: Signature::new(&binary.matching),
            delayed_name_removal,
            steps,
            ones: collect(one)?.into_iter().map(Rc::new).collect(),
            matches: HashMap::new(),
            taken: HashMap::new(),
        };
        for (at, row) in join.ones.iter().enumerate() {
            let entry = join.matches.entry(join.signature.of(&row.labels));
            let found = entry.or_insert_with(|| Match {
                ones: Vec::new(),
                used: vec![false; steps],
            });
            found.ones.push(at);
        }
        join.check_ones()?;
        Ok(join)
    }

    fn swapped(&self) -> bool {
        self.binary.matching.cardinality == Cardinality::OneToMany
    }

    fn grouped(&self) -> bool {
        self.binary.matching.cardinality != Cardinality::OneToOne
    }

    /// The value of a missing element of the side of one, and of the other side.
    fn fills(&self) -> (Option<f64>, Option<f64>) {
        let matching = &self.binary.matching;
        let (left, right) = (matching.fill_left, matching.fill_right);
        let (one, many) = if self.swapped() {
            (left, right)
        } else {
            (right, left)
        };
        (
            one.map(|number| number.value),
            many.map(|number| number.value),
        )
    }

    /// No two elements of the side of one may share a match at a step.
    fn check_ones(&self) -> Result<()> {
        let side = if self.swapped() { "left" } else { "right" };
        for (signature, found) in self
            .matches
            .iter()
            .filter(|(_, found)| found.ones.len() > 1)
        {
            for step in 0..self.steps {
                let present = |at: &&usize| !self.ones[**at].samples[step].is_absent();
                let mut labels: Vec<&Labels> = found
                    .ones
                    .iter()
                    .filter(present)
                    .map(|at| &self.ones[*at].labels)
                    .collect();
                if labels.len() < 2 {
                    continue;
                }
                labels.sort();
                return Err(Error::Evaluation(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    all(signature),
                    all(labels[0]),
                    all(labels[1]),
                )));
            }
        }
        Ok(())
    }

    /// The results of a row of the other side.
    fn join(&mut self, row: &Row) -> Result<Vec<Row>> {
        let signature = self.signature.of(&row.labels);
        let grouped = self.grouped();
        let (fill_one, _) = self.fills();
        let mut results = Vec::new();
        let Some(found) = self.matches.get_mut(&signature) else {
            if let Some(fill) = fill_one {
                let entry = self.matches.entry(signature.clone());
                entry.or_insert_with(|| Match {
                    ones: Vec::new(),
                    used: vec![false; self.steps],
                });
                let filled = vec![Sample::Float(fill); self.steps];
                self.mark(&signature, row)?;
                self.result(row, &Row::new(signature, filled), &mut results)?;
            }
            return Ok(results);
        };
        let ones = found.ones.clone();
        if !grouped {
            self.mark(&signature, row)?;
        } else {
            for (used, sample) in found.used.iter_mut().zip(&row.samples) {
                *used |= !sample.is_absent();
            }
        }
        for &one in &ones {
            let one = self.ones[one].clone();
            self.result(row, &one, &mut results)?;
        }
        if let Some(fill) = fill_one {
            let missing = |step: usize| {
                ones.iter()
                    .all(|one| self.ones[*one].samples[step].is_absent())
            };
            let filled = (0..self.steps).map(|step| match missing(step) {
                true => Sample::Float(fill),
                false => Sample::Absent,
            });
            let filled = Row::new(signature, filled.collect());
            self.result(row, &filled, &mut results)?;
        }
        Ok(results)
    }

    /// Notes where the row has samples; one-to-one admits no second one at a step that has a partner.
    fn mark(&mut self, signature: &Labels, row: &Row) -> Result<()> {
        let grouped = self.grouped();
        let fills = self.fills().0.is_some();
        let Some(found) = self.matches.get_mut(signature) else {
            return Ok(());
        };
        for (step, sample) in row
            .samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| !sample.is_absent())
        {
            let partner = found
                .ones
                .iter()
                .any(|one| !self.ones[*one].samples[step].is_absent());
            if !partner && !fills && sample.is_absent() {
                continue;
            }
            if !grouped && found.used[step] && (partner || fills) {
                return Err(Error::Evaluation(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        .to_owned(),
                ));
            }
            found.used[step] = true;
        }
        Ok(())
    }

    /// Appends what the operator makes of a row and its partner.
    fn result(&mut self, many: &Row, one: &Row, results: &mut Vec<Row>) -> Result<()> {
        let labels = self.labels(&many.labels, &one.labels);
        let both =
            |step: &usize| !many.samples[*step].is_absent() && !one.samples[*step].is_absent();
        if self.grouped() {
            let taken = self
                .taken
                .entry(labels.clone())
                .or_insert_with(|| vec![false; self.steps]);
            for step in (0..self.steps).filter(both) {
                if std::mem::replace(&mut taken[step], true) {
                    return Err(Error::Evaluation(
                        "multiple matches for labels: grouping labels must ensure unique matches"
                            .to_owned(),
                    ));
                }
            }
        }
        let swapped = self.swapped();
        let sample = |(many, one): (&Sample, &Sample)| {
            let (left, right) = if swapped { (one, many) } else { (many, one) };
            self.operator.samples(left, right, left)
        };
        let samples: Vec<Sample> = many.samples.iter().zip(&one.samples).map(sample).collect();
        if samples.iter().any(|sample| !sample.is_absent()) {
            let drop_name =
                self.delayed_name_removal && (self.operator.drops_name() || many.drop_name);
            results.push(Row {
                labels,
                drop_name,
                samples,
            });
        }
        Ok(())
    }

    /// The labels of a result.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let without_name = self.operator.drops_name() && !self.delayed_name_removal;
        let many = if without_name {
            many.without_metric()
        } else {
            many.clone()
        };
        if self.grouped() {
            let include = matching.include.iter();
            return include.fold(many, |labels, name| labels.with(name, one.get(name)));
        }
        let listed = |name: &str| matching.labels.iter().any(|label| label == name);
        match matching.on {
            true => many.filtered(listed),
            false => many.filtered(|name| !listed(name)),
        }
    }

    /// The results of elements of the side of one that had no partner, where a value is given for that.
    fn unmatched(&mut self) -> Result<Vec<Row>> {
        let mut results = Vec::new();
        let Some(fill) = self.fills().1 else {
            return Ok(results);
        };
        let mut signatures: Vec<Labels> = self.matches.keys().cloned().collect();
        signatures.sort();
        for signature in signatures {
            let found = &self.matches[&signature];
            let missing = found.used.iter().map(|used| match used {
                true => Sample::Absent,
                false => Sample::Float(fill),
            });
            let filled = Row::new(signature.clone(), missing.collect());
            for one in found.ones.clone() {
                let one = self.ones[one].clone();
                self.result(&filled, &one, &mut results)?;
            }
        }
        Ok(results)
    }
}

/// All labels in braces, the name among them, as errors of Prometheus have them.
fn all(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", crate::lex::quoted::quote(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Streams the side of many through a join.
pub(crate) fn stream<'a>(mut join: Join<'a>, many: Rows<'a>) -> Rows<'a> {
    let mut many = Some(many);
    let mut ready: Vec<Row> = Vec::new();
    Box::new(std::iter::from_fn(move || {
        loop {
            if let Some(row) = ready.pop() {
                return Some(Ok(row));
            }
            let next = match many.as_mut()?.next() {
                Some(row) => row.and_then(|row| join.join(&row)),
                None => {
                    many = None;
                    join.unmatched()
                }
            };
            match next {
                Ok(mut rows) => {
                    rows.reverse();
                    ready = rows;
                }
                Err(error) => {
                    many = None;
                    return Some(Err(error));
                }
            }
        }
    }))
}
