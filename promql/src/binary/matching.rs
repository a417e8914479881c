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
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

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
    /// Rows of the side of one; at each step that counts one of them has a sample at most.
    ones: Vec<usize>,
    /// At which steps an element of the other side was there.
    used: Vec<bool>,
    /// At which steps there was a pair already.
    answered: Vec<bool>,
}

impl Match {
    fn new(steps: usize) -> Match {
        Match {
            ones: Vec::new(),
            used: vec![false; steps],
            answered: vec![false; steps],
        }
    }
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
    /// Why there is no answer where the other side has an element at that step.
    conflicts: BTreeMap<usize, String>,
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
            conflicts: BTreeMap::new(),
            taken: HashMap::new(),
        };
        for (at, row) in join.ones.iter().enumerate() {
            let entry = join.matches.entry(join.signature.of(&row.labels));
            entry.or_insert_with(|| Match::new(steps)).ones.push(at);
        }
        join.conflicts = join.conflicts();
        match (join.fills().1, join.conflicts.values().next()) {
            (Some(_), Some(conflict)) => Err(Error::Evaluation(conflict.clone())),
            _ => Ok(join),
        }
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

    /// The steps at which two elements of the side of one share a match.
    fn conflicts(&self) -> BTreeMap<usize, String> {
        let side = if self.swapped() { "left" } else { "right" };
        let mut shared: Vec<(&Labels, &Match)> = self.matches.iter().collect();
        shared.retain(|(_, found)| found.ones.len() > 1);
        shared.sort_by_key(|(signature, _)| *signature);
        let mut conflicts = BTreeMap::new();
        for (signature, found) in shared {
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
                conflicts.entry(step).or_insert_with(|| {
                    format!(
                        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                        all(signature),
                        all(labels[0]),
                        all(labels[1]),
                    )
                });
            }
        }
        conflicts
    }

    /// A conflict counts where there is something to match.
    fn check(&self, row: &Row) -> Result<()> {
        let counts = |(step, _): &(&usize, &String)| !row.samples[**step].is_absent();
        match self.conflicts.iter().find(counts) {
            Some((_, conflict)) => Err(Error::Evaluation(conflict.clone())),
            None => Ok(()),
        }
    }

    /// The results of a row of the other side.
    fn join(&mut self, row: &Row) -> Result<Vec<Row>> {
        self.check(row)?;
        let signature = self.signature.of(&row.labels);
        let (fill_one, _) = self.fills();
        let mut results = Vec::new();
        let steps = self.steps;
        if fill_one.is_some() {
            let entry = self.matches.entry(signature.clone());
            entry.or_insert_with(|| Match::new(steps));
        }
        let Some(found) = self.matches.get_mut(&signature) else {
            return Ok(results);
        };
        for (used, sample) in found.used.iter_mut().zip(&row.samples) {
            *used |= !sample.is_absent();
        }
        let ones = found.ones.clone();
        for &one in &ones {
            let one = self.ones[one].clone();
            self.result(&signature, (row, &*one), &mut results)?;
        }
        if let Some(fill) = fill_one {
            let missing = |step: usize| {
                ones.iter()
                    .all(|one| self.ones[*one].samples[step].is_absent())
            };
            let filled = (0..steps).map(|step| match missing(step) {
                true => Sample::Float(fill),
                false => Sample::Absent,
            });
            let filled = Row::new(signature.clone(), filled.collect());
            self.result(&signature, (row, &filled), &mut results)?;
        }
        Ok(results)
    }

    /// Appends what the operator makes of a row of many and its partner.
    fn result(
        &mut self,
        signature: &Labels,
        (many, one): (&Row, &Row),
        results: &mut Vec<Row>,
    ) -> Result<()> {
        let labels = self.labels(&many.labels, &one.labels);
        self.admit((signature, &labels), (many, one))?;
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

    /// One to one, a match has one pair a step at most; otherwise labels have, also where a comparison takes it out.
    fn admit(
        &mut self,
        (signature, labels): (&Labels, &Labels),
        (many, one): (&Row, &Row),
    ) -> Result<()> {
        let (taken, why) = match self.grouped() {
            true => {
                let taken = self.taken.entry(labels.clone());
                let taken = taken.or_insert_with(|| vec![false; many.samples.len()]);
                (taken, "grouping labels must ensure unique matches")
            }
            false => {
                let Some(found) = self.matches.get_mut(signature) else {
                    return Ok(());
                };
                let why = "many-to-one matching must be explicit (group_left/group_right)";
                (&mut found.answered, why)
            }
        };
        let pairs = many.samples.iter().zip(&one.samples);
        for (taken, (many, one)) in taken.iter_mut().zip(pairs) {
            let both = !many.is_absent() && !one.is_absent();
            if both && std::mem::replace(taken, true) {
                let message = format!("multiple matches for labels: {why}");
                return Err(Error::Evaluation(message));
            }
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
                self.result(&signature, (&filled, &*one), &mut results)?;
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
