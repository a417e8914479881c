//! From the text of a script to its commands.

use super::{
    classic, expect,
    model::{
        Command, Eval, EvalTime, Expectation, Expected, ExpectedSeries, Item, Notes, ScriptSeries,
        ScriptValue, Text,
    },
    series,
};
use crate::{lex, source::Temporality};

/// A script that is none.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the script: {message}")]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) message: String,
}

/// The commands of a script.
pub(super) fn parse(script: &str) -> Result<Vec<Command>, Malformed> {
    let lines: Vec<&str> = script
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let start = at;
        at += 1;
        if lines[start].is_empty() {
            continue;
        }
        let body_end = lines[at..]
            .iter()
            .position(|line| ends_body(line))
            .map_or(lines.len(), |end| at + end);
        let fail = |(line, message)| Malformed { line, message };
        let word = lines[start].split_whitespace().next().unwrap_or_default();
        if word == "clear" {
            commands.push(Command::Clear);
            continue;
        }
        let body: Vec<(usize, &str)> = (at + 1..)
            .zip(lines[at..body_end].iter().copied())
            .collect();
        at = body_end;
        let command = if word.starts_with("load") {
            load(start + 1, lines[start], &body).map(Command::Load)
        } else if word.starts_with("eval") {
            eval(start + 1, lines[start], &body).map(|eval| Command::Eval(Box::new(eval)))
        } else {
            Err((start + 1, format!("{word:?} is no command")))
        };
        commands.push(command.map_err(fail)?);
    }
    Ok(commands)
}

/// An empty line ends what belongs to a command; so does an evaluation, which may follow a scalar at once.
fn ends_body(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    first.is_empty()
        || (first.starts_with("eval") && matches!(words.next(), Some("instant" | "range")))
}

type Parsed<T> = Result<T, (usize, String)>;

/// `load 5m`, `load_with_nhcb 5m` and, of our own, `load_delta 5m`: points that are changes since the one before.
/// A series that one command names twice has what was written last.
fn load(line: usize, head: &str, body: &[(usize, &str)]) -> Parsed<Vec<ScriptSeries>> {
    let (word, step) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
    let step = millis(step.trim()).map_err(|message| (line, message))?;
    let temporality = match word {
        "load" | "load_with_nhcb" => Temporality::Cumulative,
        "load_delta" => Temporality::Delta,
        _ => return Err((line, format!("{word:?} is no command"))),
    };
    let mut loaded: Vec<ScriptSeries> = Vec::new();
    for (line, text) in body {
        let (labels, items) = series::parse(text).map_err(|message| (*line, message))?;
        let points = (0..).zip(items).filter_map(|(at, item)| {
            let value = match item {
                Item::Nothing => return None,
                Item::Stale => ScriptValue::Stale,
                Item::Float(value) => ScriptValue::Float(value),
                Item::Histogram { histogram, .. } => ScriptValue::Histogram(histogram),
            };
            Some((step * at, value))
        });
        loaded.retain(|before| before.labels != labels);
        loaded.push(ScriptSeries {
            labels,
            temporality,
            points: points.collect(),
        });
    }
    if word == "load_with_nhcb" {
        let natives = classic::native(&loaded).map_err(|message| (line, message))?;
        loaded.extend(natives);
    }
    Ok(loaded)
}

fn eval(line: usize, head: &str, body: &[(usize, &str)]) -> Parsed<Eval> {
    let here = |message: String| (line, message);
    let (command, rest) = word(head);
    let (kind, rest) = word(rest);
    let (time, query) = match kind {
        "instant" => instant(rest).map_err(here)?,
        "range" => range(rest).map_err(here)?,
        _ => return Err(here(format!("{kind:?} is no way to evaluate"))),
    };
    let mut eval = Eval {
        line,
        query: query.to_owned(),
        time,
        expected: Expected::Series(Vec::new()),
        ordered: false,
        notes: Notes::default(),
    };
    match command {
        "eval" => {}
        "eval_ordered" => eval.ordered = true,
        "eval_fail" => eval.notes.fail = Some(Text::Anything),
        "eval_warn" => eval.notes.warnings = Expectation::All(vec![Text::Anything]),
        "eval_info" => eval.notes.infos = Expectation::All(vec![Text::Anything]),
        _ => return Err(here(format!("{command:?} is no command"))),
    }
    for (line, text) in body {
        expected_line(text, &mut eval).map_err(|message| (*line, message))?;
    }
    Ok(eval)
}

fn expected_line(text: &str, eval: &mut Eval) -> Result<(), String> {
    if let Some(message) = text.strip_prefix("expected_fail_message") {
        eval.notes.fail = Some(Text::Exactly(message.trim().to_owned()));
        return Ok(());
    }
    if let Some(pattern) = text.strip_prefix("expected_fail_regexp") {
        eval.notes.fail = Some(expect::matching(pattern.trim())?);
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("expect range vector ") {
        let (time, _) = range(rest)?;
        if let EvalTime::Range { start, end, step } = time {
            eval.expected = Expected::RangeVector {
                series: Vec::new(),
                start,
                end,
                step,
            };
        }
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("expect string ") {
        eval.expected = Expected::String(string(rest)?);
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("expect ") {
        return expect::parse(rest.trim(), eval);
    }
    if let Some(value) = number(text) {
        eval.expected = Expected::Scalar(value);
        return Ok(());
    }
    let (labels, values) = series::parse(text)?;
    let one = ExpectedSeries { labels, values };
    match &mut eval.expected {
        Expected::Series(series) | Expected::RangeVector { series, .. } => series.push(one),
        _ => return Err("a series is expected beside a scalar or a string".to_owned()),
    }
    Ok(())
}

/// The first word, and what follows.
fn word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

/// `at TIME QUERY`.
fn instant(text: &str) -> Result<(EvalTime, &str), String> {
    let (time, query) = named(text, "at")?;
    Ok((EvalTime::Instant(time), query))
}

/// `from TIME to TIME step LENGTH QUERY`.
fn range(text: &str) -> Result<(EvalTime, &str), String> {
    let (start, rest) = named(text, "from")?;
    let (end, rest) = named(rest, "to")?;
    let (step, query) = named(rest, "step")?;
    if end < start {
        return Err("the end is before the start".to_owned());
    }
    Ok((EvalTime::Range { start, end, step }, query))
}

fn named<'a>(text: &'a str, name: &str) -> Result<(i64, &'a str), String> {
    let (key, rest) = word(text);
    if key != name {
        return Err(format!("{name:?} is missing before {text:?}"));
    }
    let (time, rest) = word(rest);
    Ok((millis(time)?, rest))
}

/// The milliseconds of `5m`, `-1h` or `0`.
fn millis(text: &str) -> Result<i64, String> {
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1.0, length),
        None => (1.0, text),
    };
    if length == "0" {
        return Ok(0);
    }
    match lex::number::duration(length) {
        Some(Ok(seconds)) => Ok((sign * seconds * 1000.0).round() as i64),
        _ => Err(format!("{text:?} is no duration")),
    }
}

fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16)
            .ok()
            .map(|value| value as f64);
    }
    text.parse().ok()
}

fn string(text: &str) -> Result<String, String> {
    let tokens = lex::tokens(text).map_err(|error| error.to_string())?;
    match &tokens[..] {
        [(lex::Token::String(text), _), _] => Ok(text.clone()),
        _ => Err(format!("{text:?} is no quoted string")),
    }
}
