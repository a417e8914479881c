//! What a search means -> a condition in SQL.
//!
//! A negation is `IS NOT TRUE`, so that a record without the field has not the value.

use super::{
    Condition,
    parse::Node,
    terms::{Field, Term, Test, wrong},
};
use crate::error::Result;
use cairn_storage::text::words::Phrase;
use serde_json::Map;

/// Names of severities with the first of their four numbers (OpenTelemetry logs data model, "Field: SeverityNumber").
const SEVERITIES: [(&str, u8); 9] = [
    ("TRACE", 1),
    ("DEBUG", 5),
    ("INFO", 9),
    ("INFORMATION", 9),
    ("WARN", 13),
    ("WARNING", 13),
    ("ERROR", 17),
    ("ERR", 17),
    ("FATAL", 21),
];

/// Hexadecimal digits of a trace id.
const TRACE_DIGITS: usize = 32;

/// Writes the condition.
pub(super) fn lower(node: &Node) -> Result<Condition> {
    let mut writer = Writer {
        parameters: Map::new(),
    };
    let sql = writer.node(node)?;
    Ok(Condition {
        sql,
        parameters: writer.parameters,
    })
}

struct Writer {
    parameters: Map<String, serde_json::Value>,
}

impl Writer {
    fn node(&mut self, node: &Node) -> Result<String> {
        match node {
            Node::Term(term) => self.term(term),
            Node::All(nodes) => self.joined(nodes, " AND "),
            Node::Any(nodes) => self.joined(nodes, " OR "),
            Node::Not(node) => Ok(format!("({} IS NOT TRUE)", self.node(node)?)),
        }
    }

    fn joined(&mut self, nodes: &[Node], by: &str) -> Result<String> {
        let parts = nodes.iter().map(|node| self.node(node));
        Ok(format!("({})", parts.collect::<Result<Vec<_>>>()?.join(by)))
    }

    fn term(&mut self, term: &Term) -> Result<String> {
        if term.test == Test::Everything {
            return Ok(match &term.field {
                Field::Body => "(true)".to_owned(),
                _ => self.term(&Term {
                    test: Test::Exists,
                    ..term.clone()
                })?,
            });
        }
        match &term.field {
            Field::Body => match &term.test {
                // Who types a trace id means the trace.
                Test::Words(id) if is_id(id, TRACE_DIGITS) => {
                    let found = self.of_text("body", term)?;
                    Ok(format!("({found} OR {})", id_is("trace_id", id)))
                }
                _ => self.of_text("body", term),
            },
            Field::Column(column) => self.of_text(column, term),
            Field::Attribute(key) => self.of_text(&entry("attributes", key), term),
            Field::Resource(key) => self.of_text(&entry("resource_attributes", key), term),
            Field::Either(key) => {
                let own = self.of_text(&entry("attributes", key), term)?;
                let resource = self.of_text(&entry("resource_attributes", key), term)?;
                Ok(format!("({own} OR {resource})"))
            }
            Field::Id(column, digits) => of_id(column, *digits, term),
            Field::Severity => self.of_severity(term),
        }
    }

    /// The name of a parameter with this value.
    fn parameter(&mut self, value: impl Into<serde_json::Value>) -> String {
        let name = format!("q{}", self.parameters.len());
        self.parameters.insert(name.clone(), value.into());
        format!("${name}")
    }

    /// A test of the text that `expression` gives.
    fn of_text(&mut self, expression: &str, term: &Term) -> Result<String> {
        Ok(match &term.test {
            Test::Words(words) => {
                let words = has_words(words, term)?;
                format!("has_phrase({expression}, {})", self.parameter(words))
            }
            Test::Beginning(words) => {
                let words = has_words(words, term)?;
                format!("has_prefix({expression}, {})", self.parameter(words))
            }
            Test::Part(part) => {
                format!("({expression} ILIKE {})", self.parameter(like(part)))
            }
            Test::Equal(value) => format!("({expression} = {})", self.parameter(value.as_str())),
            Test::Exists | Test::Everything => format!("({expression} IS NOT NULL)"),
            Test::Compare(operator, value) => {
                if !expression.ends_with(']') {
                    let detail =
                        format!("{operator} is for numbers in attributes and for severity");
                    return Err(wrong(term.at, detail));
                }
                let number: f64 = value.parse().map_err(|_| {
                    wrong(
                        term.at,
                        format!("a number must stand behind {operator}, and {value} is none"),
                    )
                })?;
                if !number.is_finite() {
                    return Err(wrong(term.at, "the number is not finite"));
                }
                format!(
                    "({expression}::double {operator} {})",
                    self.parameter(number)
                )
            }
        })
    }

