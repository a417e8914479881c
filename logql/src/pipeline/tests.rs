//! Stages: what each makes of a line and its labels.

use super::{Category, Entry, Needs, Pipeline};
use crate::{Labels, parse_log};
use proptest::prelude::*;

const STREAM: [(&str, &str); 2] = [("app", "x"), ("env", "prod")];
const METADATA: [(&str, &str); 2] = [("trace", "t1"), ("env", "meta")];

/// The line and the labels that the entry did not have, or "dropped".
fn run(stages: &str, line: &str) -> String {
    let log = parse_log(&format!("{{app=\"x\"}} {stages}"))
        .unwrap_or_else(|error| panic!("{stages}: {error}"));
    let mut pipeline = Pipeline::new(&log, 0).expect("what was parsed compiles");
    let entry = Entry {
        timestamp: 1_696_516_200_000_000_000,
        line,
        stream: &STREAM,
        metadata: &METADATA,
    };
    let Some(processed) = pipeline.process(&entry) else {
        return "dropped".to_string();
    };
    let labels = processed.labels.to_labels();
    let base = [
        ("app", "x"),
        ("env", "prod"),
        ("trace", "t1"),
        ("env_extracted", "meta"),
    ];
    let changed = labels.iter().filter(|pair| !base.contains(pair));
    let mut text: String = changed
        .map(|(name, value)| format!("{name}={value} "))
        .collect();
    for (name, _) in base.iter().filter(|(name, _)| labels.get(name).is_none()) {
        text.push_str(&format!("-{name} "));
    }
    format!("{} | {}", processed.line, text.trim_end())
}

fn check(cases: &[(&str, &str, &str)]) {
    for (stages, line, expected) in cases {
        assert_eq!(run(stages, line), *expected, "{stages} on {line}");
    }
}

