//! The stream that a log record belongs to: its resource and its level.
//!
//! Attributes of the resource are labels, their names in the characters that LogQL has, and `level` is the name of the
//! severity's range (OpenTelemetry logs data model, "Field: SeverityNumber"), as Loki's own OTLP endpoint has it in
//! `detected_level`.

use crate::translate;
use cairn_storage::attributes::{convert, decode};
use std::collections::HashMap;

/// The label with the level.
pub(super) const LEVEL: &str = "level";

/// The level of records that say nothing of it.
const UNKNOWN: &str = "unknown";

/// Levels, each with its first severity number; a range has four.
pub(super) const LEVELS: [(&str, i32); 6] = [
    ("trace", 1),
    ("debug", 5),
    ("info", 9),
    ("warn", 13),
    ("error", 17),
    ("fatal", 21),
];

/// Streams of a query, each made once.
#[derive(Debug, Default)]
pub(super) struct Streams {
    numbers: HashMap<(String, &'static str), usize>,
    streams: Vec<Stream>,
}

/// The labels of a stream, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) labels: Vec<(String, String)>,
}

impl Streams {
    /// The number of the stream of records of this resource (canonical JSON) and level.
    pub(super) fn number(&mut self, resource: &str, level: &'static str) -> usize {
        if let Some(number) = self.numbers.get(&(resource.to_owned(), level)) {
            return *number;
        }
        let number = self.streams.len();
        self.streams.push(Stream::new(resource, level));
        self.numbers.insert((resource.to_owned(), level), number);
        number
    }

    pub(super) fn get(&self, number: usize) -> &Stream {
        &self.streams[number]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }
}

/// The labels of streams as a pipeline takes them, each made when it is first asked for.
pub(super) struct Pairs<'s> {
    streams: &'s Streams,
    made: Vec<Option<Vec<(&'s str, &'s str)>>>,
}

impl<'s> Pairs<'s> {
    pub(super) fn of(streams: &'s Streams) -> Pairs<'s> {
        Pairs {
            streams,
            made: vec![None; streams.len()],
        }
    }

    pub(super) fn get(&mut self, number: usize) -> &[(&'s str, &'s str)] {
        let labels = &self.streams.get(number).labels;
        self.made[number].get_or_insert_with(|| pairs(labels))
    }
}

/// Labels as a pipeline takes them.
pub(super) fn pairs(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|label| (label.0.as_str(), label.1.as_str()))
        .collect()
}

/// Of each stream whether it is asked for, found out once.
#[derive(Debug, Default)]
pub(super) struct Chosen(Vec<Option<bool>>);

impl Chosen {
    pub(super) fn is(&mut self, number: usize, find_out: impl FnOnce() -> bool) -> bool {
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        *self.0[number].get_or_insert_with(find_out)
    }
}

impl Stream {
    fn new(resource: &str, level: &str) -> Stream {
        let mut labels = labels(resource);
        // What the sender calls so goes before what we derive.
        if labels.iter().all(|(name, _)| name != LEVEL) {
            labels.push((LEVEL.to_owned(), level.to_owned()));
        }
        labels.sort();
        Stream { labels }
    }
}

/// The entries of a map as labels: text, none of them empty; of keys that become one name the first.
pub(super) fn labels(json: &str) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for entry in decode::entries(json) {
        let Some(value) = convert::json_text(entry.value).filter(|value| !value.is_empty()) else {
            continue;
        };
        let key = entry.key();
        let name = translate::label(&key);
        if labels.iter().all(|(known, _)| *known != name) {
            labels.push((name.into_owned(), value.into_owned()));
        }
    }
    labels
}

/// The level of a record. The number decides; without one the text does.
pub(super) fn level(number: i32, text: &str) -> &'static str {
    let of_number = LEVELS.iter().rev().find(|(_, first)| number >= *first);
    if let (Some((name, _)), true) = (of_number, number <= 24) {
        return name;
    }
    let begins = |prefix: &str| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let spelled = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("dbg", "debug"),
        ("info", "info"),
        ("notice", "info"),
        ("warn", "warn"),
        ("err", "error"),
        ("crit", "fatal"),
        ("fatal", "fatal"),
        ("emerg", "fatal"),
        ("alert", "fatal"),
    ];
    spelled
        .iter()
        .find(|(prefix, _)| begins(prefix))
        .map_or(UNKNOWN, |(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::{Streams, level};

    #[test]
    fn a_stream_is_a_resource_and_a_level() {
        let mut streams = Streams::default();
        let resource = r#"{"k8s.pod.name":"p-1","service.name":"shop"}"#;
        let one = streams.number(resource, "info");
        let two = streams.number(resource, "error");
        assert_eq!(
            (one, two, streams.number(resource, "info"), streams.len()),
            (0, 1, 0, 2)
        );
        let labels: Vec<_> = streams
            .get(one)
            .labels
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        assert_eq!(
            labels,
            ["k8s_pod_name=p-1", "level=info", "service_name=shop"]
        );
    }

    #[test]
    fn levels_come_from_numbers_and_texts() {
        let check = |number, text, expected| assert_eq!(level(number, text), expected);
        check(17, "", "error");
        check(9, "ERROR", "info");
        check(0, "WARNING", "warn");
        check(0, "Critical", "fatal");
        check(25, "x", "unknown");
        check(0, "", "unknown");
    }
}
