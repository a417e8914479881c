//! The functions that a template may call, by name.

mod encode;
mod logic;
mod numbers;
mod text;
mod times;

use super::{Input, Regexes, value::Value};

/// What functions see beside their arguments.
pub(super) struct Context<'a> {
    pub(super) input: Input<'a>,
    pub(super) regexes: &'a mut Regexes,
}

impl<'a> Input<'a> {
    /// The value of a label, "" if there is none.
    pub(super) fn label(&self, name: &str) -> &'a str {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A function and how many arguments it takes.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) call: fn(&mut Context<'_>, &[Value]) -> Result<Value, String>,
}

/// As many arguments as there are.
const ANY: usize = usize::MAX;

const TABLES: [&[Function]; 5] = [
    text::FUNCTIONS,
    numbers::FUNCTIONS,
    logic::FUNCTIONS,
    times::FUNCTIONS,
    encode::FUNCTIONS,
];

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES
        .into_iter()
        .flatten()
        .find(|function| function.name == name)
}

/// Whether `and` or `or` need not look at the arguments after this one.
pub(super) fn decides(name: &str, value: &Value) -> bool {
    match name {
        "and" => !value.is_true(),
        "or" => value.is_true(),
        _ => false,
    }
}

/// The labels of the line as a map.
pub(super) fn all_labels(context: &Context<'_>) -> Value {
    let labels = context.input.labels.iter();
    Value::Map(
        labels
            .map(|(name, value)| (name.to_string(), Value::Text(value.to_string())))
            .collect(),
    )
}

/// The text that an argument is.
fn text_of(arguments: &[Value], at: usize) -> Result<&str, String> {
    match arguments.get(at) {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Nil) | None => Ok(""),
        Some(other) => Err(format!(
            "wrong type for value; expected string; got {}",
            other.kind()
        )),
    }
}

/// The whole number that an argument is.
fn int_of(arguments: &[Value], at: usize) -> Result<i64, String> {
    match arguments.get(at) {
        Some(Value::Int(value)) => Ok(*value),
        Some(other) => Err(format!(
            "wrong type for value; expected int; got {}",
            other.kind()
        )),
        None => Err("an argument is missing".to_string()),
    }
}

fn of_text(text: impl Into<String>) -> Result<Value, String> {
    Ok(Value::Text(text.into()))
}
