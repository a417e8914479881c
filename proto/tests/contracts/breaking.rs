//! What of a contract breaks readers of an earlier one.

use crate::contract::{Contract, Enum, Field, Message, Reserved};
use std::collections::{BTreeMap, BTreeSet};

/// Everything of `old` that `new` has not, or has otherwise, in words; what is merely new is none of it.
pub(crate) fn breaking(old: &Contract, new: &Contract) -> Vec<String> {
    let mut found = Vec::new();
    for (name, message) in &old.messages {
        match new.messages.get(name) {
            Some(other) => of_message(name, message, other, &mut found),
            None => found.push(format!("message {name} is gone")),
        }
    }
    for (name, each) in &old.enums {
        match new.enums.get(name) {
            Some(other) => of_enum(name, each, other, &mut found),
            None => found.push(format!("enum {name} is gone")),
        }
    }
    found
}

fn of_message(message: &str, old: &Message, new: &Message, found: &mut Vec<String>) {
    for (number, field) in &old.fields {
        let moved = || {
            new.fields
                .iter()
                .find(|(_, other)| other.name == field.name)
        };
        let name = format!("{message}.{}", field.name);
        match (new.fields.get(number), moved()) {
            (Some(other), _) => of_field(&name, *number, (field, other), found),
            (None, Some((other, _))) => {
                found.push(format!("{name} had the number {number} and has {other}"));
            }
            (None, None) => found.push(format!("{name} is gone")),
        }
    }
    let names = |fields: &BTreeMap<u32, Field>| -> BTreeMap<i64, BTreeSet<String>> {
        let pairs = fields.iter();
        let named = pairs.map(|(number, field)| (*number, BTreeSet::from([field.name.clone()])));
        named
            .map(|(number, names)| (number.into(), names))
            .collect()
    };
    of_reserved(
        message,
        (&old.reserved, &new.reserved),
        &names(&new.fields),
        found,
    );
}

fn of_field(name: &str, number: u32, (old, new): (&Field, &Field), found: &mut Vec<String>) {
    let none = String::new();
    let facts = [
        ("name", &old.name, &new.name),
        ("JSON name", &old.json, &new.json),
        ("type", &old.kind, &new.kind),
        ("label", &old.label, &new.label),
        (
            "oneof",
            old.oneof.as_ref().unwrap_or(&none),
            new.oneof.as_ref().unwrap_or(&none),
        ),
    ];
    for (fact, was, is) in facts.into_iter().filter(|(_, was, is)| was != is) {
        found.push(format!(
            "{name} = {number}: the {fact} was `{was}` and is `{is}`"
        ));
    }
}

fn of_enum(each: &str, old: &Enum, new: &Enum, found: &mut Vec<String>) {
    for (number, names) in &old.values {
        let is = new.values.get(number);
        for name in names {
            if is.is_none_or(|is| !is.contains(name)) {
                found.push(format!("{each}.{name} = {number} is gone"));
            }
        }
    }
    let values = new.values.iter();
    let values = values.map(|(number, names)| (i64::from(*number), names.clone()));
    of_reserved(
        each,
        (&old.reserved, &new.reserved),
        &values.collect(),
        found,
    );
}

