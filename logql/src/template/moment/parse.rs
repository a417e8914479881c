//! A text and a layout -> a time.

use super::{
    DAYS, MONTHS, Moment,
    layout::{Field, Piece, piece},
    offset,
};
use chrono::{Days, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetName, Tz};

/// The fields of a text.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    nanos: u32,
    offset: Option<i32>,
    zone: Option<String>,
}

impl Parsed {
    pub(super) fn read(layout: &str, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::default();
        let (mut layout, mut rest) = (layout, text);
        while !layout.is_empty() {
            let (found, after) = piece(layout);
            layout = after;
            rest = match found {
                Piece::Literal(literal) => rest.strip_prefix(literal)?,
                Piece::Field(field) => parsed.field(field, rest, layout)?,
                Piece::Fraction { digits, trims, .. } => {
                    parsed.fraction(rest, (!trims).then_some(digits))?
                }
                Piece::Offset { z: true, .. } if rest.starts_with('Z') => {
                    parsed.offset = Some(0);
                    &rest[1..]
                }
                Piece::Offset {
                    colon,
                    minutes,
                    seconds,
                    ..
                } => {
                    let mut count = 1;
                    count += usize::from(minutes) + usize::from(seconds);
                    parsed.offset(rest, colon, count)?
                }
            };
        }
        rest.is_empty().then_some(parsed)
    }

    fn field<'a>(&mut self, field: Field, text: &'a str, layout: &str) -> Option<&'a str> {
        let (value, rest) = match field {
            Field::MonthName
            | Field::MonthShort
            | Field::DayName
            | Field::DayShort
            | Field::Zone
            | Field::Half { .. } => {
                return self.word(field, text);
            }
            Field::Year => number(text, 4, 4)?,
            Field::YearShort | Field::Hour => number(text, 2, 2)?,
            Field::YearDay { .. } => number(text.trim_start_matches(' '), 1, 3)?,
            Field::Day { pad: ' ', .. } => number(text.trim_start_matches(' '), 1, 2)?,
            Field::Month { width }
            | Field::Day { width, .. }
            | Field::Hour12 { width }
            | Field::Minute { width }
            | Field::Second { width } => number(text, width, 2)?,
        };
        match field {
            Field::Year => self.year = i32::try_from(value).ok(),
            Field::YearShort => {
                let century = if value >= 69 { 1900 } else { 2000 };
                self.year = i32::try_from(value).ok().map(|year| year + century);
            }
            Field::YearDay { .. } => self.year_day = Some(value),
            Field::Month { .. } => self.month = Some(value),
            Field::Day { .. } => self.day = Some(value),
            Field::Hour | Field::Hour12 { .. } => self.hour = value,
            Field::Minute { .. } => self.minute = value,
            Field::Second { .. } => {
                self.second = value;
                // A fraction may follow also where the layout has none.
                let is_next = matches!(piece(layout).0, Piece::Fraction { .. });
                let has_one = rest.starts_with(['.', ','])
                    && rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if has_one && !is_next {
                    return self.fraction(rest, None);
                }
            }
            _ => {}
        }
        Some(rest)
    }

    fn word<'a>(&mut self, field: Field, text: &'a str) -> Option<&'a str> {
        let (names, letters): (&[&str], usize) = match field {
            Field::MonthName => (&MONTHS, usize::MAX),
            Field::MonthShort => (&MONTHS, 3),
            Field::DayName => (&DAYS, usize::MAX),
            Field::DayShort => (&DAYS, 3),
            Field::Zone => {
                let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
                self.zone = (3..=5)
                    .contains(&length)
                    .then(|| text[..length].to_string());
                return self.zone.as_ref().map(|_| &text[length..]);
            }
            _ => {
                self.afternoon = match text.get(..2)?.to_ascii_uppercase().as_str() {
                    "AM" => Some(false),
                    "PM" => Some(true),
                    _ => return None,
                };
                return Some(&text[2..]);
            }
        };
        let (at, rest) = named(names, text, letters)?;
        if matches!(field, Field::MonthName | Field::MonthShort) {
            self.month = u32::try_from(at + 1).ok();
        }
        Some(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str, digits: Option<usize>) -> Option<&'a str> {
        let Some(after) = text.strip_prefix(['.', ',']) else {
            return digits.is_none().then_some(text);
        };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits.is_some_and(|wanted| wanted != count) || count == 0 {
            return None;
        }
        let kept = &after[..count.min(9)];
        self.nanos = format!("{kept:0<9}").parse().ok()?;
        Some(&after[count..])
    }

    fn offset<'a>(&mut self, text: &'a str, colon: bool, count: usize) -> Option<&'a str> {
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let mut rest = &text[1..];
        let mut seconds = 0;
        for (at, unit) in [3_600, 60, 1].into_iter().take(count).enumerate() {
            if colon && at > 0 {
                rest = rest.strip_prefix(':')?;
            }
            let (value, after) = number(rest, 2, 2)?;
            seconds += i32::try_from(value).ok()? * unit;
            rest = after;
        }
        self.offset = Some(sign * seconds);
        Some(rest)
    }

    pub(super) fn moment(self, zone: Tz) -> Option<Moment> {
        // Go's year without a year in the layout is 0.
        let year = self.year.unwrap_or(0);
        let date = match self.year_day {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanos)?;
        let local = date.and_time(time);
        if let Some(seconds) = self.offset {
            let at = local.checked_sub_signed(TimeDelta::seconds(i64::from(seconds)))?;
            let zone = match (self.zone, seconds) {
                (Some(zone), _) => zone,
                (None, 0) => "UTC".to_string(),
                (None, _) => offset(seconds, false, true, false),
            };
            return Some(Moment {
                at,
                offset_seconds: seconds,
                zone,
            });
        }
        // A time that a change of the clocks skips is taken a day earlier, and the day added again.
        let found = zone.from_local_datetime(&local).earliest().or_else(|| {
            let before = zone
                .from_local_datetime(&local.checked_sub_days(Days::new(1))?)
                .earliest()?;
            before.checked_add_days(Days::new(1)).or(Some(before))
        })?;
        Some(Moment {
            at: found.naive_utc(),
            offset_seconds: found.offset().fix().local_minus_utc(),
            zone: found.offset().abbreviation().unwrap_or("UTC").to_string(),
        })
    }
}

/// The name at the beginning of a text, by its first letters, in any case.
fn named<'a>(names: &[&str], text: &'a str, letters: usize) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = &name[..name.len().min(letters)];
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name)
            .then(|| (at, &text[name.len()..]))
    })
}

/// A number of `least` to `most` digits at the beginning of a text.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits < least {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}
