//! Values that JSON cannot say, as an object with one tag: `$double`, `$bytes`.

use super::encode;

/// The value of such an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tagged<'a> {
    /// Not finite.
    Double(f64),
    /// Padded standard base64.
    Bytes(&'a str),
}

impl<'a> Tagged<'a> {
    /// The value of an object that is a tag; `None` if it is an ordinary one.
    pub(super) fn parse(json: &'a str) -> Option<Tagged<'a>> {
        // The first key tells: ordinary nested keys never begin with a single `$`.
        if let Some(rest) = json.strip_prefix("{\"$double\":\"") {
            return double(rest.strip_suffix("\"}")?).map(Tagged::Double);
        }
        let base64 = json.strip_prefix("{\"$bytes\":\"")?.strip_suffix("\"}")?;
        base64
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
            .then_some(())?;
        Some(Tagged::Bytes(base64))
    }

    /// Appends the object.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Tagged::Double(value) => encode::double(out, value),
            Tagged::Bytes(base64) => {
                out.extend_from_slice(b"{\"$bytes\":\"");
                out.extend_from_slice(base64.as_bytes());
                out.extend_from_slice(b"\"}");
            }
        }
    }
}

fn double(tag: &str) -> Option<f64> {
    match tag {
        "NaN" => Some(f64::from_bits(encode::CANONICAL_NAN_BITS)),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => u64::from_str_radix(tag.strip_prefix("0x")?, 16)
            .ok()
            .map(f64::from_bits),
    }
}
