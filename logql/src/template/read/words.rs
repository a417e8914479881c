//! The inside of an action: its words, and the pipe that they make.

use super::{DEPTH, Operand, Pipe};
use crate::{
    template::{functions, value::Value},
    units,
};

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    Name(String),
    /// `.a.b`; without a name the dot itself.
    Field(Vec<String>),
    /// `$x.a`, without the dollar.
    Variable(String, Vec<String>),
    Literal(Value),
    /// `(`, `|`, `:=`, `=`, `,`.
    Symbol(&'static str),
    /// `)` and the fields right after it.
    Close(Vec<String>),
}

/// Words up to `}}`, what follows it, and whether white space after it goes.
type Action<'a> = (Vec<Word>, &'a str, bool);

/// Reads an action after its opening braces.
pub(super) fn words(action: &str) -> Result<Action<'_>, String> {
    let mut words = Vec::new();
    let mut rest = action;
    loop {
        let trimmed = rest.trim_start();
        let is_spaced = trimmed.len() < rest.len();
        rest = trimmed;
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((words, after, false));
        }
        if let Some(after) = rest.strip_prefix("-}}").filter(|_| is_spaced) {
            return Ok((words, after, true));
        }
        if rest.is_empty() {
            return Err("the closing braces }} are missing".to_string());
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

fn word(text: &str) -> Result<(Word, &str), String> {
    let first = text.chars().next().unwrap_or_default();
    match first {
        '"' => quoted(text),
        '`' => {
            let end = text[1..]
                .find('`')
                .ok_or("the closing backtick is missing")?;
            let value = Value::Text(text[1..end + 1].to_string());
            Ok((Word::Literal(value), &text[end + 2..]))
        }
        '\'' => character(text),
        '.' if text[1..].starts_with(|c: char| c.is_ascii_digit()) => number(text),
        '.' => {
            let (path, rest) = path(text);
            if path.is_empty() {
                return Ok((Word::Field(path), &text[1..]));
            }
            Ok((Word::Field(path), rest))
        }
        '$' => {
            let (name, rest) = name(&text[1..]);
            let (path, rest) = path(rest);
            Ok((Word::Variable(name.to_string(), path), rest))
        }
        ')' => {
            let (path, rest) = path(&text[1..]);
            Ok((Word::Close(path), rest))
        }
        '0'..='9' | '-' | '+' => number(text),
        _ if first.is_alphabetic() || first == '_' => {
            let (name, rest) = name(text);
            Ok((Word::Name(name.to_string()), rest))
        }
        _ => {
            let symbol = [":=", "(", "|", "=", ","]
                .into_iter()
                .find(|symbol| text.starts_with(symbol));
            let symbol = symbol.ok_or_else(|| format!("unexpected {first:?} in an action"))?;
            Ok((Word::Symbol(symbol), &text[symbol.len()..]))
        }
    }
}

fn name(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split_at(text.find(|c: char| !is_part(c)).unwrap_or(text.len()))
}

/// `.a.b` and what follows.
fn path(text: &str) -> (Vec<String>, &str) {
    let mut path = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.') {
        let (name, next) = name(after);
        if name.is_empty() {
            break;
        }
        path.push(name.to_string());
        rest = next;
    }
    (path, rest)
}

fn quoted(text: &str) -> Result<(Word, &str), String> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let value = Value::Text(units::unquote(&text[1..at])?);
                return Ok((Word::Literal(value), &text[at + 1..]));
            }
            _ => {}
        }
    }
    Err("the closing quote is missing".to_string())
}

/// `'x'`, which is a number in Go.
fn character(text: &str) -> Result<(Word, &str), String> {
    let wrong = || "a character constant is one character between single quotes".to_string();
    let end = text[1..].find('\'').ok_or_else(wrong)? + 1;
    let inner = units::unquote(&text[1..end])?;
    let mut characters = inner.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => {
            let value = Value::Int(i64::from(u32::from(character)));
            Ok((Word::Literal(value), &text[end + 1..]))
        }
        _ => Err(wrong()),
    }
}

