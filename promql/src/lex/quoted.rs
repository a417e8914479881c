//! Strings in quotes, as Go writes them.
//!
//! A string of Rust is UTF-8 and one of Go is any bytes. A byte that belongs to no character, `\xff`, becomes a private
//! character here, so that it can be recognised as what no label may hold and be written back.

/// Private characters from here on stand for bytes that are no UTF-8.
const STRAY_BYTES: u32 = 0x10_FE00;

/// The byte that a private character stands for.
pub(crate) fn stray_byte(c: char) -> Option<u8> {
    u8::try_from((c as u32).checked_sub(STRAY_BYTES)?).ok()
}

/// The string at the start of `text`, and how many bytes it takes with its quotes.
pub(super) fn read(text: &str) -> Result<(String, usize), String> {
    let quote = text.chars().next().unwrap_or('"');
    if quote == '`' {
        return match text[1..].find('`') {
            Some(end) => Ok((text[1..=end].to_owned(), end + 2)),
            None => Err("unterminated raw string".to_owned()),
        };
    }
    let mut bytes = Vec::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => break,
            '\\' => {
                let used = escape(&text[at + 1..], quote, &mut bytes)?;
                for _ in 0..used {
                    chars.next();
                }
            }
            c if c == quote => return Ok((characters(&bytes), at + 1)),
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("unterminated quoted string".to_owned())
}

/// Appends what stands after a backslash; returns how many characters it is.
fn escape(text: &str, quote: char, into: &mut Vec<u8>) -> Result<usize, String> {
    let first = text
        .chars()
        .next()
        .ok_or("escape sequence not terminated")?;
    let simple = match first {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        c if c == quote => Some(c as u8),
        _ => None,
    };
    if let Some(byte) = simple {
        into.push(byte);
        return Ok(1);
    }
    let (from, length, radix) = match first {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => return Err(format!("unknown escape sequence {first:?}")),
    };
    let code = text
        .get(from..from + length)
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .ok_or("illegal character in escape sequence")?;
    if matches!(first, 'u' | 'U') {
        let c = char::from_u32(code).ok_or("escape sequence is an invalid Unicode code point")?;
        into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        into.push(u8::try_from(code).map_err(|_| "escape sequence is above 255".to_owned())?);
    }
    Ok(from + length)
}

/// Bytes as characters; what is no UTF-8 becomes private characters.
fn characters(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.extend(char::from_u32(STRAY_BYTES + u32::from(*byte)));
        }
    }
    text
}

/// A string in double quotes, as Go's `%q` writes it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if stray_byte(c).is_some() => {
                quoted.push_str(&format!("\\x{:02x}", stray_byte(c).unwrap_or(0)));
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
