//! Paths into JSON: `request.headers["User-Agent"]`, `servers[0].name`.

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The most steps of a path; more than lines are deep find nothing.
const STEPS: usize = crate::limits::JSON_DEPTH;

/// Reads a path; the error says what is expected.
pub(crate) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let wrong = |what: &str| Err(format!("invalid path {text:?}: {what}"));
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if steps.len() >= STEPS {
            return wrong("too many steps");
        }
        let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
            let Some((step, after)) = bracket(inner) else {
                return wrong("expected [0] or [\"key\"]");
            };
            (step, after)
        } else {
            let field = match rest.strip_prefix('.') {
                Some(field) if !steps.is_empty() => field,
                _ if steps.is_empty() => rest,
                _ => return wrong("expected a dot or a bracket"),
            };
            let length = field.find(['.', '[']).unwrap_or(field.len());
            let name = &field[..length];
            let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '@';
            if name.is_empty() || !name.chars().all(is_plain) {
                return wrong("expected a key; write other keys as [\"the key\"]");
            }
            (Step::Key(name.to_string()), &field[length..])
        };
        steps.push(step);
        rest = after;
    }
    match steps.is_empty() {
        true => wrong("it is empty"),
        false => Ok(steps),
    }
}

/// What stands in brackets, after the opening one, and the rest after the closing one.
fn bracket(text: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let key = crate::units::unquote(&quoted[..end]).ok()?;
        return Some((Step::Key(key), quoted[end + 1..].strip_prefix(']')?));
    }
    let end = text.find(']')?;
    let index = text[..end].parse().ok()?;
    Some((Step::Index(index), &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let key = |name: &str| Step::Key(name.to_string());
        for (text, steps) in [
            ("a", vec![key("a")]),
            ("a.b", vec![key("a"), key("b")]),
            ("a[0].b", vec![key("a"), Step::Index(0), key("b")]),
            ("[\"a b\"][\"c.d\"]", vec![key("a b"), key("c.d")]),
            ("[2]", vec![Step::Index(2)]),
        ] {
            assert_eq!(parse(text), Ok(steps), "{text}");
        }
        for text in ["", "a.", ".a", "a[", "a[x]", "a[\"b]", "a b", "a]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
