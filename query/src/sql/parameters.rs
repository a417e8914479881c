//! Values for `$1` and `$name`, put into the syntax tree as literals: from there on a statement with parameters
//! is planned, pruned and limited exactly as if the values had been written.

use super::{limits, place};
use crate::error::{Error, Place, Result};
use datafusion::sql::{
    parser::Statement,
    sqlparser::{
        ast::{Array, Expr, UnaryOperator, Value as Literal, VisitMut, VisitorMut},
        tokenizer::Span,
    },
};
use serde_json::Value;
use std::{collections::HashSet, ops::ControlFlow};

/// Replaces every placeholder of `statement`. `parameters` is null, an array or an object (see `SqlRequest`).
pub(super) fn bind(statement: &mut Statement, parameters: &Value) -> Result<()> {
    let mut bind = Bind::new(parameters)?;
    let query = match statement {
        Statement::Explain(explain) => match explain.statement.as_mut() {
            Statement::Statement(inner) => inner,
            _ => return Ok(()),
        },
        Statement::Statement(inner) => inner,
        _ => return Ok(()),
    };
    if let ControlFlow::Break(error) = query.visit(&mut bind) {
        return Err(error);
    }
    bind.all_used()
}

struct Bind {
    given: Vec<(String, Value)>,
    used: HashSet<usize>,
}

impl Bind {
    fn new(parameters: &Value) -> Result<Bind> {
        let given: Vec<(String, Value)> = match parameters {
            Value::Null => Vec::new(),
            Value::Array(values) => {
                let named = |(i, v): (usize, &Value)| ((i + 1).to_string(), v.clone());
                values.iter().enumerate().map(named).collect()
            }
            Value::Object(values) => values.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            _ => {
                let detail = "parameters must be an array for $1, $2, … or an object for $name";
                return Err(Error::invalid(detail));
            }
        };
        if given.len() > limits::PARAMETERS {
            let what = "the number of parameters".to_string();
            return Err(Error::TooLarge {
                what,
                limit: limits::PARAMETERS as u64,
                place: None,
            });
        }
        let bytes: usize = given.iter().map(|(_, value)| text_bytes(value)).sum();
        if bytes > limits::STATEMENT_BYTES {
            let what = "the size of the parameters in bytes".to_string();
            return Err(Error::TooLarge {
                what,
                limit: limits::STATEMENT_BYTES as u64,
                place: None,
            });
        }
        Ok(Bind {
            given,
            used: HashSet::new(),
        })
    }

    fn literal(&mut self, placeholder: &str, span: Span) -> Result<Expr> {
        let at = place::start(span);
        let name = placeholder
            .strip_prefix('$')
            .ok_or_else(|| Error::Invalid {
                detail: format!("write parameters as $1 or $name, not {placeholder}"),
                place: at,
            })?;
        let found = self.given.iter().position(|(given, _)| given == name);
        let index = found.ok_or_else(|| Error::Invalid {
            detail: format!("no value is given for ${name}"),
            place: at,
        })?;
        self.used.insert(index);
        expression(&self.given[index].1, span, at)
    }

    fn all_used(&self) -> Result<()> {
        match (0..self.given.len()).find(|index| !self.used.contains(index)) {
            None => Ok(()),
            Some(index) => {
                let name = &self.given[index].0;
                Err(Error::invalid(format!(
                    "a value is given for ${name}, which the statement lacks"
                )))
            }
        }
    }
}

impl VisitorMut for Bind {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Value(value) = expr else {
            return ControlFlow::Continue(());
        };
        let Literal::Placeholder(name) = &value.value else {
            return ControlFlow::Continue(());
        };
        match self.literal(&name.clone(), value.span) {
            Ok(bound) => {
                *expr = bound;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|v| text_bytes(v) + 2).sum(),
        Value::Object(_) => 0,
    }
}

fn expression(value: &Value, span: Span, at: Option<Place>) -> Result<Expr> {
    let literal = |literal: Literal| Expr::Value(literal.with_span(span));
    Ok(match value {
        Value::Null => literal(Literal::Null),
        Value::Bool(value) => literal(Literal::Boolean(*value)),
        Value::String(text) => literal(Literal::SingleQuotedString(text.clone())),
        Value::Number(number) => match number.to_string().strip_prefix('-') {
            None => literal(Literal::Number(number.to_string(), false)),
            // Parenthesized, so that `2 - $1` cannot become anything else.
            Some(digits) => Expr::Nested(Box::new(Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(literal(Literal::Number(digits.to_string(), false))),
            })),
        },
        Value::Array(values) => array(values, span, at)?,
        Value::Object(_) => {
            let detail = "the value of a parameter must be a scalar or an array of scalars";
            return Err(Error::Invalid {
                detail: detail.to_string(),
                place: at,
            });
        }
    })
}

/// `make_array(…)`, to be used as `= ANY($1)` or in list functions.
fn array(values: &[Value], span: Span, at: Option<Place>) -> Result<Expr> {
    if values.iter().any(|v| v.is_array() || v.is_object()) {
        let detail = "the elements of an array parameter must be scalars";
        return Err(Error::Invalid {
            detail: detail.to_string(),
            place: at,
        });
    }
    if values.len() > limits::IN_LIST {
        let what = "the length of an array parameter".to_string();
        return Err(Error::TooLarge {
            what,
            limit: limits::IN_LIST as u64,
            place: at,
        });
    }
    let elem = values
        .iter()
        .map(|v| expression(v, span, at))
        .collect::<Result<Vec<Expr>>>()?;
    Ok(Expr::Array(Array { elem, named: true }))
}

#[cfg(test)]
mod tests;
