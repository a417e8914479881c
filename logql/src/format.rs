//! The canonical text of a query: on one line (`Display`), and over several lines where it is long ([`format`]).
//!
//! What is written is read as the same tree again.

mod pretty;
mod stages;

use crate::{
    ast::{
        Binary, Conversion, Expr, Group, Grouping, LabelReplace, LogExpr, LogRange, Metric,
        RangeAggregation, Unwrap, VectorAggregation,
    },
    units,
};
use std::fmt::{Display, Formatter, Result};

/// The text of a query as Loki's `format_query` lays it out: what is longer than 100 characters is split.
pub fn format(expr: &Expr) -> String {
    match expr {
        Expr::Log(log) => pretty::log(log, 0),
        Expr::Metric(metric) => pretty::metric(metric, 0),
    }
}

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Expr::Log(log) => log.fmt(formatter),
            Expr::Metric(metric) => metric.fmt(formatter),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str("{")?;
        for (at, matcher) in self.selector.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(formatter, "{comma}{matcher}")?;
        }
        formatter.write_str("}")?;
        for stage in &self.stages {
            write!(formatter, " {stage}")?;
        }
        Ok(())
    }
}

impl Display for Metric {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Metric::Range(range) => range.fmt(formatter),
            Metric::Aggregation(aggregation) => aggregation.fmt(formatter),
            Metric::Binary(binary) => binary.fmt(formatter),
            Metric::LabelReplace(replace) => replace.fmt(formatter),
            Metric::Literal(value) => formatter.write_str(&units::format_number(*value)),
            Metric::Vector(value) => write!(formatter, "vector({})", units::format_number(*value)),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "{}(", self.op.name())?;
        if let Some(parameter) = self.parameter {
            write!(formatter, "{},", units::format_number(parameter))?;
        }
        write!(formatter, "{})", self.range)?;
        match &self.grouping {
            Some(grouping) => grouping.fmt(formatter),
            None => Ok(()),
        }
    }
}

impl Display for LogRange {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        self.log.fmt(formatter)?;
        if let Some(unwrap) = &self.unwrap {
            write!(formatter, " {unwrap}")?;
        }
        write!(formatter, "[{}]", units::format_range(self.interval))?;
        if self.offset != 0 {
            write!(
                formatter,
                " offset {}",
                units::format_go_duration(self.offset)
            )?;
        }
        Ok(())
    }
}

impl Display for Unwrap {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let label = &self.label;
        match self.conversion {
            Conversion::Number => write!(formatter, "| unwrap {label}")?,
            Conversion::Bytes => write!(formatter, "| unwrap bytes({label})")?,
            Conversion::Duration => write!(formatter, "| unwrap duration({label})")?,
            Conversion::DurationSeconds => write!(formatter, "| unwrap duration_seconds({label})")?,
        }
        for filter in &self.filters {
            write!(formatter, " | {filter}")?;
        }
        Ok(())
    }
}

impl Display for Grouping {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let word = if self.without { "without" } else { "by" };
        write!(formatter, " {word} ({})", self.labels.join(","))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(self.op.name())?;
        if let Some(grouping) = &self.grouping {
            grouping.fmt(formatter)?;
        }
        match self.parameter {
            Some(parameter) => write!(formatter, "({parameter},{})", self.inner),
            None => write!(formatter, "({})", self.inner),
        }
    }
}

impl Display for Binary {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let op = operator(self, ",");
        write!(formatter, "({} {op} {})", self.left, self.right)
    }
}

/// The operator with what stands after it.
fn operator(binary: &Binary, comma: &str) -> String {
    let mut text = binary.op.symbol().to_string();
    if binary.returns_bool {
        text.push_str(" bool");
    }
    let Some(matching) = &binary.matching else {
        return text;
    };
    let word = if matching.on { "on" } else { "ignoring" };
    text.push_str(&format!(" {word} ({})", matching.labels.join(comma)));
    let (word, included) = match &matching.group {
        Group::None => return text,
        Group::Left(included) => ("group_left", included),
        Group::Right(included) => ("group_right", included),
    };
    text.push_str(&format!(" {word}"));
    if !included.is_empty() {
        text.push_str(&format!(" ({})", included.join(comma)));
    }
    text
}

impl Display for LabelReplace {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let texts = [
            &self.destination,
            &self.replacement,
            &self.source,
            &self.regex,
        ];
        write!(formatter, "label_replace({}", self.inner)?;
        for text in texts {
            write!(formatter, ",{}", units::quote(text))?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests;
