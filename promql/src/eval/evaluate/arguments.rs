//! The arguments of a call.

use crate::{
    error::{Error, Result},
    expr::{Call, Expr, Kind},
};

pub(super) fn argument(call: &Call, at: usize) -> Result<&Expr> {
    call.args
        .get(at)
        .ok_or_else(|| Error::Evaluation(format!("{} lacks an argument", call.function.name)))
}

pub(super) fn text(expr: &Expr) -> Result<String> {
    match &expr.unwrapped().kind {
        Kind::String(text) => Ok(text.clone()),
        _ => Err(Error::Evaluation(format!("expected a string, got {expr}"))),
    }
}
