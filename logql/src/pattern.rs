//! Patterns as `<ip> - <_> [<time>] "<method>`: literal text and what stands between it.

use crate::units;
use memchr::memmem::Finder;

/// A pattern, read once and matched on every line.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(Box<Finder<'static>>),
    /// Without a name it is skipped.
    Capture(Option<String>),
}

impl Pattern {
    /// A pattern of the stage `pattern`: it names at least one capture, each once.
    pub(crate) fn with_names(text: &str) -> Result<Pattern, String> {
        let pattern = Pattern::new(text)?;
        let mut names: Vec<&str> = pattern.names().collect();
        if names.is_empty() {
            return Err("a pattern names at least one capture, like <status>".to_string());
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("the capture <{}> stands twice", pair[0])),
            None => Ok(pattern),
        }
    }

    /// A pattern of a line filter: what it skips has no names.
    pub(crate) fn without_names(text: &str) -> Result<Pattern, String> {
        let pattern = Pattern::new(text)?;
        if let Some(name) = pattern.names().next() {
            return Err(format!(
                "a line filter takes no names: write <_> for <{name}>"
            ));
        }
        Ok(pattern)
    }

    fn new(text: &str) -> Result<Pattern, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let Some((name, length)) = capture(rest) else {
                literal.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            };
            flush(&mut literal, &mut parts);
            if matches!(parts.last(), Some(Part::Capture(_))) {
                return Err("two captures need text between them".to_string());
            }
            parts.push(Part::Capture((name != "_").then(|| name.to_string())));
            rest = &rest[length..];
        }
        flush(&mut literal, &mut parts);
        Ok(Pattern { parts })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Capture(name) => name.as_deref(),
            Part::Literal(_) => None,
        })
    }

    /// The literal texts, all of which are in every line that matches.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(finder) => Some(finder.needle()),
            Part::Capture(_) => None,
        })
    }

    /// Whether the whole line is the pattern. Each literal is looked for after the one before it, and the first place
    /// counts; a capture at the end is not empty.
    pub(crate) fn is_match(&self, line: &str) -> bool {
        let (Some(last), false) = (self.parts.last(), line.is_empty()) else {
            return self.parts.is_empty() && line.is_empty();
        };
        let mut rest = line.as_bytes();
        for (at, part) in self.parts.iter().enumerate() {
            let Part::Literal(finder) = part else {
                continue;
            };
            match finder.find(rest) {
                Some(found) if at > 0 || found == 0 => {
                    rest = &rest[found + finder.needle().len()..]
                }
                _ => return false,
            }
        }
        matches!(last, Part::Capture(_)) != rest.is_empty()
    }

    /// Gives every named capture and its text to `take`. A capture whose end is not found goes to the end of the line,
    /// and nothing comes after it.
    pub(crate) fn captures<'a>(&'a self, line: &'a str, mut take: impl FnMut(&'a str, &'a str)) {
        let mut rest = line;
        let mut parts = self.parts.iter().peekable();
        if let Some(Part::Literal(finder)) = parts.peek() {
            let Some(after) = rest.as_bytes().strip_prefix(finder.needle()) else {
                return;
            };
            rest = &rest[rest.len() - after.len()..];
            parts.next();
        }
        if line.is_empty() {
            return;
        }
        while let Some(part) = parts.next() {
            let Part::Capture(name) = part else { continue };
            let end = match parts.next() {
                Some(Part::Literal(finder)) => finder
                    .find(rest.as_bytes())
                    .map(|end| (end, end + finder.needle().len())),
                _ => None,
            };
            let text = end.map_or(rest, |(end, _)| &rest[..end]);
            if let Some(name) = name {
                take(name, text);
            }
            let Some((_, next)) = end else { return };
            rest = &rest[next..];
        }
    }
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        let finder = Finder::new(literal.as_bytes()).into_owned();
        parts.push(Part::Literal(Box::new(finder)));
        literal.clear();
    }
}

/// The name of a capture at the start of `text` and its length with the angle brackets.
fn capture(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix('<')?;
    let end = inner.find('>')?;
    let name = &inner[..end];
    units::is_label_name(name).then_some((name, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_cut_out() {
        for (pattern, line, expected) in [
            (
                "<ip> - <_> [<time>]",
                "1.2.3.4 - me [now] x",
                "ip=1.2.3.4 time=now ",
            ),
            ("a<b>c", "axc", "b=x "),
            ("a<b>c", "zaxc", ""),
            ("<a> <b>", "only", "a=only "),
            ("<a>", "", ""),
            ("<_> <b>", "x y z", "b=y z "),
            ("<a><1> b", "x<1> b", "a=x "),
            ("\u{e9}<a>\u{e9}", "\u{e9}x\u{e9}", "a=x "),
        ] {
            let mut found = String::new();
            let pattern = Pattern::with_names(pattern).expect(pattern);
            pattern.captures(line, |name, text| {
                found.push_str(&format!("{name}={text} "))
            });
            assert_eq!(found, expected);
        }
        for text in ["plain", "<_>", "<a><b>", "<a> <a>", ""] {
            assert!(Pattern::with_names(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_lines_are_matched() {
        for (pattern, line, matches) in [
            ("<_> foo <_>", "a foo b", true),
            ("<_> foo <_>", "a foo ", false),
            ("foo<_>", "xfoo", false),
            ("<_>foo", "xfoo", true),
            ("<_>foo", "xfoox", false),
            ("", "", true),
            ("", "x", false),
        ] {
            let sound = Pattern::without_names(pattern).expect(pattern);
            assert_eq!(sound.is_match(line), matches, "{pattern} on {line}");
        }
        assert!(Pattern::without_names("<a>").is_err());
    }
}
