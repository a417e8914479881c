//! Text -> tokens, each with the place where it begins.

use crate::{
    error::{Error, Result},
    limits, units,
};

/// A token of LogQL. Keywords are words: what they are depends on where they stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Word(String),
    Text(String),
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(i64),
    /// `--strict` and `--keep-empty`, without the hyphens.
    Flag(&'static str),
    Symbol(&'static str),
    End,
}

/// A token and where it begins in the text, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

/// The longer of two that begin alike stands first.
const SYMBOLS: [&str; 27] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "|", "=", ">", "<", "{", "}", "(",
    ")", ",", "+", "-", "*", "/", "%", "^", ".", "]",
];

const FLAGS: [&str; 2] = ["strict", "keep-empty"];

/// An error at a place of the text.
pub(crate) fn error_at(text: &str, at: usize, detail: impl Into<String>) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].chars().count() + 1;
    Error::Syntax {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        detail: detail.into(),
    }
}

/// The tokens of a text, with [`Token::End`] at its end.
pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>> {
    if text.len() > limits::QUERY_BYTES {
        return Err(Error::Limit {
            what: "the bytes of a query",
            limit: limits::QUERY_BYTES as u64,
            advice: "shorten it",
        });
    }
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at = skip_blank(text, at);
        let Some(first) = text[at..].chars().next() else {
            found.push(Placed {
                token: Token::End,
                at,
            });
            return Ok(found);
        };
        let (token, length) = token(&text[at..], first)
            .map_err(|(offset, detail)| error_at(text, at + offset, detail))?;
        found.push(Placed { token, at });
        at += length;
    }
}

/// The place after white space and comments.
fn skip_blank(text: &str, mut at: usize) -> usize {
    loop {
        let rest = text[at..].trim_start();
        at = text.len() - rest.len();
        if !rest.starts_with('#') {
            return at;
        }
        at += rest.find('\n').unwrap_or(rest.len());
    }
}

/// A token and its length; the error has its place in `text`.
type Lexed = Result<(Token, usize), (usize, String)>;

fn token(text: &str, first: char) -> Lexed {
    match first {
        '"' => quoted(text),
        '`' => {
            let Some(end) = text[1..].find('`') else {
                return Err((
                    0,
                    "the closing backtick of this text is missing".to_string(),
                ));
            };
            // As in Go, carriage returns are not part of raw text.
            Ok((Token::Text(text[1..end + 1].replace('\r', "")), end + 2))
        }
        '\'' => Err((
            0,
            "text stands between double quotes or backticks, not single quotes".to_string(),
        )),
        '[' => range(text),
        '0'..='9' => number(text),
        '.' if text[1..].starts_with(|c: char| c.is_ascii_digit()) => number(text),
        _ if first.is_ascii_alphabetic() || first == '_' => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
            Ok((Token::Word(text[..length].to_string()), length))
        }
        _ => symbol(text, first),
    }
}

fn symbol(text: &str, first: char) -> Lexed {
    if let Some(rest) = text.strip_prefix("--") {
        let length = rest
            .find(|c: char| !c.is_ascii_alphabetic() && c != '-')
            .unwrap_or(rest.len());
        if let Some(flag) = FLAGS.iter().find(|flag| **flag == &rest[..length]) {
            return Ok((Token::Flag(flag), length + 2));
        }
    }
    match SYMBOLS.iter().find(|symbol| text.starts_with(**symbol)) {
        Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
        None => Err((0, format!("unexpected character {first:?}"))),
    }
}

fn quoted(text: &str) -> Lexed {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let inner = units::unquote(&text[1..at]).map_err(|detail| (0, detail))?;
                return Ok((Token::Text(inner), at + 1));
            }
            '\n' => break,
            _ => {}
        }
    }
    Err((0, "the closing quote of this text is missing".to_string()))
}

fn range(text: &str) -> Lexed {
    let Some(end) = text.find(']') else {
        return Err((0, "the closing ] of this range is missing".to_string()));
    };
    let inner = text[1..end].trim();
    match units::parse_duration(inner) {
        Some(nanoseconds) if nanoseconds > 0 => Ok((Token::Range(nanoseconds), end + 1)),
        Some(_) => Err((1, "a range is longer than 0".to_string())),
        None => Err((1, format!("{inner:?} is not a duration like 5m or 1h30m"))),
    }
}

/// A number and what is written to it: `5`, `1e3`, `5m`, `10KB`.
fn number(text: &str) -> Lexed {
    let mut length = 0;
    for (at, character) in text.char_indices() {
        let is_sign = matches!(character, '+' | '-')
            && text[..at].ends_with(['e', 'E'])
            && text[..at - 1]
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && text[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        let is_part = character.is_ascii_alphanumeric()
            || matches!(character, '.' | '_' | '\u{b5}' | '\u{3bc}');
        if !is_part && !is_sign {
            break;
        }
        length = at + character.len_utf8();
    }
    let word = &text[..length];
    let token = if let Ok(value) = word.parse::<f64>() {
        if !value.is_finite() {
            return Err((0, format!("the number {word} is too large")));
        }
        Token::Number(value)
    } else if let Some(nanoseconds) = units::parse_duration(word) {
        Token::Duration(nanoseconds)
    } else if let Some(bytes) = units::parse_bytes(word) {
        Token::Bytes(bytes)
    } else {
        return Err((
            0,
            format!("{word:?} is neither a number, nor a duration like 5m, nor a size like 5KB"),
        ));
    };
    Ok((token, length))
}
