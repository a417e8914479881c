//! Both RFCs by their own examples, and what is sent in their name.

use super::*;
use proptest::prelude::*;

/// 2026-01-02T03:04:05Z.
const RECEIVED: Nanos = Nanos(1_767_323_045_000_000_000);

fn parts(text: &str, zone: &str) -> Parts<'static> {
    let text: &'static str = text.to_string().leak();
    let (_, rest) = priority(text.as_bytes()).expect("a priority");
    let zone = Zone::parse(zone).expect("a zone");
    rfc5424::read(rest).unwrap_or_else(|| rfc3164::read(rest, RECEIVED, zone))
}

fn texts(parts: &Parts<'_>) -> [String; 7] {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
    let time = parts
        .time
        .map_or("-".to_string(), |time| Nanos(time).to_text());
    [
        time,
        text(parts.host),
        text(parts.application),
        text(parts.process),
        text(parts.message_id),
        text(Some(parts.structured)),
        text(Some(parts.message)),
    ]
}

fn check(text: &str, expected: [&str; 7]) {
    assert_eq!(texts(&parts(text, "Z")), expected, "{text}");
}

#[test]
fn priorities() {
    for (text, expected) in [
        ("<0>x", Some(0)),
        ("<191>x", Some(191)),
        ("<013>x", Some(13)),
        ("<192>x", None),
        ("<>x", None),
        ("<-1>x", None),
        ("<1234>x", None),
        ("<12", None),
        ("x", None),
    ] {
        assert_eq!(
            priority(text.as_bytes()).map(|(number, _)| number),
            expected,
            "{text}"
        );
    }
}

#[test]
fn the_examples_of_rfc_5424() {
    check(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
        [
            "2003-10-11T22:14:15.003Z",
            "mymachine.example.com",
            "su",
            "-",
            "ID47",
            "",
            "'su root' failed",
        ],
    );
    check(
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
        [
            "2003-08-24T12:14:15.000003Z",
            "192.0.2.1",
            "myproc",
            "8710",
            "-",
            "",
            "%% It's time.",
        ],
    );
    check(
        "<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [a@32473 iut=\"3\" x=\"q\\]\\\"\"][b@1] An event",
        [
            "2003-10-11T22:14:15.003Z",
            "host",
            "evntslog",
            "-",
            "ID47",
            "[a@32473 iut=\"3\" x=\"q\\]\\\"\"][b@1]",
            "An event",
        ],
    );
    check("<34>1 - - - - - -", ["-", "-", "-", "-", "-", "", ""]);
}

/// What is of version 1 and not well-formed is kept as text.
#[test]
fn what_rfc_5424_does_not_allow_is_text() {
    for rest in [
        "1 yesterday h a p m - x",
        "1 - h a p m [x",
        "1 - h a p m [x y=z] m",
        "1 - h a p m [x y=\"z] m",
        "1 - h a p m -x",
        "1 - h a p",
        "1 -  a p m - x",
        "1 - h a p m [a-name-that-is-longer-than-32-bytes] x",
    ] {
        let parts = parts(&format!("<13>{rest}"), "Z");
        assert_eq!(
            (parts.message, parts.is_5424),
            (rest.as_bytes(), false),
            "{rest}"
        );
    }
}

#[test]
fn rfc_3164_and_what_is_sent_in_its_name() {
    let time = "2026-01-01T22:14:15Z";
    check(
        "<34>Jan  1 22:14:15 mymachine su: 'su root' failed",
        [time, "mymachine", "su", "-", "-", "", "'su root' failed"],
    );
    check(
        "<34>Jan 01 22:14:15 mymachine su[42]: failed",
        [time, "mymachine", "su", "42", "-", "", "failed"],
    );
    check(
        "<34>Jan  1 22:14:15 su: failed",
        [time, "-", "su", "-", "-", "", "failed"],
    );
    check(
        "<34>Jan  1 22:14:15 host no tag here",
        [time, "host", "-", "-", "-", "", "no tag here"],
    );
    check(
        "<34>2026-01-01T23:14:15.5+01:00 host app[1]: x",
        ["2026-01-01T22:14:15.500Z", "host", "app", "1", "-", "", "x"],
    );
    check(
        "<34>just text: of no form",
        ["-", "-", "-", "-", "-", "", "just text: of no form"],
    );
    check(
        "<34>Feb 30 22:14:15 h a: x",
        ["-", "-", "-", "-", "-", "", "Feb 30 22:14:15 h a: x"],
    );
    check("<34>", ["-", "-", "-", "-", "-", "", ""]);
}

#[test]
fn the_year_is_that_of_the_arrival_but_at_its_turn() {
    let time = |text: &str, zone: &str| texts(&parts(text, zone))[0].clone();
    assert_eq!(
        time("<1>Dec 31 23:59:59 h a: x", "Z"),
        "2025-12-31T23:59:59Z"
    );
    assert_eq!(
        time("<1>Nov 30 23:59:59 h a: x", "Z"),
        "2026-11-30T23:59:59Z"
    );
    assert_eq!(
        time("<1>Jan  2 04:00:00 h a: x", "+02:00"),
        "2026-01-02T02:00:00Z"
    );
    let december = Nanos(1_767_225_599_000_000_000);
    let parts = rfc3164::read(b"Jan  1 00:00:30 h a: x", december, Zone::default());
    assert_eq!(Nanos(parts.time.unwrap()).to_text(), "2026-01-01T00:00:30Z");
}

proptest! {
    #[test]
    fn nothing_panics(
        text in r#"(<[0-9]{0,4}>)?(1 )?[-A-Za-z0-9:.\[\]"= \\@]{0,60}"#,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for text in [text.as_bytes(), &bytes] {
            if let Some((_, rest)) = priority(text) {
                let _ = rfc5424::read(rest);
                let _ = rfc3164::read(rest, RECEIVED, Zone::default());
            }
        }
    }
}
