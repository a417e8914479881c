//! The pieces of a search -> what they mean together. `OR` binds least, `NOT` and `-` most; what stands side by side is joined by
//! and.

use super::terms::{Kind, Piece, Term, wrong};
use crate::error::Result;

/// Parentheses and negations within each other.
const MOST_DEPTH: usize = 16;

/// What a record must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Term(Term),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

/// Joins all pieces; `None` where there is none.
pub(super) fn parse(pieces: &[Piece]) -> Result<Option<Node>> {
    if pieces.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { pieces, next: 0 };
    let node = parser.any(0)?;
    match parser.peek() {
        None => Ok(Some(node)),
        Some(piece) => Err(wrong(piece.at, "this parenthesis closes none")),
    }
}

struct Parser<'a> {
    pieces: &'a [Piece],
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Piece> {
        self.pieces.get(self.next)
    }

    /// Whether the next piece is `kind`, which is then passed.
    fn pass(&mut self, kind: &Kind) -> bool {
        let is_it = self.peek().is_some_and(|piece| piece.kind == *kind);
        self.next += usize::from(is_it);
        is_it
    }

    fn any(&mut self, depth: usize) -> Result<Node> {
        let mut any = vec![self.all(depth)?];
        while self.pass(&Kind::Or) {
            any.push(self.all(depth)?);
        }
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Node::Any(any),
        })
    }

    fn all(&mut self, depth: usize) -> Result<Node> {
        let mut all = vec![self.one(depth)?];
        loop {
            let is_joined = self.pass(&Kind::And);
            let goes_on = self
                .peek()
                .is_some_and(|piece| !matches!(piece.kind, Kind::Or | Kind::Close));
            if !is_joined && !goes_on {
                break;
            }
            all.push(self.one(depth)?);
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Node::All(all),
        })
    }

    fn one(&mut self, depth: usize) -> Result<Node> {
        let Some(piece) = self.peek() else {
            let last = self.pieces.last().expect("an empty search is not parsed");
            return Err(wrong(last.at, "something is missing behind this"));
        };
        if depth > MOST_DEPTH {
            let detail =
                format!("more than {MOST_DEPTH} parentheses and negations are within each other");
            return Err(wrong(piece.at, detail));
        }
        self.next += 1;
        match &piece.kind {
            Kind::Term(term) => Ok(Node::Term(term.clone())),
            Kind::Not => Ok(Node::Not(Box::new(self.one(depth + 1)?))),
            Kind::Open => {
                let inner = self.any(depth + 1)?;
                match self.pass(&Kind::Close) {
                    true => Ok(inner),
                    false => Err(wrong(piece.at, "this parenthesis is not closed")),
                }
            }
            Kind::Close => Err(wrong(piece.at, "a word is missing before this parenthesis")),
            Kind::Or | Kind::And => Err(wrong(
                piece.at,
                "a word is missing before this; to look for the word itself put \" around it",
            )),
        }
    }
}
