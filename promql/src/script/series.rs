//! The notation of series: `name{label="value"} 1+2x5 _ stale {{count:1}}x3`.

use super::model::Item;
use crate::{
    histogram::{Histogram, parse_notation},
    labels::{Labels, METRIC_NAME},
    lex::{self, Token},
};
use std::sync::Arc;

/// No script of ours comes near this many values a series; a typing error in a repetition does.
const VALUES_MAX: usize = 1_000_000;

/// Labels and values of a line.
pub(super) fn parse(line: &str) -> Result<(Labels, Vec<Item>), String> {
    let end = labels_end(line);
    let labels = parse_labels(&line[..end])?;
    let values = Values::default().parse(&line[end..])?;
    Ok((labels, values))
}

/// Where the labels end: behind the closing brace, or behind the name where no brace follows.
fn labels_end(line: &str) -> usize {
    let name = line
        .find(|c: char| c == '{' || c.is_whitespace())
        .unwrap_or(line.len());
    let gap = line[name..].len() - line[name..].trim_start().len();
    let open = name + gap;
    if !line[open..].starts_with('{') || (gap > 0 && line[open..].starts_with("{{")) {
        return name;
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line[open..].char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(own) if c == '\\' && own != '`' => escaped = true,
            Some(own) if c == own => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if c == '}' => return open + at + 1,
            None => {}
        }
    }
    line.len()
}

fn parse_labels(text: &str) -> Result<Labels, String> {
    let tokens = lex::tokens(text).map_err(|error| error.to_string())?;
    let mut tokens = tokens.into_iter().map(|(token, _)| token).peekable();
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(Token::Name(_)) = tokens.peek()
        && let Some(Token::Name(name)) = tokens.next()
    {
        pairs.push((METRIC_NAME.to_owned(), name));
    }
    let bad = |token: &Token| format!("unexpected {} in the labels {text:?}", token.describe());
    match tokens.next() {
        Some(Token::Sign("{")) => {}
        Some(Token::End) | None => return Ok(Labels::new(pairs)),
        Some(other) => return Err(bad(&other)),
    }
    loop {
        match tokens.next().unwrap_or(Token::End) {
            Token::Sign("}") => return Ok(Labels::new(pairs)),
            Token::Sign(",") => {}
            Token::Name(name) | Token::String(name) => match tokens.peek() {
                Some(Token::Sign("=")) => {
                    tokens.next();
                    let Some(Token::String(value)) = tokens.next() else {
                        return Err(format!("the label {name:?} has no value in {text:?}"));
                    };
                    pairs.push((name, value));
                }
                // A quoted name that stands alone is the metric's.
                _ => pairs.push((METRIC_NAME.to_owned(), name)),
            },
            other => return Err(bad(&other)),
        }
    }
}

/// The values read so far.
#[derive(Default)]
struct Values {
    items: Vec<Item>,
}

impl Values {
    fn parse(mut self, text: &str) -> Result<Vec<Item>, String> {
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            rest = if rest.starts_with("{{") {
                self.histograms(rest)?
            } else {
                self.plain(rest)?
            };
            if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
                return Err(format!("unexpected {rest:?} behind a value"));
            }
            rest = rest.trim_start();
        }
        Ok(self.items)
    }

    fn repeat(&mut self, item: Item, count: usize) -> Result<(), String> {
        self.room(count)?;
        self.items.extend(std::iter::repeat_n(item, count));
        Ok(())
    }

    fn room(&self, count: usize) -> Result<(), String> {
        if self.items.len().saturating_add(count) > VALUES_MAX {
            return Err(format!("a series has at most {VALUES_MAX} values"));
        }
        Ok(())
    }

    fn plain<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        if let Some(rest) = text.strip_prefix('_') {
            let (times, rest) = times(rest)?;
            // `_x3` is three, where `1x3` is one and three more.
            self.repeat(Item::Nothing, times.unwrap_or(1))?;
            return Ok(rest);
        }
        if let Some(rest) = text.strip_prefix("stale") {
            let (times, rest) = times(rest)?;
            self.repeat(Item::Stale, times.unwrap_or(0) + 1)?;
            return Ok(rest);
        }
        let (start, rest) = number(text)?;
        let (step, rest) = match rest.chars().next() {
            Some('+' | '-') => number(rest).map(|(step, rest)| (Some(step), rest))?,
            _ => (None, rest),
        };
        let (times, rest) = times(rest)?;
        if step.is_some() && times.is_none() {
            return Err(format!("{text:?} steps on without saying how often"));
        }
        let more = times.unwrap_or(0);
        self.room(more + 1)?;
        let mut value = start;
        for _ in 0..=more {
            self.items.push(Item::Float(value));
            value += step.unwrap_or(0.0);
        }
        Ok(rest)
    }

    fn histograms<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let (first, has_hint, rest) = histogram(text)?;
        let (sign, rest) = match rest.strip_prefix('+').or_else(|| rest.strip_prefix('-')) {
            Some(after) => (rest.chars().next(), after),
            None => (None, rest),
        };
        let (step, rest) = match sign {
            Some(_) => histogram(rest).map(|(step, _, rest)| (Some(step), rest))?,
            None => (None, rest),
        };
        let (times, rest) = times(rest)?;
        if step.is_some() && times.is_none() {
            return Err(format!("{text:?} steps on without saying how often"));
        }
        let more = times.unwrap_or(0);
        self.room(more + 1)?;
        let mut value = first;
        for left in (0..=more).rev() {
            self.items.push(Item::Histogram {
                histogram: Arc::new(value.clone()),
                has_hint,
            });
            if left > 0
                && let Some(step) = &step
            {
                value = stepped(&value, step, sign)?;
            }
        }
        Ok(rest)
    }
}

fn stepped(value: &Histogram, step: &Histogram, sign: Option<char>) -> Result<Histogram, String> {
    let next = if sign == Some('-') {
        value.sub(step)
    } else {
        value.add(step)
    };
    next.map(|next| next.histogram)
        .map_err(|error| error.to_string())
}

fn histogram(text: &str) -> Result<(Histogram, bool, &str), String> {
    let end = text
        .find("}}")
        .ok_or_else(|| format!("{text:?} has no end"))?
        + 2;
    let noted = parse_notation(&text[..end])?;
    Ok((noted.histogram, noted.has_hint, &text[end..]))
}

/// `x5`, if it is there.
fn times(text: &str) -> Result<(Option<usize>, &str), String> {
    let Some(rest) = text.strip_prefix('x') else {
        return Ok((None, text));
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let count = rest[..end]
        .parse()
        .map_err(|_| format!("{rest:?} is no count"))?;
    Ok((Some(count), &rest[end..]))
}

/// A number with or without a sign; what follows may be the sign of a step.
fn number(text: &str) -> Result<(f64, &str), String> {
    let bytes = text.as_bytes();
    let signed = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let letters = bytes[signed..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    if letters >= 3 {
        // `Infx3` and `NaNx3` are repeated.
        let end = signed + 3;
        let value = text[..end]
            .parse()
            .map_err(|_| format!("{text:?} is no value"))?;
        return Ok((value, &text[end..]));
    }
    let mut end = signed;
    while let Some(byte) = bytes.get(end) {
        let exponent_sign =
            matches!(byte, b'+' | b'-') && end > signed && matches!(bytes[end - 1], b'e' | b'E');
        let goes_on = byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') || exponent_sign;
        if !goes_on {
            break;
        }
        end += 1;
    }
    let value = text[..end]
        .parse()
        .map_err(|_| format!("{text:?} is no value"))?;
    Ok((value, &text[end..]))
}
