//! Go's layouts of times, cut into fields and what stands between.

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Piece<'a> {
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
pub(super) enum Field {
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

/// The first piece of a layout and what follows it.
pub(super) fn piece(layout: &str) -> (Piece<'_>, &str) {
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
