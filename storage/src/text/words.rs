//! Cuts text into words.
//!
//! A word is the longest run of characters that `\w` of Unicode's regular expressions means (UTS #18, annex C: letters, marks,
//! decimal digits, connectors such as `_`, joiners), folded so that upper and lower case are one. Scripts that put no space
//! between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut into single characters. Where a word ends follows from
//! it and the character behind it alone, so a pattern knows it too.

use std::ops::Range;

/// The number of the rules of this module with the tables of Unicode that they use. An index says by which number it was
/// made; words are not looked up in one of another number.
pub const RULES: u32 = 1;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A word, folded; as UTF-8.
    Word(&'a [u8]),
    /// A character of a script without spaces.
    Char {
        char: char,
        /// The character right before this one, if it is of such a script too.
        after: Option<char>,
    },
}

/// What a character is to words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Word,
    Single,
    Separator,
}

/// Whether a byte is a character of words, for all that are ASCII.
const ASCII: [bool; 256] = ascii();

const fn ascii() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let char = byte as u8;
        table[byte] = char.is_ascii_alphanumeric() || char == b'_';
        byte += 1;
    }
    table
}

/// Blocks of Unicode whose scripts put no space between words, in order.
const SINGLES: [(u32, u32); 13] = [
    (0x0e00, 0x0eff),
    (0x1000, 0x109f),
    (0x1780, 0x17ff),
    (0x2e80, 0x2fdf),
    (0x3005, 0x3007),
    (0x3040, 0x30ff),
    (0x31f0, 0x31ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0x9fff),
    (0xf900, 0xfaff),
    (0xff66, 0xff9f),
    (0x1b000, 0x1b16f),
    (0x20000, 0x3fffd),
];

/// What `char` is to words.
pub(crate) fn class(char: char) -> Class {
    if char.is_ascii() {
        return match ASCII[char as usize] {
            true => Class::Word,
            false => Class::Separator,
        };
    }
    let code = char as u32;
    let at = SINGLES.partition_point(|(_, last)| *last < code);
    if SINGLES.get(at).is_some_and(|(first, _)| *first <= code) {
        return Class::Single;
    }
    match regex_syntax::try_is_word_character(char) {
        Ok(true) => Class::Word,
        _ => Class::Separator,
    }
}

/// The characters that stand for `char` in a folded word. Down, up and down again: so that all that a search without regard to
/// case takes for equal (simple case folding) comes to the same.
pub(crate) fn fold(char: char) -> impl Iterator<Item = char> {
    char.to_lowercase()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// Calls `each` with all units of `text` in their order and where they lie in it. `word` is room to fold in.
pub(crate) fn scan(text: &str, word: &mut Vec<u8>, mut each: impl FnMut(Unit<'_>, Range<usize>)) {
    word.clear();
    let bytes = text.as_bytes();
    let (mut at, mut start) = (0, 0);
    let mut before: Option<char> = None;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii() {
            before = None;
            let rest = bytes[at..].iter();
            let run = rest.take_while(|byte| ASCII[usize::from(**byte)]).count();
            if run > 0 {
                if word.is_empty() {
                    start = at;
                }
                let folded = word.len();
                word.extend_from_slice(&bytes[at..at + run]);
                word[folded..].make_ascii_lowercase();
                at += run;
                continue;
            }
            if !word.is_empty() {
                each(Unit::Word(word), start..at);
                word.clear();
            }
            at += 1;
            continue;
        }
        let Some(char) = text[at..].chars().next() else {
            break;
        };
        let class = class(char);
        let next = at + char.len_utf8();
        if class == Class::Word {
            if word.is_empty() {
                start = at;
            }
            push_folded(word, char);
        } else if !word.is_empty() {
            each(Unit::Word(word), start..at);
            word.clear();
        }
        let single = (class == Class::Single).then_some(char);
        if let Some(char) = single {
            let after = before;
            each(Unit::Char { char, after }, at..next);
        }
        before = single;
        at = next;
    }
    if !word.is_empty() {
        each(Unit::Word(word), start..at);
    }
}

fn push_folded(word: &mut Vec<u8>, char: char) {
    for char in fold(char) {
        word.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Words that are looked for one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    units: Vec<Owned>,
    /// Whether the last of them is the beginning of a word only.
    is_open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Word(Vec<u8>),
    Char { char: char, after: bool },
}

impl Owned {
    fn matches(&self, unit: Unit<'_>, is_first: bool) -> bool {
        match (self, unit) {
            (Owned::Word(own), Unit::Word(word)) => own == word,
            (Owned::Char { char: own, after }, Unit::Char { char, after: glued }) => {
                *own == char && (is_first || !after || glued.is_some())
            }
            _ => false,
        }
    }
}

impl Phrase {
    /// The words of `text`.
    pub fn of(text: &str) -> Phrase {
        let mut units = Vec::new();
        scan(text, &mut Vec::new(), |unit, _| {
            units.push(match unit {
                Unit::Word(word) => Owned::Word(word.to_vec()),
                Unit::Char { char, after } => Owned::Char {
                    char,
                    after: after.is_some(),
                },
            });
        });
        Phrase {
            units,
            is_open: false,
        }
    }

    /// The words of `text`, the last of which may go on where it ends with `text`: `foo ba` is in `foo bar`.
    pub fn beginning(text: &str) -> Phrase {
        let mut end = 0;
        scan(text, &mut Vec::new(), |_, at| end = at.end);
        Phrase {
            is_open: end == text.len(),
            ..Phrase::of(text)
        }
    }

    /// Whether there is no word to look for.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Whether `text` has these words one behind the other, whatever separates them; in any case. A phrase without words is
    /// in every text. `word` is room to fold in.
    pub fn is_in(&self, text: &str, word: &mut Vec<u8>) -> bool {
        if self.units.is_empty() {
            return true;
        }
        // For each beginning that may still become a match how many units it has; a phrase is short.
        let mut open: Vec<usize> = Vec::new();
        let mut found = false;
        scan(text, word, |unit, _| {
            if found {
                return;
            }
            open.push(0);
            open.retain_mut(|length| {
                let matches = self.fits(*length, unit);
                *length += 1;
                found |= matches && *length == self.units.len();
                matches && *length < self.units.len()
            });
        });
        found
    }

    /// Whether `unit` may be the one at `place`.
    fn fits(&self, place: usize, unit: Unit<'_>) -> bool {
        let own = &self.units[place];
        let is_last = place + 1 == self.units.len();
        match (own, unit) {
            (Owned::Word(own), Unit::Word(word)) if self.is_open && is_last => {
                word.starts_with(own)
            }
            _ => own.matches(unit, place == 0),
        }
    }
}

#[cfg(test)]
mod tests;
