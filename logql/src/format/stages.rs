//! The text of stages and label filters.

use crate::{
    ast::{
        Extraction, LabelFilter, LabelFormat, LabelSource, LineFilter, LineMatch, Logfmt, Stage,
        Target,
    },
    units,
};
use std::fmt::{Display, Formatter, Result};

impl Display for Stage {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Stage::Line(filter) => filter.fmt(formatter),
            Stage::Json(extractions) if extractions.is_empty() => formatter.write_str("| json"),
            Stage::Json(extractions) => write!(formatter, "| json {}", joined(extractions)),
            Stage::Logfmt(logfmt) => logfmt.fmt(formatter),
            Stage::Pattern(text) => write!(formatter, "| pattern {}", units::quote(text)),
            Stage::Regexp(text) => write!(formatter, "| regexp {}", units::quote(text)),
            Stage::Unpack => formatter.write_str("| unpack"),
            Stage::Label(filter) => write!(formatter, "| {filter}"),
            Stage::LineFormat(text) => write!(formatter, "| line_format {}", units::quote(text)),
            Stage::LabelFormat(formats) => write!(formatter, "| label_format {}", joined(formats)),
            Stage::Decolorize => formatter.write_str("| decolorize"),
            Stage::Drop(targets) => write!(formatter, "| drop {}", joined(targets)),
            Stage::Keep(targets) => write!(formatter, "| keep {}", joined(targets)),
        }
    }
}

fn joined<T: Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    texts.join(",")
}

impl Display for LineFilter {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(self.op.symbol())?;
        for (at, found) in self.matches.iter().enumerate() {
            let or = if at > 0 { " or" } else { "" };
            match found {
                LineMatch::Text(text) => write!(formatter, "{or} {}", units::quote(text))?,
                LineMatch::Ip(pattern) => write!(formatter, "{or} ip({})", units::quote(pattern))?,
            }
        }
        Ok(())
    }
}

impl Display for Logfmt {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str("| logfmt")?;
        if self.strict {
            formatter.write_str(" --strict")?;
        }
        if self.keep_empty {
            formatter.write_str(" --keep-empty")?;
        }
        if !self.extractions.is_empty() {
            write!(formatter, " {}", joined(&self.extractions))?;
        }
        Ok(())
    }
}

impl Display for Extraction {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "{}={}", self.label, units::quote(&self.path))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match &self.source {
            LabelSource::Label(label) => write!(formatter, "{}={label}", self.name),
            LabelSource::Template(text) => {
                write!(formatter, "{}={}", self.name, units::quote(text))
            }
        }
    }
}

impl Display for Target {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Target::Name(name) => formatter.write_str(name),
            Target::Matching(matcher) => matcher.fmt(formatter),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            LabelFilter::Text(matcher) => matcher.fmt(formatter),
            LabelFilter::Number(found) => {
                let value = units::format_number(found.value);
                write!(formatter, "{}{}{value}", found.name, found.op.symbol())
            }
            LabelFilter::Duration(found) => {
                let value = units::format_go_duration(found.value);
                write!(formatter, "{}{}{value}", found.name, found.op.symbol())
            }
            LabelFilter::Bytes(found) => {
                let value = units::format_bytes(found.value);
                write!(formatter, "{}{}{value}", found.name, found.op.symbol())
            }
            LabelFilter::Ip(found) => {
                let op = if found.negative { "!=" } else { "=" };
                write!(
                    formatter,
                    "{}{op}ip({})",
                    found.name,
                    units::quote(&found.pattern)
                )
            }
            LabelFilter::And(left, right) => write!(formatter, "( {left} , {right} )"),
            LabelFilter::Or(left, right) => write!(formatter, "( {left} or {right} )"),
        }
    }
}
