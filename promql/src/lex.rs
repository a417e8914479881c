//! A text, cut into tokens.

use crate::{
    error::{Error, Result},
    expr::Span,
};

pub(crate) mod number;
pub(crate) mod quoted;

/// One word or sign of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name, which the parser may read as a keyword; with `:` outside of brackets and braces.
    Name(String),
    Number(f64),
    /// A duration, in seconds.
    Duration(f64),
    String(String),
    /// An operator or a sign of punctuation.
    Sign(&'static str),
    End,
}

impl Token {
    /// As it stands in messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Name(name) => format!("identifier {name:?}"),
            Token::Number(value) => format!("number {:?}", value.to_string()),
            Token::Duration(seconds) => format!("duration \"{seconds}s\""),
            Token::String(text) => format!("string {text:?}"),
            Token::Sign(sign) => format!("{sign:?}"),
            Token::End => "end of input".to_owned(),
        }
    }
}

/// Longer ones first, so that the first that fits is right.
const SIGNS: [&str; 26] = [
    "==", "!=", "=~", "!~", "<=", ">=", "</", ">/", "=", "<", ">", "+", "-", "*", "/", "%", "^",
    "(", ")", "{", "}", "[", "]", ",", ":", "@",
];

/// All tokens of `text` with their places; the last is `End`.
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Span)>> {
    let mut lexer = Lexer {
        text,
        at: 0,
        brackets: 0,
        braces: 0,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let token = lexer.next()?;
        let end = token == Token::End;
        tokens.push((
            token,
            Span {
                start,
                end: lexer.at,
            },
        ));
        if end {
            return Ok(tokens);
        }
    }
}

/// A parse error at a byte of `text`.
pub(crate) fn error_at(text: &str, offset: usize, message: impl Into<String>) -> Error {
    let (line, column) = place(text, offset);
    Error::Parse {
        line,
        column,
        message: message.into(),
    }
}

/// Line and column of a byte, from 1.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count();
    let begin = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    (line + 1, before.len() - begin + 1)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    brackets: usize,
    braces: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.at += blank;
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn next(&mut self) -> Result<Token> {
        let rest = &self.text[self.at..];
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Token::End);
        };
        let second = chars.next();
        if first.is_ascii_digit() || first == '.' && second.is_some_and(|c| c.is_ascii_digit()) {
            return self.number();
        }
        if matches!(first, '"' | '\'' | '`') {
            let (value, used) =
                quoted::read(rest).map_err(|message| error_at(self.text, self.at, message))?;
            self.at += used;
            return Ok(Token::String(value));
        }
        let colons = self.brackets == 0 && self.braces == 0;
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' && colons;
        if in_name(first) {
            let length = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
            self.at += length;
            return Ok(Token::Name(rest[..length].to_owned()));
        }
        self.sign(first)
    }

    fn sign(&mut self, first: char) -> Result<Token> {
        let Some(sign) = SIGNS
            .iter()
            .copied()
            .find(|sign| self.rest().starts_with(sign))
        else {
            let message = match first {
                '!' => format!(
                    "unexpected character after '!': {:?}",
                    self.rest()[1..].chars().next().unwrap_or(' ')
                ),
                _ => format!("unexpected character: {first:?}"),
            };
            return Err(error_at(self.text, self.at, message));
        };
        match sign {
            "[" => self.brackets += 1,
            "]" => self.brackets = self.brackets.saturating_sub(1),
            "{" => self.braces += 1,
            "}" => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    fn number(&mut self) -> Result<Token> {
        let rest = &self.text[self.at..];
        let (token, used) =
            number::read(rest).map_err(|message| error_at(self.text, self.at, message))?;
        self.at += used;
        Ok(token)
    }
}
