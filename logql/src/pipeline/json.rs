//! The parsers of JSON: all of an object, some paths of it, and lines that Promtail packed.

mod scan;

use super::set::LabelSet;
use crate::{
    ast::Extraction,
    error::{Error, Result},
    limits,
    path::{self, Step},
};
use scan::{Kind, Scan};

pub(super) use scan::unescape;

/// What `__error__` says where a line is not the JSON that is expected.
const JSON_ERROR: &str = "JSONParserErr";

/// The key of a packed line.
const PACKED_LINE: &str = "_entry";

const TOO_MANY: &str = "too many labels in a line";

/// Makes a label of every property that is text, a number or a boolean; nested keys are joined by `_`.
#[derive(Debug, Default)]
pub(super) struct Flatten {
    name: String,
    text: String,
}

impl Flatten {
    pub(super) fn run(&mut self, line: &str, labels: &mut LabelSet<'_>) {
        if labels.has_all() {
            return;
        }
        self.name.clear();
        let mut scan = Scan::new(line);
        let outcome = match scan.kind() {
            Ok(Kind::Object) => self.object(&mut scan, labels, 0),
            _ => Err("a JSON object is expected".to_string()),
        };
        if let Err(details) = outcome {
            labels.set_error(JSON_ERROR, &details);
        }
    }

    /// Reads an object; false if nothing more is needed.
    fn object(
        &mut self,
        scan: &mut Scan<'_>,
        labels: &mut LabelSet<'_>,
        depth: usize,
    ) -> Result<bool, String> {
        if depth > limits::JSON_DEPTH {
            return Err(format!("deeper than {}", limits::JSON_DEPTH));
        }
        scan.open();
        while let Some(key) = scan.key()? {
            let before = self.name.len();
            if before > 0 {
                self.name.push('_');
            }
            match key.is_escaped {
                false => push_sanitized(&mut self.name, key.raw),
                true => {
                    self.text.clear();
                    unescape(key.raw, &mut self.text);
                    push_sanitized(&mut self.name, &self.text);
                }
            }
            let goes_on = self.value(scan, labels, depth)?;
            self.name.truncate(before);
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn value(
        &mut self,
        scan: &mut Scan<'_>,
        labels: &mut LabelSet<'_>,
        depth: usize,
    ) -> Result<bool, String> {
        let kind = scan.kind()?;
        if kind == Kind::Object && labels.needs_prefix(&self.name) {
            return self.object(scan, labels, depth + 1);
        }
        let is_value =
            matches!(kind, Kind::Text | Kind::Number | Kind::Boolean) && !self.name.is_empty();
        let fits = match kind {
            Kind::Text if is_value => {
                let text = scan.text()?;
                match text.is_escaped {
                    false => labels.extract(&self.name, text.raw),
                    true => {
                        self.text.clear();
                        let is_sound = unescape(text.raw, &mut self.text);
                        labels.extract(&self.name, if is_sound { &self.text } else { "" })
                    }
                }
            }
            _ => {
                let raw = scan.skip()?;
                !is_value || labels.extract(&self.name, raw)
            }
        };
        match fits {
            true => Ok(!labels.has_all()),
            false => Err(TOO_MANY.to_string()),
        }
    }
}

/// Appends a key as part of a label's name: what cannot be in one becomes `_`, and a digit is never the first.
pub(super) fn push_sanitized(name: &mut String, key: &str) {
    let key = key.trim();
    if name.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('_');
    }
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.extend(key.chars().map(allowed));
}

/// Makes labels of what stands at some paths.
#[derive(Debug)]
pub(super) struct Paths {
    paths: Vec<(String, Vec<Step>)>,
    text: String,
}

impl Paths {
    pub(super) fn new(extractions: &[Extraction]) -> Result<Paths> {
        let read = |extraction: &Extraction| {
            let steps = path::parse(&extraction.path).map_err(Error::invalid)?;
            Ok((extraction.label.clone(), steps))
        };
        Ok(Paths {
            paths: extractions.iter().map(read).collect::<Result<_>>()?,
            text: String::new(),
        })
    }

