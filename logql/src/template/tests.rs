//! Templates: what each function and action makes of a line.

use super::{Input, Regexes, Template};
use proptest::prelude::*;

const LABELS: [(&str, &str); 8] = [
    ("app", "api-server"),
    ("empty", ""),
    ("code", "404"),
    ("took", "1.5s"),
    ("size", "2KB"),
    ("json", r#"{"a":{"b":[1,2.5,"x"]},"n":null,"big":1234567}"#),
    ("date", "2023-10-05T14:30:00Z"),
    ("path", "/a b/c?d=é"),
];

fn run(template: &str) -> Result<String, String> {
    let template = Template::new(template)?;
    let input = Input {
        line: "Hello World",
        timestamp: 1_696_516_200_123_456_789,
        now: 1_700_000_000_000_000_000,
        labels: &LABELS,
    };
    let mut output = String::new();
    template.run(input, &mut Regexes::default(), &mut output)?;
    Ok(output)
}

fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        match run(template) {
            Ok(output) => assert_eq!(output, *expected, "{template}"),
            Err(error) => panic!("{template}: {error}"),
        }
    }
}

#[test]
fn text_functions() {
    check(&[
        ("{{ .app }}", "api-server"),
        ("[{{.missing}}]", "[]"),
        ("{{ __line__ }}", "Hello World"),
        ("{{ __line__ | lower }}", "hello world"),
        ("{{ upper .app }}", "API-SERVER"),
        ("{{ ToUpper .app }}{{ ToLower \"A\" }}", "API-SERVERa"),
        ("{{ title \"a bc d\" }}", "A Bc D"),
        ("{{ trunc 3 .app }}", "api"),
        ("{{ trunc -3 .app }}", "ver"),
        ("{{ trunc 99 .app }}", "api-server"),
        ("{{ substr 4 7 .app }}", "ser"),
        ("{{ substr -1 3 .app }}", "api"),
        ("{{ substr 4 -1 .app }}", "server"),
        ("{{ .app | replace \"-\" \"_\" }}", "api_server"),
        ("{{ Replace .app \"e\" \"E\" 1 }}", "api-sErver"),
        ("{{ trim \"  x \" }}|{{ TrimSpace \" y \" }}", "x|y"),
        ("{{ trimAll \"$\" \"$5$\" }}{{ Trim \"-x-\" \"-\" }}", "5x"),
        (
            "{{ TrimLeft \"xxa\" \"x\" }}{{ TrimRight \"bxx\" \"x\" }}",
            "ab",
        ),
        (
            "{{ trimPrefix \"api-\" .app }}{{ trimSuffix \"-server\" .app }}",
            "serverapi",
        ),
        (
            "{{ TrimPrefix .app \"api-\" }}{{ TrimSuffix .app \"-server\" }}",
            "serverapi",
        ),
        (
            "{{ hasPrefix \"api\" .app }} {{ hasSuffix \"x\" .app }} {{ contains \"ser\" .app }}",
            "true false true",
        ),
        ("{{ repeat 3 \"ab\" }}", "ababab"),
        ("{{ indent 2 \"a\\nb\" }}", "  a\n  b"),
        ("{{ nindent 1 \"a\" }}", "\n a"),
        (
            "[{{ alignLeft 5 \"abc\" }}][{{ alignRight 5 \"abc\" }}]",
            "[abc  ][  abc]",
        ),
        (
            "{{ alignLeft 2 \"abc\" }}{{ alignRight 2 \"abc\" }}",
            "abbc",
        ),
        (
            "{{ regexReplaceAll \"(a)(p)\" .app \"${2}$1\" }}",
            "pai-server",
        ),
        (
            "{{ regexReplaceAllLiteral \"a(p)\" .app \"$1\" }}",
            "$1i-server",
        ),
        ("{{ count \"e\" .app }}", "2"),
        ("{{ print 1 2 \"a\" 3 }}", "1 2a3"),
        ("{{ println \"a\" 1 }}", "a 1\n"),
        ("{{ len .app }}", "10"),
        (
            "{{ .app | replace \"-\" \"_\" | trunc 5 | upper }}",
            "API_S",
        ),
        ("{{ slice .app 0 3 }}", "api"),
        ("{{ html \"<a>&'\" }}", "&lt;a&gt;&amp;&#39;"),
    ]);
}

