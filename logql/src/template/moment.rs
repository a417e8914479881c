//! A time with its zone, and Go's layouts of times: `2006-01-02T15:04:05.000Z07:00` shows how one is written.

use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Timelike,
};
use chrono_tz::{OffsetName, Tz};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// In UTC.
    at: NaiveDateTime,
    offset_seconds: i32,
    zone: String,
}

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    Literal(&'a str),
    Field(Field),
    /// Digits after the seconds with their point; nines leave zeros at the end out.
    Fraction {
        point: char,
        digits: usize,
        trims: bool,
    },
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    MonthName,
    MonthShort,
    DayName,
    DayShort,
    Zone,
    Year,
    YearShort,
    Month { width: usize },
    Day { width: usize, pad: char },
    YearDay { pad: char },
    Hour,
    Hour12 { width: usize },
    Minute { width: usize },
    Second { width: usize },
    Half { upper: bool },
}

/// What fields look like in a layout; the longer of two that begin alike stands first.
const FIELDS: [(&str, Field); 24] = [
    ("January", Field::MonthName),
    ("Jan", Field::MonthShort),
    ("Monday", Field::DayName),
    ("Mon", Field::DayShort),
    ("MST", Field::Zone),
    ("2006", Field::Year),
    ("002", Field::YearDay { pad: '0' }),
    ("01", Field::Month { width: 2 }),
    ("02", Field::Day { width: 2, pad: '0' }),
    ("03", Field::Hour12 { width: 2 }),
    ("04", Field::Minute { width: 2 }),
    ("05", Field::Second { width: 2 }),
    ("06", Field::YearShort),
    ("15", Field::Hour),
    ("PM", Field::Half { upper: true }),
    ("pm", Field::Half { upper: false }),
    ("__2", Field::YearDay { pad: ' ' }),
    ("_2006", Field::Year),
    ("_2", Field::Day { width: 2, pad: ' ' }),
    ("1", Field::Month { width: 1 }),
    ("2", Field::Day { width: 1, pad: '0' }),
    ("3", Field::Hour12 { width: 1 }),
    ("4", Field::Minute { width: 1 }),
    ("5", Field::Second { width: 1 }),
];

const OFFSETS: [(&str, bool, bool, bool, bool); 10] = [
    ("Z07:00:00", true, true, true, true),
    ("Z070000", true, false, true, true),
    ("Z07:00", true, true, true, false),
    ("Z0700", true, false, true, false),
    ("Z07", true, false, false, false),
    ("-07:00:00", false, true, true, true),
    ("-070000", false, false, true, true),
    ("-07:00", false, true, true, false),
    ("-0700", false, false, true, false),
    ("-07", false, false, false, false),
];

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

/// The first piece of a layout and what follows it.
fn piece(layout: &str) -> (Piece<'_>, &str) {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((found, length)) = special(rest) {
            return match at {
                0 => (found, &rest[length..]),
                _ => (Piece::Literal(&layout[..at]), rest),
            };
        }
    }
    (Piece::Literal(layout), "")
}

fn special(text: &str) -> Option<(Piece<'_>, usize)> {
    if let Some((name, z, colon, minutes, seconds)) = OFFSETS
        .iter()
        .copied()
        .find(|offset| text.starts_with(offset.0))
    {
        return Some((
            Piece::Offset {
                z,
                colon,
                minutes,
                seconds,
            },
            name.len(),
        ));
    }
    if let Some(point) = text.chars().next().filter(|c| matches!(c, '.' | ',')) {
        let digit = text[1..]
            .chars()
            .next()
            .filter(|c| matches!(c, '0' | '9'))?;
        let digits = text[1..].chars().take_while(|c| *c == digit).count();
        let after = text[1 + digits..].chars().next();
        return match after.is_some_and(|c| c.is_ascii_digit()) {
            true => None,
            false => Some((
                Piece::Fraction {
                    point,
                    digits,
                    trims: digit == '9',
                },
                digits + 1,
            )),
        };
    }
    let (name, field) = FIELDS.iter().find(|(name, _)| text.starts_with(name))?;
    let follows_lower = text[name.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    match (field, *name) {
        (Field::MonthShort | Field::DayShort, _) if follows_lower => None,
        // The underscore is text before the year.
        (Field::Year, "_2006") => Some((Piece::Literal("_"), 1)),
        _ => Some((Piece::Field(*field), name.len())),
    }
}

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

/// The fields of a text.
#[derive(Debug, Default)]
struct Parsed {
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
    fn read(layout: &str, text: &str) -> Option<Parsed> {
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
        match field {
            Field::MonthName => {
                named(&MONTHS, text, usize::MAX).map(|(at, rest)| self.set_month(at + 1, rest))
            }
            Field::MonthShort => {
                named(&MONTHS, text, 3).map(|(at, rest)| self.set_month(at + 1, rest))
            }
            Field::DayName => named(&DAYS, text, usize::MAX).map(|(_, rest)| rest),
            Field::DayShort => named(&DAYS, text, 3).map(|(_, rest)| rest),
            Field::Zone => {
                let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
                self.zone = (3..=5)
                    .contains(&length)
                    .then(|| text[..length].to_string());
                self.zone.as_ref().map(|_| &text[length..])
            }
            Field::Year => number(text, 4, 4).map(|(value, rest)| {
                self.year = i32::try_from(value).ok();
                rest
            }),
            Field::YearShort => number(text, 2, 2).map(|(value, rest)| {
                let century = if value >= 69 { 1900 } else { 2000 };
                self.year = i32::try_from(value).ok().map(|year| year + century);
                rest
            }),
            Field::Month { width } => {
                number(text, width, 2).map(|(value, rest)| self.set_month(value as usize, rest))
            }
            Field::Day { width, pad } => {
                let (width, text) = match pad {
                    ' ' => (1, text.trim_start_matches(' ')),
                    _ => (width, text),
                };
                let (value, rest) = number(text, width, 2)?;
                self.day = Some(value);
                Some(rest)
            }
            Field::YearDay { .. } => {
                let (value, rest) = number(text.trim_start_matches(' '), 1, 3)?;
                self.year_day = Some(value);
                Some(rest)
            }
            Field::Hour => {
                let (value, rest) = number(text, 2, 2)?;
                self.hour = value;
                Some(rest)
            }
            Field::Hour12 { width } => {
                let (value, rest) = number(text, width, 2)?;
                self.hour = value;
                Some(rest)
            }
            Field::Minute { width } => {
                let (value, rest) = number(text, width, 2)?;
                self.minute = value;
                Some(rest)
            }
            Field::Second { width } => {
                let (value, rest) = number(text, width, 2)?;
                self.second = value;
                // A fraction may follow also where the layout has none.
                let is_next = matches!(piece(layout).0, Piece::Fraction { .. });
                let has_one = rest.starts_with(['.', ','])
                    && rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if has_one && !is_next {
                    self.fraction(rest, None)
                } else {
                    Some(rest)
                }
            }
            Field::Half { .. } => {
                let half = text.get(..2)?.to_ascii_uppercase();
                self.afternoon = match half.as_str() {
                    "AM" => Some(false),
                    "PM" => Some(true),
                    _ => return None,
                };
                Some(&text[2..])
            }
        }
    }

    fn set_month<'a>(&mut self, month: usize, rest: &'a str) -> &'a str {
        self.month = u32::try_from(month).ok();
        rest
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

    fn moment(self, zone: Tz) -> Option<Moment> {
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
