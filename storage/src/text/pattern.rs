//! What patterns of SQL demand: `LIKE`, a part of a text, its beginning, its end, the whole of it.
//!
//! Only words that are bounded within the pattern are asked for: `%word%` matches `swordfish` too.

use super::{demand::Demand, token::Subject};

/// Longer patterns are not looked at.
const PATTERN_BYTES: usize = 64 << 10;

/// The escape character of `LIKE` where the statement names none.
const ESCAPE: char = '\\';

/// What a text must have that is `text`, in any case.
pub fn equal(subject: Subject, text: &str) -> Demand {
    part(subject, text, (false, false))
}

/// What a text must have that contains `text`, in any case.
pub fn contains(subject: Subject, text: &str) -> Demand {
    part(subject, text, (true, true))
}

/// What a text must have that begins with `text`, in any case.
pub fn starts_with(subject: Subject, text: &str) -> Demand {
    part(subject, text, (false, true))
}

/// What a text must have that ends with `text`, in any case.
pub fn ends_with(subject: Subject, text: &str) -> Demand {
    part(subject, text, (true, false))
}

fn part(subject: Subject, text: &str, open: (bool, bool)) -> Demand {
    match text.len() <= PATTERN_BYTES {
        true => Demand::of_part(subject, text, open),
        false => Demand::nothing(),
    }
}

/// What a text must have that is `LIKE` (or `ILIKE`) `pattern`: `%` is any text, `_` any character, `\` takes the next
/// character for itself.
pub fn like(subject: Subject, pattern: &str) -> Demand {
    if pattern.len() > PATTERN_BYTES {
        return Demand::nothing();
    }
    let mut demand = Demand::nothing();
    let mut text = String::new();
    let mut open = false;
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' | '_' => {
                demand = demand.and(Demand::of_part(subject, &text, (open, true)));
                text.clear();
                open = true;
            }
            // An escape at the very end stands for itself.
            ESCAPE => text.push(chars.next().unwrap_or(ESCAPE)),
            char => text.push(char),
        }
    }
    demand.and(Demand::of_part(subject, &text, (open, false)))
}

#[cfg(test)]
mod tests;
