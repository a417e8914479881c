//! What patterns demand, and that every text that matches has it.

use super::*;
use crate::text::{
    regex,
    token::{Scratch, Token, of_text},
};
use proptest::prelude::*;
use std::collections::HashSet;

const SUBJECT: Subject = Subject::BodyWords;

fn tokens(text: &str) -> HashSet<Token> {
    let mut tokens = HashSet::new();
    of_text(SUBJECT, text, &mut Scratch::default(), |token| {
        tokens.insert(token);
    });
    tokens
}

fn holds(demand: &Demand, tokens: &HashSet<Token>) -> bool {
    match demand {
        Demand::Token(token) => tokens.contains(token),
        Demand::All(all) => all.iter().all(|part| holds(part, tokens)),
        Demand::Any(any) => any.iter().any(|part| holds(part, tokens)),
    }
}

/// The words that a demand asks for, `text` having all that are expected.
fn check(demand: &Demand, expected: &[&str]) {
    let expected: HashSet<Token> = expected.iter().flat_map(|word| tokens(word)).collect();
    let mut asked = Vec::new();
    demand.tokens(&mut asked);
    assert_eq!(asked.into_iter().collect::<HashSet<_>>(), expected);
}

#[test]
fn only_bounded_words_are_asked_for() {
    check(&like(SUBJECT, "%word%"), &[]);
    check(&like(SUBJECT, "% word %"), &["word"]);
    check(&like(SUBJECT, "word %"), &["word"]);
    check(&like(SUBJECT, "% Word"), &["word"]);
    check(&like(SUBJECT, "%order 4242 of user%"), &["4242", "of"]);
    check(&like(SUBJECT, "a_b c"), &["c"]);
    check(&like(SUBJECT, r"%=a\_b;%"), &["a_b"]);
    check(&like(SUBJECT, r"%=100\%;x"), &["100", "x"]);
    check(&like(SUBJECT, "%日本語%"), &["日本語"]);
    check(&like(SUBJECT, "%日%"), &[]);
    check(&equal(SUBJECT, "GET /health"), &["get", "health"]);
    check(&contains(SUBJECT, "GET /health"), &[]);
    check(&contains(SUBJECT, "=GET /health"), &["get"]);
    check(&starts_with(SUBJECT, "GET /health"), &["get"]);
    check(&ends_with(SUBJECT, "GET /health"), &["health"]);
}

#[test]
fn long_random_words_are_not_asked_for() {
    let kept = "0123456789abcdef".repeat(2);
    check(&equal(SUBJECT, &kept), &[&kept]);
    assert!(equal(SUBJECT, &format!("{kept}0")).is_nothing());
    assert!(!equal(SUBJECT, &"a".repeat(64)).is_nothing());
    assert!(equal(SUBJECT, &"a".repeat(65)).is_nothing());
    assert!(like(SUBJECT, &"x ".repeat(PATTERN_BYTES)).is_nothing());
}

#[test]
fn expressions_are_written_out() {
    let of = |expression| regex::demand(SUBJECT, expression, false);
    check(&of("word"), &[]);
    check(&of(r"\bword\b"), &["word"]);
    check(&of(r"(?i)\bWORD\b"), &["word"]);
    check(&regex::demand(SUBJECT, r"\bWord\b", true), &["word"]);
    check(&of(r"^GET\s+/health"), &["get"]);
    check(&of(r"level=(error|warn) "), &["error", "warn"]);
    check(&of(r" (error|warn|) "), &[]);
    check(&of(r"took [0-9]+ ms$"), &["ms"]);
    check(&of(r" exec-[12] "), &["exec", "1", "2"]);
    check(&of(r" a{3} "), &["aaa"]);
    check(&of(r" (a b )+c "), &["a", "b", "c"]);
    check(&of(r" a?b "), &["ab", "b"]);
    check(&of(r"(?-u:\b)word(?-u:\b)"), &[]);
    check(&of(r"a (b|.*) c d"), &["b", "c"]);
    check(&of(r"\w+"), &[]);
    check(&of("("), &[]);
    assert!(matches!(of(r"level=(error|warn) "), Demand::Any(any) if any.len() == 2));
    // Too much to write out.
    let many = r" [ab][ab][ab][ab][ab][ab][ab] word ";
    check(&of(many), &["word"]);
}

/// Pieces whose neighbours decide what is a word.
const PIECES: [&str; 24] = [
    "foo", "Foo", "sword", "fish", " ", " ", "_", "-", ".", "日", "本", "語", "ß", "SS", "ſ", "s",
    "\u{212a}", "k", "é", "e\u{301}", "²", "\n", "9", "ไ",
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12).prop_map(|parts| parts.concat())
}

