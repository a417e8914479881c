//! Whether a piece of SQL stays where it is put: between parentheses of a statement that somebody else wrote.
//!
//! The statement as a whole is checked like any other; this only keeps the piece from ending its parentheses itself.

use super::{limits, place};
use crate::error::{Error, Result};
use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    tokenizer::{Token, Tokenizer},
};

/// Refuses what closes a parenthesis that it did not open, leaves one open, or ends the statement.
pub fn check(text: &str) -> Result<()> {
    if text.len() > limits::STATEMENT_BYTES {
        return Err(Error::TooLarge {
            what: "the length of the condition in bytes".to_string(),
            limit: limits::STATEMENT_BYTES as u64,
            place: None,
        });
    }
    let tokens = Tokenizer::new(&GenericDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| Error::Invalid {
            detail: error.message,
            place: place::of(error.location),
        })?;
    let mut open = 0_usize;
    for token in &tokens {
        let leaves = match token.token {
            Token::LParen => {
                open += 1;
                false
            }
            Token::RParen => {
                let closes_other = open == 0;
                open = open.saturating_sub(1);
                closes_other
            }
            Token::SemiColon => true,
            _ => false,
        };
        if leaves {
            return Err(Error::Invalid {
                detail: format!("{} ends the condition", token.token),
                place: place::of(token.span.start),
            });
        }
    }
    match open {
        0 => Ok(()),
        _ => Err(Error::invalid(
            "a parenthesis of the condition is not closed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_condition_does_not_leave_its_parentheses() {
        for sound in [
            "a = 1",
            "(a) OR (b)",
            "a = ')' -- )",
            "f(g(1), '(')",
            "/* ) */ true",
        ] {
            assert!(check(sound).is_ok(), "{sound}");
        }
        for leaving in ["a) OR (b", "(a", "a; b", ")", "a = 'open"] {
            assert!(check(leaving).is_err(), "{leaving}");
        }
    }
}