/// `used` is what the new one has, by number.
fn of_reserved(
    owner: &str,
    (old, new): (&Reserved, &Reserved),
    used: &BTreeMap<i64, BTreeSet<String>>,
    found: &mut Vec<String>,
) {
    for (number, names) in used {
        if old.has((*number, *number)) {
            found.push(format!(
                "{owner}: the number {number} is reserved, and used again"
            ));
        }
        for name in names.intersection(&old.names) {
            found.push(format!(
                "{owner}: the name {name} is reserved, and used again"
            ));
        }
    }
    for (first, last) in old.numbers.iter().filter(|stretch| !new.has(**stretch)) {
        found.push(format!(
            "{owner}: {first} to {last} is not reserved any more"
        ));
    }
    for name in old.names.difference(&new.names) {
        found.push(format!("{owner}: the name {name} is not reserved any more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    const OLD: &str = r#"
        syntax = "proto3";
        package cairn.v1;
        message Made {
            string id = 1;
            uint64 rows = 2;
            repeated string names = 3;
            map<string, int64> sizes = 4;
            oneof place { string disk = 5; string bucket = 6; }
            State state = 7;
            reserved 9 to 11, 15;
            reserved "color";
            message Part { string path = 1; }
        }
        enum State { STATE_UNKNOWN = 0; STATE_NEW = 1; reserved 5; reserved "STATE_OLD"; }
    "#;

    /// What breaks when `from` in the old file becomes `to`.
    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(OLD.contains(from), "{from} is not there");
        let new: &'static str = OLD.replacen(from, to, 1).leak();
        breaking(&contract(OLD), &contract(new))
    }

    #[track_caller]
    fn breaks(from: &str, to: &str, expected: &[&str]) {
        assert_eq!(changed(from, to), expected, "{from} ▸ {to}");
    }

    #[test]
    fn what_grows_breaks_nobody() {
        breaks("id = 1;", "id = 1;", &[]);
        breaks("State state = 7;", "State state = 7; bool hot = 8;", &[]);
        breaks("9 to 11, 15;", "9, 10 to 11, 15, 20 to 30;", &[]);
        breaks("STATE_NEW = 1;", "STATE_NEW = 1; STATE_GONE = 2;", &[]);
        breaks("enum State", "message More {} enum State", &[]);
    }

    #[test]
    fn what_is_gone_is_found() {
        breaks("uint64 rows = 2;", "", &["cairn.v1.Made.rows is gone"]);
        // A reservation keeps others from it, but its readers have lost it all the same.
        let reserved = "reserved 2; reserved \"rows\";";
        breaks(
            "uint64 rows = 2;",
            reserved,
            &["cairn.v1.Made.rows is gone"],
        );
        let part = "message Part { string path = 1; }";
        breaks(part, "", &["message cairn.v1.Made.Part is gone"]);
        let value = "STATE_NEW = 1;";
        breaks(value, "", &["cairn.v1.State.STATE_NEW = 1 is gone"]);
        let both = changed("package cairn.v1;", "package cairn.v2;");
        let [made, part, state] = &both[..] else {
            panic!("{both:?}");
        };
        assert_eq!(made, "message cairn.v1.Made is gone");
        assert_eq!(part, "message cairn.v1.Made.Part is gone");
        assert_eq!(state, "enum cairn.v1.State is gone");
    }

    #[test]
    fn another_number_name_type_or_label_is_found() {
        breaks(
            "rows = 2;",
            "rows = 8;",
            &["cairn.v1.Made.rows had the number 2 and has 8"],
        );
        breaks(
            "rows = 2;",
            "lines = 2 [json_name = \"rows\"];",
            &["cairn.v1.Made.rows = 2: the name was `rows` and is `lines`"],
        );
        breaks(
            "rows = 2;",
            "rows = 2 [json_name = \"lines\"];",
            &["cairn.v1.Made.rows = 2: the JSON name was `rows` and is `lines`"],
        );
        breaks(
            "uint64 rows",
            "int64 rows",
            &["cairn.v1.Made.rows = 2: the type was `uint64` and is `int64`"],
        );
        breaks(
            "uint64 rows",
            "optional uint64 rows",
            &["cairn.v1.Made.rows = 2: the label was `singular` and is `optional`"],
        );
        breaks(
            "repeated string names",
            "string names",
            &["cairn.v1.Made.names = 3: the label was `repeated` and is `singular`"],
        );
        breaks(
            "map<string, int64> sizes",
            "map<string, string> sizes",
            &[
                "cairn.v1.Made.sizes = 4: the type was `map<string, int64>` and is `map<string, string>`",
            ],
        );
        breaks(
            "State state",
            "Part state",
            &["cairn.v1.Made.state = 7: the type was `cairn.v1.State` and is `cairn.v1.Made.Part`"],
        );
        breaks(
            "string bucket = 6; }",
            "} string bucket = 6;",
            &["cairn.v1.Made.bucket = 6: the oneof was `place` and is ``"],
        );
    }

    #[test]
    fn two_that_change_places_are_found() {
        let both = changed(
            "string disk = 5; string bucket = 6;",
            "string bucket = 5; string disk = 6;",
        );
        assert_eq!(both.len(), 4, "name and JSON name of each: {both:?}");
    }

    #[test]
    fn what_is_reserved_and_used_again_is_found() {
        let made = "cairn.v1.Made";
        breaks(
            "reserved 9 to 11, 15;",
            "reserved 9, 11, 15; bool hot = 10;",
            &[
                &format!("{made}: the number 10 is reserved, and used again"),
                &format!("{made}: 9 to 11 is not reserved any more"),
            ],
        );
        breaks(
            "reserved \"color\";",
            "string color = 8;",
            &[
                &format!("{made}: the name color is reserved, and used again"),
                &format!("{made}: the name color is not reserved any more"),
            ],
        );
        breaks(
            "9 to 11, 15;",
            "9 to 11;",
            &[&format!("{made}: 15 to 15 is not reserved any more")],
        );
        breaks(
            "reserved 5; reserved \"STATE_OLD\";",
            "STATE_OLD = 5;",
            &[
                "cairn.v1.State: the number 5 is reserved, and used again",
                "cairn.v1.State: the name STATE_OLD is reserved, and used again",
                "cairn.v1.State: 5 to 5 is not reserved any more",
                "cairn.v1.State: the name STATE_OLD is not reserved any more",
            ],
        );
    }
}
