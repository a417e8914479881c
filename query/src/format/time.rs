//! Instants and dates as text, RFC 3339.

use arrow::datatypes::TimeUnit;
use std::io::Write;

const DAY_SECONDS: i64 = 86_400;

/// Appends an instant, with as many digits after the point as its unit has, and `Z` if it is on the time line
/// rather than on a calendar without a zone. Years before 0 and after 9999 have a sign.
pub(super) fn instant(out: &mut Vec<u8>, value: i64, unit: TimeUnit, zoned: bool) {
    let (per_second, digits) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let (days, second) = (
        seconds.div_euclid(DAY_SECONDS),
        seconds.rem_euclid(DAY_SECONDS),
    );
    date(out, days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // Writing to a vector cannot fail.
    let _ = write!(out, "T{hour:02}:{minute:02}:{second:02}");
    if digits > 0 {
        let _ = write!(out, ".{fraction:0digits$}");
    }
    if zoned {
        out.push(b'Z');
    }
}

/// Appends the date that is `days` after 1970-01-01, in the proleptic Gregorian calendar.
pub(super) fn date(out: &mut Vec<u8>, days: i64) {
    // Years of 365 or 366 days that begin in March: the leap day is the last day of such a year, and months
    // follow a linear rule. An era is 400 years of 146,097 days; day 0 of era 0 is 0000-03-01.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let _ = match year {
        0..=9_999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        _ => write!(out, "{year:+05}-{month:02}-{day:02}"),
    };
}

#[cfg(test)]
mod tests;