    fn of_severity(&mut self, term: &Term) -> Result<String> {
        let numbers = |name: &str| {
            let upper = name.to_uppercase();
            let known = SEVERITIES.iter().find(|(known, _)| *known == upper);
            known.map(|(_, first)| (*first, first + 3))
        };
        Ok(match &term.test {
            Test::Words(name) | Test::Equal(name) => {
                let text = self.parameter(name.to_uppercase());
                let by_text = format!(
                    "(severity_number NOT BETWEEN 1 AND 24 AND upper(severity_text) = {text})"
                );
                match numbers(name) {
                    Some((first, last)) => {
                        format!("(severity_number BETWEEN {first} AND {last} OR {by_text})")
                    }
                    None if name.eq_ignore_ascii_case("unset") => format!(
                        "(severity_number NOT BETWEEN 1 AND 24 AND coalesce(nullif(upper(severity_text), ''), {text}) = {text})"
                    ),
                    None => format!("(upper(severity_text) = {text})"),
                }
            }
            Test::Exists => "(severity_number BETWEEN 1 AND 24)".to_owned(),
            Test::Compare(operator, value) => {
                let (first, last) = match value.parse::<u8>() {
                    Ok(number) => (number, number),
                    Err(_) => numbers(value).ok_or_else(|| unknown_severity(term, value))?,
                };
                let bound = match *operator {
                    ">" | "<=" => last,
                    _ => first,
                };
                format!("(severity_number BETWEEN 1 AND 24 AND severity_number {operator} {bound})")
            }
            Test::Beginning(text) | Test::Part(text) => {
                return Err(unknown_severity(term, &format!("{text}*")));
            }
            Test::Everything => "(true)".to_owned(),
        })
    }
}

fn unknown_severity(term: &Term, given: &str) -> crate::error::Error {
    let detail = format!(
        "{given} is no severity: trace, debug, info, warn, error, fatal, a number from 1 to 24, or unset where there is none"
    );
    wrong(term.at, detail)
}

fn of_id(column: &str, digits: usize, term: &Term) -> Result<String> {
    match &term.test {
        Test::Words(id) | Test::Equal(id) if is_id(id, digits) => Ok(id_is(column, id)),
        Test::Words(_) | Test::Equal(_) => Err(wrong(
            term.at,
            format!("{column} takes {digits} hexadecimal digits, all of them"),
        )),
        Test::Exists | Test::Everything => Ok(format!("({column} IS NOT NULL)")),
        _ => Err(wrong(
            term.at,
            format!(
                "{column} is looked up whole: {column}:<{digits} hexadecimal digits>, or {column}:*"
            ),
        )),
    }
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn id_is(column: &str, id: &str) -> String {
    format!("({column} = X'{}')", id.to_lowercase())
}

/// `words`, if there is one among them.
fn has_words<'a>(words: &'a str, term: &Term) -> Result<&'a str> {
    match Phrase::of(words).is_empty() {
        false => Ok(words),
        true => Err(wrong(
            term.at,
            format!(
                "there is no letter and no digit in {words}; write *\"{words}\"* to look for the signs themselves"
            ),
        )),
    }
}

/// The value of a map.
fn entry(map: &str, key: &str) -> String {
    format!("{map}['{}']", key.replace('\'', "''"))
}

/// A pattern of `LIKE` for texts that have `part` anywhere.
fn like(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for char in part.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}
