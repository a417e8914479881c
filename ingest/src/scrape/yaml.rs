//! YAML, and JSON, which is YAML: a tree whose nodes know where they stand, so that whoever reads it can say what is
//! wrong where.
//!
//! Anchors, aliases and merge keys (`<<`) are resolved. What a file can make large has a limit: depth, and nodes with
//! those that aliases copy.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::{collections::HashMap, fmt};

/// Deeper than any settings are; the tree is walked by recursion.
const MAX_DEPTH: usize = 32;

/// Nodes of a file, copies by aliases counted: ten targets in each of ten thousand groups, and much left.
const MAX_NODES: usize = 1_000_000;

/// Where something stands in a file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// What is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {detail}")]
pub(super) struct Wrong {
    pub(super) place: Place,
    pub(super) detail: String,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    /// A scalar as it is written, and whether that is without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// The fields of a map, of which those that nobody takes are refused.
#[derive(Debug)]
pub(super) struct Fields {
    place: Place,
    of: &'static str,
    entries: Vec<(String, Place, Node)>,
}

type Read<T> = Result<T, Wrong>;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Place {
    /// Something wrong here.
    pub(super) fn wrong(self, detail: impl Into<String>) -> Wrong {
        Wrong {
            place: self,
            detail: detail.into(),
        }
    }

    fn of(span: Span) -> Place {
        Place {
            line: span.start.line(),
            column: span.start.col() + 1,
        }
    }
}

/// Reads the one document of `text`; of an empty one a null.
pub(super) fn read(text: &str) -> Read<Node> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut document = None;
    loop {
        let (event, place) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if document.is_some() => return Err(place.wrong("there is a second document")),
            event => document = Some(reader.node(event, place, 0)?),
        }
    }
    Ok(document.unwrap_or(Node {
        place: Place { line: 1, column: 1 },
        value: Value::Null,
    }))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Read<(Event<'a>, Place)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, Place::of(span))),
            Some(Err(error)) => Err(no_yaml(&error)),
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Read<Node> {
        if depth > MAX_DEPTH {
            return Err(place.wrong(format!("it is nested more than {MAX_DEPTH} deep")));
        }
        self.count(1, place)?;
        let (value, anchor) = match event {
            Event::Alias(anchor) => return self.copy(anchor, place),
            Event::Scalar(text, style, anchor, _) => (scalar(text.into_owned(), style), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(place, depth)?, anchor),
            _ => return Err(place.wrong("a value is missing")),
        };
        let node = Node { place, value };
        if anchor > 0 {
            self.count(size(&node), place)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, place) => items.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, place: Place, depth: usize) -> Read<Value> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => break,
                (event, place) => self.node(event, place, depth + 1)?,
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            match &key.value {
                Value::Scalar(text, true) if text == "<<" => merge(&mut merged, value)?,
                _ => entries.push((key, value)),
            }
        }
        for (key, value) in merged {
            if !entries.iter().any(|(own, _)| own.value == key.value) {
                entries.push((key, value));
            }
        }
        self.count(entries.len(), place)?;
        Ok(Value::Map(entries))
    }

    /// The node that an alias names.
    fn copy(&mut self, anchor: usize, place: Place) -> Read<Node> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(place.wrong("an alias names what is not complete"));
        };
        self.count(size(&node), place)?;
        Ok(node)
    }

    fn count(&mut self, more: usize, place: Place) -> Read<()> {
        self.nodes += more;
        match self.nodes > MAX_NODES {
            true => Err(place.wrong(format!("the file has more than {MAX_NODES} values"))),
            false => Ok(()),
        }
    }
}

/// Adds the entries of what stands behind `<<`: a map, or several.
fn merge(into: &mut Vec<(Node, Node)>, from: Node) -> Read<()> {
    let place = from.place;
    match from.value {
        Value::Map(entries) => into.extend(entries),
        Value::List(maps) => {
            for map in maps {
                match map.value {
                    Value::Map(entries) => into.extend(entries),
                    _ => return Err(map.place.wrong("only maps can be merged")),
                }
            }
        }
        _ => return Err(place.wrong("only maps can be merged")),
    }
    Ok(())
}

