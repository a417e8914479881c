//! What hints say, and that they never lose a line.

use super::{Needle, hints};
use crate::{Entry, Expr, Pipeline, TimeRange, Times, parse, parse_log};
use proptest::prelude::*;

/// The lists of needles of a query; `~` stands before those that ignore the case.
fn lines(stages: &str) -> String {
    let expr =
        parse(&format!("{{a=\"b\"}} {stages}")).unwrap_or_else(|error| panic!("{stages}: {error}"));
    let found = hints(&expr, &Times::at(0)).remove(0);
    let needle = |needle: &Needle| match needle.ignores_case {
        true => format!("~{}", needle.text),
        false => needle.text.clone(),
    };
    let list = |list: &Vec<Needle>| list.iter().map(needle).collect::<Vec<_>>().join("|");
    found.lines.iter().map(list).collect::<Vec<_>>().join(" & ")
}

#[test]
fn what_lines_contain_is_known() {
    for (stages, expected) in [
        ("", ""),
        ("|= \"abc\" |= \"def\"", "abc & def"),
        ("|= \"\"", ""),
        ("|= \"a\" or \"b\"", "a|b"),
        ("|= \"a\" or \"\"", ""),
        ("|= \"a\" or ip(\"1.1.1.1\")", ""),
        ("|= ip(\"1.1.1.1\")", ""),
        ("!= \"abc\" !~ \"def\" !> \"g<_>\"", ""),
        ("|~ \"abc.*def\"", "abc & def"),
        ("|~ \"^abc$\"", "abc"),
        ("|~ \"abc|defg\"", "abc|defg"),
        ("|~ \"x(abc|def)+y\"", "x & abc|def & y"),
        ("|~ \"ab?c\"", "a & c"),
        ("|~ \"a{0,2}b{2}\"", "b"),
        ("|~ \".*\"", ""),
        ("|~ \"[0-9]+\"", ""),
        ("|~ \"(?i)Error\"", "~error"),
        ("|~ \"(?i)timeout\"", "~timeout"),
        ("|~ \"(?i)task\"", "~ta"),
        ("|~ \"abc\" or \"x.*yz\"", "abc|yz"),
        ("|~ \"abc\" or \".\"", ""),
        ("|> \"<_>abc<_>de\"", "abc & de"),
        ("| json |= \"a\" | level=\"x\" |= \"b\"", "a & b"),
        ("|= \"a\" | line_format \"{{.x}}\" |= \"b\"", "a"),
        ("|= \"a\" | unpack |= \"b\"", "a"),
        ("|= \"a\" | decolorize |= \"b\"", "a"),
    ] {
        assert_eq!(lines(stages), expected, "{stages}");
    }
}

#[test]
fn the_time_covers_ranges_and_offsets() {
    let times = Times::range(10_000_000_000, 20_000_000_000, 1_000_000_000).expect("sound");
    let of = |query: &str| {
        hints(&parse(query).expect(query), &times)
            .iter()
            .map(|hint| hint.times)
            .collect::<Vec<_>>()
    };
    let range = |start, end| TimeRange { start, end };
    assert_eq!(of("{a=\"b\"}"), [range(10_000_000_000, 20_000_000_000)]);
    assert_eq!(
        of("rate({a=\"b\"}[5s])"),
        [range(5_000_000_001, 20_000_000_001)]
    );
    assert_eq!(
        of("rate({a=\"b\"}[5s] offset 2s) / sum(rate({a=\"c\"}[1s] offset -1s)) + vector(1)"),
        [
            range(3_000_000_001, 18_000_000_001),
            range(10_000_000_001, 21_000_000_001)
        ]
    );
    assert_eq!(of("vector(1)"), []);
}

fn filter() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-cK ]{0,3}".prop_map(|text| format!("|= \"{text}\"")),
        ("[a-c]{1,2}", "[a-cK]{0,2}")
            .prop_map(|(left, right)| format!("|= \"{left}\" or \"{right}\"")),
        "[a-c]{1,2}".prop_map(|text| format!("!= \"{text}\"")),
    ];
    let regex = prop_oneof![
        "(\\(\\?i\\))?[a-ck.]{0,3}(\\(ab\\|c\\)[+*?]?)?[abk]{0,2}(\\[ab\\]|b\\{1,2\\}|a\\?|\\^|\\$|\\|b)?[a-c]?",
        "[a-cksé.]{0,3}(\\(\\?i:[a-cksé]{1,3}\\))?[a-c.*]{0,2}",
    ]
    .prop_map(|text| format!("|~ `{text}`"));
    let pattern = "(<_>)?[a-c]{1,2}(<_>[abc]{1,2})?(<_>)?".prop_map(|text| format!("|> `{text}`"));
    let other = prop::sample::select(vec![
        "| logfmt",
        "| decolorize",
        "| line_format \"abc{{__line__}}\"",
        "| a=\"\"",
    ]);
    prop_oneof![3 => text, 4 => regex, 2 => pattern, 1 => other.prop_map(str::to_string)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn no_line_is_lost(
        filters in prop::collection::vec(filter(), 1..3),
        lines in prop::collection::vec("[a-cABCkK\u{212a}sS\u{17f}éÉ ]{0,7}", 1..6),
    ) {
        let query = format!("{{a=\"b\"}} {}", filters.join(" "));
        if let Ok(log) = parse_log(&query) {
            let found = hints(&Expr::Log(log.clone()), &Times::at(0)).remove(0);
            let mut pipeline = Pipeline::new(&log, 0).expect("what was parsed compiles");
            for line in &lines {
                let entry = Entry { timestamp: 0, line, stream: &[("a", "b")], metadata: &[] };
                if pipeline.process(&entry).is_some() {
                    let is_kept = found.lines.iter().all(|list| list.iter().any(|needle| needle.is_in(line)));
                    prop_assert!(is_kept, "{} loses {:?} by {:?}", query, line, found.lines);
                }
            }
        }
    }
}
