//! Text that everything which a regular expression matches contains.

use crate::regexes;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A text that a line contains.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Needle {
    /// Not empty. In lower case and ASCII where the case does not matter.
    pub text: String,
    /// Whether the letters A to Z of the line count as a to z.
    pub ignores_case: bool,
}

impl Needle {
    pub(super) fn exact(text: &str) -> Needle {
        Needle {
            text: text.to_string(),
            ignores_case: false,
        }
    }

    /// Whether a line contains it.
    pub fn is_in(&self, line: &str) -> bool {
        match self.ignores_case {
            false => line.contains(&self.text),
            true => line.to_ascii_lowercase().contains(&self.text),
        }
    }
}

/// The most lists of one expression.
const LISTS: usize = 16;

/// Lists of needles: whatever matches contains one needle of each.
pub(super) fn of_regex(expression: &str) -> Vec<Vec<Needle>> {
    let parsed = regex_syntax::parse(&regexes::translate(expression));
    let mut lists = parsed.map(|hir| of_hir(&hir)).unwrap_or_default();
    lists.truncate(LISTS);
    lists
}

/// One list for several expressions of which one matches; `None` if one of them is certain of nothing.
pub(super) fn alternatives(lists: impl Iterator<Item = Vec<Vec<Needle>>>) -> Option<Vec<Needle>> {
    let mut joined = Vec::new();
    for of_one in lists {
        // The list whose shortest needle is longest tells most.
        let shortest = |list: &Vec<Needle>| {
            list.iter()
                .map(|needle| needle.text.len())
                .min()
                .unwrap_or(0)
        };
        joined.extend(of_one.into_iter().max_by_key(shortest)?);
    }
    joined.sort();
    joined.dedup();
    (!joined.is_empty()).then_some(joined)
}

fn of_hir(hir: &Hir) -> Vec<Vec<Needle>> {
    let mut run = Run::default();
    run.walk(hir);
    run.flush();
    run.lists
}

/// Text that stands together, while it is read.
#[derive(Default)]
struct Run {
    text: String,
    ignores_case: bool,
    lists: Vec<Vec<Needle>>,
}

impl Run {
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let ignores_case = std::mem::take(&mut self.ignores_case);
        if !text.is_empty() {
            let text = if ignores_case {
                text.to_ascii_lowercase()
            } else {
                text
            };
            self.lists.push(vec![Needle { text, ignores_case }]);
        }
    }

    fn push(&mut self, character: char, ignores_case: bool) {
        // Only ASCII is compared without case, for stores differ about the rest.
        let is_mixed =
            (self.ignores_case || ignores_case) && !(self.text.is_ascii() && character.is_ascii());
        if is_mixed {
            self.flush();
        }
        self.text.push(character);
        self.ignores_case |= ignores_case;
    }

    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => text
                    .chars()
                    .for_each(|character| self.push(character, false)),
                Err(_) => self.flush(),
            },
            HirKind::Class(class) => match either_case(class) {
                Some(letter) => self.push(letter, true),
                None => self.flush(),
            },
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Repetition(repetition) => {
                self.flush();
                if repetition.min > 0 {
                    self.lists.extend(of_hir(&repetition.sub));
                }
            }
            HirKind::Alternation(parts) => {
                self.flush();
                self.lists.extend(alternatives(parts.iter().map(of_hir)));
            }
        }
    }
}

/// The letter of a class of its two cases, which is what ignoring the case makes of a letter. Where a third character
/// counts as the same letter, as for k and s, it is none.
fn either_case(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let [upper, lower] = class.ranges() else {
        return None;
    };
    let is_single = upper.start() == upper.end() && lower.start() == lower.end();
    let (upper, lower) = (upper.start(), lower.start());
    (is_single && upper.is_ascii_uppercase() && lower == upper.to_ascii_lowercase())
        .then_some(lower)
}