#[test]
fn line_filters() {
    check(&[
        ("", "a", "a | "),
        ("|= \"b\"", "abc", "abc | "),
        ("|= \"B\"", "abc", "dropped"),
        ("|= \"\"", "abc", "abc | "),
        ("!= \"\"", "abc", "dropped"),
        ("!= \"b\"", "abc", "dropped"),
        ("!= \"x\" != \"y\"", "abc", "abc | "),
        ("|= \"x\" or \"b\"", "abc", "abc | "),
        ("|= \"x\" or \"y\"", "abc", "dropped"),
        ("!= \"x\" or \"b\"", "abc", "dropped"),
        ("|~ \"a.c\"", "abc", "abc | "),
        ("|~ \"(?i)ABC\"", "abc", "abc | "),
        ("!~ \"^b\"", "abc", "abc | "),
        ("|~ \"x\" or \"^a\"", "abc", "abc | "),
        ("|> \"<_>b<_>\"", "abc", "abc | "),
        ("!> \"<_>b<_>\"", "abc", "dropped"),
        ("|= ip(\"10.0.0.0/8\")", "from 10.1.2.3", "from 10.1.2.3 | "),
        ("!= ip(\"10.0.0.0/8\")", "from 10.1.2.3", "dropped"),
        (
            "|= \"a\" | json | line_format \"{{.a}}\" |= \"1\"",
            "{\"a\":1}",
            "1 | a=1",
        ),
        (
            "|= \"a\" | json | line_format \"{{.a}}\" |= \"a\"",
            "{\"a\":1}",
            "dropped",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn json() {
    check(&[
        (
            "| json",
            r#"{"a":"b","n":1.50,"t":true,"z":null,"l":[1],"o":{"p":{"q":"r"}}}"#,
            r#"{"a":"b","n":1.50,"t":true,"z":null,"l":[1],"o":{"p":{"q":"r"}}} | a=b n=1.50 o_p_q=r t=true"#,
        ),
        (
            "| json | line_format \"\"",
            r#"{"app":"y","trace":"t2"}"#,
            " | app_extracted=y trace_extracted=t2",
        ),
        (
            "| json | line_format \"\"",
            r#"{"a b":"1","2c":"2","é":"3","x.y":{"-":"4"}}"#,
            " | _=3 _2c=2 a_b=1 x_y__=4",
        ),
        (
            "| json | line_format \"\"",
            r#"{"a":"1","a":"2"}"#,
            " | a=1",
        ),
        (
            "| json | line_format \"\"",
            r#"{"a":"x\n\u00e9\ud83d\ude00\"\/","b":"\ud800","c\u0041":"1"}"#,
            " | a=x\n\u{e9}\u{1f600}\"/ b= cA=1",
        ),
        (
            "| json | line_format \"\"",
            " { \"a\" : 1 , \"b\" : { } } ",
            " | a=1",
        ),
        (
            "| json | line_format \"{{.__error__}}\"",
            "plain",
            "JSONParserErr | __error__=JSONParserErr __error_details__=a JSON object is expected",
        ),
        (
            "| json | line_format \"{{.__error__}}\"",
            "",
            "JSONParserErr | __error__=JSONParserErr __error_details__=a JSON object is expected",
        ),
        (
            "| json | drop __error_details__ | line_format \"\"",
            r#"{"a":1,"b"}"#,
            " | __error__=JSONParserErr a=1",
        ),
        (
            "| json | drop __error_details__ | line_format \"\"",
            r#"{"a":1 "b":2}"#,
            " | __error__=JSONParserErr a=1",
        ),
        (
            "| json | drop __error_details__ | line_format \"\"",
            r#"{"a":1,}"#,
            " | __error__=JSONParserErr a=1",
        ),
        (
            "| json | drop __error_details__ | line_format \"\"",
            r#"{"a":"1"#,
            " | __error__=JSONParserErr",
        ),
        (
            "| json | drop __error_details__ | line_format \"\"",
            r#"{"a":[1,{"#,
            " | __error__=JSONParserErr",
        ),
        ("| json | __error__=\"\"", "plain", "dropped"),
        (
            "| json | __error__!=\"\" | drop __error__, __error_details__",
            "plain",
            "plain | ",
        ),
        (
            "| json a, b=\"o.p[1].q\", c=\"[\\\"x y\\\"]\" | line_format \"\"",
            r#"{"a":"1","o":{"p":[{},{"q":"2"}]},"x y":3}"#,
            " | a=1 b=2 c=3",
        ),
        (
            "| json a=\"o\", b=\"l\", c=\"missing\", d=\"z\" | line_format \"\"",
            r#"{"o":{"p": 1},"l":[1, 2],"z":null}"#,
            " | a={\"p\": 1} b=[1, 2] c= d=",
        ),
        (
            "| json app=\"app\", i=\"[1]\" | line_format \"\"",
            r#"[1,2]"#,
            " | app_extracted= i=2",
        ),
        (
            "| json a=\"b\" | drop __error_details__",
            "plain",
            "plain | __error__=JSONParserErr a=",
        ),
        ("| json a | line_format \"\"", "", " | "),
    ]);
}

#[test]
fn logfmt() {
    check(&[
        (
            "| logfmt",
            r#"a=b c="d e" f"#,
            "a=b c=\"d e\" f | a=b c=d e",
        ),
        (
            "| logfmt --keep-empty | line_format \"\"",
            r#"a=b c="" f= g"#,
            " | a=b c= f= g=",
        ),
        (
            "| logfmt | line_format \"\"",
            r#"a="x\"y\n\u00e9" app=z"#,
            " | a=x\"y\n\u{e9} app_extracted=z",
        ),
        (
            "| logfmt | line_format \"\"",
            "a=1 =2 b\"c d=3",
            " | a=1 d=3",
        ),
        ("| logfmt | line_format \"\"", "a=1 b=c=d e=2", " | a=1 e=2"),
        (
            "| logfmt --strict | line_format \"\"",
            "a=1 b=c=d e=2",
            " | __error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 8 : unexpected '=' a=1",
        ),
        (
            "| logfmt --strict | line_format \"\"",
            "a=1 =2",
            " | __error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 5 : unexpected '=' a=1",
        ),
        (
            "| logfmt --strict | line_format \"\" | drop __error_details__",
            "a=\"1",
            " | __error__=LogfmtParserErr",
        ),
        (
            "| logfmt | line_format \"\"",
            "a.b=1 9x=2 a-b=3",
            " | _9x=2 a_b=1",
        ),
        (
            "| logfmt a, x=\"b\" | line_format \"\"",
            "a=1 b=2 c=3",
            " | a=1 x=2",
        ),
        (
            "| logfmt a, y=\"missing\" | line_format \"\"",
            "a=1",
            " | a=1 y=",
        ),
        (
            "| logfmt app=\"a\" | line_format \"\"",
            "a=1",
            " | app_extracted=1",
        ),
        ("| logfmt | line_format \"\"", "just words", " | "),
    ]);
}

#[test]
fn other_parsers() {
    check(&[
        (
            "| pattern \"<ip> - <_> <code>\"",
            "1.1.1.1 - x 200",
            "1.1.1.1 - x 200 | code=200 ip=1.1.1.1",
        ),
        (
            "| pattern \"<app> <b>\"",
            "y z",
            "y z | app_extracted=y b=z",
        ),
        ("| pattern \"x<a>\"", "y", "y | "),
        (
            "| regexp \"(?P<method>\\\\w+) (?P<path>\\\\S+)\"",
            "GET /x y",
            "GET /x y | method=GET path=/x",
        ),
        ("| regexp \"(?P<a>x)?y\"", "y", "y | a="),
        ("| regexp \"(?P<a>z)\"", "y", "y | "),
        (
            "| unpack",
            r#"{"_entry":"the \"line\"","pod":"p","n":1,"app":"z"}"#,
            "the \"line\" | app_extracted=z pod=p",
        ),
        ("| unpack", r#"{"pod":"p"}"#, "{\"pod\":\"p\"} | "),
        (
            "| unpack | drop __error_details__",
            "plain",
            "plain | __error__=JSONParserErr",
        ),
        (
            "| unpack | json",
            r#"{"_entry":"{\"a\":1}"}"#,
            "{\"a\":1} | a=1",
        ),
        (
            "| decolorize",
            "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}(By",
            "red xy | ",
        ),
        ("| decolorize", "plain", "plain | "),
        ("| json | logfmt | line_format \"\"", r#"{"a":1}"#, " | a=1"),
        (
            "| json | pattern \"<a>:<b>\" | line_format \"\"",
            r#"{"a":1}"#,
            " | a=1 b=1}",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn label_filters() {
    let line = r#"{"n":5,"d":"1.5s","b":"2KB","s":"abc","ip":"10.0.0.5","e":""}"#;
    let kept = format!("{line} | b=2KB d=1.5s e= ip=10.0.0.5 n=5 s=abc");
    for filter in [
        "n = 5",
        "n == 5.0",
        "n != 6",
        "n > 4.9",
        "n >= 5",
        "n < 6",
        "n <= 5",
        "n > -1",
        "d > 1s",
        "d == 1500ms",
        "d < 1m30s",
        "b == 2000B",
        "b >= 1KiB",
        "b < 1MB",
        "s = \"abc\"",
        "s != \"x\"",
        "s =~ \"a.*\"",
        "s !~ \"b.*\"",
        "s =~ \".*B.*|abc\"",
        "missing = \"\"",
        "missing != \"x\"",
        "e = \"\"",
        "app = \"x\"",
        "trace = \"t1\"",
        "env_extracted=\"meta\"",
        "ip = ip(\"10.0.0.0/8\")",
        "ip != ip(\"11.0.0.0/8\")",
        "n = 1 or s = \"abc\"",
        "n = 5 and s = \"abc\"",
        "n = 5, s = \"abc\"",
        "n = 5 s = \"abc\"",
        "n = 1 and s = \"z\" or d > 1s",
        "(n = 1 or n = 5) and b > 1B",
    ] {
        assert_eq!(run(&format!("| json | {filter}"), line), kept, "{filter}");
    }
    for filter in [
        "n = 6",
        "n > 5",
        "missing > 1",
        "missing = 1",
        "missing != 1",
        "d < 1s",
        "b > 1GB",
        "s = \"ab\"",
        "s =~ \"b\"",
        "missing = \"x\"",
        "ip = ip(\"11.0.0.1\")",
        "ip != ip(\"10.0.0.5\")",
        "missing = ip(\"10.0.0.1\")",
        "n = 1 or s = \"z\"",
        "n = 5 and s = \"z\"",
        "(n = 1 or n = 5) and b > 1GB",
    ] {
        assert_eq!(
            run(&format!("| json | {filter}"), line),
            "dropped",
            "{filter}"
        );
    }
    check(&[
        (
            "| logfmt | x > 5 | line_format \"{{.__error__}}\"",
            "x=y",
            "LabelFilterErr | __error__=LabelFilterErr __error_details__=\"y\" of the label x cannot be compared x=y",
        ),
        ("| logfmt | x > 5 | __error__=\"\"", "x=y", "dropped"),
        (
            "| logfmt | x > 5s or x = \"y\" | __error__=\"LabelFilterErr\" | drop __error_details__",
            "x=y",
            "x=y | __error__=LabelFilterErr x=y",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn labels_and_lines_are_reshaped() {
    check(&[
        (
            "| logfmt | line_format \"{{.a}}-{{.app}}-{{.trace}}\"",
            "a=1",
            "1-x-t1 | a=1",
        ),
        (
            "| line_format \"{{ __line__ | upper }}\" | line_format \"[{{ __line__ }}]\"",
            "a",
            "[A] | ",
        ),
        (
            "| line_format \"{{ __timestamp__ | unixEpoch }}\"",
            "a",
            "1696516200 | ",
        ),
        (
            "| line_format \"{{ div 1 0 }}\" | drop __error_details__",
            "a",
            "a | __error__=TemplateFormatErr",
        ),
        ("| logfmt | label_format b=a", "a=1", "a=1 | b=1"),
        ("| label_format b=missing", "a", "a | "),
        ("| label_format svc=app", "a", "a | svc=x -app"),
        ("| label_format app=app", "a", "a | "),
        (
            "| label_format app=\"{{ .app }}-{{ .env }}\"",
            "a",
            "a | app=x-prod",
        ),
        (
            "| label_format a=\"1\", b=\"{{ .a }}2\"",
            "l",
            "l | a=1 b=2",
        ),
        (
            "| label_format a=\"{{ div 1 0 }}\" | drop __error_details__",
            "l",
            "l | __error__=TemplateFormatErr",
        ),
        ("| label_format a=\"\" | a=\"\"", "l", "l | a="),
        ("| logfmt | drop a", "a=1 b=2", "a=1 b=2 | b=2"),
        (
            "| logfmt | drop app, trace, env_extracted",
            "a=1",
            "a=1 | a=1 -app -trace -env_extracted",
        ),
        (
            "| logfmt | drop a=\"1\", b=\"1\", app=~\"y.*\"",
            "a=1 b=2",
            "a=1 b=2 | b=2",
        ),
        (
            "| logfmt | keep a",
            "a=1 b=2",
            "a=1 b=2 | a=1 -app -env -trace -env_extracted",
        ),
        (
            "| logfmt | keep app, a=\"2\", b=\"2\"",
            "a=1 b=2",
            "a=1 b=2 | b=2 -env -trace -env_extracted",
        ),
        (
            "| json | keep app | drop __error_details__",
            "plain",
            "plain | __error__=JSONParserErr -env -trace -env_extracted",
        ),
        (
            "| drop app | logfmt",
            "app=1",
            "app=1 | app_extracted=1 -app",
        ),
    ]);
}

#[test]
fn categories_are_kept_apart() {
    let log = parse_log("{app=\"x\"} | logfmt | label_format app2=app").expect("sound");
    let mut pipeline = Pipeline::new(&log, 0).expect("sound");
    let entry = Entry {
        timestamp: 0,
        line: "a=1 app=2",
        stream: &STREAM,
        metadata: &METADATA,
    };
    let processed = pipeline.process(&entry).expect("it passes");
    let text = |category| processed.labels.of_category(category).to_string();
    assert_eq!(text(Category::Stream), r#"{app2="x", env="prod"}"#);
    assert_eq!(
        text(Category::Metadata),
        r#"{env_extracted="meta", trace="t1"}"#
    );
    assert_eq!(text(Category::Parsed), r#"{a="1", app_extracted="2"}"#);
}

#[test]
fn streams_are_selected() {
    let selects = |selector: &str| {
        let log = parse_log(selector).expect(selector);
        Pipeline::new(&log, 0).expect("sound").selects(&STREAM)
    };
    for selector in [
        "{app=\"x\"}",
        "{app=~\"x|y\", env!=\"dev\"}",
        "{app=~\".+\", other=\"\"}",
        "{env!~\"d.*\", app=\"x\"}",
    ] {
        assert!(selects(selector), "{selector}");
    }
    for selector in [
        "{app=\"y\"}",
        "{app=~\"x.\"}",
        "{app=\"x\", env!=\"prod\"}",
        "{app=\"x\", other!=\"\"}",
    ] {
        assert!(!selects(selector), "{selector}");
    }
}

#[test]
fn only_what_is_needed_is_extracted() {
    let labels = |query: &str, names: &[&str], line: &str| {
        let log = parse_log(query).expect(query);
        let needs = Needs::only(names.iter().copied());
        let mut pipeline = Pipeline::with_needs(&log, needs, 0).expect("sound");
        let entry = Entry {
            timestamp: 0,
            line,
            stream: &STREAM,
            metadata: &[],
        };
        let processed = pipeline.process(&entry).expect("it passes");
        processed.labels.of_category(Category::Parsed).to_string()
    };
    let line = r#"{"a":1,"b":{"c":2,"d":3},"app":4,"e":"broken"#;
    assert_eq!(labels("{app=\"x\"} | json", &["a"], line), r#"{a="1"}"#);
    assert_eq!(labels("{app=\"x\"} | json", &["b_d"], line), r#"{b_d="3"}"#);
    assert_eq!(labels("{app=\"x\"} | json", &[], line), "{}");
    assert_eq!(labels("{app=\"x\"} | json", &["app"], line), "{}");
    assert_eq!(
        labels("{app=\"x\"} | json", &["app_extracted"], line),
        r#"{app_extracted="4"}"#
    );
    assert_eq!(
        labels("{app=\"x\"} | json | a = 1", &["b_c"], line),
        r#"{a="1", b_c="2"}"#
    );
    assert!(
        labels(
            "{app=\"x\"} | json | label_format z=\"{{.b_c}}\"",
            &["z"],
            line
        )
        .contains("z=\"2\"")
    );
    assert_eq!(
        labels("{app=\"x\"} | logfmt", &["b"], "a=1 b=2 c=3"),
        r#"{b="2"}"#
    );
    assert_eq!(
        labels("{app=\"x\"} | pattern \"<a> <b>\"", &["b"], "1 2"),
        r#"{b="2"}"#
    );
}

#[test]
fn a_line_with_too_many_labels_is_an_error() {
    let line = (0..2_000)
        .map(|at| format!("k{at}=v"))
        .collect::<Vec<_>>()
        .join(" ");
    let text = run(
        "| logfmt | line_format \"{{.__error__}}\" | keep none | drop __error_details__",
        &line,
    );
    assert!(
        text.starts_with("LogfmtParserErr | __error__=LogfmtParserErr"),
        "{text}"
    );
    let nested = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    let text = run("| json | line_format \"\"", &nested);
    assert!(text.contains("deeper than"), "{text}");
    let nested = format!("{{\"l\":{}{}}}", "[".repeat(500), "]".repeat(500));
    assert!(run("| json | line_format \"\"", &nested).contains("deeper than"));
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                "\"",
                "\\",
                "\\u12",
                ":",
                ",",
                "a",
                "=",
                "1",
                "-",
                ".",
                " ",
                "true",
                "null",
                "\"a\":",
                "\u{1b}[",
                "\u{9b}",
                "é",
                "_entry",
                "\"k\":\"v\"",
                "10.0.0.1",
            ]),
            0..20
        )
        .prop_map(|words| words.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_line_panics_and_needs_change_no_label(line in line()) {
        let query = "{app=\"x\"} | json | logfmt --strict | pattern \"<p>:<q>\" | regexp \"(?P<r>[a-z]+)\" | unpack \
             | decolorize | json k, l=\"a[0].b\" | logfmt m=\"a\" | k > 5 | l > 1s | m < 1KB | p = ip(\"10.0.0.0/8\") or r != \"\" \
             | line_format \"{{.p}}{{.q}}\"";
        let entry = Entry { timestamp: 0, line: &line, stream: &STREAM, metadata: &METADATA };
        for query in [query, "{app=\"x\"} | unpack | decolorize", "{app=\"x\"} | json", "{app=\"x\"} | logfmt | json a=\"k\""] {
            let log = parse_log(query).expect("sound");
            let mut all = Pipeline::new(&log, 0).expect("sound");
            let mut some = Pipeline::with_needs(&log, Needs::only(["r", "q", "k"]), 0).expect("sound");
            let all = all.process(&entry).map(|found| (found.line.to_string(), found.labels.to_labels()));
            let some = some.process(&entry).map(|found| (found.line.to_string(), found.labels.to_labels()));
            prop_assert_eq!(all.is_some(), some.is_some());
            let without_errors = |labels: Labels| ["r", "q", "k"].map(|name| labels.get(name).unwrap_or("").to_string());
            if let (Some((line, all)), Some((other_line, some))) = (all, some) {
                prop_assert_eq!(line, other_line);
                prop_assert_eq!(without_errors(all), without_errors(some));
            }
        }
    }
}
