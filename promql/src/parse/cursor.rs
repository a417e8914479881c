//! Where the parser is in the tokens.

use crate::{
    error::{Error, Result},
    expr::{Expr, Kind, Span},
    lex::{Token, error_at},
};

/// Deeper trees are refused, so that no recursion over one can use up the stack.
const DEPTH_MAX: usize = 200;

/// An expression and the height of its tree.
pub(super) struct Tree {
    pub(super) expr: Expr,
    pub(super) height: usize,
}

/// The tokens, and which is next.
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// `tokens` end with `Token::End`.
    pub(super) fn new(text: &'a str, tokens: Vec<(Token, Span)>) -> Cursor<'a> {
        Cursor {
            text,
            tokens,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn peek(&self) -> &Token {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, count: usize) -> &Token {
        self.tokens
            .get(self.at + count)
            .map_or(&Token::End, |(token, _)| token)
    }

    /// Where the next token stands.
    pub(super) fn span(&self) -> Span {
        self.tokens
            .get(self.at)
            .map_or(Span::default(), |(_, span)| *span)
    }

    /// From `start` to the end of the token that was taken last.
    pub(super) fn since(&self, start: usize) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        Span {
            start,
            end: last.map_or(start, |(_, span)| span.end),
        }
    }

    pub(super) fn take(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    /// Takes the sign if it is next.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.ahead(ahead), Token::Sign(next) if *next == sign)
    }

    /// Whether the next token is the keyword, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(name) if name.eq_ignore_ascii_case(word))
    }

    /// Takes the keyword if it is next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn need(&mut self, sign: &str, context: &str) -> Result<()> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(self.unexpected(context, &format!("{sign:?}")))
    }

    /// An error at the next token; `context` and `expected` may be empty.
    pub(super) fn unexpected(&self, context: &str, expected: &str) -> Error {
        if let Some(message) = self.unclosed() {
            return self.error(self.span().start, message);
        }
        let mut message = format!("unexpected {}", self.peek().describe());
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error(self.span().start, message)
    }

    /// What the text should have closed, where it is at its end.
    fn unclosed(&self) -> Option<&'static str> {
        let count = |sign: &str| {
            let is_sign =
                |token: &&(Token, Span)| matches!(token.0, Token::Sign(own) if own == sign);
            self.tokens.iter().filter(is_sign).count()
        };
        let open = |left: &str, right: &str| count(left) > count(right);
        match self.peek() {
            Token::End if open("{", "}") => Some("unexpected end of input inside braces"),
            Token::End if open("(", ")") => Some("unclosed left parenthesis"),
            Token::End if open("[", "]") => Some("unclosed left bracket"),
            _ => None,
        }
    }

    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        error_at(self.text, offset, message)
    }

    /// Goes one level deeper; `leave` comes back.
    pub(super) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(self.too_deep()),
            false => Ok(()),
        }
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// A node above trees of which the highest has `height`.
    pub(super) fn node(&self, kind: Kind, span: Span, height: usize) -> Result<Tree> {
        if height >= DEPTH_MAX {
            return Err(self.too_deep());
        }
        Ok(Tree {
            expr: Expr { kind, span },
            height: height + 1,
        })
    }

    fn too_deep(&self) -> Error {
        Error::Limit(format!("a query is nested at most {DEPTH_MAX} deep"))
    }
}
