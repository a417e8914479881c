//! Properties of canonical JSON: it round-trips, stays in order, and converts the same typed and as text.

use super::{convert::*, decode::*, encode, merge::merge};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A value as a decoder meets it.
#[derive(Debug, Clone)]
enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Bits(u64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c.]{1,3}",
        1 => "\\$[a-z$]{0,8}",
        1 => Just("$double".to_string()),
        1 => any::<String>(),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Int),
        any::<u64>().prop_map(Tree::Bits),
        any::<f64>().prop_map(|d| Tree::Bits(d.to_bits())),
        prop_oneof![any::<String>(), "[0-9+.eE-]{0,6}", "[\\x00-\\x7f]{0,30}"].prop_map(Tree::Text),
        any::<Vec<u8>>().prop_map(Tree::Bytes),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            prop::collection::vec((key(), inner), 0..5).prop_map(Tree::Map),
        ]
    })
}

fn write(out: &mut Vec<u8>, tree: &Tree) {
    match tree {
        Tree::Null => encode::null(out),
        Tree::Bool(value) => encode::boolean(out, *value),
        Tree::Int(value) => encode::int(out, *value),
        Tree::Bits(bits) => encode::double(out, f64::from_bits(*bits)),
        Tree::Text(value) => encode::text(out, value),
        Tree::Bytes(value) => encode::bytes(out, value),
        Tree::Array(values) => {
            out.push(b'[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(out, value);
            }
            out.push(b']');
        }
        Tree::Map(entries) => {
            let mut entries = entries.clone();
            encode::sort_unique(&mut entries);
            out.push(b'{');
            for (i, (name, value)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                encode::nested_key(out, name);
                write(out, value);
            }
            out.push(b'}');
        }
    }
}

fn object(entries: &[(String, Tree)]) -> String {
    let mut out = Vec::new();
    let mut entries = entries.to_vec();
    encode::object(&mut out, &mut entries, write);
    String::from_utf8(out).expect("UTF-8")
}

fn json(tree: &Tree) -> String {
    let mut out = Vec::new();
    write(&mut out, tree);
    String::from_utf8(out).expect("UTF-8")
}

proptest! {
    #[test]
    fn objects_round_trip(given in prop::collection::vec((key(), tree()), 0..12), absent in key()) {
        let text = object(&given);
        prop_assert!(is_canonical(&text), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&text).expect("canonical JSON is JSON");
        let expected: BTreeMap<String, Tree> = given.into_iter().collect();
        prop_assert_eq!(parsed.as_object().map(|o| o.len()), Some(expected.len()));
        let found: Vec<(String, &str)> =
            entries(&text).map(|e| (e.key().into_owned(), e.value)).collect();
        prop_assert!(found.windows(2).all(|w| w[0].0.as_bytes() < w[1].0.as_bytes()));
        prop_assert_eq!(found.len(), expected.len());
        for (name, tree) in &expected {
            let expected = json(tree);
            prop_assert_eq!(find(&text, name), Some(expected.as_str()));
        }
        prop_assert_eq!(find(&text, &absent).is_some(), expected.contains_key(&absent));
    }

    #[test]
    fn conversions_agree_with_the_typed_value(tree in tree()) {
        let text = json(&tree);
        let value = Value::parse(&text).expect("canonical");
        let (as_text, number, int) = match &tree {
            Tree::Null => (None, None, None),
            Tree::Bool(value) => (Some(value.to_string()), None, None),
            Tree::Int(value) => (Some(value.to_string()), Some(*value as f64), Some(*value)),
            Tree::Bits(bits) => {
                (Some(double_text(f64::from_bits(*bits))), Some(f64::from_bits(*bits)), None)
            }
            Tree::Text(value) => (Some(value.clone()), text_number(value), value.parse().ok()),
            Tree::Bytes(value) => {
                let base64 = value_base64(value);
                let decoded = bytes(&base64);
                prop_assert_eq!(decoded.as_ref(), Some(value));
                (Some(base64), None, None)
            }
            Tree::Array(_) | Tree::Map(_) => (Some(text.clone()), None, None),
        };
        prop_assert_eq!(value.number().map(f64::to_bits), number.map(f64::to_bits));
        prop_assert_eq!(value.int(), int);
        prop_assert_eq!(json_number(&text).map(f64::to_bits), number.map(f64::to_bits));
        prop_assert_eq!(json_int(&text), int);
        prop_assert_eq!(json_text(&text).map(|t| t.into_owned()), as_text.clone());
        let mut again = Vec::new();
        value.write(&mut again);
        prop_assert_eq!(again, text.as_bytes());
        prop_assert_eq!(value.text().map(|t| t.into_owned()), as_text);
    }

    #[test]
    fn merging_gives_the_object_back(
        given in prop::collection::vec((key(), tree(), any::<bool>()), 0..12),
    ) {
        let all: Vec<(String, Tree)> = given.iter().map(|(k, t, _)| (k.clone(), t.clone())).collect();
        let whole = object(&all);
        let promotable: BTreeMap<&str, bool> = given.iter().map(|(k, _, p)| (k.as_str(), *p)).collect();
        let mut overflow = Vec::new();
        let mut promoted = Vec::new();
        for entry in entries(&whole) {
            let value = Value::parse(entry.value).expect("canonical");
            if promotable[&*entry.key()] && value.kind().is_some() {
                promoted.push((entry.key().into_owned(), value));
            } else {
                overflow.push((entry.key().into_owned(), entry.value));
            }
        }
        let mut rest = Vec::new();
        encode::object(&mut rest, &mut overflow, |out, v| out.extend_from_slice(v.as_bytes()));
        let rest = String::from_utf8(rest).expect("UTF-8");
        let mut merged = Vec::new();
        merge(&mut merged, &rest, promoted.iter().map(|(k, v)| (k.as_str(), v.clone())));
        prop_assert_eq!(String::from_utf8(merged).expect("UTF-8"), whole);
    }

    #[test]
    fn reading_never_panics(text in prop_oneof![any::<String>(), "[\\[\\]{}\":,\\\\a1$]{0,40}"]) {
        let _ = entries(&text).map(|e| e.key().len() + e.value.len()).sum::<usize>();
        let _ = elements(&text).count();
        let _ = (find(&text, "a"), string(&text), is_canonical(&text));
        let _ = (json_text(&text), json_number(&text), json_int(&text));
    }
}

