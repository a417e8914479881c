//! What may stand between a binary operator and its right side.

use super::{cursor::Cursor, selector};
use crate::{
    error::Result,
    expr::{Cardinality, Matching, Number},
    lex::Token,
};

/// `bool`, `on (…)`, `group_left (…)`, `fill (…)`.
pub(super) fn modifiers(cursor: &mut Cursor) -> Result<(bool, Matching)> {
    let bool_modifier = cursor.is_word("bool") && cursor.take() != Token::End;
    let mut matching = Matching::default();
    for (word, on) in [("on", true), ("ignoring", false)] {
        if cursor.is_word(word) && cursor.is_sign(1, "(") {
            cursor.take();
            matching.on = on;
            matching.explicit = true;
            matching.labels = selector::grouping(cursor)?;
            break;
        }
    }
    if matching.explicit {
        group(cursor, &mut matching)?;
    }
    fill(cursor, &mut matching)?;
    Ok((bool_modifier, matching))
}

fn group(cursor: &mut Cursor, matching: &mut Matching) -> Result<()> {
    matching.cardinality = if cursor.word("group_left") {
        Cardinality::ManyToOne
    } else if cursor.word("group_right") {
        Cardinality::OneToMany
    } else {
        return Ok(());
    };
    if cursor.is_sign(0, "(") {
        matching.include = selector::grouping(cursor)?;
    }
    Ok(())
}

fn fill(cursor: &mut Cursor, matching: &mut Matching) -> Result<()> {
    while cursor.is_sign(1, "(") {
        let (left, right) = match () {
            () if cursor.is_word("fill") => (true, true),
            () if cursor.is_word("fill_left") => (true, false),
            () if cursor.is_word("fill_right") => (false, true),
            () => return Ok(()),
        };
        cursor.take();
        cursor.take();
        let value = number(cursor)?;
        cursor.need(")", "fill modifier")?;
        if left {
            matching.fill_left = Some(value);
        }
        if right {
            matching.fill_right = Some(value);
        }
    }
    Ok(())
}

fn number(cursor: &mut Cursor) -> Result<Number> {
    let negative = cursor.sign("-");
    if !negative {
        cursor.sign("+");
    }
    let (value, duration) = match cursor.peek() {
        Token::Number(value) => (*value, false),
        Token::Duration(value) => (*value, true),
        Token::Name(name) if name.eq_ignore_ascii_case("inf") => (f64::INFINITY, false),
        Token::Name(name) if name.eq_ignore_ascii_case("nan") => (f64::NAN, false),
        _ => return Err(cursor.unexpected("fill modifier", "number")),
    };
    cursor.take();
    Ok(Number {
        value: if negative { -value } else { value },
        duration,
    })
}
