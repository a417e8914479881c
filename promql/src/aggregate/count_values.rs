//! `count_values`: how often each value comes, by a label with the value.

use super::grouping::Call;
use crate::{
    error::{Error, Result},
    format::format_float,
    functions::label::check_name,
    labels::Labels,
    row::{Row, Rows, Sample},
};
use std::collections::{BTreeMap, HashMap};

/// More counts, one for each value at each step, would make a label of what is a measurement; these are 80 MB.
const COUNTS_MAX: usize = 10_000_000;

pub(crate) fn aggregate(rows: Rows, call: &Call, label: &str) -> Result<Vec<Row>> {
    check_name(label).map_err(|name| Error::Evaluation(format!("invalid label name {name}")))?;
    let mut groups = call.groups::<BTreeMap<String, Vec<u64>>>();
    let mut values = 0;
    for row in rows {
        let row = row?;
        if row.is_empty() {
            continue;
        }
        let counts = groups.of(&row.labels, BTreeMap::new);
        for (step, sample) in row.samples.iter().enumerate() {
            let text = match sample {
                Sample::Absent => continue,
                Sample::Float(value) => format_float(*value),
                Sample::Histogram(histogram) => histogram.to_string(),
            };
            let counts = counts.entry(text).or_insert_with(|| {
                values += 1;
                vec![0_u64; call.steps]
            });
            counts[step] += 1;
        }
        if values * call.steps > COUNTS_MAX {
            return Err(Error::Limit(format!(
                "count_values finds {values} different values over {} steps; ask for fewer",
                call.steps
            )));
        }
    }
    Ok(rows_of(groups.states, label, call.steps))
}

/// Groups may meet where the label is one of theirs: then their counts add up.
fn rows_of(
    groups: Vec<(Labels, BTreeMap<String, Vec<u64>>)>,
    label: &str,
    steps: usize,
) -> Vec<Row> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut results: Vec<(Labels, Vec<u64>)> = Vec::new();
    for (labels, values) in groups {
        for (text, counts) in values {
            let labels = labels.with(label, &text);
            let place = *places.entry(labels.clone()).or_insert_with(|| {
                results.push((labels, vec![0; steps]));
                results.len() - 1
            });
            results[place]
                .1
                .iter_mut()
                .zip(counts)
                .for_each(|(sum, count)| *sum += count);
        }
    }
    let sample = |count: u64| match count {
        0 => Sample::Absent,
        count => Sample::Float(count as f64),
    };
    results
        .into_iter()
        .map(|(labels, counts)| Row::new(labels, counts.into_iter().map(sample).collect()))
        .collect()
}
