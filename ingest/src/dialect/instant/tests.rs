//! Times in the forms that logs have, and against the formatter of `storage`.

use super::*;
use cairn_storage::time::Nanos;
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    let instant = iso8601(text.as_bytes()).map(|nanos| Nanos(nanos).to_text());
    assert_eq!(instant.as_deref(), Some(expected), "{text}");
}

#[test]
fn every_form_of_iso_8601() {
    for (text, expected) in [
        ("2026-11-30T16:20:01Z", "2026-11-30T16:20:01Z"),
        ("2026-11-30 16:20:01.5", "2026-11-30T16:20:01.500Z"),
        (
            "2026-11-30T16:20:01,123456789123+01:00",
            "2026-11-30T15:20:01.123456789Z",
        ),
        ("2026-11-30t16:20z", "2026-11-30T16:20:00Z"),
        ("2026-11-30 16:20:01 -0330", "2026-11-30T19:50:01Z"),
        ("2026-11-30 16:20:01 UTC", "2026-11-30T16:20:01Z"),
        (" 2026-11-30 ", "2026-11-30T00:00:00Z"),
        ("2024-02-29T23:59:60+05", "2024-02-29T19:00:00Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
    ] {
        check(text, expected);
    }
    for text in [
        "",
        "now",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-02-29",
        "2026-11-31",
        "2026-11-30T24:00:00Z",
        "2026-11-30T16",
        "2026-11-30T16:20:01.",
        "2026-11-30T16:20:01+1",
        "2026-11-30T16:20:01+01:00x",
        "2026-11-30T16:20:01 CET",
        "9999-01-01",
    ] {
        assert_eq!(iso8601(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn numbers_by_their_unit_and_by_their_size() {
    let second = 1_700_000_000_123_456_789;
    for (text, unit, expected) in [
        ("1700000000123", Unit::Millis, second - 456_789),
        ("1700000000123.456789", Unit::Millis, second),
        ("1700000000.123456789", Unit::BySize, second),
        ("1700000000123", Unit::BySize, second - 456_789),
        ("1700000000123456", Unit::BySize, second - 789),
        ("1700000000123456789", Unit::BySize, second),
        ("-1.5", Unit::BySize, -1_500_000_000),
        ("0", Unit::Millis, 0),
    ] {
        assert_eq!(epoch(text.as_bytes(), unit), Some(expected), "{text}");
    }
    for text in [
        "",
        "-",
        ".5",
        "1e9",
        "1.2.3",
        "99999999999999999999",
        "9999999999999999999",
    ] {
        assert_eq!(epoch(text.as_bytes(), Unit::Millis), None, "{text}");
    }
}

#[test]
fn zones() {
    let east = |text| Zone::parse(text).map(|zone| zone.seconds_east);
    assert_eq!(east("+02:00"), Some(7200));
    assert_eq!(east("-0330"), Some(-12_600));
    assert_eq!(east("+05"), Some(18_000));
    assert_eq!(east("UTC"), Some(0));
    for text in ["02:00", "+2", "+25:00", "+01:60", "Europe/Berlin"] {
        assert_eq!(east(text), None, "{text}");
    }
}

proptest! {
    /// What storage writes is read as what it was.
    #[test]
    fn the_text_of_any_instant_is_that_instant(nanos in any::<i64>()) {
        let text = Nanos(nanos).to_text();
        prop_assert_eq!(iso8601(text.as_bytes()), Some(nanos), "{}", text);
    }

    #[test]
    fn year_and_month_are_those_of_the_text(nanos in any::<i64>()) {
        let text = Nanos(nanos).to_text();
        let (year, month) = year_and_month(nanos, Zone::default());
        prop_assert_eq!(&text[..7], format!("{year:04}-{month:02}"));
    }

    #[test]
    fn nothing_panics(text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for text in [text.as_bytes(), &bytes] {
            let _ = (iso8601(text), epoch(text, Unit::BySize), zone(text));
        }
    }
}
