//! A time with its zone, and Go's layouts of times: `2006-01-02T15:04:05.000Z07:00` shows how one is written.

mod layout;
mod parse;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use chrono_tz::Tz;
use layout::{Field, Piece, piece};
use parse::Parsed;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// In UTC.
    at: NaiveDateTime,
    offset_seconds: i32,
    zone: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Moment {
    fn utc(at: NaiveDateTime) -> Moment {
        Moment {
            at,
            offset_seconds: 0,
            zone: "UTC".to_string(),
        }
    }

    pub(super) fn of_nanos(nanoseconds: i64) -> Moment {
        Moment::utc(DateTime::from_timestamp_nanos(nanoseconds).naive_utc())
    }

    /// Seconds since 1970; what no calendar holds is the beginning of 1970.
    pub(super) fn of_seconds(seconds: i64) -> Moment {
        Moment::utc(
            DateTime::from_timestamp(seconds, 0)
                .unwrap_or_default()
                .naive_utc(),
        )
    }

    /// Nanoseconds since 1970.
    pub(super) fn nanos(&self) -> i128 {
        let utc = self.at.and_utc();
        i128::from(utc.timestamp()) * 1_000_000_000 + i128::from(utc.timestamp_subsec_nanos())
    }

    /// As Go prints a time.
    pub(super) fn to_text(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn local(&self) -> NaiveDateTime {
        let offset = TimeDelta::seconds(i64::from(self.offset_seconds));
        self.at.checked_add_signed(offset).unwrap_or(self.at)
    }

    /// Writes the time by a layout.
    pub(super) fn format(&self, layout: &str) -> String {
        let local = self.local();
        let mut output = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let (found, after) = piece(rest);
            rest = after;
            match found {
                Piece::Literal(text) => output.push_str(text),
                Piece::Field(field) => output.push_str(&self.field(field, local)),
                Piece::Fraction {
                    point,
                    digits,
                    trims,
                } => {
                    let nanos = format!("{:09}", local.nanosecond() % 1_000_000_000);
                    let mut text = &nanos[..digits.min(9)];
                    if trims {
                        text = text.trim_end_matches('0');
                    }
                    if !text.is_empty() {
                        output.push(point);
                        output.push_str(text);
                    }
                }
                Piece::Offset { z: true, .. } if self.offset_seconds == 0 => output.push('Z'),
                Piece::Offset {
                    colon,
                    minutes,
                    seconds,
                    ..
                } => {
                    output.push_str(&offset(self.offset_seconds, colon, minutes, seconds));
                }
            }
        }
        output
    }

    fn field(&self, field: Field, local: NaiveDateTime) -> String {
        let month = MONTHS[local.month0() as usize % 12];
        let day = DAYS[local.weekday().num_days_from_monday() as usize % 7];
        let hour12 = match local.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        let zeros = |value: u32, width: usize| format!("{value:0width$}");
        match field {
            Field::MonthName => month.to_string(),
            Field::MonthShort => month[..3].to_string(),
            Field::DayName => day.to_string(),
            Field::DayShort => day[..3].to_string(),
            Field::Zone => self.zone.clone(),
            Field::Year => format!("{:04}", local.year()),
            Field::YearShort => format!("{:02}", local.year().rem_euclid(100)),
            Field::Month { width } => zeros(local.month(), width),
            Field::Day { pad: ' ', .. } => format!("{:2}", local.day()),
            Field::Day { width, .. } => zeros(local.day(), width),
            Field::YearDay { pad: ' ' } => format!("{:3}", local.ordinal()),
            Field::YearDay { .. } => zeros(local.ordinal(), 3),
            Field::Hour => zeros(local.hour(), 2),
            Field::Hour12 { width } => zeros(hour12, width),
            Field::Minute { width } => zeros(local.minute(), width),
            Field::Second { width } => zeros(local.second(), width),
            Field::Half { upper } => match (local.hour() >= 12, upper) {
                (true, true) => "PM",
                (false, true) => "AM",
                (true, false) => "pm",
                (false, false) => "am",
            }
            .to_string(),
        }
    }

    /// Reads a time by a layout, in a zone unless the text has an offset; what cannot be read is the beginning of the
    /// year 1, and an unknown zone is UTC.
    pub(super) fn parse(layout: &str, text: &str, zone: &str) -> Moment {
        let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default();
        let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
        Parsed::read(layout, text)
            .and_then(|parsed| parsed.moment(zone))
            .unwrap_or_else(|| Moment::utc(first.and_time(NaiveTime::MIN)))
    }
}

fn offset(seconds: i32, colon: bool, with_minutes: bool, with_seconds: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let size = seconds.unsigned_abs();
    let colon = if colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", size / 3_600);
    if with_minutes {
        text.push_str(&format!("{colon}{:02}", size / 60 % 60));
    }
    if with_seconds {
        text.push_str(&format!("{colon}{:02}", size % 60));
    }
    text
}
