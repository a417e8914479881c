//! Texts and numbers that are times -> ns since the Unix epoch.
//!
//! Sources: ISO 8601 and RFC 3339 as logs write them; RFC 3164, 4.1.2, is `syslog`'s.

use std::ops::RangeInclusive;

const NANOS: i64 = 1_000_000_000;

/// What a bare number of a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    /// Seconds below 10^11, ms below 10^14, µs below 10^17 and ns above: years 1973 to 5138 cannot be mistaken.
    BySize,
}

/// A zone as its distance to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Zone {
    pub(crate) seconds_east: i32,
}

impl Zone {
    /// The zone that `text` names: `Z`, `UTC`, `+02:00`, `-0330`, `+05`.
    pub(crate) fn parse(text: &str) -> Option<Zone> {
        zone(text.as_bytes())
    }
}

/// A date and a time of day, of no zone yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) second_of_day: i64,
    pub(super) nanos: i64,
}

impl Civil {
    /// ns since the epoch in `zone`, where that is a day of the calendar.
    pub(super) fn nanos_in(self, zone: Zone) -> Option<i64> {
        if !(1..=days_of_month(self.year, self.month)).contains(&self.day) {
            return None;
        }
        let days = days_since_epoch(self.year, self.month, self.day);
        let seconds = days * 86_400 + self.second_of_day - i64::from(zone.seconds_east);
        // The first second of what 64 bits hold begins before that.
        i64::try_from(i128::from(seconds) * i128::from(NANOS) + i128::from(self.nanos)).ok()
    }
}

/// The instant that `text` is: `2026-11-30T16:20:00.123456789+01:00` with `T` or a blank, a dot or a comma, the
/// seconds and the zone left out or not, or a date alone. Without a zone it is UTC.
pub(super) fn iso8601(text: &[u8]) -> Option<i64> {
    let mut rest = text.trim_ascii();
    let year = digits(&mut rest, 4, 0..=9999)?;
    take(&mut rest, b"-")?;
    let month = digits(&mut rest, 2, 1..=12)?;
    take(&mut rest, b"-")?;
    let day = digits(&mut rest, 2, 1..=31)?;
    let (mut second_of_day, mut nanos) = (0, 0);
    let mut offset = Zone::default();
    if !rest.is_empty() {
        take(&mut rest, b"Tt ")?;
        (second_of_day, nanos) = time_of_day(&mut rest)?;
        offset = zone(rest.trim_ascii_start())?;
    }
    let civil = Civil {
        year,
        month,
        day,
        second_of_day,
        nanos,
    };
    civil.nanos_in(offset)
}

/// `hh:mm[:ss[.fraction]]` at the front of `rest`, as seconds of the day and ns. A leap second is the next one.
pub(super) fn time_of_day(rest: &mut &[u8]) -> Option<(i64, i64)> {
    let hour = digits(rest, 2, 0..=23)?;
    take(rest, b":")?;
    let minute = digits(rest, 2, 0..=59)?;
    let (mut second, mut nanos) = (0, 0);
    if take(rest, b":").is_some() {
        second = digits(rest, 2, 0..=60)?;
        if take(rest, b".,").is_some() {
            nanos = fraction(rest)?;
        }
    }
    Some((hour * 3600 + minute * 60 + second, nanos))
}

/// The instant that a number of `unit` is since the epoch: decimal, with a fraction or without.
pub(super) fn epoch(text: &[u8], unit: Unit) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, mut fraction_digits) = match point {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &[][..]),
    };
    let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    if !(1..=19).contains(&whole.len()) || !is_number(whole) || !is_number(fraction_digits) {
        return None;
    }
    // Below a nanosecond whatever the unit.
    fraction_digits = &fraction_digits[..fraction_digits.len().min(18)];
    let value = |digits: &[u8]| {
        digits.iter().fold(0, |value: i128, digit| {
            value * 10 + i128::from(digit - b'0')
        })
    };
    let whole = value(whole);
    let unit_nanos = match unit {
        Unit::Millis => 1_000_000,
        Unit::BySize if whole < 100_000_000_000 => 1_000_000_000,
        Unit::BySize if whole < 100_000_000_000_000 => 1_000_000,
        Unit::BySize if whole < 100_000_000_000_000_000 => 1_000,
        Unit::BySize => 1,
    };
    let scale = 10_i128.pow(fraction_digits.len() as u32);
    let nanos = whole * unit_nanos + value(fraction_digits) * unit_nanos / scale;
    i64::try_from(if negative { -nanos } else { nanos }).ok()
}

/// The zone that all of `text` is; none at all is UTC.
fn zone(text: &[u8]) -> Option<Zone> {
    if text.is_empty() || text.eq_ignore_ascii_case(b"z") || text.eq_ignore_ascii_case(b"utc") {
        return Some(Zone::default());
    }
    let mut rest = text;
    let sign = match take(&mut rest, b"+-")? {
        b'+' => 1,
        _ => -1,
    };
    let hours = digits(&mut rest, 2, 0..=23)?;
    let mut minutes = 0;
    if !rest.is_empty() {
        // The colon may be left out.
        let _ = take(&mut rest, b":");
        minutes = digits(&mut rest, 2, 0..=59)?;
    }
    let seconds_east = sign * (hours * 3600 + minutes * 60) as i32;
    rest.is_empty().then_some(Zone { seconds_east })
}

/// Digits of a second as ns; what is below one is cut.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    let digit = |at: usize| digits.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    (length > 0).then(|| (0..9).fold(0, |nanos, at| nanos * 10 + digit(at)))
}

/// Exactly `count` digits at the front of `rest`, their number in `range`.
pub(super) fn digits(rest: &mut &[u8], count: usize, range: RangeInclusive<i64>) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(count)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    *rest = after;
    range.contains(&number).then_some(number)
}

/// The first byte of `rest` if it is one of `bytes`.
pub(super) fn take(rest: &mut &[u8], bytes: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    bytes.contains(first).then(|| {
        *rest = after;
        *first
    })
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_month = (153 * month + 2) / 5;
    // 719468 days from March 1st of the year 0 to the epoch.
    365 * year + leap_days + days_before_month + day - 1 - 719_468
}

/// The year and the month of an instant in `zone`.
pub(super) fn year_and_month(nanos: i64, zone: Zone) -> (i64, i64) {
    let days = (nanos.div_euclid(NANOS) + i64::from(zone.seconds_east)).div_euclid(86_400);
    // Never too late, and a year too early at most.
    let mut year = 1970 + days.div_euclid(366).min(days.div_euclid(365));
    while days_since_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days_since_epoch(year, *month, 1) <= days);
    (year, month.unwrap_or(1))
}

#[cfg(test)]
mod tests;
