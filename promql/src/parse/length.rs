//! Lengths of time in brackets and after `offset`.

use super::cursor::Cursor;
use crate::{
    error::Result,
    expr::{BinaryOp, Length, Number},
    lex::Token,
};

/// What stands in brackets: a whole expression.
pub(super) fn whole(cursor: &mut Cursor, context: &str) -> Result<Length> {
    binary(cursor, context, 0)
}

/// What stands after `offset`: no operator, lest the arithmetic of the query is eaten.
pub(super) fn single(cursor: &mut Cursor, context: &str) -> Result<Length> {
    cursor.enter()?;
    let length = operand(cursor, context)?;
    cursor.leave();
    Ok(length)
}

fn operator(cursor: &Cursor) -> Option<BinaryOp> {
    match cursor.peek() {
        Token::Sign("+") => Some(BinaryOp::Add),
        Token::Sign("-") => Some(BinaryOp::Sub),
        Token::Sign("*") => Some(BinaryOp::Mul),
        Token::Sign("/") => Some(BinaryOp::Div),
        Token::Sign("%") => Some(BinaryOp::Mod),
        Token::Sign("^") => Some(BinaryOp::Pow),
        _ => None,
    }
}

fn binary(cursor: &mut Cursor, context: &str, least: u8) -> Result<Length> {
    cursor.enter()?;
    let mut left = operand(cursor, context)?;
    let mut operators = 0;
    while let Some(op) = operator(cursor).filter(|op| op.precedence() >= least) {
        cursor.take();
        // Each makes the tree one higher.
        cursor.enter()?;
        operators += 1;
        let above = op.precedence() + u8::from(op != BinaryOp::Pow);
        let right = binary(cursor, context, above)?;
        left = Length::Binary(op, Box::new(left), Box::new(right));
    }
    for _ in 0..=operators {
        cursor.leave();
    }
    Ok(left)
}

fn operand(cursor: &mut Cursor, context: &str) -> Result<Length> {
    if cursor.sign("-") {
        let inner = binary_above_product(cursor, context)?;
        return Ok(match inner {
            Length::Literal(number) => Length::Literal(Number {
                value: -number.value,
                ..number
            }),
            other => Length::Negative(Box::new(other)),
        });
    }
    if cursor.sign("+") {
        return binary_above_product(cursor, context);
    }
    if cursor.sign("(") {
        let inner = binary(cursor, context, 0)?;
        cursor.need(")", context)?;
        return Ok(Length::Paren(Box::new(inner)));
    }
    match cursor.peek().clone() {
        Token::Number(value) => {
            cursor.take();
            Ok(Length::Literal(Number {
                value,
                duration: false,
            }))
        }
        Token::Duration(value) => {
            cursor.take();
            Ok(Length::Literal(Number {
                value,
                duration: true,
            }))
        }
        Token::Name(name) if cursor.is_sign(1, "(") => call(cursor, context, &name),
        _ => Err(cursor.unexpected(context, "number, duration, step(), or range()")),
    }
}

/// What a sign applies to: it binds like a product, below powers.
fn binary_above_product(cursor: &mut Cursor, context: &str) -> Result<Length> {
    cursor.enter()?;
    let inner = operand(cursor, context)?;
    cursor.leave();
    Ok(inner)
}

fn call(cursor: &mut Cursor, context: &str, name: &str) -> Result<Length> {
    let name = name.to_ascii_lowercase();
    if !matches!(
        name.as_str(),
        "step" | "range" | "min" | "max" | "min_of" | "max_of"
    ) {
        return Err(cursor.unexpected(context, "number, duration, step(), or range()"));
    }
    cursor.take();
    cursor.need("(", context)?;
    if matches!(name.as_str(), "step" | "range") {
        cursor.need(")", context)?;
        return Ok(match name == "step" {
            true => Length::Step,
            false => Length::Range,
        });
    }
    let left = Box::new(binary(cursor, context, 0)?);
    cursor.need(",", context)?;
    let right = Box::new(binary(cursor, context, 0)?);
    cursor.need(")", context)?;
    Ok(match name.starts_with("min") {
        true => Length::Least(left, right),
        false => Length::Greatest(left, right),
    })
}
