//! Where words begin and end, what folds to the same, and that the tables behind it are those of the rules' number.

use super::*;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

fn cut(text: &str) -> Vec<String> {
    let mut units = Vec::new();
    scan(text, &mut Vec::new(), |unit, at| {
        assert!(text.get(at).is_some_and(|part| !part.is_empty()));
        units.push(match unit {
            Unit::Word(word) => String::from_utf8(word.to_vec()).expect("folded text is text"),
            Unit::Char { char, after: None } => format!("<{char}>"),
            Unit::Char {
                char,
                after: Some(after),
            } => format!("<{after}{char}>"),
        });
    });
    units
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(cut(text), expected, "{text:?}");
}

#[test]
fn texts_are_cut_into_words() {
    check("", &[]);
    check(" -- ", &[]);
    check("GET /api/v1?q=Term", &["get", "api", "v1", "q", "term"]);
    check("order_items.id", &["order_items", "id"]);
    check("a\u{0}b\nc", &["a", "b", "c"]);
    check("Ärger über ÉTÉ", &["ärger", "über", "été"]);
    check("cafe\u{301} x", &["cafe\u{301}", "x"]);
    check("Straße STRASSE ẞ", &["strasse", "strasse", "ss"]);
    check("ΣΊΣΥΦΟΣ σίσυφος", &["σίσυφοσ", "σίσυφοσ"]);
    check("Привет, мир!", &["привет", "мир"]);
    check("हिन्दी भाषा", &["हिन्दी", "भाषा"]);
    check("한국어 검색", &["한국어", "검색"]);
    check("x² → ½y", &["x", "y"]);
    check("ok👍ok", &["ok", "ok"]);
}

#[test]
fn scripts_without_spaces_are_cut_into_characters() {
    check("日本語", &["<日>", "<日本>", "<本語>"]);
    check("日 本", &["<日>", "<本>"]);
    check("v2日本v3", &["v2", "<日>", "<日本>", "v3"]);
    check("ไทย", &["<ไ>", "<ไท>", "<ทย>"]);
    check("日é本", &["<日>", "é", "<本>"]);
}

/// Characters of which a search without regard to case takes each for the other.
fn same(char: char) -> Vec<char> {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(char, char)]);
    class.try_case_fold_simple().expect("the tables are there");
    let ranges = class.iter();
    ranges
        .flat_map(|range| range.start()..=range.end())
        .collect()
}

#[test]
fn what_a_search_takes_for_equal_folds_to_the_same() {
    for char in '\0'..=char::MAX {
        let folded: String = fold(char).collect();
        if char.is_ascii() && class(char) == Class::Word {
            assert_eq!(folded, char.to_ascii_lowercase().to_string());
        }
        for other in same(char) {
            assert_eq!(
                fold(other).collect::<String>(),
                folded,
                "{char} and {other}"
            );
            assert_eq!(class(other), class(char), "{char} and {other}");
        }
    }
}

#[test]
fn blocks_of_scripts_are_in_order() {
    assert!(SINGLES.iter().all(|(first, last)| first <= last));
    assert!(SINGLES.windows(2).all(|pair| pair[0].1 < pair[1].0));
}

/// When this fails, a table of Unicode has changed below us: give [`RULES`] the next number and this test the new sum. Segments
/// that were indexed by the old rules are then read without looking words up, until they are merged.
#[test]
fn the_tables_are_those_of_the_rules() {
    let mut sum = 0;
    for char in '\0'..=char::MAX {
        let class = [class(char) as u8];
        let folded: String = fold(char).collect();
        sum = crc32c::crc32c_append(sum, &class);
        sum = crc32c::crc32c_append(sum, folded.as_bytes());
    }
    assert_eq!((RULES, sum), (1, 0x89cc_998f), "{sum:#x}");
}

#[test]
fn phrases_are_found_whole() {
    let check = |phrase: &str, text: &str, expected: bool| {
        let found = Phrase::of(phrase).is_in(text, &mut Vec::new());
        assert_eq!(found, expected, "{phrase:?} in {text:?}");
    };
    check(
        "Connection refused",
        "dial tcp: connection REFUSED (os error 111)",
        true,
    );
    check("connection refused", "connection was refused", false);
    check("a a b", "a a a b", true);
    check("word", "swordfish", false);
    check("word", "a word.", true);
    check("order-id", "order id 7", true);
    check("日本", "これは日本語", true);
    check("日本", "日 本", false);
    check("日", "本日は", true);
    check("id 日", "id:日", true);
    check("", "anything", true);
    check("x", "", false);
}

#[test]
fn the_last_word_of_a_beginning_may_go_on() {
    let check = |beginning: &str, text: &str, expected: bool| {
        let found = Phrase::beginning(beginning).is_in(text, &mut Vec::new());
        assert_eq!(found, expected, "{beginning:?} in {text:?}");
    };
    check("sword", "A Swordfish", true);
    check("fish", "swordfish", false);
    check("connection ref", "dial: connection REFUSED", true);
    check("connect ref", "connection refused", false);
    check("a a b", "a a a bc", true);
    check("foo-", "foobar", false);
    check("foo-", "foo bar", true);
    check("日本", "日本語", true);
    check("x 日", "x:日本", true);
}
