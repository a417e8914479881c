//! The text of a search -> its pieces.

use super::terms::{Field, Kind, Piece, Term, Test, wrong};
use crate::error::{Error, Place, Result};

/// A search is typed, or written by a program that means a few things: longer ones are refused.
const MOST_BYTES: usize = 8 << 10;

/// Terms of one search: each is looked for in every record that is read.
const MOST_TERMS: usize = 32;

/// What stands between the name of a field and its value, longest first.
const OPERATORS: [&str; 7] = ["!=", ">=", "<=", ":", "=", ">", "<"];

/// Cuts `text` into pieces.
pub(super) fn lex(text: &str) -> Result<Vec<Piece>> {
    if text.len() > MOST_BYTES {
        return Err(Error::TooLarge {
            what: "the length of the search in bytes".to_owned(),
            limit: MOST_BYTES as u64,
            place: None,
        });
    }
    let mut lexer = Lexer {
        rest: text,
        at: Place { line: 1, column: 1 },
        pieces: Vec::new(),
    };
    while lexer.piece()? {}
    let is_term = |piece: &&Piece| matches!(piece.kind, Kind::Term(_));
    match lexer.pieces.iter().filter(is_term).nth(MOST_TERMS) {
        Some(piece) => Err(Error::TooLarge {
            what: "the number of words and phrases of the search".to_owned(),
            limit: MOST_TERMS as u64,
            place: Some(piece.at),
        }),
        None => Ok(lexer.pieces),
    }
}

struct Lexer<'a> {
    rest: &'a str,
    /// Where `rest` begins.
    at: Place,
    pieces: Vec<Piece>,
}

/// A text with what stands around it.
struct Value {
    text: String,
    is_quoted: bool,
    /// Whether a `*` stands before and behind it.
    stars: (bool, bool),
    at: Place,
}

impl<'a> Lexer<'a> {
    /// Reads the next piece; false at the end.
    fn piece(&mut self) -> Result<bool> {
        self.take_while(char::is_whitespace);
        let at = self.at;
        let Some(first) = self.rest.chars().next() else {
            return Ok(false);
        };
        let kind = match first {
            '(' | ')' => {
                self.skip(1);
                match first {
                    '(' => Kind::Open,
                    _ => Kind::Close,
                }
            }
            // `--flag` is text.
            '-' if !self.rest.starts_with("--") => {
                self.skip(1);
                let is_alone = self.rest.chars().next().is_none_or(char::is_whitespace);
                if is_alone {
                    return Err(wrong(at, "a - stands right before what it excludes"));
                }
                Kind::Not
            }
            _ => match self.keyword() {
                Some(kind) => kind,
                None => Kind::Term(self.term()?),
            },
        };
        self.pieces.push(Piece { kind, at });
        Ok(true)
    }

    fn keyword(&mut self) -> Option<Kind> {
        let end = self.rest.find(ends_word).unwrap_or(self.rest.len());
        let kind = match &self.rest[..end] {
            "OR" => Kind::Or,
            "AND" => Kind::And,
            "NOT" => Kind::Not,
            _ => return None,
        };
        self.skip(end);
        Some(kind)
    }

    fn term(&mut self) -> Result<Term> {
        let at = self.at;
        let Some((name, operator)) = self.name()? else {
            let value = self.value()?;
            let test = text_test(value)?;
            return Ok(Term {
                field: Field::Body,
                test,
                at,
            });
        };
        let field = Field::of(&name);
        let is_empty = self.rest.chars().next().is_none_or(ends_word_but_quote);
        if is_empty {
            let detail = format!(
                "nothing stands behind {name}{operator}; to look for this text put \" around it"
            );
            return Err(wrong(at, detail));
        }
        if operator == ":" && self.rest.starts_with("//") {
            let detail =
                format!("{name} is taken for a field; to look for an address put \" around it");
            return Err(wrong(at, detail));
        }
        let value = self.value()?;
        let test = match operator {
            ":" => text_test(value)?,
            "=" => Test::Equal(value.literally()),
            "!=" => {
                self.pieces.push(Piece {
                    kind: Kind::Not,
                    at,
                });
                Test::Equal(value.literally())
            }
            compared => Test::Compare(compared, value.literally()),
        };
        Ok(Term { field, test, at })
    }

