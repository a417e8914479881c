//! Durations, sizes, numbers and quoted text, as LogQL writes and reads them.

const NANOS: i64 = 1;
const MICROS: i64 = 1_000;
const MILLIS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Units of a Go duration; the longer name of two with the same beginning stands first.
const GO_UNITS: [(&str, i64); 8] = [
    ("ns", NANOS),
    ("us", MICROS),
    ("\u{b5}s", MICROS),
    ("\u{3bc}s", MICROS),
    ("ms", MILLIS),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];

/// Units of a Prometheus duration, in the order in which they must stand.
const PROMETHEUS_UNITS: [(&str, i64); 7] = [
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MILLIS),
];

/// Reads a duration as Prometheus writes it (`1d12h`) or as Go does (`1h30m`, `1.5s`), in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    parse_prometheus_duration(text).or_else(|| parse_go_duration(text))
}

fn parse_prometheus_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = &rest[..letters];
        let unit = PROMETHEUS_UNITS
            .iter()
            .position(|(unit, _)| *unit == name)?;
        if unit < next_unit {
            return None;
        }
        next_unit = unit + 1;
        total = total.checked_add(count.checked_mul(PROMETHEUS_UNITS[unit].1)?)?;
        rest = &rest[letters..];
    }
    (next_unit > 0).then_some(total)
}

/// Reads a duration as Go's `time.ParseDuration` does, in nanoseconds.
pub(crate) fn parse_go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let number = &rest[..length];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        rest = &rest[length..];
        let (name, unit) = GO_UNITS.iter().find(|(name, _)| rest.starts_with(name))?;
        rest = &rest[name.len()..];
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let part = fraction_of(fraction, *unit);
        total = total.checked_add(whole.checked_mul(*unit)?.checked_add(part)?)?;
    }
    Some(if negative { -total } else { total })
}

/// `0.fraction` times `unit`, rounded down.
fn fraction_of(fraction: &str, unit: i64) -> i64 {
    let mut scale = unit as f64;
    let mut value = 0.0;
    for digit in fraction.bytes().take(18) {
        scale /= 10.0;
        value += f64::from(digit - b'0') * scale;
    }
    // The sum of a few products can lie a hair under the whole number that was written.
    (value + 1e-6) as i64
}

/// A duration as Prometheus prints it, which is how LogQL prints ranges; what it cannot hold, as Go prints it.
pub(crate) fn format_range(nanoseconds: i64) -> String {
    if nanoseconds < 0 || nanoseconds % MILLIS != 0 {
        return format_go_duration(nanoseconds);
    }
    if nanoseconds == 0 {
        return "0s".to_string();
    }
    let mut rest = nanoseconds;
    let mut text = String::new();
    for (at, (name, unit)) in PROMETHEUS_UNITS.iter().enumerate() {
        // Years and weeks only where nothing remains, so that 8 days stay 8 days.
        let is_exact_only = at < 2;
        if rest < *unit || is_exact_only && rest % unit != 0 {
            continue;
        }
        text.push_str(&format!("{}{name}", rest / unit));
        rest %= unit;
    }
    text
}

