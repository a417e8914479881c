//! A range aggregation: lines in, the value of every series at every step out.

use super::{
    cells::Cell,
    matrix::{Matrix, Row},
    windows::Pieces,
};
use crate::{
    ast::{Conversion, Grouping, LogExpr, MatchOp, RangeAggregation, RangeOp, Stage, Unwrap},
    error::{Error, Result},
    labels::{ERROR, ERROR_DETAILS, Labels},
    pipeline::{Entry, LabelSet, Needs, Pipeline, conditions::Condition},
    times::Times,
    units,
};
use std::collections::{BTreeMap, HashMap};

/// What `__error__` says where the value of a label is no sample.
const SAMPLE_ERROR: &str = "SampleExtractionErr";

#[derive(Debug)]
pub(super) struct Source {
    op: RangeOp,
    quantile: f64,
    seconds: f64,
    pipeline: Pipeline,
    unwrap: Option<Sample>,
    kept: Kept,
    pieces: Pieces,
    /// Whether the text of a line matters, and whether a stage looks at labels or makes some.
    reads: Reads,
    /// The labels of the one series of `absent_over_time`.
    absent: Labels,
    places: HashMap<Vec<u8>, usize>,
    series: Vec<Cells>,
    key: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Reads {
    line: bool,
    labels: bool,
}

impl Reads {
    fn of(range: &RangeAggregation) -> Reads {
        let stages = &range.range.log.stages;
        let counts_bytes = matches!(range.op, RangeOp::Bytes | RangeOp::BytesRate);
        let of_line = |stage: &Stage| matches!(stage, Stage::Line(_) | Stage::Decolorize);
        Reads {
            line: !stages.is_empty() || counts_bytes,
            labels: range.range.unwrap.is_some() || !stages.iter().all(of_line),
        }
    }
}

/// The labels that make a series.
#[derive(Debug)]
enum Kept {
    /// Sorted.
    Only(Vec<String>),
    AllBut(Vec<String>),
}

#[derive(Debug)]
struct Sample {
    label: String,
    conversion: Conversion,
    filters: Vec<Condition>,
}

#[derive(Debug)]
struct Cells {
    labels: Labels,
    cells: BTreeMap<u32, Cell>,
}

/// What a line added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub(super) new_cell: bool,
    /// Whether the sample itself is kept.
    pub(super) is_sample: bool,
}

impl Source {
    /// Compiles a range aggregation; `outer` are the labels that the aggregation around it keeps, if it is done here.
    pub(super) fn new(
        range: &RangeAggregation,
        outer: Option<Grouping>,
        times: &Times,
        now: i64,
    ) -> Result<Source> {
        let unwrap = range.range.unwrap.as_ref();
        let grouping = outer.or_else(|| range.grouping.clone());
        let kept = match range.op {
            RangeOp::Absent => Kept::Only(Vec::new()),
            _ => Kept::new(grouping, unwrap),
        };
        let mut needs = match &kept {
            Kept::Only(names) => Needs::only(names.iter().map(String::as_str)),
            Kept::AllBut(_) => Needs::all(),
        };
        if let Some(unwrap) = unwrap {
            needs.add_unwrap(unwrap);
        }
        let interval = range.range.interval;
        Ok(Source {
            op: range.op,
            quantile: range.parameter.unwrap_or(0.0),
            seconds: interval as f64 / 1e9,
            pipeline: Pipeline::with_needs(&range.range.log, needs, now)?,
            unwrap: unwrap.map(Sample::new).transpose()?,
            kept,
            pieces: Pieces::new(times, interval, range.range.offset),
            reads: Reads::of(range),
            absent: absent_labels(&range.range.log),
            places: HashMap::new(),
            series: Vec::new(),
            key: Vec::new(),
        })
    }

    pub(super) fn selects(&self, stream: &[(&str, &str)]) -> bool {
        self.pipeline.selects(stream)
    }

    /// The text, whether it matters, and the labels, if they are only some.
    pub(super) fn wants(&self) -> (bool, Option<&[String]>) {
        let labels = match &self.kept {
            Kept::Only(names) if !self.reads.labels => Some(names.as_slice()),
            _ => None,
        };
        (self.reads.line, labels)
    }

    pub(super) fn series(&self) -> usize {
        self.series.len()
    }

    /// Takes a line in; `None` if it counts for nothing.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> Result<Option<Added>> {
        let Some(piece) = self.pieces.of(entry.timestamp) else {
            return Ok(None);
        };
        let Some(mut processed) = self.pipeline.process(entry) else {
            return Ok(None);
        };
        let sample = match (&self.unwrap, self.op) {
            (Some(unwrap), _) => match unwrap.of(&mut processed.labels) {
                Some(sample) => sample,
                None => return Ok(None),
            },
            (None, RangeOp::Bytes | RangeOp::BytesRate) => processed.line.len() as f64,
            (None, _) => 1.0,
        };
        refuse_error(&processed.labels)?;
        self.kept.write_key(&processed.labels, &mut self.key);
        let place = match self.places.get(&self.key) {
            Some(place) => *place,
            None => {
                let labels = self.kept.labels(&processed.labels);
                self.places.insert(self.key.clone(), self.series.len());
                self.series.push(Cells {
                    labels,
                    cells: BTreeMap::new(),
                });
                self.series.len() - 1
            }
        };
        let cells = &mut self.series[place].cells;
        let before = cells.len();
        let cell = cells.entry(piece).or_insert_with(|| Cell::new(self.op));
        cell.add(entry.timestamp, sample);
        Ok(Some(Added {
            new_cell: self.series[place].cells.len() > before,
            is_sample: self.op == RangeOp::RateCounter,
        }))
    }

    /// The values at all steps.
    pub(super) fn finish(self, times: &Times) -> Matrix {
        let Source {
            op,
            seconds,
            quantile,
            pieces,
            ..
        } = self;
        let rows = self.series.into_iter().map(|series| {
            let cells = series
                .cells
                .into_iter()
                .map(|(piece, cell)| (piece, cell.seal()));
            let values = pieces.slide(cells.collect(), |cell| cell.value(op, seconds, quantile));
            Row {
                labels: series.labels,
                values,
            }
        });
        if op != RangeOp::Absent {
            return Matrix {
                series: rows.collect(),
            };
        }
        let mut values = vec![Some(1.0); times.count()];
        for row in rows {
            let seen = row
                .values
                .iter()
                .zip(&mut values)
                .filter(|(value, _)| value.is_some());
            seen.for_each(|(_, absent)| *absent = None);
        }
        Matrix {
            series: vec![Row {
                labels: self.absent,
                values,
            }],
        }
    }
}

