//! Stages that change labels or the line: `label_format`, `drop`, `keep`, `decolorize`.

use super::{
    buffers::Buffers,
    matching::Matching,
    set::{Category, LabelSet},
};
use crate::{
    ast::{LabelFormat, LabelSource, Target},
    error::{Error, Result},
    template::Template,
};

/// What `__error__` says where a template fails.
pub(super) const TEMPLATE_ERROR: &str = "TemplateFormatErr";

/// A label of `label_format`.
#[derive(Debug)]
pub(super) struct Format {
    name: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Label(String),
    Template(Template),
}

impl Format {
    pub(super) fn new(format: &LabelFormat) -> Result<Format> {
        let source = match &format.source {
            LabelSource::Label(label) => Source::Label(label.clone()),
            LabelSource::Template(text) => {
                Source::Template(Template::new(text).map_err(Error::invalid)?)
            }
        };
        Ok(Format {
            name: format.name.clone(),
            source,
        })
    }
}

/// Renames and makes labels. All templates of a stage see the labels as its first one does.
pub(super) fn format_labels(
    formats: &[Format],
    line: &str,
    labels: &mut LabelSet<'_>,
    buffers: &mut Buffers,
) {
    let mut seen: Option<Vec<(String, String)>> = None;
    for format in formats {
        match &format.source {
            Source::Label(source) => {
                let Some((value, category)) = labels.get_with_category(source) else {
                    continue;
                };
                let value = value.to_string();
                labels.set(&format.name, &value, category);
                if *source != format.name {
                    labels.remove(source);
                }
            }
            Source::Template(template) => {
                let seen = seen.get_or_insert_with(|| {
                    let owned = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
                    labels.pairs().map(owned).collect()
                });
                let pairs: Vec<(&str, &str)> = seen
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let category = labels
                    .get_with_category(&format.name)
                    .map(|(_, category)| category);
                match buffers.run(template, line, &pairs) {
                    Ok(value) => {
                        labels.set(&format.name, value, category.unwrap_or(Category::Parsed))
                    }
                    Err(details) => labels.set_error(TEMPLATE_ERROR, &details),
                }
            }
        }
    }
}

/// A target of `drop` or `keep`.
#[derive(Debug)]
pub(super) enum Kept {
    Name(String),
    Matching(Matching),
}

impl Kept {
    pub(super) fn new(target: &Target) -> Result<Kept> {
        Ok(match target {
            Target::Name(name) => Kept::Name(name.clone()),
            Target::Matching(matcher) => Kept::Matching(Matching::new(matcher)?),
        })
    }

    fn is(&self, name: &str, value: &str) -> bool {
        match self {
            Kept::Name(wanted) => wanted == name,
            Kept::Matching(matching) => matching.name() == name && matching.holds(value),
        }
    }
}

pub(super) fn drop_labels(targets: &[Kept], labels: &mut LabelSet<'_>) {
    for target in targets {
        let name = match target {
            Kept::Name(name) => name,
            Kept::Matching(matching)
                if matching.holds(labels.get(matching.name()).unwrap_or("")) =>
            {
                matching.name()
            }
            Kept::Matching(_) => continue,
        };
        labels.remove(name);
    }
}

/// Drops all labels but those named; errors stay.
pub(super) fn keep_labels(targets: &[Kept], labels: &mut LabelSet<'_>) {
    let dropped: Vec<String> = labels
        .iter()
        .filter(|(name, value, _)| !targets.iter().any(|target| target.is(name, value)))
        .map(|(name, _, _)| name.to_string())
        .collect();
    for name in dropped {
        labels.remove(&name);
    }
}

const ESCAPE: char = '\u{1b}';

/// Writes the line without the escape sequences of a terminal (ECMA-48) to `output`; false if it has none.
pub(super) fn decolorize(line: &str, output: &mut String) -> bool {
    if !line.contains([ESCAPE, '\u{9b}']) {
        return false;
    }
    output.clear();
    let mut rest = line;
    while let Some(at) = rest.find([ESCAPE, '\u{9b}']) {
        output.push_str(&rest[..at]);
        rest = after_sequence(&rest[at..]);
    }
    output.push_str(rest);
    true
}

/// What follows the escape sequence at the beginning of a text.
fn after_sequence(text: &str) -> &str {
    let body = match text.strip_prefix(ESCAPE) {
        None => return after_control(text.trim_start_matches('\u{9b}')),
        Some(body) => body,
    };
    if let Some(control) = body.strip_prefix('[') {
        return after_control(control);
    }
    if let Some(command) = body.strip_prefix(']') {
        // A command of the system ends with a bell or with ESC and a backslash.
        let bell = command.find('\u{7}').map(|at| at + 1);
        let terminator = command.find("\u{1b}\\").map(|at| at + 2);
        let end = [bell, terminator].into_iter().flatten().min();
        return end.map_or(command, |end| &command[end..]);
    }
    let rest = body.trim_start_matches(|c: char| (' '..='/').contains(&c));
    rest.strip_prefix(|c: char| ('0'..='~').contains(&c))
        .unwrap_or(rest)
}

/// What follows the parameters and the last byte of a control sequence.
fn after_control(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| (' '..='?').contains(&c));
    rest.strip_prefix(|c: char| ('@'..='~').contains(&c))
        .unwrap_or(rest)
}
