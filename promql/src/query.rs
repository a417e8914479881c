//! A query: its text or tree, when it is to be evaluated, and its answer.

use crate::{
    annotations::Notes,
    error::{Error, Result},
    eval::{self, Context, Limits},
    expr::{Expr, Type},
    histogram::Histogram,
    labels::Labels,
    parse::parse,
    row::{Row, Sample, Steps, collect},
    source::{Selection, Source},
    timing::Timing,
};
use std::sync::Arc;

mod selections;

/// As Prometheus has it by default: how long a sample counts that no other one follows.
const LOOKBACK_MS: i64 = 300_000;
/// As Prometheus has it by default: the step of subqueries that name none.
const SUBQUERY_STEP_MS: i64 = 60_000;

/// Times beyond this, in ms, are refused: they could overflow in sums.
const TIME_MAX_MS: i64 = 9_200_000_000_000_000;

/// When and how a query is evaluated.
#[derive(Debug, Clone)]
pub struct Options {
    /// ms since 1970.
    pub start_ms: i64,
    /// ms since 1970; not before `start_ms`.
    pub end_ms: i64,
    /// ms; 0 evaluates once, at `start_ms`, and `end_ms` is to be the same.
    pub step_ms: i64,
    /// ms.
    pub lookback_ms: i64,
    /// ms, of subqueries that name no step.
    pub subquery_step_ms: i64,
    pub limits: Limits,
    /// Admits what Prometheus has behind flags: functions, aggregations, duration expressions, `anchored`, `fill`.
    pub experimental: bool,
    /// Names of metrics go at the end of the evaluation rather than in each function (a flag of Prometheus).
    pub delayed_name_removal: bool,
}

impl Options {
    /// One evaluation.
    pub fn instant(time_ms: i64) -> Options {
        Options::range(time_ms, time_ms, 0)
    }

    /// Evaluations from `start_ms` through `end_ms`.
    pub fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Options {
        Options {
            start_ms,
            end_ms,
            step_ms,
            lookback_ms: LOOKBACK_MS,
            subquery_step_ms: SUBQUERY_STEP_MS,
            limits: Limits::default(),
            experimental: true,
            delayed_name_removal: false,
        }
    }

    fn timing(&self) -> Timing {
        Timing {
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            step_ms: self.step_ms,
            lookback_ms: self.lookback_ms,
            subquery_step_ms: self.subquery_step_ms,
        }
    }

    fn check(&self) -> Result<()> {
        let times = [self.start_ms, self.end_ms, self.step_ms, self.lookback_ms];
        if times
            .iter()
            .any(|time| time.unsigned_abs() > TIME_MAX_MS as u64)
        {
            return Err(Error::Evaluation(
                "the times of the query are out of range".to_owned(),
            ));
        }
        if self.end_ms < self.start_ms {
            return Err(Error::Evaluation(
                "the end of the query is before its start".to_owned(),
            ));
        }
        if self.step_ms < 0
            || self.lookback_ms < 1
            || self.step_ms == 0 && self.start_ms != self.end_ms
        {
            return Err(Error::Evaluation(
                "step and lookback of the query must be positive".to_owned(),
            ));
        }
        Ok(())
    }
}

/// One evaluation in 1970.
impl Default for Options {
    fn default() -> Options {
        Options::instant(0)
    }
}

/// A query that can be evaluated.
#[derive(Debug, Clone)]
pub struct Query {
    expr: Expr,
    /// For the places in notes; empty where there was none.
    text: String,
    options: Options,
}

/// The answer of a query.
#[derive(Debug, Clone)]
pub struct Answer {
    pub value: Value,
    /// What the user should hear, each once.
    pub warnings: Vec<String>,
    /// What the user may want to hear, each once.
    pub infos: Vec<String>,
    /// Points that the source gave.
    pub samples_read: u64,
}

/// The value of a query.
#[derive(Debug, Clone)]
pub enum Value {
    Scalar {
        time_ms: i64,
        value: f64,
    },
    String {
        time_ms: i64,
        value: String,
    },
    /// In the order that the query asks for, otherwise any.
    Vector(Vec<Element>),
    /// Sorted by labels.
    Matrix(Vec<Line>),
}

/// A series at one time.
#[derive(Debug, Clone)]
pub struct Element {
    pub labels: Labels,
    pub time_ms: i64,
    pub point: Point,
}

/// A value of either kind.
#[derive(Debug, Clone)]
pub enum Point {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// A series over time; times are in ms.
#[derive(Debug, Clone)]
pub struct Line {
    pub labels: Labels,
    pub floats: Vec<(i64, f64)>,
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

/// What the selectors of a query will ask of the source, in the order of the text.
///
/// Errors are those of lengths of time that cannot be.
pub fn selections(expr: &Expr, options: &Options) -> Result<Vec<Selection>> {
    options.check()?;
    selections::all(expr, &options.timing())
}

impl Query {
    /// Parses and checks a query.
    pub fn new(text: &str, options: Options) -> Result<Query> {
        let expr = parse(text, options.experimental)?;
        let mut query = Query::of(expr, options)?;
        query.text = text.to_owned();
        Ok(query)
    }

