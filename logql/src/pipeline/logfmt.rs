//! The parser of `key=value key="quoted value"`.

use super::{json, set::LabelSet};
use crate::ast::{Extraction, Logfmt};

/// What `__error__` says where a line is not logfmt.
const LOGFMT_ERROR: &str = "LogfmtParserErr";

#[derive(Debug)]
pub(super) struct LogfmtParser {
    strict: bool,
    keep_empty: bool,
    extractions: Vec<Extraction>,
    name: String,
    value: String,
}

/// A key and what stands after it.
struct Pair<'a> {
    key: &'a str,
    value: &'a str,
    is_escaped: bool,
}

impl LogfmtParser {
    pub(super) fn new(logfmt: &Logfmt) -> LogfmtParser {
        LogfmtParser {
            strict: logfmt.strict,
            keep_empty: logfmt.keep_empty,
            extractions: logfmt.extractions.clone(),
            name: String::new(),
            value: String::new(),
        }
    }

    pub(super) fn run(&mut self, line: &str, labels: &mut LabelSet<'_>) {
        if labels.has_all() {
            return;
        }
        let mut rest = line;
        while let Some(found) = next_pair(&mut rest) {
            let pair = match found {
                Ok(pair) => pair,
                Err(detail) if self.strict => {
                    let at = line.len() - rest.len() + 1;
                    let details = format!("logfmt syntax error at pos {at} : {detail}");
                    labels.set_error(LOGFMT_ERROR, &details);
                    break;
                }
                Err(_) => {
                    rest = &rest[rest.find(|c: char| c <= ' ').unwrap_or(rest.len())..];
                    continue;
                }
            };
            if !self.take(&pair, labels) {
                labels.set_error(LOGFMT_ERROR, "too many labels in a line");
                break;
            }
            if labels.has_all() {
                break;
            }
        }
        // A label that is asked for by name is there in any case.
        for extraction in &self.extractions {
            if labels.get(&extraction.label).is_none() {
                labels.extract(&extraction.label, "");
            }
        }
    }

    fn take(&mut self, pair: &Pair<'_>, labels: &mut LabelSet<'_>) -> bool {
        let value = match pair.is_escaped {
            false => pair.value,
            true => {
                self.value.clear();
                match json::unescape(pair.value, &mut self.value) {
                    true => &self.value,
                    false => "",
                }
            }
        };
        if value.is_empty() && !self.keep_empty && self.extractions.is_empty() {
            return true;
        }
        self.name.clear();
        json::push_sanitized(&mut self.name, pair.key);
        if self.name.is_empty() {
            return true;
        }
        if self.extractions.is_empty() {
            return labels.extract(&self.name, value);
        }
        let mut wanted = self
            .extractions
            .iter()
            .filter(|extraction| extraction.path == pair.key || extraction.path == self.name);
        wanted.all(|extraction| labels.extract(&extraction.label, value))
    }
}

/// The next pair, and `rest` after it; on an error `rest` begins where it is.
fn next_pair<'a>(rest: &mut &'a str) -> Option<Result<Pair<'a>, String>> {
    *rest = rest.trim_start_matches(|c: char| c <= ' ');
    let text = *rest;
    if text.is_empty() {
        return None;
    }
    let end = text
        .find(|c: char| c <= ' ' || c == '=' || c == '"')
        .unwrap_or(text.len());
    let key = &text[..end];
    *rest = &text[end..];
    if rest.starts_with('"') || key.is_empty() {
        let found = rest.chars().next().unwrap_or_default();
        return Some(Err(format!("unexpected '{found}'")));
    }
    let Some(value) = rest.strip_prefix('=') else {
        return Some(Ok(Pair {
            key,
            value: "",
            is_escaped: false,
        }));
    };
    if let Some(quoted) = value.strip_prefix('"') {
        return Some(quoted_value(key, quoted, rest));
    }
    let end = value.find(|c: char| c <= ' ').unwrap_or(value.len());
    if let Some(at) = value[..end].find(['=', '"']) {
        *rest = &value[at..];
        let found = rest.chars().next().unwrap_or_default();
        return Some(Err(format!("unexpected '{found}'")));
    }
    *rest = &value[end..];
    Some(Ok(Pair {
        key,
        value: &value[..end],
        is_escaped: false,
    }))
}

fn quoted_value<'a>(key: &'a str, quoted: &'a str, rest: &mut &'a str) -> Result<Pair<'a>, String> {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    let mut is_escaped = false;
    loop {
        match bytes.get(at) {
            None => {
                *rest = "";
                return Err("unterminated quoted value".to_string());
            }
            Some(b'\\') => {
                is_escaped = true;
                at += 2;
            }
            Some(b'"') => break,
            Some(_) => at += 1,
        }
    }
    *rest = &quoted[at + 1..];
    Ok(Pair {
        key,
        value: &quoted[..at],
        is_escaped,
    })
}
