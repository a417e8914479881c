//! Functions on text.

use super::{ANY, Context, Function, int_of, of_text, text_of};
use crate::{
    limits,
    template::{printf, value::Value},
};

type Answer = Result<Value, String>;

const fn function(
    name: &'static str,
    arguments: usize,
    call: fn(&mut Context<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        least: arguments,
        most: arguments,
        call,
    }
}

const fn variadic(
    name: &'static str,
    least: usize,
    call: fn(&mut Context<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        least,
        most: ANY,
        call,
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("__line__", 0, |context, _| of_text(context.input.line)),
    function("lower", 1, |_, a| of_text(text_of(a, 0)?.to_lowercase())),
    function("ToLower", 1, |_, a| of_text(text_of(a, 0)?.to_lowercase())),
    function("upper", 1, |_, a| of_text(text_of(a, 0)?.to_uppercase())),
    function("ToUpper", 1, |_, a| of_text(text_of(a, 0)?.to_uppercase())),
    function("title", 1, |_, a| of_text(title(text_of(a, 0)?))),
    function("trunc", 2, |_, a| {
        of_text(trunc(int_of(a, 0)?, text_of(a, 1)?))
    }),
    function("substr", 3, |_, a| {
        of_text(substr(int_of(a, 0)?, int_of(a, 1)?, text_of(a, 2)?))
    }),
    function("replace", 3, |_, a| {
        replace(text_of(a, 2)?, text_of(a, 0)?, text_of(a, 1)?, -1)
    }),
    function("Replace", 4, |_, a| {
        replace(
            text_of(a, 0)?,
            text_of(a, 1)?,
            text_of(a, 2)?,
            int_of(a, 3)?,
        )
    }),
    function("trim", 1, |_, a| of_text(text_of(a, 0)?.trim())),
    function("TrimSpace", 1, |_, a| of_text(text_of(a, 0)?.trim())),
    function("trimAll", 2, |_, a| {
        of_text(trim_set(text_of(a, 1)?, text_of(a, 0)?))
    }),
    function("Trim", 2, |_, a| {
        of_text(trim_set(text_of(a, 0)?, text_of(a, 1)?))
    }),
    function("TrimLeft", 2, |_, a| {
        let set = text_of(a, 1)?;
        of_text(text_of(a, 0)?.trim_start_matches(|c| set.contains(c)))
    }),
    function("TrimRight", 2, |_, a| {
        let set = text_of(a, 1)?;
        of_text(text_of(a, 0)?.trim_end_matches(|c| set.contains(c)))
    }),
    function("trimPrefix", 2, |_, a| {
        without_prefix(text_of(a, 1)?, text_of(a, 0)?)
    }),
    function("TrimPrefix", 2, |_, a| {
        without_prefix(text_of(a, 0)?, text_of(a, 1)?)
    }),
    function("trimSuffix", 2, |_, a| {
        without_suffix(text_of(a, 1)?, text_of(a, 0)?)
    }),
    function("TrimSuffix", 2, |_, a| {
        without_suffix(text_of(a, 0)?, text_of(a, 1)?)
    }),
    function("hasPrefix", 2, |_, a| {
        Ok(Value::Bool(text_of(a, 1)?.starts_with(text_of(a, 0)?)))
    }),
    function("hasSuffix", 2, |_, a| {
        Ok(Value::Bool(text_of(a, 1)?.ends_with(text_of(a, 0)?)))
    }),
    function("contains", 2, |_, a| {
        Ok(Value::Bool(text_of(a, 1)?.contains(text_of(a, 0)?)))
    }),
    function("repeat", 2, |_, a| repeat(int_of(a, 0)?, text_of(a, 1)?)),
    function("indent", 2, |_, a| indent(int_of(a, 0)?, text_of(a, 1)?)),
    function("nindent", 2, |_, a| {
        match indent(int_of(a, 0)?, text_of(a, 1)?)? {
            Value::Text(text) => of_text(format!("\n{text}")),
            other => Ok(other),
        }
    }),
    function("alignLeft", 2, |_, a| {
        align(int_of(a, 0)?, text_of(a, 1)?, true)
    }),
    function("alignRight", 2, |_, a| {
        align(int_of(a, 0)?, text_of(a, 1)?, false)
    }),
    function("regexReplaceAll", 3, |context, a| {
        let (text, replacement) = (text_of(a, 1)?, text_of(a, 2)?);
        let regex = context.regexes.get(text_of(a, 0)?)?;
        replace_matches(regex, text, |found, output| {
            found.expand(replacement, output)
        })
    }),
    function("regexReplaceAllLiteral", 3, |context, a| {
        let (text, replacement) = (text_of(a, 1)?, text_of(a, 2)?);
        let regex = context.regexes.get(text_of(a, 0)?)?;
        replace_matches(regex, text, |_, output| output.push_str(replacement))
    }),
    function("count", 2, |context, a| {
        let regex = context.regexes.get(text_of(a, 0)?)?;
        let found = regex.find_iter(text_of(a, 1)?).count();
        Ok(Value::Int(found as i64))
    }),
    variadic("printf", 1, |_, a| {
        of_text(printf::printf(text_of(a, 0)?, &a[1..])?)
    }),
    variadic("print", 0, |_, a| of_text(printf::print(a))),
    variadic("println", 0, |_, a| of_text(printf::println(a))),
];

/// Refuses what would be longer than a template may write.
fn check_length(bytes: usize) -> Result<(), String> {
    match bytes > limits::TEMPLATE_BYTES {
        true => Err(format!("more than {} bytes", limits::TEMPLATE_BYTES)),
        false => Ok(()),
    }
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        match in_word {
            true => titled.push(character),
            false => titled.extend(character.to_uppercase()),
        }
        in_word = character.is_alphanumeric() || matches!(character, '_' | '\'');
    }
    titled
}

