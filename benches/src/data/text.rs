//! Texts with gaps: `order {order} placed` with the values of an event in place of the braces.

use super::{
    facts::{Facts, Fill},
    wire,
};

/// A text, parsed.
#[derive(Debug)]
pub(super) struct Text {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Plain(&'static str),
    Gap(Fill),
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Text(&'static str),
    Int(Fill),
    Double(Fill),
    /// True once in so many.
    Bool(usize),
}

/// An attribute, its text parsed.
#[derive(Debug)]
pub(super) struct Attribute {
    name: &'static str,
    value: Value,
    text: Text,
}

impl Text {
    /// Parses a text. Braces that name no value stand for themselves.
    pub(super) fn parse(mut rest: &'static str) -> Text {
        let mut parts = Vec::new();
        let mut from = 0;
        while let Some(open) = rest[from..].find('{').map(|at| at + from) {
            let close = rest[open..].find('}').map(|at| at + open);
            let fill = close.and_then(|close| Fill::named(&rest[open + 1..close]));
            match (close, fill) {
                (Some(close), Some(fill)) => {
                    parts.push(Part::Plain(&rest[..open]));
                    parts.push(Part::Gap(fill));
                    rest = &rest[close + 1..];
                    from = 0;
                }
                _ => from = open + 1,
            }
        }
        parts.push(Part::Plain(rest));
        Text { parts }
    }

    /// Appends the text with the values of `facts`.
    pub(super) fn write(&self, out: &mut Vec<u8>, facts: &Facts) {
        for part in &self.parts {
            match part {
                Part::Plain(text) => out.extend_from_slice(text.as_bytes()),
                Part::Gap(fill) => facts.write(out, *fill),
            }
        }
    }
}

impl Attribute {
    pub(super) fn parse((name, value): (&'static str, Value)) -> Attribute {
        let text = match value {
            Value::Text(text) => text,
            _ => "",
        };
        Attribute {
            name,
            value,
            text: Text::parse(text),
        }
    }

    /// Appends it as a `KeyValue` in `field`.
    pub(super) fn write(&self, out: &mut Vec<u8>, field: u64, facts: &Facts) {
        wire::attribute(out, field, self.name, |out| match self.value {
            Value::Text(_) => wire::message(out, 1, |out| self.text.write(out, facts)),
            Value::Int(fill) => wire::int(out, 3, facts.int(fill)),
            Value::Double(fill) => wire::double(out, 4, facts.double(fill)),
            Value::Bool(of) => wire::int(out, 2, u64::from(facts.once_in(of))),
        });
    }
}