fn value_base64(value: &[u8]) -> String {
    let tagged = json(&Tree::Bytes(value.to_vec()));
    tagged["{\"$bytes\":\"".len()..tagged.len() - 2].to_string()
}

#[test]
fn text_of_every_kind() {
    let check = |tree: Tree, expected: &str| assert_eq!(json(&tree), expected);
    check(
        Tree::Text("a\"\\\u{8}\u{c}\n\r\t\u{1}é\u{7f}".into()),
        "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001é\u{7f}\"",
    );
    check(Tree::Int(i64::MIN), "-9223372036854775808");
    check(Tree::Bits(1.0_f64.to_bits()), "1.0");
    check(Tree::Bits((-0.0_f64).to_bits()), "-0.0");
    check(Tree::Bits(1e300_f64.to_bits()), "1e300");
    check(
        Tree::Bits(f64::INFINITY.to_bits()),
        r#"{"$double":"Infinity"}"#,
    );
    check(
        Tree::Bits(f64::NEG_INFINITY.to_bits()),
        r#"{"$double":"-Infinity"}"#,
    );
    check(Tree::Bits(0x7ff8_0000_0000_0000), r#"{"$double":"NaN"}"#);
    check(
        Tree::Bits(0xfff8_0000_0000_0001),
        r#"{"$double":"0xfff8000000000001"}"#,
    );
    check(Tree::Bytes(vec![0, 1, 2, 3]), r#"{"$bytes":"AAECAw=="}"#);
    check(
        Tree::Map(vec![
            ("$x".into(), Tree::Null),
            ("$double".into(), Tree::Int(1)),
        ]),
        r#"{"$$double":1,"$$x":null}"#,
    );
    assert_eq!(
        object(&[("$x".into(), Tree::Int(1)), ("$x".into(), Tree::Int(2))]),
        r#"{"$x":2}"#
    );
    assert_eq!(object(&[]), "{}");
}

#[test]
fn only_decimal_text_is_a_number() {
    let number = |text: &str| text_number(text);
    for (text, expected) in [
        ("1", 1.0),
        ("-1.5", -1.5),
        ("+.5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
    ] {
        assert_eq!(number(text), Some(expected), "{text}");
    }
    for text in [
        "", " 1", "1 ", "inf", "NaN", "infinity", "0x10", "1_000", ".", "e5", "1e", "--1", "١",
    ] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!(text_int("9223372036854775807"), Some(i64::MAX));
    assert_eq!(text_int("9223372036854775808"), None);
    assert_eq!(text_int("1.0"), None);
}

#[test]
fn what_is_not_canonical_is_told() {
    for text in [
        "",
        "1",
        "[]",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        "{ \"a\":1}",
        "{\"a\":1.50}",
        "{\"a\":\"\\/\"}",
        "{\"a\":{\"$x\":1}}",
        "{\"a\":1}x",
        "{\"a\":1",
        "{\"a\":[1,]}",
        "{\"a\":truer}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":{\"$bytes\":\"A\",\"b\":1}}",
    ] {
        assert!(!is_canonical(text), "{text}");
    }
    assert!(is_canonical("{}"));
    assert!(is_canonical(
        "{\"$a\":[{\"$$b\":null},1,1.0,{\"$double\":\"NaN\"}]}"
    ));
}