    /// A query of a tree that `parse` gave; its notes have no places.
    pub fn of(mut expr: Expr, options: Options) -> Result<Query> {
        options.check()?;
        let kind = expr.value_type();
        if options.step_ms > 0 && !matches!(kind, Type::Scalar | Type::Vector) {
            return Err(unfit(kind));
        }
        eval::mark_statistics(&mut expr);
        Ok(Query {
            expr,
            text: String::new(),
            options,
        })
    }

    /// The tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// What the selectors will ask of the source, in the order of the text.
    pub fn selections(&self) -> Result<Vec<Selection>> {
        selections(&self.expr, &self.options)
    }

    /// Computes the answer.
    ///
    /// `interrupt` is asked once a series, and an error of it ends the evaluation.
    pub fn evaluate(
        &self,
        source: &dyn Source,
        interrupt: &dyn Fn() -> Result<()>,
    ) -> Result<Answer> {
        let notes = Notes::new(self.text.clone());
        let limits = self.options.limits;
        let mut ctx = Context::new(source, interrupt, self.options.timing(), notes, limits);
        ctx.delayed_name_removal = self.options.delayed_name_removal;
        let value = self.value(&ctx)?;
        let samples_read = ctx.samples_read();
        let (warnings, infos) = ctx.notes.finish();
        Ok(Answer {
            value,
            warnings,
            infos,
            samples_read,
        })
    }

    fn value(&self, ctx: &Context) -> Result<Value> {
        let steps = ctx.timing.steps();
        let instant = self.options.step_ms == 0;
        let kind = self.expr.value_type();
        let time_ms = steps.start_ms;
        match (kind, instant) {
            (Type::Scalar, _) => {
                let values = eval::scalar(ctx, &self.expr, steps)?;
                if instant {
                    let value = values.first().copied().unwrap_or(f64::NAN);
                    return Ok(Value::Scalar { time_ms, value });
                }
                let samples = values.into_iter().map(Sample::Float).collect();
                let row = Row::new(Labels::default(), samples);
                Ok(Value::Matrix(vec![line(row, steps)]))
            }
            (Type::Vector, _) => {
                let rows = self.named(eval::rows(ctx, &self.expr, steps)?)?;
                if instant {
                    return Ok(Value::Vector(
                        rows.into_iter()
                            .filter_map(|row| element(row, time_ms))
                            .collect(),
                    ));
                }
                let mut lines: Vec<Line> = rows.into_iter().map(|row| line(row, steps)).collect();
                lines.retain(|line| !line.floats.is_empty() || !line.histograms.is_empty());
                lines.sort_by(|one, other| one.labels.cmp(&other.labels));
                Ok(Value::Matrix(lines))
            }
            (Type::Matrix, true) => self.points(ctx, steps),
            (Type::String, true) => match &self.expr.unwrapped().kind {
                crate::expr::Kind::String(value) => Ok(Value::String {
                    time_ms,
                    value: value.clone(),
                }),
                _ => Err(Error::Evaluation("the query is no string".to_owned())),
            },
            (kind, false) => Err(unfit(kind)),
        }
    }

    /// All rows as they are answered: without the names that were to go, and each labels once.
    fn named(&self, rows: crate::row::Rows) -> Result<Vec<Row>> {
        collect(Box::new(rows.map(|row| {
            let mut row = row?;
            if row.drop_name {
                row.labels = row.labels.without_metric();
            }
            Ok(row)
        })))
    }

    /// The points of a range as they are.
    fn points(&self, ctx: &Context, steps: Steps) -> Result<Value> {
        let (series, (open_ms, end_ms)) = eval::matrix(ctx, &self.expr, steps)?;
        let inside = |time: i64| time > open_ms && time <= end_ms;
        let mut lines = Vec::new();
        for series in series {
            let series = series?;
            let floats = series.floats.times_ms.into_iter().zip(series.floats.values);
            let line = Line {
                labels: series.labels,
                floats: floats.filter(|(time, _)| inside(*time)).collect(),
                histograms: series
                    .histograms
                    .into_iter()
                    .filter(|(time, _)| inside(*time))
                    .collect(),
            };
            if !line.floats.is_empty() || !line.histograms.is_empty() {
                lines.push(line);
            }
        }
        lines.sort_by(|one, other| one.labels.cmp(&other.labels));
        Ok(Value::Matrix(lines))
    }
}

/// Of a query over steps.
fn unfit(kind: Type) -> Error {
    Error::Unfit(format!(
        "invalid expression type {:?} for range query, must be Scalar or instant Vector",
        kind.describe()
    ))
}

fn element(mut row: Row, time_ms: i64) -> Option<Element> {
    let point = match row.samples.pop()? {
        Sample::Absent => return None,
        Sample::Float(value) => Point::Float(value),
        Sample::Histogram(histogram) => Point::Histogram(histogram),
    };
    Some(Element {
        labels: row.labels,
        time_ms,
        point,
    })
}

fn line(row: Row, steps: Steps) -> Line {
    let mut line = Line {
        labels: row.labels,
        floats: Vec::new(),
        histograms: Vec::new(),
    };
    for (step, sample) in row.samples.into_iter().enumerate() {
        let time_ms = steps.at(step);
        match sample {
            Sample::Absent => {}
            Sample::Float(value) => line.floats.push((time_ms, value)),
            Sample::Histogram(histogram) => line.histograms.push((time_ms, histogram)),
        }
    }
    line
}