    /// The name of a field and what stands behind it, where the text goes on with both.
    fn name(&mut self) -> Result<Option<(String, &'static str)>> {
        let (before, at) = (self.rest, self.at);
        let name = match self.rest.starts_with('"') {
            true => self.quoted()?,
            false => {
                let is_begin = |c: char| c.is_alphabetic() || matches!(c, '_' | '@');
                if !self.rest.starts_with(is_begin) {
                    return Ok(None);
                }
                let is_part = |c: char| c.is_alphanumeric() || "._-/@".contains(c);
                self.take_while(is_part).to_owned()
            }
        };
        let operator = OPERATORS
            .into_iter()
            .find(|operator| self.rest.starts_with(operator));
        match operator {
            Some(operator) if !name.is_empty() => {
                self.skip(operator.len());
                Ok(Some((name, operator)))
            }
            _ => {
                (self.rest, self.at) = (before, at);
                Ok(None)
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        let at = self.at;
        let starts = self.star();
        let is_quoted = self.rest.starts_with('"');
        let text = match is_quoted {
            true => self.quoted()?,
            false => {
                let all = self.take_while(|c| !ends_word(c));
                all.to_owned()
            }
        };
        let mut value = Value {
            text,
            is_quoted,
            stars: (starts, false),
            at,
        };
        match is_quoted {
            true => value.stars.1 = self.star(),
            false => {
                if let Some(shorter) = value.text.strip_suffix('*') {
                    value.text = shorter.to_owned();
                    value.stars.1 = true;
                }
            }
        }
        if let Some(next) = self
            .rest
            .chars()
            .next()
            .filter(|c| !ends_word_but_quote(*c))
        {
            let detail = format!("a space is missing before {next}, or a \" is too many");
            return Err(wrong(self.at, detail));
        }
        Ok(value)
    }

    /// A text in quotes, in which `\"` is a quote and `\\` a backslash.
    fn quoted(&mut self) -> Result<String> {
        let at = self.at;
        self.skip(1);
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((offset, char)) = chars.next() {
            match char {
                '"' => {
                    self.skip(offset + 1);
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                char => text.push(char),
            }
        }
        Err(wrong(at, "this quote is not closed"))
    }

    fn star(&mut self) -> bool {
        let is_star = self.rest.starts_with('*');
        if is_star {
            self.skip(1);
        }
        is_star
    }

    fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest;
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.skip(end);
        &rest[..end]
    }

    /// Goes on behind the next `bytes`.
    fn skip(&mut self, bytes: usize) {
        for char in self.rest[..bytes].chars() {
            match char {
                '\n' => {
                    self.at = Place {
                        line: self.at.line + 1,
                        column: 1,
                    }
                }
                _ => self.at.column += 1,
            }
        }
        self.rest = &self.rest[bytes..];
    }
}

impl Value {
    /// As it stands, stars and all: where a text is compared they mean themselves.
    fn literally(self) -> String {
        let star = |is_there| if is_there { "*" } else { "" };
        format!("{}{}{}", star(self.stars.0), self.text, star(self.stars.1))
    }
}

/// What a text that is looked for means.
fn text_test(value: Value) -> Result<Test> {
    let Value {
        text,
        is_quoted,
        stars,
        at,
    } = value;
    if !is_quoted && text.contains('*') {
        let detail = "a * stands at the end of a word (its beginning is looked for), or at both ends (a part of the \
                      text); put \" around text that has one";
        return Err(wrong(at, detail));
    }
    match (stars, text.is_empty()) {
        ((false, false), false) => Ok(Test::Words(text)),
        ((false, true), false) => Ok(Test::Beginning(text)),
        ((true, true), false) => Ok(Test::Part(text)),
        ((true, false), false) => {
            let detail = format!(
                "write *{text}* for text that has it anywhere, {text}* for words that begin so"
            );
            Err(wrong(at, detail))
        }
        (_, true) if !is_quoted => Ok(Test::Everything),
        (_, true) => Err(wrong(at, "nothing stands between these quotes")),
    }
}

fn ends_word(char: char) -> bool {
    char == '"' || ends_word_but_quote(char)
}

fn ends_word_but_quote(char: char) -> bool {
    char.is_whitespace() || matches!(char, '(' | ')')
}