#[test]
fn number_functions() {
    check(&[
        ("{{ add 1 2 3 }}", "6"),
        ("{{ add .code 1 }}", "405"),
        (
            "{{ sub 5 2 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ mod 7 4 }}",
            "3 24 3 3",
        ),
        (
            "{{ addf 1.5 2 }} {{ subf 5.5 1.5 2 }} {{ mulf 1.5 2 }} {{ divf 1 4 }}",
            "3.5 2 3 0.25",
        ),
        (
            "{{ max 1 5 3 }} {{ min 4 2 3 }} {{ maxf 1.5 2.5 }} {{ minf 1.5 2.5 }}",
            "5 2 2.5 1.5",
        ),
        (
            "{{ ceil 1.2 }} {{ floor 1.8 }} {{ round 1.255 1 }} {{ round 123.5555 3 }}",
            "2 1 1.3 123.556",
        ),
        ("{{ int .code }} {{ int \"x\" }} {{ int 3.9 }}", "404 0 3"),
        ("{{ float64 \"1.5\" }} {{ float64 2 }}", "1.5 2"),
        (
            "{{ bytes .size }} {{ duration .took }} {{ duration_seconds \"2m\" }}",
            "2000 1.5 120",
        ),
        ("{{ mulf 1000 1000 1.5 }}", "1.5e+06"),
        ("{{ divf 1 100000 }}", "1e-05"),
        ("{{ add 0x10 1_000 }}", "1016"),
        ("{{ sub -5 -7 }}", "2"),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn logic() {
    check(&[
        ("{{ if eq .code \"404\" }}a{{ else }}b{{ end }}", "a"),
        ("{{ if eq .code \"1\" \"404\" }}a{{ end }}", "a"),
        (
            "{{ if ne .code \"404\" }}a{{ else if contains \"api\" .app }}b{{ else }}c{{ end }}",
            "b",
        ),
        ("{{ if .empty }}a{{ else }}b{{ end }}", "b"),
        (
            "{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1.5 2.5 }} {{ ge \"b\" \"a\" }}",
            "true true false true",
        ),
        (
            "{{ and .app .empty }}|{{ or .empty .app }}|{{ not .empty }}",
            "|api-server|true",
        ),
        (
            "{{ if and (contains \"he\" \"hello\") (contains \"llo\" \"hello\") }}yes{{ end }}",
            "yes",
        ),
        ("{{ or (eq 1 1) (div 1 0) }}", "true"),
        (
            "{{ default \"x\" .empty }} {{ .app | default \"y\" }}",
            "x api-server",
        ),
        (
            "{{ with .app }}[{{ . }}]{{ end }}{{ with .empty }}a{{ else }}b{{ end }}",
            "[api-server]b",
        ),
        (
            "{{ $x := .app }}{{ $x }} {{ $x = \"y\" }}{{ $x }} {{ $.code }}",
            "api-server y 404",
        ),
        ("{{ if true }}{{ $x := 1 }}{{ $x }}{{ end }}", "1"),
        (
            "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}",
            "2",
        ),
        (
            "{{ range $i, $v := (fromJson .json).a.b }}{{ $i }}={{ $v }} {{ end }}",
            "0=1 1=2.5 2=x ",
        ),
        (
            "{{ range (fromJson .json).a.b }}{{ . }};{{ end }}",
            "1;2.5;x;",
        ),
        (
            "{{ range fromJson \"[]\" }}x{{ else }}none{{ end }}",
            "none",
        ),
        (
            "{{ range fromJson \"[1,2,3,4]\" }}{{ if eq . 2.0 }}{{ continue }}{{ end }}{{ if eq . 4.0 }}{{ break }}{{ end }}{{ . }}{{ end }}",
            "13",
        ),
        (
            "{{ range $k, $v := . }}{{ if eq $k \"code\" }}{{ $v }}{{ end }}{{ end }}",
            "404",
        ),
        ("a {{- /* note */ -}} b{{/* x */}}c", "abc"),
        ("a  {{- .code -}}  b", "a404b"),
        (
            "{{ (fromJson .json).n }} {{ (fromJson .json).big }}",
            "<no value> 1.234567e+06",
        ),
        (
            "{{ index (fromJson .json) \"a\" \"b\" 2 }} {{ index .app 0 }}",
            "x 97",
        ),
        ("{{ fromJson \"{\" }}", "<no value>"),
        (
            "{{ fromJson \"{\\\"b\\\":1,\\\"a\\\":[true,null]}\" }}",
            "map[a:[true <no value>] b:1]",
        ),
        ("{{ `raw \"x\"` }}{{ 'a' }}", "raw \"x\"97"),
    ]);
}

#[test]
fn time_functions() {
    check(&[
        (
            "{{ __timestamp__ }}",
            "2023-10-05 14:30:00.123456789 +0000 UTC",
        ),
        (
            "{{ __timestamp__ | date \"2006-01-02T15:04:05.00Z07:00\" }}",
            "2023-10-05T14:30:00.12Z",
        ),
        (
            "{{ __timestamp__ | date \"Mon Jan _2 3:04PM 06 -0700 MST\" }}",
            "Thu Oct  5 2:30PM 23 +0000 UTC",
        ),
        (
            "{{ date \"Monday, January 2 2006 002 .999999\" __timestamp__ }}",
            "Thursday, October 5 2023 278 .123456",
        ),
        (
            "{{ __timestamp__ | unixEpoch }} {{ __timestamp__ | unixEpochMillis }}",
            "1696516200 1696516200123",
        ),
        ("{{ unixEpochNanos __timestamp__ }}", "1696516200123456789"),
        ("{{ now | unixEpoch }}", "1700000000"),
        (
            "{{ toDate \"2006-01-02T15:04:05Z07:00\" .date | unixEpoch }}",
            "1696516200",
        ),
        (
            "{{ toDate \"2006-01-02\" \"nonsense\" | date \"2006\" }}",
            "0001",
        ),
        (
            "{{ toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2023-07-01 12:00\" | unixEpoch }}",
            "1688205600",
        ),
        (
            "{{ toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2023-07-01 12:00\" }}",
            "2023-07-01 12:00:00 +0200 CEST",
        ),
        (
            "{{ toDateInZone \"2006-01-02\" \"No/Where\" \"2023-07-01\" | unixEpoch }}",
            "1688169600",
        ),
        (
            "{{ toDate \"Jan 2, 2006 at 3:04pm (MST)\" \"Feb 3, 2013 at 7:54pm (UTC)\" | unixEpoch }}",
            "1359921240",
        ),
        (
            "{{ toDate \"02/Jan/2006:15:04:05 -0700\" \"10/Oct/2000:13:55:36 -0700\" | unixEpoch }}",
            "971211336",
        ),
        (
            "{{ toDate \"15:04:05\" \"10:00:00.5\" | date \"05.000\" }}",
            "00.500",
        ),
        (
            "{{ unixToTime \"1679577215\" | date \"2006-01-02 15:04:05\" }}",
            "2023-03-23 13:13:35",
        ),
        (
            "{{ unixToTime \"1679577215000\" | unixEpoch }} {{ unixToTime \"19439\" | date \"2006-01-02\" }}",
            "1679577215 2023-03-23",
        ),
        ("{{ date \"2006\" 0 }}", "1970"),
    ]);
}

#[test]
fn encodings_and_printf() {
    check(&[
        (
            "{{ b64enc .app }} {{ b64dec \"YXBp\" }}",
            "YXBpLXNlcnZlcg== api",
        ),
        ("{{ urlencode .path }}", "%2Fa+b%2Fc%3Fd%3D%C3%A9"),
        ("{{ urldecode \"%2Fa+b%3F\" }}", "/a b?"),
        ("{{ printf \"%s-%d-%v\" .app 5 1.5 }}", "api-server-5-1.5"),
        (
            "{{ printf \"%5d|%-5d|%05d|%+d\" 42 42 42 42 }}",
            "   42|42   |00042|+42",
        ),
        (
            "{{ printf \"%6.2f|%e|%g|%.3g\" 3.14159 1500.0 0.5 3.14159 }}",
            "  3.14|1.500000e+03|0.5|3.14",
        ),
        (
            "{{ printf \"%q %x %X %o %b %c %U\" \"a\\\"\" 255 255 8 5 65 233 }}",
            "\"a\\\"\" ff FF 10 101 A U+00E9",
        ),
        (
            "{{ printf \"%t %T %10s|%-6s|%.2s\" true \"x\" \"ab\" \"ab\" \"abc\" }}",
            "true string         ab|ab    |ab",
        ),
        ("{{ printf \"%d%%\" 50 }}", "50%"),
        ("{{ printf \"%d\" .code }}", "%!d(string=404)"),
        ("{{ printf \"%d\" }}", "%!d(MISSING)"),
        ("{{ printf \"x\" 1 }}", "x%!(EXTRA int=1)"),
        ("{{ printf \"%*d\" 5 42 }}", "   42"),
        ("{{ .app | printf \"%s!\" }}", "api-server!"),
    ]);
}

#[test]
fn what_fails_says_why() {
    for (template, contains) in [
        ("{{ div 1 0 }}", "divide by zero"),
        ("{{ trunc \"x\" .app }}", "expected int; got string"),
        ("{{ upper 5 }}", "expected string; got int"),
        ("{{ upper }}", "wrong number of args"),
        ("{{ eq .code 404 }}", "incompatible types"),
        ("{{ lt 1 2.5 }}", "incompatible types"),
        ("{{ .app.x }}", "can't evaluate field x"),
        ("{{ range .app }}{{ end }}", "can't iterate"),
        ("{{ $x }}", "$x is not defined"),
        (
            "{{ regexReplaceAll \"(\" .app \"\" }}",
            "invalid regular expression",
        ),
        ("{{ bytes .app }}", "is no size"),
        ("{{ duration .app }}", "is no duration"),
        ("{{ urldecode \"%zz\" }}", "invalid URL escape"),
        ("{{ repeat 999999999 \"abc\" }}", "bytes"),
        ("{{ indent 999999999 \"a\" }}", "bytes"),
        ("{{ alignLeft 999999999 \"a\" }}", "bytes"),
        ("{{ printf \"%999999999d\" 1 }}", "width"),
        ("{{ range $i, $e := 1000000 }}{{ end }}", "steps"),
        (
            "{{ $x := repeat 200000 \"a\" }}{{ $x }}{{ $x }}",
            "writes at most",
        ),
        ("{{ index .app 99 }}", "out of range"),
        ("{{ slice .app 5 2 }}", "ends before"),
        ("{{ define \"x\" }}{{ end }}", "not supported"),
        ("{{ .a | .b }}", "only a function"),
        ("{{ .a .b }}", "only a function takes arguments"),
        ("{{ }}", "empty"),
        ("{{ end }}", "without a beginning"),
        ("{{ else }}", "without {{if}}"),
        ("{{ ( .a }}", "parenthesis is missing"),
        ("{{ .a ) }}", "no opening one"),
        ("{{ \"a }}", "closing quote"),
        ("{{ /* }}", "*/"),
        ("{{ | upper }}", "command is missing"),
    ] {
        let error = run(template).expect_err(template);
        assert!(error.contains(contains), "{template}: {error}");
    }
}

#[test]
fn the_labels_of_a_template_are_known() {
    let labels = |text: &str| {
        Template::new(text)
            .expect(text)
            .labels()
            .map(|found| found.into_iter().map(str::to_string).collect::<Vec<_>>())
    };
    assert_eq!(
        labels("{{ .a }}{{ if .b }}{{ .c | upper }}{{ else }}{{ $.d }}{{ end }}"),
        Some(["a", "b", "c", "d"].map(str::to_string).to_vec())
    );
    assert_eq!(
        labels("{{ printf \"%s\" (.x | lower) }}"),
        Some(vec!["x".to_string()])
    );
    assert_eq!(labels("{{ range $k, $v := . }}{{ end }}"), None);
    assert_eq!(labels("plain"), Some(Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn no_template_panics(text in any::<String>(), words in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{{-", "-}}", ".app", ".", "$x", ":=", "=", "|", "(", ")", "if", "else", "end", "range", "with", "5", "-1",
        "\"x\"", "printf", "\"%d %s %v\"", "upper", "add", "substr", "trunc", "index", "slice", "date", "toDate", "fromJson",
        "round", "int", "eq", "and", "or", "$.code", ",", "break", "/*", "*/",
    ]), 0..16)) {
        let _ = run(&text);
        let _ = run(&words.join(" "));
        let _ = run(&format!("{{{{ {} }}}}", words.join(" ")));
        let _ = run(&format!("{{{{ toDate {0} {0} | date {0} }}}}", crate::units::quote(&text)));
    }
}