/// A duration as Go prints it, which is how LogQL prints offsets and filters.
pub(crate) fn format_go_duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    if size == 0 {
        return "0s".to_string();
    }
    if size < SECOND as u64 {
        let (name, unit) = match size {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("\u{b5}s", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{name}", decimal(size, unit));
    }
    let hours = size / HOUR as u64;
    let minutes = size / MINUTE as u64 % 60;
    let seconds = decimal(size % MINUTE as u64, SECOND as u64);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `size / unit` with as many digits after the point as it takes; `unit` is a power of ten.
fn decimal(size: u64, unit: u64) -> String {
    let (whole, rest) = (size / unit, size % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads a size in bytes: a number and a unit of powers of 1000 (`KB`) or 1024 (`KiB`), in any case.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.' || *byte == b',')
        .count();
    let number: f64 = text[..length].replace(',', "").parse().ok()?;
    let unit = text[length..].trim().to_ascii_lowercase();
    let power = |letter: &str| "kmgtpe".find(letter).map(|at| at as i32 + 1);
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        _ => {
            let power = power(unit.get(..1)?)?;
            match &unit[1..] {
                "" | "b" => 1000f64.powi(power),
                "i" | "ib" => 1024f64.powi(power),
                _ => return None,
            }
        }
    };
    let bytes = number * factor;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// A size as people read it where that loses nothing, else in bytes.
pub(crate) fn format_bytes(bytes: u64) -> String {
    let exact = format!("{bytes}B");
    if bytes < 1000 {
        return exact;
    }
    let power = (bytes.ilog10() / 3).min(5);
    let scaled = bytes as f64 / 1000f64.powi(power as i32);
    let rounded = (scaled * 10.0 + 0.5).floor() / 10.0;
    let unit = ["", "k", "M", "G", "T", "P"][power as usize];
    let short = match rounded < 10.0 {
        true => format!("{rounded:.1}{unit}B"),
        false => format!("{rounded:.0}{unit}B"),
    };
    match parse_bytes(&short) == Some(bytes) {
        true => short,
        false => exact,
    }
}

/// A number as LogQL prints it: no exponent, as few digits as identify it.
pub(crate) fn format_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_string();
    }
    format!("{value}")
}

/// Text between double quotes, with the escapes of Go.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            control if (control as u32) < 0x80 && control.is_control() => {
                quoted.push_str(&format!("\\x{:02x}", control as u32));
            }
            control if control.is_control() || control == '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", control as u32));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads what stands between double quotes in Go; the error says what is wrong.
pub(crate) fn unquote(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape(&rest[at + 1..], &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| "the escapes of this text are not UTF-8".to_string())
}

/// Reads one escape after its backslash into `bytes` and returns what follows it.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let Some(kind) = text.chars().next() else {
        return Err("a backslash at the end of a text".to_string());
    };
    let simple = match kind {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' | '\'' | '"' => Some(kind as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        bytes.push(byte);
        return Ok(&text[1..]);
    }
    let (digits_from, digits, radix) = match kind {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => {
            return Err(format!(
                "unknown escape \\{kind}: write \\\\{kind} for a backslash, or use backticks around the text"
            ));
        }
    };
    let end = digits_from + digits;
    let value = text
        .get(digits_from..end)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .ok_or_else(|| format!("\\{kind} needs {digits} digits"))?;
    if matches!(kind, 'u' | 'U') {
        let character = char::from_u32(value).ok_or("not a Unicode character")?;
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(value).map_err(|_| "not a byte")?);
    }
    Ok(&text[end..])
}

/// Whether `name` can be the name of a label.
pub(crate) fn is_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, nanoseconds, range, go) in [
            ("5m", 300 * SECOND, "5m", "5m0s"),
            ("1h30m", 5_400 * SECOND, "1h30m", "1h30m0s"),
            ("1d12h", 36 * HOUR, "1d12h", "36h0m0s"),
            ("8d", 8 * DAY, "8d", "192h0m0s"),
            ("2w", 14 * DAY, "2w", "336h0m0s"),
            ("1.5s", 1_500 * MILLIS, "1s500ms", "1.5s"),
            ("250ms", 250 * MILLIS, "250ms", "250ms"),
            ("1500us", 1_500 * MICROS, "1.5ms", "1.5ms"),
            ("-5m", -300 * SECOND, "-5m0s", "-5m0s"),
            ("0", 0, "0s", "0s"),
        ] {
            assert_eq!(parse_duration(text), Some(nanoseconds), "{text}");
            assert_eq!(format_range(nanoseconds), range);
            assert_eq!(format_go_duration(nanoseconds), go);
        }
        for text in ["", "5", "m", "5x", "1m1h1", "9999999999y", "."] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("5KB", 5_000, "5.0kB"),
            ("5KiB", 5_120, "5120B"),
            ("1.5 mb", 1_500_000, "1.5MB"),
            ("42", 42, "42B"),
            ("1,024", 1_024, "1024B"),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
            assert_eq!(format_bytes(bytes), written);
        }
        assert_eq!(parse_bytes("5XB"), None);
        assert_eq!(parse_bytes("KB"), None);
        assert_eq!(parse_bytes("99999999PB"), None);
    }
}