/// The first `count` characters, or the last if it is negative.
fn trunc(count: i64, text: &str) -> String {
    let length = text.chars().count();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match count < 0 {
        true => text.chars().skip(length.saturating_sub(wanted)).collect(),
        false => text.chars().take(wanted).collect(),
    }
}

/// The characters from `start` up to `end`; a negative start is the beginning, a negative end the end.
fn substr(start: i64, end: i64, text: &str) -> String {
    let length = text.chars().count() as i64;
    let from = start.clamp(0, length);
    let to = match end < 0 {
        true if start < 0 => 0,
        true => length,
        false => end.min(length),
    };
    text.chars()
        .skip(from as usize)
        .take((to - from).max(0) as usize)
        .collect()
}

fn replace(text: &str, old: &str, new: &str, count: i64) -> Answer {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let matches = match old.is_empty() {
        true => text.chars().count() + 1,
        false => text.matches(old).count(),
    };
    check_length(text.len() + matches.min(count).saturating_mul(new.len()))?;
    of_text(text.replacen(old, new, count))
}

fn trim_set<'a>(text: &'a str, set: &str) -> &'a str {
    text.trim_matches(|c| set.contains(c))
}

fn without_prefix(text: &str, prefix: &str) -> Answer {
    of_text(text.strip_prefix(prefix).unwrap_or(text))
}

fn without_suffix(text: &str, suffix: &str) -> Answer {
    of_text(text.strip_suffix(suffix).unwrap_or(text))
}

fn repeat(count: i64, text: &str) -> Answer {
    let count = usize::try_from(count).map_err(|_| "the count is negative")?;
    check_length(count.saturating_mul(text.len()))?;
    of_text(text.repeat(count))
}

fn indent(spaces: i64, text: &str) -> Answer {
    let spaces = usize::try_from(spaces).map_err(|_| "the count is negative")?;
    let lines = text.matches('\n').count() + 1;
    check_length(text.len() + spaces.saturating_mul(lines))?;
    let pad = " ".repeat(spaces);
    of_text(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

fn align(width: i64, text: &str, left: bool) -> Answer {
    let Ok(width) = usize::try_from(width) else {
        return of_text(text);
    };
    check_length(width)?;
    let length = text.chars().count();
    let pad = " ".repeat(width.saturating_sub(length));
    match (length >= width, left) {
        (true, true) => of_text(text.chars().take(width).collect::<String>()),
        (true, false) => of_text(text.chars().skip(length - width).collect::<String>()),
        (false, true) => of_text(format!("{text}{pad}")),
        (false, false) => of_text(format!("{pad}{text}")),
    }
}

fn replace_matches(
    regex: &regex::Regex,
    text: &str,
    mut expand: impl FnMut(&regex::Captures<'_>, &mut String),
) -> Answer {
    let mut output = String::with_capacity(text.len());
    let mut from = 0;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        output.push_str(&text[from..whole.start()]);
        expand(&found, &mut output);
        check_length(output.len())?;
        from = whole.end();
    }
    output.push_str(&text[from..]);
    of_text(output)
}
