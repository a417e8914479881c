//! What rows must have to match: tokens, joined by and and or.

use super::{
    token::{Subject, Token},
    words::{Unit, scan},
};

/// Tokens that are asked for of one text; more narrow no further.
const TOKENS: usize = 32;

/// What a row must have. A row without it does not match; one with it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    Token(Token),
    /// Every one of these; without any it demands nothing, and every row may match.
    All(Vec<Demand>),
    /// At least one of these; without any no row matches.
    Any(Vec<Demand>),
}

impl Demand {
    /// Demands nothing.
    pub fn nothing() -> Demand {
        Demand::All(Vec::new())
    }

    /// Whether every row may match.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Demand::All(all) if all.is_empty())
    }

    /// That both hold.
    pub fn and(self, other: Demand) -> Demand {
        let mut all = match self {
            Demand::All(all) => all,
            one => vec![one],
        };
        match other {
            Demand::All(more) => more.into_iter().for_each(|one| add(&mut all, one)),
            one => add(&mut all, one),
        }
        match all.len() {
            1 => all.remove(0),
            _ => Demand::All(all),
        }
    }

    /// That one of the two holds.
    pub fn or(self, other: Demand) -> Demand {
        if self.is_nothing() || other.is_nothing() {
            return Demand::nothing();
        }
        let mut any = match self {
            Demand::Any(any) => any,
            one => vec![one],
        };
        match other {
            Demand::Any(more) => more.into_iter().for_each(|one| add(&mut any, one)),
            one => add(&mut any, one),
        }
        match any.len() {
            1 => any.remove(0),
            _ => Demand::Any(any),
        }
    }

    /// That a map has `key` with the text `value`.
    pub fn pair(subject: Subject, key: &str, value: &str) -> Demand {
        Demand::Token(Token::pair(subject, key, value))
    }

    /// That a text has all words of `text`: what a phrase of them demands.
    pub fn words(subject: Subject, text: &str) -> Demand {
        Demand::of_part(subject, text, (false, false))
    }

    /// What a phrase of the words of `text` demands whose last one may go on where it ends with `text`.
    pub fn beginning(subject: Subject, text: &str) -> Demand {
        Demand::of_part(subject, text, (false, true))
    }

    /// What a text that holds `part` must have, where the character before it and that behind it are unknown if they are
    /// `open` (before, behind). A word that may go on beyond an open end is not asked for.
    pub(crate) fn of_part(subject: Subject, part: &str, open: (bool, bool)) -> Demand {
        let mut tokens = Vec::new();
        scan(part, &mut Vec::new(), |unit, at| {
            let goes_on = open.0 && at.start == 0 || open.1 && at.end == part.len();
            let is_whole = !goes_on || matches!(unit, Unit::Char { .. });
            if let Some(token) = Token::unit(subject, unit)
                && is_whole
                && tokens.len() < TOKENS
            {
                add(&mut tokens, Demand::Token(token));
            }
        });
        match tokens.len() {
            1 => tokens.remove(0),
            _ => Demand::All(tokens),
        }
    }

    /// Adds the tokens that are asked for to `tokens`.
    pub(crate) fn tokens(&self, tokens: &mut Vec<Token>) {
        match self {
            Demand::Token(token) => tokens.push(*token),
            Demand::All(parts) | Demand::Any(parts) => {
                parts.iter().for_each(|part| part.tokens(tokens));
            }
        }
    }
}

fn add(parts: &mut Vec<Demand>, part: Demand) {
    if !parts.contains(&part) {
        parts.push(part);
    }
}
