//! A stage, compiled.

use super::{
    buffers::Buffers,
    conditions::Condition,
    json::{self, Flatten, Paths},
    lines::LineTest,
    logfmt::LogfmtParser,
    reshape::{self, Format, Kept},
    set::LabelSet,
};
use crate::{
    ast::Stage,
    error::{Error, Result},
    pattern::Pattern,
    regexes,
    template::Template,
};
use regex::{CaptureLocations, Regex};

#[derive(Debug)]
pub(super) enum Step {
    Line(LineTest),
    Json(Flatten),
    JsonPaths(Paths),
    Logfmt(LogfmtParser),
    Pattern(Pattern),
    Regexp(Regex, CaptureLocations, Vec<Option<String>>),
    Unpack(Vec<(String, String)>),
    Label(Condition),
    LineFormat(Template),
    LabelFormat(Vec<Format>),
    Decolorize,
    Drop(Vec<Kept>),
    Keep(Vec<Kept>),
}

impl Step {
    pub(super) fn new(stage: &Stage) -> Result<Step> {
        Ok(match stage {
            Stage::Line(filter) => Step::Line(LineTest::new(filter)?),
            Stage::Json(extractions) if extractions.is_empty() => Step::Json(Flatten::default()),
            Stage::Json(extractions) => Step::JsonPaths(Paths::new(extractions)?),
            Stage::Logfmt(logfmt) => Step::Logfmt(LogfmtParser::new(logfmt)),
            Stage::Pattern(text) => {
                Step::Pattern(Pattern::with_names(text).map_err(Error::invalid)?)
            }
            Stage::Regexp(text) => {
                let regex = regexes::search(text).map_err(Error::invalid)?;
                let names = regex
                    .capture_names()
                    .map(|name| name.map(str::to_string))
                    .collect();
                let locations = regex.capture_locations();
                Step::Regexp(regex, locations, names)
            }
            Stage::Unpack => Step::Unpack(Vec::new()),
            Stage::Label(filter) => Step::Label(Condition::new(filter)?),
            Stage::LineFormat(text) => {
                Step::LineFormat(Template::new(text).map_err(Error::invalid)?)
            }
            Stage::LabelFormat(formats) => {
                Step::LabelFormat(formats.iter().map(Format::new).collect::<Result<_>>()?)
            }
            Stage::Decolorize => Step::Decolorize,
            Stage::Drop(targets) => {
                Step::Drop(targets.iter().map(Kept::new).collect::<Result<_>>()?)
            }
            Stage::Keep(targets) => {
                Step::Keep(targets.iter().map(Kept::new).collect::<Result<_>>()?)
            }
        })
    }

    /// Whether a line filter lets a line pass; other steps let all pass here.
    pub(super) fn admits(&self, line: &str) -> bool {
        match self {
            Step::Line(test) => test.admits(line),
            _ => true,
        }
    }

    /// Takes a line through the step; false if it is dropped.
    pub(super) fn run(
        &mut self,
        original: &str,
        labels: &mut LabelSet<'_>,
        buffers: &mut Buffers,
    ) -> bool {
        let (line, spare) = buffers.parts(original);
        match self {
            Step::Line(test) => return test.admits(line),
            Step::Label(condition) => return condition.holds(labels),
            Step::Json(flatten) => flatten.run(line, labels),
            Step::JsonPaths(paths) => paths.run(line, labels),
            Step::Logfmt(parser) => parser.run(line, labels),
            Step::Pattern(pattern) if !labels.has_all() => {
                pattern.captures(line, |name, text| {
                    labels.extract(name, text);
                });
            }
            Step::Pattern(_) => {}
            Step::Regexp(regex, locations, names) => {
                regexp(regex, locations, names, (line, labels))
            }
            Step::Unpack(found) => {
                if json::unpack(line, found, labels, spare) {
                    buffers.take_spare();
                }
            }
            Step::LineFormat(template) => {
                let written = {
                    let pairs: Vec<(&str, &str)> = labels.pairs().collect();
                    buffers.run(template, original, &pairs).map(drop)
                };
                match written {
                    Ok(()) => buffers.take_spare(),
                    Err(details) => labels.set_error(reshape::TEMPLATE_ERROR, &details),
                }
            }
            Step::LabelFormat(formats) => {
                reshape::format_labels(formats, original, labels, buffers)
            }
            Step::Decolorize => {
                if reshape::decolorize(line, spare) {
                    buffers.take_spare();
                }
            }
            Step::Drop(targets) => reshape::drop_labels(targets, labels),
            Step::Keep(targets) => reshape::keep_labels(targets, labels),
        }
        true
    }
}

fn regexp(
    regex: &Regex,
    locations: &mut CaptureLocations,
    names: &[Option<String>],
    (line, labels): (&str, &mut LabelSet<'_>),
) {
    if labels.has_all() || regex.captures_read(locations, line).is_none() {
        return;
    }
    for (at, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        let value = locations.get(at).map_or("", |(from, to)| &line[from..to]);
        labels.extract(name, value);
    }
}