fn scalar(text: String, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        true => Value::Null,
        false => Value::Scalar(text, plain),
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(..) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => {
            let entries = entries.iter();
            entries.map(|(key, value)| size(key) + size(value)).sum()
        }
    }
}

fn no_yaml(error: &ScanError) -> Wrong {
    let marker = error.marker();
    let place = Place {
        line: marker.line(),
        column: marker.col() + 1,
    };
    place.wrong(format!("this is no YAML: {}", error.info()))
}

impl Node {
    /// Something wrong with this value.
    pub(super) fn wrong(&self, detail: impl Into<String>) -> Wrong {
        self.place.wrong(detail)
    }

    pub(super) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text of a scalar of any kind; of a null none.
    pub(super) fn text(self) -> Read<String> {
        match self.value {
            Value::Null => Ok(String::new()),
            Value::Scalar(text, _) => Ok(text),
            Value::List(_) | Value::Map(_) => Err(self.place.wrong("a text is wanted here")),
        }
    }

    /// `true` or `false`, also as YAML 1.1 writes them.
    pub(super) fn boolean(self) -> Read<bool> {
        let word = match &self.value {
            Value::Scalar(text, true) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.wrong("true or false is wanted here")),
        }
    }

    /// A number, 0 or more.
    pub(super) fn number(self) -> Read<u64> {
        let number = match &self.value {
            Value::Scalar(text, true) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.wrong("a number, 0 or more, is wanted here"))
    }

    /// The items of a list; of a null none.
    pub(super) fn list(self) -> Read<Vec<Node>> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::List(items) => Ok(items),
            _ => Err(self.place.wrong("a list is wanted here")),
        }
    }

    /// The texts of a list.
    pub(super) fn texts(self) -> Read<Vec<String>> {
        self.list()?.into_iter().map(Node::text).collect()
    }

    /// Keys and values of a map, each key once; of a null none.
    pub(super) fn entries(self) -> Read<Vec<(String, Place, Node)>> {
        let entries = match self.value {
            Value::Null => Vec::new(),
            Value::Map(entries) => entries,
            _ => return Err(self.place.wrong("fields with values are wanted here")),
        };
        let mut read: Vec<(String, Place, Node)> = Vec::with_capacity(entries.len());
        let mut known = std::collections::HashSet::new();
        for (key, value) in entries {
            let place = key.place;
            let name = key.text()?;
            if !known.insert(name.clone()) {
                return Err(place.wrong(format!("{name} stands twice")));
            }
            read.push((name, place, value));
        }
        Ok(read)
    }

    /// The fields of `of`, by name.
    pub(super) fn fields(self, of: &'static str) -> Read<Fields> {
        Ok(Fields {
            place: self.place,
            of,
            entries: self.entries()?,
        })
    }
}

impl Fields {
    /// Something wrong with these as a whole.
    pub(super) fn wrong(&self, detail: impl Into<String>) -> Wrong {
        self.place.wrong(detail)
    }

    /// Takes the field `name`; one that is null is as good as none.
    pub(super) fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.entries.iter().position(|entry| entry.0 == name)?;
        let (_, _, node) = self.entries.swap_remove(at);
        (!node.is_null()).then_some(node)
    }

    /// Takes the field `name` as `read` reads it.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Node) -> Read<T>,
    ) -> Read<Option<T>> {
        let Some(node) = self.take(name) else {
            return Ok(None);
        };
        let named = |wrong: Wrong| match wrong.detail.ends_with("wanted here") {
            true => wrong.place.wrong(format!("{name}: {}", wrong.detail)),
            false => wrong,
        };
        read(node).map(Some).map_err(named)
    }

    /// Refuses a field whose name `why` has something to say about, else the first one that nobody took.
    pub(super) fn end(mut self, why: impl Fn(&str) -> Option<String>) -> Read<()> {
        self.entries
            .sort_by_key(|(_, place, _)| (place.line, place.column));
        let Some((name, place, _)) = self.entries.first() else {
            return Ok(());
        };
        let detail =
            why(name).unwrap_or_else(|| format!("{name} is no field of {} that is known", self.of));
        Err(place.wrong(detail))
    }
}

#[cfg(test)]
mod tests;
