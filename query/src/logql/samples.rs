//! Metric queries: every range aggregation scans its own time for what it looks at, and no more of it.

use super::{
    lower::{self, Interval},
    questions::{self, Counting, Which},
    records::{Metadata, Order, Reading, Records},
    streams::{Chosen, Pairs, Streams, pairs},
};
use crate::{config::Config, error::Result, workplace::Workplace};
use arrow::array::RecordBatch;
use cairn_logql::{
    Answer, Entry, Evaluation, Expr, Hints, Labels, Limits, Times, Wants, ast::Metric, hints,
};
use futures::StreamExt;

/// A cell of an evaluation with its place takes no more, about, in bytes; half of a statement's memory is for them.
const CELL_BYTES: u64 = 128;

/// Evaluates a query whose tree is `expr`, a metric query.
pub(super) fn evaluate(
    (expr, metric): (&Expr, &Metric),
    (times, now): (Times, i64),
    place: &Workplace,
) -> Result<Answer> {
    let mut evaluation = Evaluation::new(metric, times, limits(&place.config), now)?;
    let memory = place.session.reservation("series of a metric query");
    for (source, hint) in hints(expr, &times).iter().enumerate() {
        let reading = reading(evaluation.wants(source), hint, place)?;
        if reading.interval.from > reading.interval.through {
            continue;
        }
        let mut batches = place.wait(reading.batches(&place.session))?;
        let (mut streams, mut chosen) = (Streams::default(), Chosen::default());
        while let Some(batch) = place.wait(async { batches.next().await.transpose() })? {
            push(&mut evaluation, source, (&mut streams, &mut chosen), &batch)?;
            memory.try_resize(evaluation.held_bytes())?;
        }
    }
    Ok(evaluation.finish()?)
}

fn limits(config: &Config) -> Limits {
    let cells = config.statement_memory_bytes / 2 / CELL_BYTES;
    Limits {
        cells: usize::try_from(cells).unwrap_or(usize::MAX),
        ..Limits::default()
    }
}

fn reading(wants: Wants<'_>, hint: &Hints, place: &Workplace) -> Result<Reading> {
    let mut filters = lower::streams(&hint.matchers);
    filters.extend(lower::lines(&hint.lines));
    Ok(Reading {
        interval: Interval {
            from: hint.times.start,
            through: hint.times.end.saturating_sub(1),
        },
        filters,
        order: Order::Any,
        line: wants.line,
        metadata: metadata(wants.labels, hint, place)?,
    })
}

/// What is read of the labels of records: none where every stream has all that are looked at.
fn metadata(names: Option<&[String]>, hint: &Hints, place: &Workplace) -> Result<Metadata> {
    let (known, Some(names)) = (Metadata::of(names), names) else {
        return Ok(Metadata::All);
    };
    if known == Metadata::Severity {
        return Ok(known);
    }
    let which = Which {
        selectors: vec![hint.matchers.clone()],
        from_ns: hint.times.start,
        through_ns: hint.times.end.saturating_sub(1),
        counting: Counting::Labels,
    };
    let streams = questions::tallies(&which, place)?;
    let has_all = |labels: &Labels| {
        let unknown = names.iter().filter(|name| labels.get(name).is_none());
        Metadata::of(Some(&unknown.cloned().collect::<Vec<_>>())) == Metadata::Severity
    };
    Ok(match streams.iter().all(|stream| has_all(&stream.labels)) {
        true => Metadata::Severity,
        false => Metadata::All,
    })
}

fn push(
    evaluation: &mut Evaluation<'_>,
    source: usize,
    (streams, chosen): (&mut Streams, &mut Chosen),
    batch: &RecordBatch,
) -> Result<()> {
    let records = Records::of(batch, streams)?;
    let mut of_streams = Pairs::of(streams);
    let mut metadata = Vec::new();
    for row in 0..records.len() {
        let number = records.stream(row);
        let stream = of_streams.get(number);
        if !chosen.is(number, || evaluation.selects(source, stream)) {
            continue;
        }
        records.metadata(row, &mut metadata);
        let metadata = pairs(&metadata);
        let entry = Entry {
            timestamp: records.time(row),
            line: records.line(row),
            stream,
            metadata: &metadata,
        };
        evaluation.push(source, &entry)?;
    }
    Ok(())
}