fn number(text: &str) -> Result<(Word, &str), String> {
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let after_exponent = text[..at].ends_with(['e', 'E']) && !text.starts_with("0x");
        let is_sign = matches!(character, '-' | '+') && (at == 0 || after_exponent);
        if !is_sign && !character.is_ascii_alphanumeric() && character != '.' && character != '_' {
            break;
        }
        end = at + 1;
    }
    let (word, rest) = text.split_at(end);
    let plain = word.replace('_', "");
    let value = if let Ok(value) = plain.parse::<i64>() {
        Value::Int(value)
    } else if let Some(digits) = plain.strip_prefix("0x") {
        Value::Int(i64::from_str_radix(digits, 16).map_err(|_| format!("{word:?} is no number"))?)
    } else {
        let value: f64 = plain
            .parse()
            .map_err(|_| format!("{word:?} is no number"))?;
        Value::Float(value)
    };
    Ok((Word::Literal(value), rest))
}

/// The pipe that the words of an action make.
pub(super) fn pipe(words: &[Word]) -> Result<Pipe, String> {
    let (pipe, rest) = pipe_until_close(words, 0)?;
    match rest {
        [] => Ok(pipe),
        _ => Err("a closing parenthesis has no opening one".to_string()),
    }
}

/// Reads a pipe up to the end or a closing parenthesis, which stays in the rest.
fn pipe_until_close(words: &[Word], depth: usize) -> Result<(Pipe, &[Word]), String> {
    if depth > DEPTH {
        return Err(format!("more than {DEPTH} parentheses in each other"));
    }
    let (mut pipe, mut rest) = variables(words);
    let mut command = Vec::new();
    loop {
        let Some(word) = rest.first().filter(|word| !matches!(word, Word::Close(_))) else {
            finish(&mut command, &mut pipe)?;
            return Ok((pipe, rest));
        };
        rest = &rest[1..];
        let operand = match word {
            Word::Symbol("|") => {
                finish(&mut command, &mut pipe)?;
                continue;
            }
            Word::Symbol("(") => {
                let (inner, after) = pipe_until_close(rest, depth + 1)?;
                let Some(Word::Close(path)) = after.first() else {
                    return Err("a closing parenthesis is missing".to_string());
                };
                rest = &after[1..];
                Operand::Group(inner, path.clone())
            }
            Word::Symbol(symbol) => return Err(format!("unexpected {symbol:?} in an action")),
            Word::Name(name) => named(name)?,
            Word::Field(path) if path.is_empty() => Operand::Dot,
            Word::Field(path) => Operand::Field(path.clone()),
            Word::Variable(name, path) => Operand::Variable(name.clone(), path.clone()),
            Word::Literal(value) => Operand::Value(value.clone()),
            Word::Close(_) => continue,
        };
        command.push(operand);
    }
}

/// `$x := …`, `$key, $value := …` and `$x = …`.
fn variables(words: &[Word]) -> (Pipe, &[Word]) {
    let plain = |word: &Word| match word {
        Word::Variable(name, path) if path.is_empty() => Some(name.clone()),
        _ => None,
    };
    let (names, rest) = match words {
        [first, Word::Symbol(","), second, rest @ ..] => (vec![plain(first), plain(second)], rest),
        [first, rest @ ..] => (vec![plain(first)], rest),
        [] => (Vec::new(), words),
    };
    let names: Option<Vec<String>> = names.into_iter().collect();
    match (names, rest) {
        (Some(variables), [Word::Symbol(symbol @ (":=" | "=")), rest @ ..]) => {
            let pipe = Pipe {
                variables,
                declares: *symbol == ":=",
                commands: Vec::new(),
            };
            (pipe, rest)
        }
        _ => (Pipe::default(), words),
    }
}

fn named(name: &str) -> Result<Operand, String> {
    Ok(match name {
        "true" => Operand::Value(Value::Bool(true)),
        "false" => Operand::Value(Value::Bool(false)),
        "nil" => Operand::Value(Value::Nil),
        _ => Operand::Function(
            functions::find(name).ok_or_else(|| format!("the function {name:?} is not defined"))?,
        ),
    })
}

fn finish(command: &mut Vec<Operand>, pipe: &mut Pipe) -> Result<(), String> {
    if command.is_empty() {
        return Err("a command is missing".to_string());
    }
    if command.len() > 1 && !matches!(command[0], Operand::Function(_)) {
        return Err("only a function takes arguments".to_string());
    }
    let is_first = pipe.commands.is_empty();
    if !is_first && !matches!(command[0], Operand::Function(_)) {
        return Err("only a function can stand after |".to_string());
    }
    pipe.commands.push(std::mem::take(command));
    Ok(())
}
