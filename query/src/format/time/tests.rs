//! Tests of `time`.

use super::{date, instant};
use arrow::datatypes::TimeUnit;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("dates are ASCII")
}

#[test]
fn instants_have_the_digits_of_their_unit() {
    let check = |value, unit, zoned, expected: &str| {
        assert_eq!(text(|out| instant(out, value, unit, zoned)), expected);
    };
    check(
        0,
        TimeUnit::Nanosecond,
        true,
        "1970-01-01T00:00:00.000000000Z",
    );
    check(
        -1,
        TimeUnit::Nanosecond,
        true,
        "1969-12-31T23:59:59.999999999Z",
    );
    check(
        1_709_210_096_000_000_007,
        TimeUnit::Nanosecond,
        true,
        "2024-02-29T12:34:56.000000007Z",
    );
    check(
        1_709_210_096_007,
        TimeUnit::Millisecond,
        false,
        "2024-02-29T12:34:56.007",
    );
    check(
        1_709_210_096,
        TimeUnit::Second,
        false,
        "2024-02-29T12:34:56",
    );
    check(
        i64::MAX,
        TimeUnit::Nanosecond,
        true,
        "2262-04-11T23:47:16.854775807Z",
    );
    check(
        i64::MIN,
        TimeUnit::Nanosecond,
        true,
        "1677-09-21T00:12:43.145224192Z",
    );
}

#[test]
fn dates_follow_the_calendar() {
    let check = |days, expected: &str| assert_eq!(text(|out| date(out, days)), expected);
    check(0, "1970-01-01");
    check(59, "1970-03-01");
    check(789, "1972-02-29");
    check(10_957, "2000-01-01");
    check(11_016, "2000-02-29");
    check(47_540, "2100-02-28");
    check(47_541, "2100-03-01");
    check(-719_528, "0000-01-01");
    check(-719_529, "-0001-12-31");
    check(2_932_896, "9999-12-31");
    check(2_932_897, "+10000-01-01");
}