/// An error that nobody asked for ends the evaluation: the number would be wrong.
fn refuse_error(labels: &LabelSet<'_>) -> Result<()> {
    let Some(error) = labels.error() else {
        return Ok(());
    };
    // Errors of parsers may be asked for, by a filter on `__error__`; those of samples and templates may not.
    if labels.keeps_errors() && error.ends_with("ParserErr") {
        return Ok(());
    }
    let without = labels
        .to_labels()
        .filtered(|name| !name.starts_with("__error"));
    Err(Error::Pipeline {
        error: error.to_string(),
        details: labels.get(ERROR_DETAILS).unwrap_or("").to_string(),
        labels: without.to_string(),
    })
}

impl Sample {
    fn new(unwrap: &Unwrap) -> Result<Sample> {
        Ok(Sample {
            label: unwrap.label.clone(),
            conversion: unwrap.conversion,
            filters: unwrap
                .filters
                .iter()
                .map(Condition::new)
                .collect::<Result<_>>()?,
        })
    }

    /// The sample of a line; a line without the label, and one that a filter drops, has none.
    fn of(&self, labels: &mut LabelSet<'_>) -> Option<f64> {
        let text = labels.get(&self.label).filter(|text| !text.is_empty())?;
        let converted = match self.conversion {
            Conversion::Number => text.parse().ok(),
            Conversion::Bytes => units::parse_bytes(text).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                units::parse_go_duration(text).map(|nanoseconds| nanoseconds as f64 / 1e9)
            }
        };
        if converted.is_none() {
            let details = format!("{text:?} of the label {} is no sample", self.label);
            labels.set_error(SAMPLE_ERROR, &details);
        }
        let passes = self.filters.iter().all(|filter| filter.holds(labels));
        passes.then_some(converted.unwrap_or(0.0))
    }
}

impl Kept {
    fn new(grouping: Option<Grouping>, unwrap: Option<&Unwrap>) -> Kept {
        let unwrapped = unwrap.map(|unwrap| unwrap.label.clone());
        match grouping {
            Some(Grouping {
                without: false,
                mut labels,
            }) => {
                labels.sort_unstable();
                labels.dedup();
                Kept::Only(labels)
            }
            Some(Grouping {
                without: true,
                labels,
            }) => Kept::AllBut(labels.into_iter().chain(unwrapped).collect()),
            None => Kept::AllBut(unwrapped.into_iter().collect()),
        }
    }

    fn keeps(&self, name: &str) -> bool {
        match self {
            Kept::Only(names) => names.iter().any(|kept| kept == name),
            Kept::AllBut(names) => {
                name != ERROR_DETAILS && !names.iter().any(|left_out| left_out == name)
            }
        }
    }

    /// Writes bytes that are the same for lines of one series, and for no others.
    fn write_key(&self, labels: &LabelSet<'_>, key: &mut Vec<u8>) {
        key.clear();
        let mut write = |text: &str| {
            key.extend_from_slice(&(text.len() as u32).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        };
        match self {
            // With an error all labels make the series, so that it can be seen where it comes from.
            Kept::Only(names) if labels.error().is_none() => {
                names
                    .iter()
                    .for_each(|name| write(labels.get(name).unwrap_or("")));
            }
            _ => {
                let mut pairs: Vec<(&str, &str)> = labels
                    .pairs()
                    .filter(|(name, value)| self.shows(name, value, labels))
                    .collect();
                pairs.sort_unstable();
                write(ERROR);
                for (name, value) in pairs {
                    write(name);
                    write(value);
                }
            }
        }
    }

    fn shows(&self, name: &str, value: &str, labels: &LabelSet<'_>) -> bool {
        let is_kept = self.keeps(name) || labels.error().is_some() && name != ERROR_DETAILS;
        is_kept && !value.is_empty()
    }

    fn labels(&self, labels: &LabelSet<'_>) -> Labels {
        labels
            .pairs()
            .filter(|(name, value)| self.shows(name, value, labels))
            .collect()
    }
}

/// The labels that lines would have that are not there: those that the selector names with one value.
fn absent_labels(log: &LogExpr) -> Labels {
    let is_alone = |name: &str| {
        log.selector
            .iter()
            .filter(|matcher| matcher.name == name)
            .count()
            == 1
    };
    let equal = log
        .selector
        .iter()
        .filter(|matcher| matcher.op == MatchOp::Equal && is_alone(&matcher.name));
    equal
        .filter(|matcher| !matcher.value.is_empty())
        .map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))
        .collect()
}
