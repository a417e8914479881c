//! What readers of a package stand on, taken from its descriptors and kept as JSON.

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Messages and enums by their full names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contract {
    pub(crate) messages: BTreeMap<String, Message>,
    pub(crate) enums: BTreeMap<String, Enum>,
}

/// Fields by their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) fields: BTreeMap<u32, Field>,
    pub(crate) reserved: Reserved,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The member of the JSON mapping.
    pub(crate) json: String,
    /// As it stands in a file: `uint64`, `cairn.v1.SegmentCommitted`, `map<string, int64>`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `singular`, `optional`, `repeated` or `required`.
    pub(crate) label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) oneof: Option<String>,
}

/// Names by their numbers; more than one where there are aliases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enum {
    pub(crate) values: BTreeMap<i32, BTreeSet<String>>,
    pub(crate) reserved: Reserved,
}

/// What was in use once and must not be again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reserved {
    /// First and last of each stretch; none touches another.
    pub(crate) numbers: Vec<(i64, i64)>,
    pub(crate) names: BTreeSet<String>,
}

impl Contract {
    /// What `package` holds, nested messages and enums too.
    pub(crate) fn of(pool: &DescriptorPool, package: &str) -> Contract {
        let messages = pool
            .all_messages()
            .filter(|message| message.package_name() == package && !message.is_map_entry());
        let enums = pool
            .all_enums()
            .filter(|each| each.package_name() == package);
        Contract {
            messages: messages
                .map(|message| (message.full_name().to_string(), Message::of(&message)))
                .collect(),
            enums: enums
                .map(|each| (each.full_name().to_string(), Enum::of(&each)))
                .collect(),
        }
    }
}

impl Message {
    fn of(message: &MessageDescriptor) -> Message {
        let fields = message.fields();
        let numbers = message.reserved_ranges();
        // Their ends are not in them.
        let numbers = numbers.map(|range| (i64::from(range.start), i64::from(range.end) - 1));
        Message {
            fields: fields
                .map(|field| (field.number(), Field::of(&field)))
                .collect(),
            reserved: Reserved::of(numbers, message.reserved_names()),
        }
    }
}

impl Field {
    fn of(field: &FieldDescriptor) -> Field {
        let oneof = field.containing_oneof();
        // A field with the label `optional` is alone in a oneof that nobody wrote.
        let is_optional = oneof.as_ref().is_some_and(|oneof| oneof.is_synthetic());
        let label = match field.cardinality() {
            Cardinality::Optional if is_optional => "optional",
            Cardinality::Optional => "singular",
            Cardinality::Required => "required",
            Cardinality::Repeated => "repeated",
        };
        Field {
            name: field.name().to_string(),
            json: field.json_name().to_string(),
            kind: kind(field),
            label: label.to_string(),
            oneof: oneof
                .filter(|oneof| !oneof.is_synthetic())
                .map(|oneof| oneof.name().to_string()),
        }
    }
}

fn kind(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let of = |number| entry.get_field(number).map(|field| kind(&field));
            let (key, value) = (of(1).unwrap_or_default(), of(2).unwrap_or_default());
            format!("map<{key}, {value}>")
        }
        Kind::Message(message) => message.full_name().to_string(),
        Kind::Enum(each) => each.full_name().to_string(),
        // `Uint64` is `uint64`.
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

impl Enum {
    fn of(each: &EnumDescriptor) -> Enum {
        let mut values: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
        for value in each.values() {
            let names = values.entry(value.number()).or_default();
            names.insert(value.name().to_string());
        }
        let numbers = each.reserved_ranges();
        let numbers = numbers.map(|range| (i64::from(*range.start()), i64::from(*range.end())));
        Enum {
            values,
            reserved: Reserved::of(numbers, each.reserved_names()),
        }
    }
}

impl Reserved {
    fn of<'a>(
        numbers: impl Iterator<Item = (i64, i64)>,
        names: impl Iterator<Item = &'a str>,
    ) -> Reserved {
        let mut stretches: Vec<(i64, i64)> = numbers.collect();
        stretches.sort_unstable();
        let mut numbers: Vec<(i64, i64)> = Vec::new();
        for (first, last) in stretches {
            match numbers.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => numbers.push((first, last)),
            }
        }
        Reserved {
            numbers,
            names: names.map(str::to_string).collect(),
        }
    }

    /// Whether all of a stretch is reserved.
    pub(crate) fn has(&self, (first, last): (i64, i64)) -> bool {
        let mut stretches = self.numbers.iter();
        stretches.any(|(from, to)| *from <= first && last <= *to)
    }
}