fn like_pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.replace('_', r"\_")),
        2 => Just("%".to_string()),
        1 => Just("_".to_string()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
}

/// The expression that `LIKE` means.
fn expression_of(pattern: &str, ignore_case: bool) -> ::regex::Regex {
    let mut expression = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            '\\' => {
                expression.push_str(&::regex::escape(&chars.next().unwrap_or('\\').to_string()))
            }
            char => expression.push_str(&::regex::escape(&char.to_string())),
        }
    }
    let mut builder = ::regex::RegexBuilder::new(&format!("^{expression}$"));
    builder
        .dot_matches_new_line(true)
        .case_insensitive(ignore_case);
    builder.build().expect("an expression")
}

/// Parts of expressions that stand for more than one text, or for none.
const SPECIAL: [&str; 23] = [
    r"\b",
    r"\B",
    r"\s",
    r"\s*",
    r"\S",
    r"\w",
    r"\W",
    r"\d+",
    ".",
    ".*",
    "^",
    "$",
    "[fs]",
    "[^f]",
    "[ -]",
    r"\b{start}",
    r"\b{end}",
    r"\b{start-half}",
    r"\b{end-half}",
    r"(?-u:\b)",
    "(?i:foo)",
    "(?m:^)",
    "(?m:$)",
];

fn expression() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&PIECES[..]).prop_map(::regex::escape);
    let leaf =
        prop_oneof![3 => piece, 2 => prop::sample::select(&SPECIAL[..]).prop_map(String::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        let repeated = prop::sample::select(&["?", "*", "+", "{2}", "{1,3}", "{0,2}"][..]);
        prop_oneof![
            4 => parts.clone().prop_map(|parts| parts.concat()),
            2 => parts.prop_map(|parts| format!("({})", parts.join("|"))),
            1 => (inner, repeated).prop_map(|(part, times)| format!("({part}){times}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn like_never_loses_a_text(texts in prop::collection::vec(text(), 1..20), pattern in like_pattern()) {
        let demand = like(SUBJECT, &pattern);
        for ignore_case in [false, true] {
            let expression = expression_of(&pattern, ignore_case);
            for text in texts.iter().filter(|text| expression.is_match(text)) {
                prop_assert!(holds(&demand, &tokens(text)), "{text:?} LIKE {pattern:?}");
            }
        }
    }

    #[test]
    fn parts_never_lose_a_text(text in text(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (a, b) = (places[from.index(places.len())], places[to.index(places.len())]);
        let (a, b) = (a.min(b), a.max(b));
        let all = tokens(&text);
        prop_assert!(holds(&contains(SUBJECT, &text[a..b]), &all));
        prop_assert!(holds(&starts_with(SUBJECT, &text[..b]), &all));
        prop_assert!(holds(&ends_with(SUBJECT, &text[a..]), &all));
        prop_assert!(holds(&equal(SUBJECT, &text), &all));
    }

    #[test]
    fn expressions_never_lose_a_text(texts in prop::collection::vec(text(), 1..20), expression in expression()) {
        for ignore_case in [false, true] {
            let built = ::regex::RegexBuilder::new(&expression).case_insensitive(ignore_case).build();
            let Ok(built) = built else { continue };
            let demand = regex::demand(SUBJECT, &expression, ignore_case);
            for text in texts.iter().filter(|text| built.is_match(text)) {
                prop_assert!(holds(&demand, &tokens(text)), "{text:?} ~ {expression:?}");
            }
        }
    }

    #[test]
    fn beginnings_never_lose_a_text(text in text(), other in text(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (a, b) = (places[from.index(places.len())], places[to.index(places.len())]);
        for beginning in [&text[a.min(b)..a.max(b)], &other] {
            let phrase = crate::text::words::Phrase::beginning(beginning);
            if phrase.is_in(&text, &mut Vec::new()) {
                prop_assert!(holds(&Demand::beginning(SUBJECT, beginning), &tokens(&text)), "{beginning:?} in {text:?}");
            }
        }
    }

    #[test]
    fn phrases_never_lose_a_text(text in text(), phrase in text()) {
        let found = crate::text::words::Phrase::of(&phrase).is_in(&text, &mut Vec::new());
        let demand = Demand::words(SUBJECT, &phrase);
        prop_assert!(!found || holds(&demand, &tokens(&text)), "{phrase:?} in {text:?}");
    }
}
