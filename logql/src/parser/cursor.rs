//! A place in the tokens of a query.

use crate::{
    error::{Error, Result},
    lexer::{self, Placed, Token},
    limits,
};

pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Result<Cursor<'a>> {
        let tokens = lexer::tokens(text)?;
        Ok(Cursor {
            text,
            tokens,
            next: 0,
            depth: 0,
        })
    }

    fn placed_at(&self, ahead: usize) -> &Placed {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + ahead).min(last)]
    }

    pub(super) fn peek(&self) -> &Token {
        &self.placed_at(0).token
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        &self.placed_at(ahead).token
    }

    pub(super) fn is_at_end(&self) -> bool {
        *self.peek() == Token::End
    }

    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    pub(super) fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Symbol(found) if *found == symbol)
    }

    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// Takes a symbol if it is next.
    pub(super) fn take(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol_at(0, symbol);
        self.next += usize::from(found);
        found
    }

    /// Takes a word if it is next; words that mean something are the same in any case.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word_at(0, word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<()> {
        match self.take(symbol) {
            true => Ok(()),
            false => Err(self.unexpected(symbol)),
        }
    }

    /// Takes the name of a label.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        let Token::Word(name) = self.peek() else {
            return Err(self.unexpected(what));
        };
        let name = name.clone();
        self.advance();
        Ok(name)
    }

    /// Takes a text and tells where it stands.
    pub(super) fn text(&mut self, what: &str) -> Result<(String, usize)> {
        let Token::Text(text) = self.peek() else {
            return Err(self.unexpected(what));
        };
        let found = (text.clone(), self.at());
        self.advance();
        Ok(found)
    }

    /// Takes names between parentheses; there may be none.
    pub(super) fn names(&mut self) -> Result<Vec<String>> {
        self.expect("(")?;
        let mut names = Vec::new();
        while !self.take(")") {
            names.push(self.name("the name of a label")?);
            if !self.take(",") && !self.is_symbol_at(0, ")") {
                return Err(self.unexpected(", or )"));
            }
        }
        Ok(names)
    }

    /// Whether `| unwrap` is next, which ends the stages of a range.
    pub(super) fn is_unwrap(&self) -> bool {
        self.is_symbol_at(0, "|")
            && self.is_word_at(1, "unwrap")
            && matches!(self.peek_at(2), Token::Word(_))
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> usize {
        self.placed_at(0).at
    }

    /// One level deeper, if that is allowed.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        refuse_over(self.depth, limits::TEXT_DEPTH)
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn error(&self, detail: impl Into<String>) -> Error {
        self.error_at(self.at(), detail)
    }

    pub(super) fn error_at(&self, at: usize, detail: impl Into<String>) -> Error {
        lexer::error_at(self.text, at, detail)
    }

    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            Token::End => "the end of the query".to_string(),
            Token::Text(text) => format!("the text {text:?}"),
            Token::Word(word) => format!("{word:?}"),
            Token::Symbol(symbol) => format!("{symbol:?}"),
            Token::Flag(flag) => format!("the flag --{flag}"),
            Token::Number(_) => "a number".to_string(),
            Token::Duration(_) => "a duration".to_string(),
            Token::Bytes(_) => "a size".to_string(),
            Token::Range(_) => "a range".to_string(),
        };
        self.error(format!("unexpected {found}, expected {expected}"))
    }
}

/// Refuses an expression that is too deep.
pub(super) fn check_depth(depth: usize) -> Result<()> {
    refuse_over(depth, limits::DEPTH)
}

fn refuse_over(depth: usize, limit: usize) -> Result<()> {
    match depth > limit {
        false => Ok(()),
        true => Err(Error::Limit {
            what: "the depth of an expression",
            limit: limit as u64,
            advice: "nest less, or split the query",
        }),
    }
}
