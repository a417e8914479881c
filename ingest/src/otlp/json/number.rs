//! The text of a JSON number -> a number, exactly or not at all.
//!
//! Source: RFC 8259, section 6, and proto3's JSON mapping: integers of any width may be written with a fraction or an
//! exponent as long as they are whole, and 64 bits of them are kept.

/// Why a text does not become the number that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    NotANumber,
    NotWhole,
    OutOfRange,
}

/// The length of the number that `text` begins with; `None` where it begins with none.
#[inline]
pub(crate) fn length(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    let integer = digits(&text[at..]);
    if integer == 0 || (integer > 1 && text[at] == b'0') {
        return None;
    }
    at += integer;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(&text[at + 1..]);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(&text[at..]);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

#[inline]
fn digits(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len())
}

/// The whole number that all of `text` is, if it is one of at most 20 digits.
#[inline]
pub(crate) fn whole(text: &[u8]) -> Result<i128, Unfit> {
    // Times and counts: digits alone, few enough for 64 bits.
    if (1..=19).contains(&text.len()) && text[0] != b'0' && text.iter().all(u8::is_ascii_digit) {
        let value = text.iter().fold(0, push_digit);
        return Ok(i128::from(value));
    }
    any_whole(text)
}

#[inline]
fn push_digit(value: u64, digit: &u8) -> u64 {
    value * 10 + u64::from(digit - b'0')
}

fn any_whole(text: &[u8]) -> Result<i128, Unfit> {
    if length(text) != Some(text.len()) {
        return Err(Unfit::NotANumber);
    }
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match end {
        Some(end) => (&text[..end], exponent(&text[end + 1..])),
        None => (text, 0),
    };
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let fraction = mantissa.get(point + 1..).unwrap_or_default();
    let digits = || mantissa[..point].iter().chain(fraction);
    let zeros_before = digits().take_while(|digit| **digit == b'0').count();
    let zeros_behind = digits().rev().take_while(|digit| **digit == b'0').count();
    let all = point + fraction.len();
    if zeros_before == all {
        return Ok(0);
    }
    // The digits that count, of which the last is no zero, times ten to the power of `scale`.
    let count = all - zeros_before - zeros_behind;
    let scale = exponent - fraction.len() as i64 + zeros_behind as i64;
    if scale < 0 {
        return Err(Unfit::NotWhole);
    }
    if count as i64 + scale > 20 {
        return Err(Unfit::OutOfRange);
    }
    let value = digits()
        .skip(zeros_before)
        .take(count)
        .fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let value = value * 10_i128.pow(scale as u32);
    Ok(if negative { -value } else { value })
}

/// An exponent; one beyond all lengths of texts stays so.
fn exponent(text: &[u8]) -> i64 {
    const BEYOND: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let size = digits.iter().fold(0, |size: i64, digit| {
        (size * 10 + i64::from(digit - b'0')).min(BEYOND)
    });
    if negative { -size } else { size }
}

/// The double nearest to the number that all of `text` is.
pub(crate) fn double(text: &[u8]) -> Result<f64, Unfit> {
    if length(text) != Some(text.len()) {
        return Err(Unfit::NotANumber);
    }
    let text = std::str::from_utf8(text).map_err(|_| Unfit::NotANumber)?;
    let value: f64 = text.parse().map_err(|_| Unfit::NotANumber)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Unfit::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_every_form() {
        let cases = [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("0e999999999999999999999", 0),
            ("7", 7),
            ("-7", -7),
            ("9007199254740993", 9_007_199_254_740_993),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("1.8446744073709551615e19", i128::from(u64::MAX)),
            ("1844674407370955161500e-2", i128::from(u64::MAX)),
            ("15.0", 15),
            ("1.5E+1", 15),
            ("1500e-2", 15),
            ("0.0015e4", 15),
            ("99999999999999999999", 99_999_999_999_999_999_999),
        ];
        for (text, value) in cases {
            assert_eq!(whole(text.as_bytes()), Ok(value), "{text}");
        }
        let long = format!("1{}e-{}", "0".repeat(100_000), 100_000);
        assert_eq!(whole(long.as_bytes()), Ok(1));
    }

    #[test]
    fn what_is_no_whole_number() {
        for text in ["1.5", "15e-1", "1e-999999999999999999999", "0.1"] {
            assert_eq!(whole(text.as_bytes()), Err(Unfit::NotWhole), "{text}");
        }
        for text in ["100000000000000000000", "1e20", "-1e999999999999999999999"] {
            assert_eq!(whole(text.as_bytes()), Err(Unfit::OutOfRange), "{text}");
        }
        let texts = [
            "", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1 ", " 1", "NaN", "1_0",
            "1.e1",
        ];
        for text in texts {
            assert_eq!(whole(text.as_bytes()), Err(Unfit::NotANumber), "{text:?}");
            assert_eq!(double(text.as_bytes()), Err(Unfit::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn doubles() {
        for value in [0.1, 5e-324, 1.797_693_134_862_315_7e308, 637.704, -1e-7] {
            let text = format!("{value:e}");
            assert_eq!(double(text.as_bytes()), Ok(value), "{text}");
        }
        let zero = double(b"-0").expect("a number");
        assert!(zero == 0.0 && zero.is_sign_negative());
        assert_eq!(double(b"1e-400"), Ok(0.0));
        assert_eq!(double(b"-1e400"), Err(Unfit::OutOfRange));
    }
}
