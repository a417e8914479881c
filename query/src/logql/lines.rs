//! Log queries: the first lines of an order that pass a pipeline. Reading stops when there are enough.

use super::{
    lower::{self, Interval},
    records::{Metadata, Order, Reading, Records},
    request::{Direction, LogqlRequest},
    streams::{Chosen, Pairs, Streams, pairs},
};
use crate::{
    error::{Error, Result},
    workplace::Workplace,
};
use arrow::{
    array::{AsArray, RecordBatch},
    compute::min,
    datatypes::TimestampNanosecondType,
};
use cairn_logql::{Category, Entry, Expr, Labels, Pipeline, Processed, Times, ast::LogExpr, hints};
use cairn_storage::{
    schema::ROW_SEQUENCE,
    segment::Bounds,
    signal::{Signal, Table},
    snapshot::Snapshot,
};
use datafusion::{
    execution::memory_pool::MemoryReservation,
    logical_expr::{Expr as Filter, col, lit},
};
use futures::StreamExt;

/// A line that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since 1970.
    pub time_ns: i64,
    pub text: String,
    /// Labels of the stream.
    pub stream: Labels,
    /// Labels of the record itself.
    pub metadata: Labels,
    /// Labels that stages made.
    pub parsed: Labels,
}

/// What a line takes beside its texts: three sets of labels and their places.
const LINE_BYTES: usize = 512;

/// Oldest first, the time is read in windows, of which the first is this part of it: files are in the other order, and
/// what is not read need not be sorted.
const FIRST_WINDOW: i64 = 64;

/// No window is shorter, ns.
const SHORTEST_WINDOW: i64 = 1_000_000_000;

/// The lines of `log` that `request` asks for.
pub(super) fn read(
    log: &LogExpr,
    (request, now): (&LogqlRequest, i64),
    place: &Workplace,
) -> Result<Vec<Line>> {
    let through = request.end_ns.saturating_sub(1);
    let mut lines = Lines {
        pipeline: Pipeline::new(log, now)?,
        streams: Streams::default(),
        chosen: Chosen::default(),
        request,
        last: None,
        lines: Vec::new(),
        held_bytes: 0,
        memory: place.session.reservation("lines of a log query"),
    };
    let filters = filters(log, request);
    let reading = |interval, order| Reading {
        interval,
        filters: filters.clone(),
        order,
        line: true,
        metadata: Metadata::All,
    };
    if request.direction == Direction::Backward {
        let from = request.start_ns;
        let all = Interval { from, through };
        lines.take(&reading(all, Order::NewestFirst), place)?;
        return Ok(lines.lines);
    }
    let snapshot = place.session.snapshot(Signal::Logs);
    let mut from =
        first_instant(&snapshot).map_or(request.start_ns, |first| first.max(request.start_ns));
    let mut width = first_window(from, through);
    while from <= through && !lines.is_full() {
        let end = from.saturating_add(width - 1).min(through);
        let window = Interval { from, through: end };
        lines.take(&reading(window, Order::OldestFirst), place)?;
        if end == i64::MAX {
            break;
        }
        from = end + 1;
        width = width.saturating_mul(2);
    }
    Ok(lines.lines)
}

/// Before it there is no record; `None` where that is not known.
fn first_instant(snapshot: &Snapshot) -> Option<i64> {
    let of_segments = snapshot.segments.iter().map(|segment| {
        let mut objects = segment.meta.objects.iter();
        let logs = objects.find(|object| object.table == Table::Logs)?;
        let mut columns = logs.columns.iter();
        let bounds = columns
            .find(|stats| stats.column == "timestamp")?
            .bounds
            .as_ref();
        match bounds {
            Some(Bounds::Int(first, _)) => Some(*first),
            _ => None,
        }
    });
    let buffered = snapshot.buffered.iter();
    let of_buffer = buffered
        .filter_map(|request| request.batch(Table::Logs))
        .map(|batch| {
            let times = batch.column_by_name("timestamp")?;
            min(times.as_primitive_opt::<TimestampNanosecondType>()?)
        });
    let first: Option<Vec<i64>> = of_segments.chain(of_buffer).collect();
    first?.into_iter().min()
}

