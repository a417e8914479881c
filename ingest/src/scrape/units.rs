//! Durations and sizes as Prometheus' settings write them: `1m30s`, `10MB`.

use std::time::Duration;

/// The units of durations, largest first, in milliseconds.
const DURATIONS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The units of sizes. All are powers of 1024, as in Prometheus.
const SIZES: [(&str, u32); 12] = [
    ("", 0),
    ("B", 0),
    ("KB", 1),
    ("KiB", 1),
    ("MB", 2),
    ("MiB", 2),
    ("GB", 3),
    ("GiB", 3),
    ("TB", 4),
    ("TiB", 4),
    ("PB", 5),
    ("PiB", 5),
];

/// A duration: numbers with units, each unit once at most and larger ones first; `0` needs none.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut millis, mut next) = (text, 0u64, 0);
    while !rest.is_empty() {
        let (number, behind) = digits(rest)?;
        let length = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(length);
        let at = DURATIONS.iter().position(|known| known.0 == unit)?;
        if at < next {
            return None;
        }
        next = at + 1;
        millis = millis.checked_add(number.checked_mul(DURATIONS[at].1)?)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// A size in bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = digits(text)?;
    let unit = SIZES.iter().find(|known| known.0 == unit)?;
    number.checked_mul(1024u64.checked_pow(unit.1)?)
}

/// The number that a text begins with, and the rest.
fn digits(text: &str) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(length);
    Some((number.parse().ok()?, rest))
}

/// A duration as Prometheus shows it.
pub(super) fn shown(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_string();
    }
    let mut text = String::new();
    for (at, (unit, size)) in DURATIONS.iter().enumerate() {
        // Years, weeks and days only where nothing is left over, as Prometheus does.
        if at < 3 && millis % size != 0 {
            continue;
        }
        let count = millis / size;
        if count > 0 {
            text += &format!("{count}{unit}");
            millis -= count * size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("15s", Some(15_000), "15s"),
            ("1m30s", Some(90_000), "1m30s"),
            ("90s", Some(90_000), "1m30s"),
            ("1h0m1ms", Some(3_600_001), "1h1ms"),
            ("2d", Some(172_800_000), "2d"),
            ("36h", Some(129_600_000), "36h"),
            ("0", Some(0), "0s"),
            ("", None, ""),
            ("15", None, ""),
            ("1s1m", None, ""),
            ("1.5s", None, ""),
            ("-1s", None, ""),
            ("99999999999999999999y", None, ""),
        ];
        for (text, millis, again) in cases {
            let read = duration(text);
            assert_eq!(read.map(|read| read.as_millis()), millis, "{text}");
            assert_eq!(read.map(shown).unwrap_or_default(), again, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("10MB", Some(10 << 20)),
            ("1GiB", Some(1 << 30)),
            ("512B", Some(512)),
            ("x", None),
            ("10XB", None),
            ("99999999PB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
