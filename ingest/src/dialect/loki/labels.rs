//! `{name="value", …}` -> labels: the text of a stream's label set, values quoted as Go quotes them.

use crate::dialect::error::DialectError;

/// Hands each label on to `each`; what is wrong with the text, if anything.
pub(super) fn read(
    text: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), DialectError>,
) -> Result<Option<&'static str>, DialectError> {
    let Some(mut rest) = text.trim_ascii().strip_prefix(b"{") else {
        return Ok(Some("they do not begin with a brace"));
    };
    let mut value = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"}") {
            let is_end = after.is_empty();
            return Ok((!is_end).then_some("something follows the closing brace"));
        }
        let Some(equals) = memchr::memchr(b'=', rest) else {
            return Ok(Some("a name without = and a value"));
        };
        let name = rest[..equals].trim_ascii();
        if name.is_empty() || name.iter().any(|byte| b"\",{}".contains(byte)) {
            return Ok(Some("a name that is none"));
        }
        rest = rest[equals + 1..].trim_ascii_start();
        value.clear();
        let Some(length) = unquote(rest, &mut value) else {
            return Ok(Some("a value that is not quoted as Go quotes texts"));
        };
        each(name, &value)?;
        rest = rest[length..].trim_ascii_start();
        match rest.first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => {}
            _ => return Ok(Some("no comma and no closing brace after a value")),
        }
    }
}

/// Appends what the quoted text at the front of `text` says; the bytes that it takes.
fn unquote(text: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
    let quote = *text.first()?;
    if quote == b'`' {
        let end = memchr::memchr(b'`', &text[1..])?;
        plain.extend_from_slice(&text[1..=end]);
        return Some(end + 2);
    }
    if quote != b'"' {
        return None;
    }
    let mut at = 1;
    loop {
        let length = memchr::memchr2(b'"', b'\\', &text[at..])?;
        plain.extend_from_slice(&text[at..at + length]);
        at += length;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 1 + escape(&text[at + 1..], plain)?;
    }
}

/// Appends what the escape says whose text begins behind the backslash; the bytes that it takes.
fn escape(text: &[u8], plain: &mut Vec<u8>) -> Option<usize> {
    let byte = match *text.first()? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        same @ (b'\\' | b'"' | b'\'') => same,
        b'x' => {
            plain.push(number(text.get(1..3)?, 16)? as u8);
            return Some(3);
        }
        b'u' => return character(text.get(1..5)?, plain).map(|()| 5),
        b'U' => return character(text.get(1..9)?, plain).map(|()| 9),
        b'0'..=b'7' => {
            plain.push(u8::try_from(number(text.get(..3)?, 8)?).ok()?);
            return Some(3);
        }
        _ => return None,
    };
    plain.push(byte);
    Some(1)
}

fn character(digits: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let character = char::from_u32(number(digits, 16)?)?;
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digit = |digit: &u8| char::from(*digit).to_digit(radix);
    digits
        .iter()
        .try_fold(0, |number, byte| Some(number * radix + digit(byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) -> Result<Vec<(String, String)>, &'static str> {
        let mut labels = Vec::new();
        let wrong = read(text.as_bytes(), |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            labels.push((text(name), text(value)));
            Ok(())
        });
        match wrong.unwrap() {
            Some(wrong) => Err(wrong),
            None => Ok(labels),
        }
    }

    #[test]
    fn labels_and_what_is_none() {
        let one = |name: &str, value: &str| Ok(vec![(name.to_string(), value.to_string())]);
        assert_eq!(check("{}"), Ok(Vec::new()));
        assert_eq!(check(r#" { a = "b", } "#), one("a", "b"));
        assert_eq!(
            check(r#"{a="\"\\\n\x41\u00e9\U0001F600\101"}"#),
            one("a", "\"\\\nAé😀A")
        );
        assert_eq!(check(r#"{a="=,}"}"#), one("a", "=,}"));
        assert_eq!(check("{a=`\\n`}"), one("a", "\\n"));
        assert_eq!(check(r#"{a="1",b="2"}"#).unwrap().len(), 2);
        for text in [
            "",
            "a=\"b\"",
            "{a}",
            "{a=b}",
            "{a=\"b}",
            "{a=\"b\"",
            "{a=\"b\" c=\"d\"}",
            "{=\"b\"}",
            "{a=\"\\q\"}",
            "{a=\"\\x4\"}",
            "{a=\"b\"}x",
            "{,}",
            "{a=\"\\777\"}",
            "{a=\"\\ud800\"}",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in r#"[{}=",`\\xuU0-9a-f ]{0,30}"#) {
            let _ = check(&text);
        }
    }
}
