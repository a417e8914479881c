//! Numbers and durations.

use crate::lex::Token;

/// The units of a duration from long to short, with their seconds.
pub(crate) const UNITS: [(&str, f64); 7] = [
    ("y", 365.0 * 86_400.0),
    ("w", 7.0 * 86_400.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
];

/// Longer ones would leave the range of times.
const DURATION_MAX_MS: f64 = 9.2e15;

/// The number or duration at the start of `text`, and its length in bytes.
pub(super) fn read(text: &str) -> Result<(Token, usize), String> {
    let word = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
        .map_or(text, |end| &text[..end]);
    let wrong = || format!("bad number or duration syntax: {word:?}");
    if word.len() > 1 && matches!(&word[..2], "0x" | "0X") {
        let digits = word[2..].strip_prefix('_').unwrap_or(&word[2..]);
        let digits = without_underscores(digits, 16);
        let value = digits.and_then(|digits| i64::from_str_radix(&digits, 16).ok());
        return match value {
            Some(value) => Ok((Token::Number(value as f64), word.len())),
            None => Err(wrong()),
        };
    }
    if let Some(seconds) = duration(word) {
        return seconds.map(|seconds| (Token::Duration(seconds), word.len()));
    }
    let end = number_end(text);
    let follows = text[end..].chars().next();
    if follows.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
        return Err(wrong());
    }
    let number = without_underscores(&text[..end], 10);
    match number.as_deref().and_then(decimal) {
        Some(value) => Ok((Token::Number(value), end)),
        None => Err(wrong()),
    }
}

/// The value of a number in digits, which is octal where it is a whole one that begins with 0, as in Go.
fn decimal(digits: &str) -> Option<f64> {
    let octal = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
    match octal.and_then(|rest| i64::from_str_radix(rest, 8).ok()) {
        Some(value) => Some(value as f64),
        None => digits.parse().ok(),
    }
}

/// A number as Rust reads it; nothing where an underscore does not stand between two digits.
fn without_underscores(number: &str, radix: u32) -> Option<String> {
    let parts: Vec<&str> = number.split('_').collect();
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_digit(radix));
    let between = parts.windows(2).all(|pair| {
        let (before, after) = (pair[0].chars().last(), pair[1].chars().next());
        digit(before) && digit(after)
    });
    between.then(|| parts.concat())
}

/// Where a decimal number ends.
fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        from + bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'_')
            .count()
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// The seconds of `1h30m`; nothing where the word is no duration.
pub(crate) fn duration(word: &str) -> Option<Result<f64, String>> {
    let mut rest = word;
    let mut millis = 0.0;
    let mut smallest = None;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let unit = UNITS
            .iter()
            .position(|(name, _)| *name == &rest[digits..digits + letters])?;
        if digits == 0 || smallest.is_some_and(|before| before >= unit) {
            return None;
        }
        smallest = Some(unit);
        let count: f64 = rest[..digits].parse().ok()?;
        millis += count * (UNITS[unit].1 * 1000.0).round();
        rest = &rest[digits + letters..];
    }
    smallest?;
    if millis > DURATION_MAX_MS {
        return Some(Err("duration out of range".to_owned()));
    }
    Some(Ok(millis / 1000.0))
}

/// A duration as Prometheus writes it: `1h30m`, `500ms`, `1w`.
pub(crate) fn format_duration(seconds: f64) -> String {
    let mut millis = (seconds.abs() * 1000.0).round() as i64;
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::from(if seconds < 0.0 { "-" } else { "" });
    // Years, weeks and days only where they leave no rest, as 90d is no 12w6d.
    for (at, (unit, length)) in UNITS.iter().enumerate() {
        let length = (length * 1000.0).round() as i64;
        if at < 3 && millis % length != 0 {
            continue;
        }
        if millis >= length {
            text.push_str(&format!("{}{unit}", millis / length));
            millis %= length;
        }
    }
    text
}
