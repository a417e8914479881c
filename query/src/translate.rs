//! OpenTelemetry names as Prometheus' users write them.
//!
//! The rules of the OpenTelemetry specification ("Prometheus and OpenMetrics Compatibility", OTLP metric points to
//! Prometheus), as Prometheus' own OTLP receiver applies them with underscores and suffixes.

use std::borrow::Cow;

/// What a metric is, as far as its name depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A sum that only grows.
    Counter,
    Gauge,
    Other,
}

/// Units of the UCUM and the word that Prometheus uses for each.
const UNITS: [(&str, &str); 31] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
    ("B", "bytes"),
    ("KB", "kilobytes"),
    ("MB", "megabytes"),
    ("GB", "gigabytes"),
    ("TB", "terabytes"),
];

/// Units below the line of a rate.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// `name` with the suffixes of its unit and nature, in the characters that a name without quotes may have.
pub(crate) fn metric(name: &str, unit: &str, nature: Nature) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut parts: Vec<&str> = name
        .split(|c| !is_part(c))
        .filter(|p| !p.is_empty())
        .collect();
    let (main, per) = unit_words(unit);
    if !main.is_empty() && !parts.contains(&main.as_ref()) {
        parts.push(&main);
    }
    let per_is_there = |parts: &[&str]| {
        per.is_empty() || parts.windows(2).any(|two| two[0] == "per" && two[1] == per)
    };
    if !per_is_there(&parts) {
        parts.push("per");
        parts.push(&per);
    }
    match nature {
        Nature::Counter => {
            parts.retain(|part| *part != "total");
            parts.push("total");
        }
        Nature::Gauge if unit.trim() == "1" => {
            parts.retain(|part| *part != "ratio");
            parts.push("ratio");
        }
        _ => {}
    }
    let joined = parts.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("_{joined}");
    }
    joined
}

/// The words for `unit`, and for what stands below its line.
fn unit_words(unit: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    (word(main, &UNITS), word(per, &PER_UNITS))
}

fn word<'a>(unit: &'a str, words: &[(&str, &'static str)]) -> Cow<'a, str> {
    let unit = unit.trim();
    // Annotations such as `{packet}` say what is counted and are no unit.
    if unit.contains(['{', '}']) {
        return Cow::Borrowed("");
    }
    if let Some((_, word)) = words.iter().find(|(short, _)| *short == unit) {
        return Cow::Borrowed(word);
    }
    let parts = unit.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    Cow::Owned(parts.join("_"))
}

/// An attribute's key as the name of a label.
pub(crate) fn label(key: &str) -> Cow<'_, str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts_well = key.starts_with(|c: char| c.is_ascii_alphabetic()) || key.starts_with("__");
    if starts_well && key.bytes().all(fits) && !key[1..].contains("__") {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        match c.is_ascii_alphanumeric() {
            true => name.push(c),
            // Several in a row become one, but for the two that reserved names begin with.
            false if name.ends_with('_') && !(name == "_" && key.starts_with("__")) => {}
            false => name.push('_'),
        }
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    } else if name.starts_with('_') && !name.starts_with("__") {
        name.insert_str(0, "key");
    }
    Cow::Owned(name)
}

/// Whether `name` needs no quotes in PromQL.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    bytes.next().is_some_and(first) && bytes.all(|b| first(b) || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Nature, label, metric};

    #[test]
    fn metric_names_get_units_and_suffixes() {
        let check = |name, unit, nature, expected| {
            assert_eq!(metric(name, unit, nature), expected, "{name} {unit}");
        };
        check(
            "http.server.request.duration",
            "s",
            Nature::Other,
            "http_server_request_duration_seconds",
        );
        check(
            "http_requests_total",
            "",
            Nature::Counter,
            "http_requests_total",
        );
        check(
            "http.requests",
            "{request}",
            Nature::Counter,
            "http_requests_total",
        );
        check("total.requests", "1", Nature::Counter, "requests_total");
        check(
            "system.memory.utilization",
            "1",
            Nature::Gauge,
            "system_memory_utilization_ratio",
        );
        check("system.io", "By", Nature::Counter, "system_io_bytes_total");
        check(
            "network.speed",
            "By/s",
            Nature::Gauge,
            "network_speed_bytes_per_second",
        );
        check("memory.bytes", "By", Nature::Gauge, "memory_bytes");
        check("2xx.count", "", Nature::Gauge, "_2xx_count");
        check("a..b__c", "", Nature::Gauge, "a_b_c");
        check("node:load:1m", "", Nature::Gauge, "node:load:1m");
        check("odd", "foo.bar", Nature::Gauge, "odd_foo_bar");
        check("rate", "m/s", Nature::Gauge, "rate_meters_per_second");
    }

    #[test]
    fn label_names_have_allowed_characters() {
        let check = |key, expected| assert_eq!(label(key), expected, "{key}");
        check("http.method", "http_method");
        check("plain", "plain");
        check("9lives", "key_9lives");
        check("_hidden", "key_hidden");
        check("__reserved", "__reserved");
        check("a..b", "a_b");
        check("é", "key_");
    }
}
