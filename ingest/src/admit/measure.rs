//! The size of a map in canonical JSON: entries, longest key, longest value, in one pass without parsing it.

use memchr::memchr2;

/// What a map takes. Keys and values are measured as they stand in the JSON, keys without their quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Measure {
    pub(super) entries: usize,
    pub(super) longest_key_bytes: usize,
    pub(super) longest_value_bytes: usize,
}

/// Measures the entries of a map, not those of maps within it. `json` is canonical: no whitespace.
pub(super) fn map(json: &str) -> Measure {
    let bytes = json.as_bytes();
    let mut measure = Measure::default();
    let mut at = 1;
    while bytes.get(at) == Some(&b'"') {
        let key_end = string_end(bytes, at);
        let value = key_end + 1;
        let value_end = value_end(bytes, value);
        measure.entries += 1;
        measure.longest_key_bytes = measure.longest_key_bytes.max(key_end - at - 2);
        measure.longest_value_bytes = measure.longest_value_bytes.max(value_end - value);
        at = value_end + 1;
    }
    measure
}

/// The position after the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if bytes[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    unreachable!("canonical JSON closes its strings")
}

/// The position after the value that begins at `at`: that of the comma or brace that follows it.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    loop {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn maps() {
        let check = |json: &str, entries, key, value| {
            let expected = Measure {
                entries,
                longest_key_bytes: key,
                longest_value_bytes: value,
            };
            assert_eq!(map(json), expected, "{json}");
        };
        check("{}", 0, 0, 0);
        check(r#"{"a":1}"#, 1, 1, 1);
        check(r#"{"":"","ab":null}"#, 2, 2, 4);
        check(r#"{"a":{"longer":[1,2,{"x":"}"}]},"b":[]}"#, 2, 1, 26);
        check(r#"{"a\"b":"\\","c":"\"}"}"#, 2, 4, 5);
    }

    proptest! {
        /// The measure is that of what a JSON parser finds.
        #[test]
        fn any_map(map in prop::collection::btree_map(".{0,20}", ".{0,40}", 0..20)) {
            let json = serde_json::to_string(&map).unwrap();
            let quoted = |text: &String| serde_json::to_string(text).unwrap().len();
            let found = super::map(&json);
            prop_assert_eq!(found.entries, map.len());
            prop_assert_eq!(found.longest_key_bytes, map.keys().map(|k| quoted(k) - 2).max().unwrap_or(0));
            prop_assert_eq!(found.longest_value_bytes, map.values().map(quoted).max().unwrap_or(0));
        }
    }
}