    pub(super) fn run(&mut self, line: &str, labels: &mut LabelSet<'_>) {
        if line.is_empty() || labels.has_all() {
            return;
        }
        let mut failure = None;
        if !line.trim_start().starts_with(['{', '[', '"']) {
            failure = Some("a JSON object or array is expected".to_string());
        }
        for (label, steps) in &self.paths {
            self.text.clear();
            if failure.is_none() {
                failure = find(&mut Scan::new(line), steps, &mut self.text).err();
            }
            labels.extract(label, &self.text);
        }
        if let Some(details) = failure {
            labels.set_error(JSON_ERROR, &details);
        }
    }
}

/// Writes what stands at a path to `text`; nothing if nothing does.
fn find(scan: &mut Scan<'_>, steps: &[Step], text: &mut String) -> Result<(), String> {
    for step in steps {
        let kind = scan.kind()?;
        let found = match (step, kind) {
            (Step::Key(wanted), Kind::Object) => find_key(scan, wanted)?,
            (Step::Index(wanted), Kind::Array) => find_item(scan, *wanted)?,
            _ => false,
        };
        if !found {
            return Ok(());
        }
    }
    match scan.kind()? {
        Kind::Null => {}
        Kind::Text => {
            let found = scan.text()?;
            if !unescape(found.raw, text) {
                text.clear();
            }
        }
        _ => text.push_str(scan.skip()?),
    }
    Ok(())
}

/// Goes to the value of a key.
fn find_key(scan: &mut Scan<'_>, wanted: &str) -> Result<bool, String> {
    scan.open();
    while let Some(key) = scan.key()? {
        let is_wanted = match key.is_escaped {
            false => key.raw == wanted,
            true => {
                let mut text = String::new();
                unescape(key.raw, &mut text) && text == wanted
            }
        };
        if is_wanted {
            return Ok(true);
        }
        scan.skip()?;
    }
    Ok(false)
}

/// Goes to an item of an array.
fn find_item(scan: &mut Scan<'_>, wanted: usize) -> Result<bool, String> {
    scan.open();
    let mut at = 0;
    while scan.item()? {
        if at == wanted {
            return Ok(true);
        }
        scan.skip()?;
        at += 1;
    }
    Ok(false)
}

/// Takes a packed line apart: its texts become labels, and what was packed is written to `line`. False if nothing was.
pub(super) fn unpack(
    packed: &str,
    found: &mut Vec<(String, String)>,
    labels: &mut LabelSet<'_>,
    line: &mut String,
) -> bool {
    if packed.is_empty() {
        return false;
    }
    found.clear();
    line.clear();
    match read_packed(packed, found, line) {
        Ok(true) => {
            for (name, value) in found.iter() {
                labels.extract(name, value);
            }
            true
        }
        Ok(false) => false,
        Err(details) => {
            labels.set_error(JSON_ERROR, &details);
            false
        }
    }
}

fn read_packed(
    packed: &str,
    found: &mut Vec<(String, String)>,
    line: &mut String,
) -> Result<bool, String> {
    let mut scan = Scan::new(packed);
    if scan.kind()? != Kind::Object {
        return Err("a JSON object is expected".to_string());
    }
    let mut is_packed = false;
    scan.open();
    while let Some(key) = scan.key()? {
        if scan.kind()? != Kind::Text {
            scan.skip()?;
            continue;
        }
        let value = scan.text()?;
        if key.raw == PACKED_LINE {
            line.clear();
            unescape(value.raw, line);
            is_packed = true;
            continue;
        }
        if found.len() >= limits::EXTRACTED_LABELS {
            return Err(TOO_MANY.to_string());
        }
        let (mut name, mut text) = (String::new(), String::new());
        push_sanitized(&mut name, key.raw);
        if !unescape(value.raw, &mut text) {
            text.clear();
        }
        found.push((name, text));
    }
    Ok(is_packed)
}
