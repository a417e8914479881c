//! A query over several lines. What fits into a line stays in one; what does not is split at its parts, which are
//! indented by two spaces.

use crate::{
    ast::{
        Binary, Grouping, LabelReplace, LogExpr, LogRange, Metric, RangeAggregation, Stage,
        VectorAggregation,
    },
    units,
};

/// The longest text that stays on one line, in bytes.
const LINE: usize = 100;

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// The text of something that fits into a line, indented.
fn short(text: String, level: usize) -> Result<String, String> {
    match text.len() <= LINE {
        true => Ok(indent(level) + &text),
        false => Err(text),
    }
}

pub(super) fn log(log: &LogExpr, level: usize) -> String {
    if let Ok(text) = short(log.to_string(), level) {
        return text;
    }
    let selector = LogExpr {
        selector: log.selector.clone(),
        stages: Vec::new(),
    };
    let mut lines = vec![format!("{}{selector}", indent(level))];
    let is_line = |stage: &Stage| matches!(stage, Stage::Line(_));
    // Line filters in a row stand on one line, if they fit.
    for group in log
        .stages
        .chunk_by(|left, right| is_line(left) && is_line(right))
    {
        let texts: Vec<String> = group.iter().map(Stage::to_string).collect();
        match short(texts.join(" "), level + 1) {
            Ok(text) => lines.push(text),
            Err(_) => lines.extend(texts.iter().map(|text| indent(level + 1) + text)),
        }
    }
    lines.join("\n")
}

pub(super) fn metric(metric: &Metric, level: usize) -> String {
    let text = match short(metric.to_string(), level) {
        Ok(text) => return text,
        Err(text) => text,
    };
    match metric {
        Metric::Range(found) => range_aggregation(found, level),
        Metric::Aggregation(found) => vector_aggregation(found, level),
        Metric::Binary(found) => binary(found, level),
        Metric::LabelReplace(found) => label_replace(found, level),
        Metric::Literal(_) | Metric::Vector(_) => indent(level) + &text,
    }
}

fn range_aggregation(range: &RangeAggregation, level: usize) -> String {
    let mut text = format!("{}{}(\n", indent(level), range.op.name());
    if let Some(parameter) = range.parameter {
        let number = units::format_number(parameter);
        text.push_str(&format!("{}{number},\n", indent(level + 1)));
    }
    text.push_str(&log_range(&range.range, level + 1));
    text.push_str(&format!("\n{})", indent(level)));
    text.push_str(&grouping(range.grouping.as_ref()));
    text
}

fn log_range(range: &LogRange, level: usize) -> String {
    let mut text = log(&range.log, level);
    if let Some(unwrap) = &range.unwrap {
        let filters: Vec<String> = unwrap
            .filters
            .iter()
            .map(|filter| format!("| {filter}"))
            .collect();
        let bare = crate::ast::Unwrap {
            filters: Vec::new(),
            ..unwrap.clone()
        };
        for line in std::iter::once(bare.to_string()).chain(filters) {
            text.push_str(&format!("\n{}{line}", indent(level + 1)));
        }
    }
    text.push_str(&format!(" [{}]", units::format_range(range.interval)));
    if range.offset != 0 {
        text.push_str(&format!(" offset {}", units::format_range(range.offset)));
    }
    text
}

fn grouping(grouping: Option<&Grouping>) -> String {
    let Some(grouping) = grouping else {
        return String::new();
    };
    let word = if grouping.without { "without" } else { "by" };
    format!(" {word} ({})", grouping.labels.join(", "))
}

fn vector_aggregation(aggregation: &VectorAggregation, level: usize) -> String {
    let name = aggregation.op.name();
    let mut text = format!(
        "{}{name}{}(\n",
        indent(level),
        grouping(aggregation.grouping.as_ref())
    );
    if let Some(parameter) = aggregation.parameter {
        text.push_str(&format!("{}{parameter},\n", indent(level + 1)));
    }
    text.push_str(&metric(&aggregation.inner, level + 1));
    text.push_str(&format!("\n{})", indent(level)));
    text
}

/// Both sides on lines of their own, in parentheses where something stands around them.
fn binary(binary: &Binary, level: usize) -> String {
    let op = super::operator(binary, ", ");
    let (left, right) = (
        side(&binary.left, level + 1),
        side(&binary.right, level + 1),
    );
    format!("{left}\n{}{op}\n{right}", indent(level))
}

/// A side which is long itself and an operation again needs parentheses to stay together.
fn side(inner: &Metric, level: usize) -> String {
    let is_split = matches!(inner, Metric::Binary(_)) && inner.to_string().len() > LINE;
    match is_split {
        false => metric(inner, level),
        true => format!("{0}(\n{1}\n{0})", indent(level), metric(inner, level + 1)),
    }
}

fn label_replace(replace: &LabelReplace, level: usize) -> String {
    let texts = [
        &replace.destination,
        &replace.replacement,
        &replace.source,
        &replace.regex,
    ];
    let quoted = texts.map(|text| indent(level + 1) + &units::quote(text));
    let inner = metric(&replace.inner, level + 1);
    let open = format!("{}label_replace(\n", indent(level));
    format!("{open}{inner},\n{}\n{})", quoted.join(",\n"), indent(level))
}
