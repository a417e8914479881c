//! The name of a severity -> its number in OTLP.
//!
//! Sources: OpenTelemetry logs data model, "Severity Fields" and appendix B (the names of syslog and of the usual
//! libraries).

/// The longest name.
const MAX_NAME_BYTES: usize = 13;

/// The number of a name in any capitals; 0, which is no severity, for names that are none.
pub(super) fn number(name: &[u8]) -> u64 {
    let mut lower = [0; MAX_NAME_BYTES];
    let name = name.trim_ascii();
    let Some(lower) = lower.get_mut(..name.len()) else {
        return 0;
    };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    match &*lower {
        b"trace" | b"trc" | b"verbose" | b"finest" => 1,
        b"trace2" => 2,
        b"trace3" => 3,
        b"trace4" => 4,
        b"debug" | b"dbg" | b"fine" => 5,
        b"debug2" => 6,
        b"debug3" => 7,
        b"debug4" => 8,
        b"info" | b"information" | b"informational" | b"inf" => 9,
        b"info2" | b"notice" => 10,
        b"info3" => 11,
        b"info4" => 12,
        b"warn" | b"warning" | b"wrn" => 13,
        b"warn2" => 14,
        b"warn3" => 15,
        b"warn4" => 16,
        b"error" | b"err" | b"eror" | b"severe" => 17,
        b"error2" | b"critical" | b"crit" => 18,
        b"error3" | b"alert" => 19,
        b"error4" => 20,
        b"fatal" | b"emergency" | b"emerg" | b"panic" => 21,
        b"fatal2" => 22,
        b"fatal3" => 23,
        b"fatal4" => 24,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn names_in_any_capitals_and_nothing_else() {
        for (name, expected) in [
            ("INFO", 9),
            (" Warning ", 13),
            ("err", 17),
            ("Critical", 18),
            ("emerg", 21),
            ("informational", 9),
            ("", 0),
            ("30", 0),
            ("informationally", 0),
        ] {
            assert_eq!(number(name.as_bytes()), expected, "{name}");
        }
    }
}
