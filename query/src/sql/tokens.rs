//! Limits on a statement's tokens, checked before parsing: parsers, visitors and destructors recurse over the
//! syntax tree, so its depth must be bounded before there is one.

use super::{limits, place};
use crate::error::{Error, Result};
use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

/// Refuses more than one statement, deep nesting, long chains, and too many joins and set operations.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut scan = Scan {
        frames: vec![Frame::default()],
        ..Scan::default()
    };
    for token in tokens {
        if !matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            scan.token(token)?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Scan {
    frames: Vec<Frame>,
    /// Sum of `operators` over all frames.
    operators: usize,
    joins: usize,
    set_operations: usize,
    /// Whether the token before ended an operand. If not, a keyword in its place is a column of that name.
    after_operand: bool,
    ended: bool,
}

/// What lies between an opening token and its end.
#[derive(Default)]
struct Frame {
    case: bool,
    /// Operators since the last comma or clause: they may all nest in each other.
    operators: usize,
    /// Depth of the deepest closed frame since then.
    below: usize,
    /// The greatest depth before the last comma or clause.
    settled: usize,
}

impl Frame {
    fn settle(&mut self) {
        self.settled = self.settled.max(self.operators + self.below);
        self.operators = 0;
        self.below = 0;
    }
}

impl Scan {
    fn token(&mut self, token: &TokenWithSpan) -> Result<()> {
        if self.ended && token.token != Token::SemiColon {
            return Err(Error::Denied {
                what: "more than one statement".to_string(),
                detail: "send one statement a request".to_string(),
                place: place::start(token.span),
            });
        }
        let mut after_operand = false;
        match &token.token {
            Token::SemiColon => self.ended = true,
            Token::LParen | Token::LBrace => self.open(false, token)?,
            // A subscript is an operator on what stands before it.
            Token::LBracket => {
                self.operator(token)?;
                self.open(false, token)?;
            }
            Token::RParen | Token::RBrace | Token::RBracket => {
                self.close();
                after_operand = true;
            }
            Token::Comma => self.settle(),
            Token::Word(word) if word.quote_style.is_none() => {
                after_operand = self.keyword(word.keyword, token)?;
            }
            Token::Word(_) | Token::Number(..) | Token::Char(_) | Token::Placeholder(_) => {
                after_operand = true;
            }
            text if is_text(text) => after_operand = true,
            Token::Period => {}
            // Whatever else a tokenizer knows, now or after an upgrade, counts as an operator.
            _ => self.operator(token)?,
        }
        self.after_operand = after_operand;
        Ok(())
    }

    /// Returns whether the word ends an operand, as a name does.
    fn keyword(&mut self, keyword: Keyword, token: &TokenWithSpan) -> Result<bool> {
        match keyword {
            Keyword::CASE => {
                self.open(true, token)?;
                return Ok(false);
            }
            Keyword::END => {
                self.close_case();
                return Ok(true);
            }
            Keyword::JOIN | Keyword::APPLY => {
                self.joins += 1;
                self.limit("the number of joins", self.joins, limits::JOINS, token)?;
            }
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.set_operations += 1;
                let (count, most) = (self.set_operations, limits::SET_OPERATIONS);
                self.limit("the number of set operations", count, most, token)?;
            }
            _ => {}
        }
        if is_operator(keyword) {
            self.operator(token)?;
            return Ok(false);
        }
        if is_clause(keyword) && self.after_operand {
            self.settle();
            return Ok(false);
        }
        Ok(true)
    }

    fn operator(&mut self, token: &TokenWithSpan) -> Result<()> {
        self.operators += 1;
        let frame = self
            .frames
            .last_mut()
            .expect("the outermost frame is never closed");
        frame.operators += 1;
        let (operators, below) = (frame.operators, frame.below);
        self.limit("a chain of operators", operators, limits::CHAIN, token)?;
        let depth = self.operators + self.frames.len() + below;
        self.limit("the depth of an expression", depth, limits::DEPTH, token)
    }

    fn open(&mut self, case: bool, token: &TokenWithSpan) -> Result<()> {
        self.limit(
            "the depth of nesting",
            self.frames.len(),
            limits::NESTING,
            token,
        )?;
        self.frames.push(Frame {
            case,
            ..Frame::default()
        });
        Ok(())
    }

    /// Ends the innermost parenthesis; a CASE without END in it ends with it.
    fn close(&mut self) {
        while self.frames.last().is_some_and(|f| f.case) {
            self.pop();
        }
        self.pop();
    }

    fn close_case(&mut self) {
        if self.frames.last().is_some_and(|f| f.case) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        // An unbalanced closing token is the parser's to report.
        if self.frames.len() < 2 {
            return;
        }
        let mut frame = self.frames.pop().expect("there are two or more");
        self.operators -= frame.operators;
        frame.settle();
        let outer = self.frames.last_mut().expect("there is one more");
        outer.below = outer.below.max(frame.settled + 1);
    }

    fn settle(&mut self) {
        let frame = self
            .frames
            .last_mut()
            .expect("the outermost frame is never closed");
        self.operators -= frame.operators;
        frame.settle();
    }

    fn limit(&self, what: &str, count: usize, most: usize, token: &TokenWithSpan) -> Result<()> {
        if count <= most {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: what.to_string(),
            limit: most as u64,
            place: place::start(token.span),
        })
    }
}

fn is_text(token: &Token) -> bool {
    use Token::*;
    matches!(
        token,
        SingleQuotedString(_)
            | DoubleQuotedString(_)
            | TripleSingleQuotedString(_)
            | TripleDoubleQuotedString(_)
            | DollarQuotedString(_)
            | SingleQuotedByteStringLiteral(_)
            | DoubleQuotedByteStringLiteral(_)
            | SingleQuotedRawStringLiteral(_)
            | DoubleQuotedRawStringLiteral(_)
            | NationalStringLiteral(_)
            | EscapedStringLiteral(_)
            | UnicodeStringLiteral(_)
            | HexStringLiteral(_)
    )
}

/// Keywords that begin a part of a statement in which a new chain starts. Not FROM: `IS DISTINCT FROM` chains.
fn is_clause(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        SELECT | WHERE | GROUP | HAVING | ORDER | LIMIT | OFFSET | ON | WHEN | THEN | ELSE
    )
}

fn is_operator(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        AND | OR
            | NOT
            | XOR
            | IS
            | IN
            | LIKE
            | ILIKE
            | RLIKE
            | REGEXP
            | SIMILAR
            | BETWEEN
            | COLLATE
            | AT
            | DIV
            | OVERLAPS
            | MATCH
            | MEMBER
            | NOTNULL
            | OPERATOR
            | INTERVAL
            | PRIOR
    )
}

#[cfg(test)]
mod tests;
