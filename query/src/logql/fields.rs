//! What lines have in them: the fields that a parser would find, with their types and how many values they have.

use super::lines::Line;
use crate::error::Result;
use cairn_logql::{Category, ERROR, Entry, Labels, Pipeline, parse_log};
use std::collections::{BTreeMap, BTreeSet};

/// A field of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    /// `int`, `float`, `boolean`, `duration`, `bytes` or `string`, by the value that was seen first.
    pub kind: &'static str,
    /// The parsers that find it: `json`, `logfmt`; none where it is there without one.
    pub parsers: BTreeSet<&'static str>,
    /// Its different values.
    pub values: BTreeSet<String>,
}

/// The most fields that are told.
const MOST_FIELDS: usize = 1_000;

/// The fields of `lines` by name. Labels of the streams are none.
pub fn detect(lines: &[Line]) -> Result<BTreeMap<String, Field>> {
    let mut fields = BTreeMap::new();
    let mut json = parser("json")?;
    let mut logfmt = parser("logfmt")?;
    for line in lines {
        note(&mut fields, &line.metadata, None);
        note(&mut fields, &line.parsed, None);
        let of_json = line.text.trim_start().starts_with('{');
        let (parser, name) = match of_json {
            true => (&mut json, "json"),
            false => (&mut logfmt, "logfmt"),
        };
        let entry = Entry {
            timestamp: line.time_ns,
            line: &line.text,
            stream: &[],
            metadata: &[],
        };
        let found = parser.process(&entry);
        let found = found.filter(|found| found.labels.error().is_none());
        if let Some(found) = found {
            let labels = found.labels.of_category(Category::Parsed);
            note(&mut fields, &labels, Some(name));
        }
    }
    Ok(fields)
}

fn parser(stage: &str) -> Result<Pipeline> {
    let log = parse_log(&format!("{{stream=\"any\"}} | {stage}"))?;
    Ok(Pipeline::new(&log, 0)?)
}

fn note(fields: &mut BTreeMap<String, Field>, labels: &Labels, parser: Option<&'static str>) {
    for (name, value) in labels.iter() {
        let is_field = !name.starts_with(ERROR) && !name.starts_with("__");
        let is_known = fields.contains_key(name);
        if !is_field || (!is_known && fields.len() >= MOST_FIELDS) {
            continue;
        }
        let field = fields.entry(name.to_owned()).or_insert_with(|| Field {
            kind: kind(value),
            ..Field::default()
        });
        field.parsers.extend(parser);
        field.values.insert(value.to_owned());
    }
}

/// What a value looks like, in the words of Loki.
fn kind(value: &str) -> &'static str {
    if value.parse::<i64>().is_ok() {
        "int"
    } else if value.parse::<f64>().is_ok() {
        "float"
    } else if matches!(
        value,
        "true" | "false" | "TRUE" | "FALSE" | "True" | "False"
    ) {
        "boolean"
    } else if is_measure(value, &["ns", "us", "µs", "ms", "s", "m", "h"]) {
        "duration"
    } else if is_measure(value, &BYTES) {
        "bytes"
    } else {
        "string"
    }
}

/// Units of sizes; their case does not matter.
const BYTES: [&str; 13] = [
    "b", "kb", "mb", "gb", "tb", "pb", "eb", "kib", "mib", "gib", "tib", "pib", "eib",
];

/// Whether a text is numbers, each with one of `units`.
fn is_measure(text: &str, units: &[&str]) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = number
            .trim_start()
            .split(|c: char| c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let lower = unit.to_lowercase();
        if number.len() == rest.len() || !units.contains(&lower.as_str()) {
            return false;
        }
        rest = &number.trim_start()[unit.len()..];
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{detect, kind};
    use crate::logql::Line;

    #[test]
    fn values_have_kinds() {
        let check = |value, expected| assert_eq!(kind(value), expected, "{value}");
        check("12", "int");
        check("-1.5", "float");
        check("true", "boolean");
        check("1h30m", "duration");
        check("250ms", "duration");
        check("12KB", "bytes");
        check("1.5 GiB", "bytes");
        check("", "string");
        check("12 apples", "string");
    }

    #[test]
    fn fields_come_from_metadata_and_from_lines() {
        let line = |text: &str| Line {
            time_ns: 0,
            text: text.to_owned(),
            stream: [("service_name", "shop")].into_iter().collect(),
            metadata: [("trace_id", "ab")].into_iter().collect(),
            parsed: [("x", "1")].into_iter().collect(),
        };
        let lines = [line(r#"{"a":{"b":1},"c":"x"}"#), line("c=2s d=ok")];
        let fields = detect(&lines).expect("the parsers compile");
        let shown: Vec<String> = fields
            .iter()
            .map(|(name, field)| {
                let parsers: Vec<&str> = field.parsers.iter().copied().collect();
                format!(
                    "{name} {} {} {}",
                    field.kind,
                    field.values.len(),
                    parsers.join("+")
                )
            })
            .collect();
        let expected = [
            "a_b int 1 json",
            "c string 2 json+logfmt",
            "d string 1 logfmt",
            "trace_id string 1 ",
            "x int 1 ",
        ];
        assert_eq!(shown, expected);
    }
}
