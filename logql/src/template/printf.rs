//! Go's `printf`, for the values that templates have.

use super::value::{Value, float};
use crate::{limits, units};

/// The flags, width and precision of a verb.
#[derive(Debug, Default, Clone, Copy)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest a verb may be.
const WIDTH: usize = 4_096;

/// Writes arguments by a format; what does not fit is told in the text, as in Go.
pub(super) fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut output = String::new();
    let mut next = arguments.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        output.push_str(&rest[..at]);
        let (spec, verb, after) = spec(&rest[at + 1..], &mut next)?;
        rest = after;
        match verb {
            None => output.push_str("%!(NOVERB)"),
            Some('%') => output.push('%'),
            Some(verb) => match next.next() {
                None => output.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => output.push_str(&padded(verb_of(verb, value, spec), spec)),
            },
        }
        if output.len() > limits::TEMPLATE_BYTES {
            return Err(format!("more than {} bytes", limits::TEMPLATE_BYTES));
        }
    }
    output.push_str(rest);
    let extra: Vec<String> = next
        .map(|value| format!("{}={value}", value.kind()))
        .collect();
    if !extra.is_empty() {
        output.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(output)
}

/// Arguments with a space between two of which neither is text.
pub(super) fn print(arguments: &[Value]) -> String {
    let mut output = String::new();
    let mut before_is_text = true;
    for value in arguments {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !before_is_text {
            output.push(' ');
        }
        output.push_str(&value.to_string());
        before_is_text = is_text;
    }
    output
}

/// Arguments with spaces between and a line break after them.
pub(super) fn println(arguments: &[Value]) -> String {
    let texts: Vec<String> = arguments.iter().map(Value::to_string).collect();
    texts.join(" ") + "\n"
}

/// Reads what stands after a percent sign.
fn spec<'a, 'v>(
    text: &'a str,
    arguments: &mut impl Iterator<Item = &'v Value>,
) -> Result<(Spec, Option<char>, &'a str), String> {
    let mut spec = Spec::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
        match flag {
            '-' => spec.left = true,
            '+' => spec.plus = true,
            ' ' => spec.space = true,
            '#' => spec.sharp = true,
            _ => spec.zero = true,
        }
        rest = &rest[1..];
    }
    let mut number = |rest: &mut &'a str| -> Result<Option<usize>, String> {
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            let value = arguments.next().map_or(0, Value::to_int);
            return Ok(usize::try_from(value).ok());
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (word, after) = rest.split_at(digits);
        *rest = after;
        Ok(word.parse().ok())
    };
    spec.width = number(&mut rest)?.unwrap_or(0);
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        spec.precision = Some(number(&mut rest)?.unwrap_or(0));
    }
    if spec.width > WIDTH || spec.precision.unwrap_or(0) > WIDTH {
        return Err(format!("a width or precision over {WIDTH}"));
    }
    let verb = rest.chars().next();
    Ok((spec, verb, &rest[verb.map_or(0, char::len_utf8)..]))
}

fn padded(text: String, spec: Spec) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if spec.left {
        return text + &" ".repeat(missing);
    }
    if spec.zero {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    " ".repeat(missing) + &text
}

fn verb_of(verb: char, value: &Value, spec: Spec) -> String {
    let wrong = || format!("%!{verb}({}={value})", value.kind());
    match (verb, value) {
        ('T', _) => value.kind().to_string(),
        ('t', Value::Bool(flag)) => flag.to_string(),
        ('v', Value::Nil) => "<nil>".to_string(),
        ('v', Value::Int(number)) => signed(number.to_string(), spec),
        ('v', Value::Float(number)) => signed(float(*number), spec),
        ('v' | 's', Value::Text(text)) => match spec.precision {
            Some(length) => text.chars().take(length).collect(),
            None if spec.sharp => units::quote(text),
            None => text.clone(),
        },
        ('q', Value::Text(text)) => units::quote(text),
        ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('s', Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Nil) => wrong(),
        ('v' | 's', _) => value.to_string(),
        (_, Value::Int(number)) => int(verb, *number, spec).unwrap_or_else(wrong),
        (_, Value::Float(number)) => fraction(verb, *number, spec).unwrap_or_else(wrong),
        _ => wrong(),
    }
}

fn signed(text: String, spec: Spec) -> String {
    match text.starts_with(['-', '+']) {
        true => text,
        false if spec.plus => format!("+{text}"),
        false if spec.space => format!(" {text}"),
        false => text,
    }
}

fn int(verb: char, number: i64, spec: Spec) -> Option<String> {
    let sign = if number < 0 { "-" } else { "" };
    let size = number.unsigned_abs();
    let character = u32::try_from(number).ok().and_then(char::from_u32);
    let text = match verb {
        'd' => format!("{sign}{size}"),
        'x' if spec.sharp => format!("{sign}0x{size:x}"),
        'x' => format!("{sign}{size:x}"),
        'X' => format!("{sign}{size:X}"),
        'o' => format!("{sign}{size:o}"),
        'b' => format!("{sign}{size:b}"),
        'c' => character.unwrap_or(char::REPLACEMENT_CHARACTER).to_string(),
        'q' => format!("'{}'", character.unwrap_or(char::REPLACEMENT_CHARACTER)),
        'U' => format!("U+{size:04X}"),
        _ => return None,
    };
    Some(signed(text, spec))
}

fn fraction(verb: char, number: f64, spec: Spec) -> Option<String> {
    let precision = spec.precision.unwrap_or(6);
    let text = match verb {
        _ if !number.is_finite() => units::format_number(number),
        'f' | 'F' => format!("{number:.precision$}"),
        'e' | 'E' => {
            let text = format!("{number:.precision$e}");
            let (mantissa, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        'g' | 'G' => match spec.precision {
            None => float(number),
            Some(digits) => {
                let digits = digits.max(1);
                float(format!("{number:.*e}", digits - 1).parse().ok()?)
            }
        },
        _ => return None,
    };
    let text = if verb.is_ascii_uppercase() {
        text.to_uppercase()
    } else {
        text
    };
    Some(signed(text, spec))
}
