//! Rust source to words, marks and literals with their lines: as much of the language as the rules need.
//!
//! Comments vanish, so that a rule never trips over prose; a string is one literal, so that it never trips over
//! test data. A lexer of our own instead of `syn` because `syn` knows lines only with a feature that would
//! rebuild every procedural macro of the workspace, DataFusion's included.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word,
    /// `'a`, `'static`.
    Lifetime,
    /// A string, character or number.
    Literal,
    /// One punctuation character, or `::`.
    Mark,
}

/// A token of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// From 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether this is the word or mark `text`; never true for a literal.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text == text
    }
}

/// The tokens of `source`, comments left out. Never fails: what is no Rust makes odd tokens.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, kind) = match rest[0] {
            byte if byte.is_ascii_whitespace() => (1, None),
            b'/' if rest.starts_with(b"//") => (line_length(rest), None),
            b'/' if rest.starts_with(b"/*") => (block_comment_length(rest), None),
            b'"' => (string_length(rest, 0), Some(Kind::Literal)),
            b'\'' => quote(rest),
            byte if byte.is_ascii_digit() => (number_length(rest), Some(Kind::Literal)),
            byte if is_word(byte) => word_or_string(rest),
            b':' if rest.starts_with(b"::") => (2, Some(Kind::Mark)),
            _ => (1, Some(Kind::Mark)),
        };
        let end = (at + length).min(bytes.len());
        if let Some(kind) = kind {
            tokens.push(Token {
                kind,
                text: &source[at..end],
                line,
            });
        }
        line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
        at = end;
    }
    tokens
}

/// Letters, digits, `_` and every byte of a character beyond ASCII, so that tokens end at character borders.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word_length(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| is_word(**byte)).count()
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| **byte != b'\n').count()
}

/// The length of a block comment; they nest.
fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of a string whose opening quote stands at `quote_at`, with escapes.
fn string_length(rest: &[u8], quote_at: usize) -> usize {
    let mut at = quote_at + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal or a lifetime.
fn quote(rest: &[u8]) -> (usize, Option<Kind>) {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return (end.map_or(rest.len(), |end| end + 4), Some(Kind::Literal));
    }
    let character = match rest.get(1) {
        Some(byte) if *byte >= 0xF0 => 4,
        Some(byte) if *byte >= 0xE0 => 3,
        Some(byte) if *byte >= 0xC0 => 2,
        _ => 1,
    };
    if rest.get(1 + character) == Some(&b'\'') {
        return (character + 2, Some(Kind::Literal));
    }
    (1 + word_length(&rest[1..]), Some(Kind::Lifetime))
}

/// Digits, suffix and fraction; the dots of `1..2` are not part of it.
fn number_length(rest: &[u8]) -> usize {
    let mut at = word_length(rest);
    if rest.get(at) == Some(&b'.') && rest.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at += 1 + word_length(&rest[at + 1..]);
    }
    at
}

/// A word, or a string with a prefix (`r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`), or a byte (`b'…'`).
fn word_or_string(rest: &[u8]) -> (usize, Option<Kind>) {
    let length = word_length(rest);
    let word = &rest[..length];
    let hashes = rest[length..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let quoted = rest.get(length + hashes) == Some(&b'"');
    if matches!(word, b"r" | b"br" | b"cr") && quoted {
        return (
            raw_string_length(rest, length + hashes, hashes),
            Some(Kind::Literal),
        );
    }
    if matches!(word, b"b" | b"c") && hashes == 0 && quoted {
        return (string_length(rest, length), Some(Kind::Literal));
    }
    if word == b"b" && rest.get(1) == Some(&b'\'') {
        return (1 + quote(&rest[1..]).0, Some(Kind::Literal));
    }
    if word == b"r" && hashes == 1 {
        return (2 + word_length(&rest[2..]), Some(Kind::Word));
    }
    (length, Some(Kind::Word))
}

/// The length of a raw string whose opening quote stands at `quote_at`, closed by a quote and `hashes` hashes.
fn raw_string_length(rest: &[u8], quote_at: usize, hashes: usize) -> usize {
    let closes = |at: usize| {
        rest[at] == b'"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|b| **b == b'#')
                .count()
                == hashes
    };
    (quote_at + 1..rest.len())
        .find(|at| closes(*at))
        .map_or(rest.len(), |at| at + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let found: Vec<&str> = tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn comments_and_strings_hide_what_is_in_them() {
        check("a // static\nb", &["a", "b"]);
        check("a /* x /* y */ z */ b", &["a", "b"]);
        check(
            r##"f("a\"b", r#"c"d"#, b"e")"##,
            &[
                "f",
                "(",
                r#""a\"b""#,
                ",",
                r##"r#"c"d"#"##,
                ",",
                r#"b"e""#,
                ")",
            ],
        );
    }

    #[test]
    fn lifetimes_characters_and_numbers() {
        check("&'static str", &["&", "'static", "str"]);
        check(
            "'x' '\\'' '\\u{1F600}' 'é' b'\\n'",
            &["'x'", "'\\''", "'\\u{1F600}'", "'é'", "b'\\n'"],
        );
        check("1..2 1.5e3 0x_ff", &["1", ".", ".", "2", "1.5e3", "0x_ff"]);
        check("r#type::x", &["r#type", "::", "x"]);
    }

    #[test]
    fn lines_count_through_strings() {
        let found = tokens("a\n\"x\ny\"\nb");
        assert_eq!(
            found.iter().map(|token| token.line).collect::<Vec<_>>(),
            [1, 2, 4]
        );
    }
}
