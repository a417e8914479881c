//! Executes a script over a storage.

use super::{
    compare::{self, Got, Value},
    model::{Command, Eval, EvalTime, Expected, Failure, Outcome, Storage},
    parse,
    pinned::pinned,
};
use crate::{
    error::{self, Error},
    query::{self, Answer, Line, Options, Point, Query},
};

/// Runs a script; evaluations that do not answer as they should are in the outcome.
///
/// An instant evaluation is done as it is, with all its selectors pinned to its time and evaluated at others, and each
/// of these as the middle step of a range query, as in the suite of Prometheus. An error says that the text is no
/// script or that the storage failed.
pub fn run(script: &str, storage: &mut dyn Storage) -> error::Result<Outcome> {
    let commands = parse::parse(script).map_err(|error| Error::Evaluation(error.to_string()))?;
    let mut outcome = Outcome::default();
    for command in commands {
        match command {
            Command::Clear => storage.clear()?,
            Command::Load(series) => storage.load(&series)?,
            Command::Eval(eval) => match evaluate(&eval, storage) {
                Ok(()) => outcome.passed += 1,
                Err(reason) => outcome.failed.push(Failure {
                    line: eval.line,
                    query: eval.query,
                    reason,
                }),
            },
        }
    }
    Ok(outcome)
}

fn evaluate(eval: &Eval, storage: &dyn Storage) -> Result<(), String> {
    let EvalTime::Instant(time) = eval.time else {
        return evaluate_at(eval, &eval.query, eval.time, storage).map(|_| ());
    };
    evaluate_instant(eval, &eval.query, time, storage)?;
    let Ok(expr) = crate::parse::parse(&eval.query, true) else {
        return Ok(());
    };
    let pinned_at = match eval.expected {
        Expected::RangeVector { end, .. } => end,
        _ => time,
    };
    let Some(pinned) = pinned(&expr, pinned_at) else {
        return Ok(());
    };
    let times = match time {
        0 => vec![-1000, 0, 1000],
        time => vec![-10 * time, 0, time / 5, time, 10 * time],
    };
    let pinned = pinned.to_string();
    for time in times {
        evaluate_instant(eval, &pinned, time, storage)
            .map_err(|reason| format!("pinned and evaluated at {time} ms: {reason}"))?;
    }
    Ok(())
}

fn evaluate_instant(
    eval: &Eval,
    query: &str,
    time: i64,
    storage: &dyn Storage,
) -> Result<(), String> {
    let answered = evaluate_at(eval, query, EvalTime::Instant(time), storage)?;
    let is_comparable = matches!(eval.expected, Expected::Series(_) | Expected::Scalar(_));
    // These would be another time or length there.
    let varies = ["start()", "end()", "range()", "step()"];
    if !answered || !is_comparable || varies.iter().any(|call| query.contains(call)) {
        return Ok(());
    }
    let range = EvalTime::Range {
        start: time - 60_000,
        end: time + 60_000,
        step: 60_000,
    };
    let middle = answer(query, range, storage)
        .map_err(|error| format!("as a range query: {error}"))
        .map(|answer| middle_step(answer, &eval.expected, time))?;
    if eval.ordered {
        return Ok(());
    }
    compare::check(&eval.expected, EvalTime::Instant(time), false, &middle)
        .map_err(|reason| format!("as a range query: {reason}"))
}

/// What a range query says of one time, as if it were an instant query.
fn middle_step(answer: Answer, expected: &Expected, time: i64) -> Got {
    let Got::Matrix(series) = got(answer.value) else {
        return Got::Vector(Vec::new());
    };
    let vector: Vec<_> = series
        .into_iter()
        .filter_map(|(labels, points)| {
            let (_, value) = points.into_iter().find(|(own, _)| *own == time)?;
            Some((labels, value))
        })
        .collect();
    match (expected, &vector[..]) {
        (Expected::Scalar(_), [(_, Value::Float(value))]) => Got::Scalar(*value),
        _ => Got::Vector(vector),
    }
}

/// Whether there was an answer; a failure that was expected is none.
fn evaluate_at(
    eval: &Eval,
    query: &str,
    time: EvalTime,
    storage: &dyn Storage,
) -> Result<bool, String> {
    let answer = match answer(query, time, storage) {
        Ok(answer) => answer,
        Err(error) => return eval.notes.check_failure(&error.to_string()).map(|()| false),
    };
    if let Some(expected) = &eval.notes.fail {
        return Err(format!("it was to fail with {expected:?}"));
    }
    eval.notes.check(&answer.warnings, &answer.infos)?;
    compare::check(&eval.expected, time, eval.ordered, &got(answer.value))?;
    Ok(true)
}

fn answer(query: &str, time: EvalTime, storage: &dyn Storage) -> error::Result<Answer> {
    let (start_ms, end_ms, step_ms) = match time {
        EvalTime::Instant(time) => (time, time, 0),
        EvalTime::Range { start, end, step } => (start, end, step),
    };
    let options = Options {
        experimental: true,
        delayed_name_removal: true,
        ..Options::range(start_ms, end_ms, step_ms)
    };
    let query = Query::new(query, options)?;
    query.evaluate(storage.source().as_ref(), &|| Ok(()))
}

fn got(value: query::Value) -> Got {
    match value {
        query::Value::Scalar { value, .. } => Got::Scalar(value),
        query::Value::String { value, .. } => Got::String(value),
        query::Value::Vector(elements) => {
            let elements = elements.into_iter().map(|element| {
                let value = match element.point {
                    Point::Float(value) => Value::Float(value),
                    Point::Histogram(histogram) => Value::Histogram(histogram),
                };
                (element.labels, value)
            });
            Got::Vector(elements.collect())
        }
        query::Value::Matrix(lines) => {
            let lines = lines.into_iter();
            Got::Matrix(
                lines
                    .map(|line| (line.labels.clone(), points(line)))
                    .collect(),
            )
        }
    }
}

/// Floats and histograms in the order of their times.
fn points(line: Line) -> Vec<(i64, Value)> {
    let floats = line.floats.into_iter();
    let histograms = line.histograms.into_iter();
    let mut points: Vec<(i64, Value)> = floats
        .map(|(time, value)| (time, Value::Float(value)))
        .chain(histograms.map(|(time, value)| (time, Value::Histogram(value))))
        .collect();
    points.sort_by_key(|(time, _)| *time);
    points
}
