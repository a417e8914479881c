//! The text of a template, cut at its actions.

use super::words::{self, Word};

/// Text as it is, or the words of an action.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(String),
    Action(Vec<Word>),
}

/// Cuts a template; `{{-` and `-}}` take the white space beside them away.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut trims_next = false;
    loop {
        let open = rest.find("{{");
        let mut plain = open.map_or(rest, |open| &rest[..open]);
        if trims_next {
            plain = plain.trim_start();
        }
        let Some(open) = open else {
            push_text(plain, &mut parts);
            return Ok(parts);
        };
        let mut action = &rest[open + 2..];
        if let Some(trimmed) = action
            .strip_prefix('-')
            .filter(|inner| inner.starts_with(char::is_whitespace))
        {
            plain = plain.trim_end();
            action = trimmed;
        }
        push_text(plain, &mut parts);
        let (words, after, trims) = match action.trim_start().strip_prefix("/*") {
            Some(comment) => comment_end(comment)?,
            None => words::words(action)?,
        };
        if !words.is_empty() {
            parts.push(Part::Action(words));
        } else if !action.trim_start().starts_with("/*") {
            return Err("{{}} is empty".to_string());
        }
        trims_next = trims;
        rest = after;
    }
}

fn push_text(text: &str, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_string()));
    }
}

/// What follows a comment, and whether white space after it goes, too.
fn comment_end(comment: &str) -> Result<(Vec<Word>, &str, bool), String> {
    let missing = || "the end of a comment, */}}, is missing".to_string();
    let end = comment.find("*/").ok_or_else(missing)?;
    let rest = &comment[end + 2..];
    if let Some(after) = rest.strip_prefix("}}") {
        return Ok((Vec::new(), after, false));
    }
    let after = rest.trim_start().strip_prefix("-}}").ok_or_else(missing)?;
    Ok((Vec::new(), after, true))
}