fn first_window(from: i64, through: i64) -> i64 {
    (through.saturating_sub(from) / FIRST_WINDOW).max(SHORTEST_WINDOW)
}

/// What the scan leaves out by itself.
fn filters(log: &LogExpr, request: &LogqlRequest) -> Vec<Filter> {
    let times = Times::at(request.start_ns);
    let mut filters = lower::streams(&log.selector);
    for hint in hints(&Expr::Log(log.clone()), &times) {
        filters.extend(lower::lines(&hint.lines));
    }
    if let Some((after, through)) = request.sequences {
        let sequence = |sequence: u64| lit(i64::try_from(sequence).unwrap_or(i64::MAX));
        filters.push(col(ROW_SEQUENCE).gt(sequence(after)));
        filters.push(col(ROW_SEQUENCE).lt_eq(sequence(through)));
    }
    filters
}

/// Lines on their way into an answer.
struct Lines<'r> {
    pipeline: Pipeline,
    streams: Streams,
    chosen: Chosen,
    request: &'r LogqlRequest,
    /// The time of the last line that was taken.
    last: Option<i64>,
    lines: Vec<Line>,
    held_bytes: usize,
    memory: MemoryReservation,
}

impl Lines<'_> {
    fn is_full(&self) -> bool {
        self.lines.len() >= self.request.limit
    }

    fn take(&mut self, reading: &Reading, place: &Workplace) -> Result<()> {
        if reading.interval.from > reading.interval.through {
            return Ok(());
        }
        let mut batches = place.wait(reading.batches(&place.session))?;
        while !self.is_full() {
            let next = place.wait(async { batches.next().await.transpose() })?;
            let Some(batch) = next else { break };
            self.add(&batch)?;
            self.hold(place)?;
        }
        Ok(())
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let records = Records::of(batch, &mut self.streams)?;
        let mut streams = Pairs::of(&self.streams);
        let mut metadata = Vec::new();
        for row in 0..records.len() {
            if self.lines.len() >= self.request.limit {
                break;
            }
            let (number, time) = (records.stream(row), records.time(row));
            let stream = streams.get(number);
            let is_chosen = self.chosen.is(number, || self.pipeline.selects(stream));
            let is_wanted = is_chosen && self.pipeline.admits(records.line(row));
            if !is_wanted || !is_apart(self.request, self.last, time) {
                continue;
            }
            records.metadata(row, &mut metadata);
            let metadata = pairs(&metadata);
            let entry = Entry {
                timestamp: time,
                line: records.line(row),
                stream,
                metadata: &metadata,
            };
            if let Some(processed) = self.pipeline.process(&entry) {
                let line = Line::of(&processed);
                self.held_bytes += line.bytes();
                self.lines.push(line);
                self.last = Some(time);
            }
        }
        Ok(())
    }

    /// Takes memory for what is held by now.
    fn hold(&mut self, place: &Workplace) -> Result<()> {
        let limit = place.config.answer_bytes;
        if self.held_bytes as u64 > limit {
            return Err(Error::TooLarge {
                what: "the answer in bytes".to_owned(),
                limit,
                place: None,
            });
        }
        Ok(self.memory.try_resize(self.held_bytes)?)
    }
}

/// Whether a line is as far from the last one as the request wants.
fn is_apart(request: &LogqlRequest, last: Option<i64>, time: i64) -> bool {
    last.is_none_or(|last| {
        request.interval_ns <= 0 || last.abs_diff(time) >= request.interval_ns.unsigned_abs()
    })
}

impl Line {
    fn of(processed: &Processed<'_>) -> Line {
        let of = |category| processed.labels.of_category(category);
        Line {
            time_ns: processed.timestamp,
            text: processed.line.to_owned(),
            stream: of(Category::Stream),
            metadata: of(Category::Metadata),
            parsed: of(Category::Parsed),
        }
    }

    fn bytes(&self) -> usize {
        let sets = [&self.stream, &self.metadata, &self.parsed];
        let labels = sets.into_iter().flat_map(Labels::iter);
        let of_labels: usize = labels
            .map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len())
            .sum();
        LINE_BYTES + self.text.len() + of_labels
    }
}
