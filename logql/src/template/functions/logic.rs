//! Functions that compare, choose and look into values.

use super::{ANY, Context, Function, all_labels, int_of};
use crate::template::value::Value;
use std::cmp::Ordering;

type Answer = Result<Value, String>;

const fn function(
    name: &'static str,
    least: usize,
    most: usize,
    call: fn(&mut Context<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        least,
        most,
        call,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("eq", 2, ANY, |_, a| {
        equal_to_any(&a[0], &a[1..]).map(Value::Bool)
    }),
    function("ne", 2, 2, |_, a| {
        equal_to_any(&a[0], &a[1..]).map(|same| Value::Bool(!same))
    }),
    function("lt", 2, 2, |_, a| {
        order(a, |order| order == Some(Ordering::Less))
    }),
    function("le", 2, 2, |_, a| {
        order(a, |order| {
            matches!(order, Some(Ordering::Less | Ordering::Equal))
        })
    }),
    function("gt", 2, 2, |_, a| {
        order(a, |order| order == Some(Ordering::Greater))
    }),
    function("ge", 2, 2, |_, a| {
        order(a, |order| {
            matches!(order, Some(Ordering::Greater | Ordering::Equal))
        })
    }),
    function("not", 1, 1, |_, a| Ok(Value::Bool(!a[0].is_true()))),
    // The first that decides was returned before the call; the last stands for all.
    function("and", 1, ANY, |_, a| Ok(a[a.len() - 1].clone())),
    function("or", 1, ANY, |_, a| Ok(a[a.len() - 1].clone())),
    function("default", 1, 2, |_, a| {
        let given = a.get(1).filter(|value| value.is_true());
        Ok(given.unwrap_or(&a[0]).clone())
    }),
    function("len", 1, 1, |context, a| match &a[0] {
        Value::Text(text) => Ok(Value::Int(text.len() as i64)),
        Value::List(items) => Ok(Value::Int(items.len() as i64)),
        Value::Map(entries) => Ok(Value::Int(entries.len() as i64)),
        Value::Labels => Ok(Value::Int(context.input.labels.len() as i64)),
        other => Err(format!("len of type {}", other.kind())),
    }),
    function("index", 1, ANY, |context, a| {
        let first = match &a[0] {
            Value::Labels => all_labels(context),
            other => other.clone(),
        };
        a[1..].iter().try_fold(first, index)
    }),
    function("slice", 1, 3, |_, a| slice(a)),
];

fn equal_to_any(value: &Value, others: &[Value]) -> Result<bool, String> {
    for other in others {
        let is_same = match (value, other) {
            (Value::Nil, _) | (_, Value::Nil) => value == other,
            (Value::List(_) | Value::Map(_) | Value::Labels, _) => {
                return Err("non-comparable types".to_string());
            }
            _ if value.kind() != other.kind() => return Err(incompatible()),
            _ => value == other,
        };
        if is_same {
            return Ok(true);
        }
    }
    Ok(false)
}

fn incompatible() -> String {
    "incompatible types for comparison".to_string()
}

fn order(arguments: &[Value], holds: fn(Option<Ordering>) -> bool) -> Answer {
    let order = match (&arguments[0], &arguments[1]) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => return Err(incompatible()),
    };
    Ok(Value::Bool(holds(order)))
}

fn index(value: Value, at: &Value) -> Answer {
    match (value, at) {
        (Value::Map(mut entries), Value::Text(key)) => {
            Ok(entries.remove(key).unwrap_or(Value::Nil))
        }
        (Value::List(mut items), Value::Int(at)) => {
            let place = usize::try_from(*at)
                .ok()
                .filter(|place| *place < items.len());
            let place = place.ok_or_else(|| format!("index out of range: {at}"))?;
            Ok(items.swap_remove(place))
        }
        (Value::Text(text), Value::Int(at)) => {
            let byte = usize::try_from(*at)
                .ok()
                .and_then(|place| text.as_bytes().get(place).copied());
            let byte = byte.ok_or_else(|| format!("index out of range: {at}"))?;
            Ok(Value::Int(i64::from(byte)))
        }
        (value, _) => Err(format!("can't index item of type {}", value.kind())),
    }
}

fn slice(arguments: &[Value]) -> Answer {
    let place = |at: usize, fallback: usize, length: usize| match arguments.get(at) {
        None => Ok(fallback),
        Some(_) => {
            let place = int_of(arguments, at)?;
            let found = usize::try_from(place).ok().filter(|place| *place <= length);
            found.ok_or_else(|| format!("index out of range: {place}"))
        }
    };
    let wrong = || "the slice ends before it begins".to_string();
    match &arguments[0] {
        Value::Text(text) => {
            let (from, to) = (place(1, 0, text.len())?, place(2, text.len(), text.len())?);
            text.get(from..to)
                .map(|part| Value::Text(part.to_string()))
                .ok_or_else(wrong)
        }
        Value::List(items) => {
            let (from, to) = (
                place(1, 0, items.len())?,
                place(2, items.len(), items.len())?,
            );
            items
                .get(from..to)
                .map(|part| Value::List(part.to_vec()))
                .ok_or_else(wrong)
        }
        other => Err(format!("can't slice item of type {}", other.kind())),
    }
}
