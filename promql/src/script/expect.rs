//! The lines below an evaluation that say what is expected beside the value.

use super::model::{Eval, Expectation, Notes, Text};
use regex::Regex;

/// Reads `expect …` without the first word.
pub(super) fn parse(line: &str, eval: &mut Eval) -> Result<(), String> {
    let (kind, rest) = match line.split_once(char::is_whitespace) {
        Some((kind, rest)) => (kind, rest.trim()),
        None => (line, ""),
    };
    let notes = &mut eval.notes;
    match kind {
        "ordered" => eval.ordered = true,
        "fail" if notes.fail.is_some() => return Err("fail is expected twice".to_owned()),
        "fail" => notes.fail = Some(text(rest)?),
        "warn" => notes.warnings.add(text(rest)?)?,
        "no_warn" => notes.warnings.none()?,
        "info" => notes.infos.add(text(rest)?)?,
        "no_info" => notes.infos.none()?,
        _ => return Err(format!("{kind:?} is nothing that can be expected")),
    }
    Ok(())
}

fn text(rest: &str) -> Result<Text, String> {
    if rest.is_empty() {
        return Ok(Text::Anything);
    }
    if let Some(message) = rest.strip_prefix("msg:") {
        return Ok(Text::Exactly(message.trim().to_owned()));
    }
    match rest.strip_prefix("regex:") {
        Some(pattern) => matching(pattern.trim()),
        None => Err(format!("{rest:?} is neither msg: nor regex:")),
    }
}

/// A message in which the pattern is found.
pub(super) fn matching(pattern: &str) -> Result<Text, String> {
    match Regex::new(pattern) {
        Ok(regex) => Ok(Text::Matching(regex)),
        Err(error) => Err(format!("bad pattern {pattern:?}: {error}")),
    }
}

impl Expectation {
    pub(super) fn add(&mut self, text: Text) -> Result<(), String> {
        match self {
            Expectation::Any => *self = Expectation::All(vec![text]),
            Expectation::All(texts) => texts.push(text),
            Expectation::None => return Err("some and none are expected at once".to_owned()),
        }
        Ok(())
    }

    fn none(&mut self) -> Result<(), String> {
        if matches!(self, Expectation::All(_)) {
            return Err("some and none are expected at once".to_owned());
        }
        *self = Expectation::None;
        Ok(())
    }

    fn check(&self, kind: &str, messages: &[String]) -> Result<(), String> {
        match self {
            Expectation::Any => Ok(()),
            Expectation::None if messages.is_empty() => Ok(()),
            Expectation::None => Err(format!("unexpected {kind}: {messages:?}")),
            Expectation::All(texts) => {
                if let Some(text) = texts
                    .iter()
                    .find(|text| !messages.iter().any(|message| text.accepts(message)))
                {
                    return Err(format!("no {kind} is {text:?}, there are {messages:?}"));
                }
                match messages
                    .iter()
                    .find(|message| !texts.iter().any(|text| text.accepts(message)))
                {
                    Some(message) => Err(format!("unexpected {kind} {message:?}")),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Notes {
    /// Whether warnings and infos are those expected.
    pub(super) fn check(&self, warnings: &[String], infos: &[String]) -> Result<(), String> {
        self.warnings.check("warning", warnings)?;
        self.infos.check("info", infos)
    }

    /// Whether an evaluation that failed was to fail so.
    pub(super) fn check_failure(&self, message: &str) -> Result<(), String> {
        match &self.fail {
            None => Err(format!("it failed: {message}")),
            Some(text) if text.accepts(message) => Ok(()),
            Some(text) => Err(format!(
                "it was to fail with {text:?} and failed with {message:?}"
            )),
        }
    }
}
