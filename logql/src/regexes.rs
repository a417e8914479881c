//! Regular expressions as LogQL's users write them, which are Go's: compiled with our engine, with the same meaning.

use crate::limits;
use regex::{Regex, RegexBuilder};
use std::{iter::Peekable, str::CharIndices};

/// Compiles an expression that may match anywhere in a text.
pub(crate) fn search(expression: &str) -> Result<Regex, String> {
    compile(&translate(expression))
}

/// Compiles an expression that has to match a whole value; its dot matches line breaks, too.
pub(crate) fn whole(expression: &str) -> Result<Regex, String> {
    compile(&format!("^(?s:{})$", translate(expression)))
}

fn compile(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression)
        .size_limit(limits::REGEX_BYTES)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            format!(
                "invalid regular expression: {}",
                reason.trim_start_matches("error: ")
            )
        })
}

/// The same expression in our syntax. Go's classes are ASCII; a brace that repeats nothing, a bracket and double
/// operators in a class, `\<` and `\Q…\E` are literals there.
pub(crate) fn translate(expression: &str) -> String {
    let mut output = String::with_capacity(expression.len() + 16);
    let mut characters = expression.char_indices().peekable();
    let mut class_depth = 0;
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => escape(&mut characters, class_depth > 0, &mut output),
            '[' if class_depth == 0 => {
                class_depth = 1;
                output.push('[');
                open_class(&mut characters, &mut output);
            }
            '[' if expression[at..].starts_with("[:") => {
                output.push_str(posix(&mut characters, &expression[at..]))
            }
            '[' => output.push_str("\\["),
            ']' if class_depth > 0 => {
                class_depth = 0;
                output.push(']');
            }
            '&' | '~' if class_depth > 0 => {
                output.push('\\');
                output.push(character);
            }
            '-' if class_depth > 0 && characters.peek().is_some_and(|(_, next)| *next == '-') => {
                output.push_str("\\-");
            }
            '{' if class_depth == 0 && !is_repetition(&expression[at..]) => output.push_str("\\{"),
            plain => output.push(plain),
        }
    }
    output
}

/// A `^` and a `]` at the start of a class are special there.
fn open_class(characters: &mut Peekable<CharIndices<'_>>, output: &mut String) {
    if characters.next_if(|(_, next)| *next == '^').is_some() {
        output.push('^');
    }
    if characters.next_if(|(_, next)| *next == ']').is_some() {
        output.push_str("\\]");
    }
}

/// A named class as `[:alpha:]`, which is taken as it is; a lone `[:` is a bracket.
fn posix<'a>(characters: &mut Peekable<CharIndices<'_>>, rest: &'a str) -> &'a str {
    let Some(end) = rest.find(":]") else {
        return "\\[";
    };
    if !rest[2..end]
        .chars()
        .all(|c| c.is_ascii_lowercase() || c == '^')
    {
        return "\\[";
    }
    for _ in 0..end + 1 {
        characters.next();
    }
    &rest[..end + 2]
}

/// Whether a text that begins with a brace is `{2}`, `{2,}` or `{2,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some(end) = rest.find('}') else {
        return false;
    };
    let (low, high) = rest[1..end].split_once(',').unwrap_or((&rest[1..end], ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

fn escape(characters: &mut Peekable<CharIndices<'_>>, in_class: bool, output: &mut String) {
    let Some((_, kind)) = characters.next() else {
        output.push('\\');
        return;
    };
    let translated = match (kind, in_class) {
        ('d', true) => "0-9",
        ('d', false) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('w', true) => "0-9A-Za-z_",
        ('w', false) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', true) => "\\t\\n\\f\\r ",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('<', _) => "<",
        ('>', _) => ">",
        ('Q', _) => return quoted(characters, output),
        _ => {
            output.push('\\');
            output.push(kind);
            return;
        }
    };
    output.push_str(translated);
}

/// What stands between `\Q` and `\E`, or the end, is literal.
fn quoted(characters: &mut Peekable<CharIndices<'_>>, output: &mut String) {
    while let Some((_, character)) = characters.next() {
        if character == '\\' && characters.next_if(|(_, next)| *next == 'E').is_some() {
            return;
        }
        output.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_in_go() {
        for (expression, text, matches) in [
            (r"\d+", "\u{663}", false),
            (r"\w", "\u{e9}", false),
            (r"[\w-]+", "a-b", true),
            (r#"{"level":"error"}"#, r#"{"level":"error"}"#, true),
            (r"a{2,3}", "aa", true),
            (r"a{,3}", "a{,3}", true),
            (r"[[]x", "[x", true),
            (r"[]a]", "]", true),
            (r"[a&&b]", "&", true),
            (r"[[:digit:]]+", "12", true),
            (r"\<b\>", "<b>", true),
            (r"\Qa.b\E.", "a.bc", true),
            (r"\Qa.b\E", "axb", false),
            (r"\bfoo\b", "a foo b", true),
            (r"(?i)FOO", "foo", true),
            (r"(?P<name>x)", "x", true),
        ] {
            let regex = search(expression).expect(expression);
            assert_eq!(regex.is_match(text), matches, "{expression} on {text}");
        }
        assert!(whole("a|b").expect("sound").is_match("b"));
        assert!(!whole("a|b").expect("sound").is_match("ab"));
        assert!(search("(").is_err());
        assert!(search("a{1000}{1000}{1000}").is_err());
    }
}
