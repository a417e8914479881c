//! What an index keeps of a text: 32 bits of hash for each token.

use super::words::{Unit, scan};
use crate::attributes::{convert, decode};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Longer words are not kept, nor looked up: nobody types them, and each is there once.
const WORD_BYTES: usize = 64;
/// The same for words with a digit, which are random when they are long: base64, digests, ids of another system. Ids of
/// 128 bits in hexadecimal just fit.
const RANDOM_WORD_BYTES: usize = 32;
/// Between the key and the value of a pair: no text has this byte.
const BETWEEN: u8 = 0xff;

/// Of what a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Words of `body`.
    BodyWords,
    /// Keys with their values, in the overflow of `attributes`.
    AttributePairs,
    /// Words of the values in the overflow of `attributes`, of whatever key.
    AttributeWords,
    /// Keys with their values in `resource_attributes`.
    ResourcePairs,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 4] = [
        Subject::BodyWords,
        Subject::AttributePairs,
        Subject::AttributeWords,
        Subject::ResourcePairs,
    ];

    /// The name in a sidecar.
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::BodyWords => "body words",
            Subject::AttributePairs => "attributes pairs",
            Subject::AttributeWords => "attributes words",
            Subject::ResourcePairs => "resource_attributes pairs",
        }
    }

    /// Whether its tokens are words, which depend on the rules by which text is cut.
    pub fn is_words(self) -> bool {
        matches!(self, Subject::BodyWords | Subject::AttributeWords)
    }

    /// The seed of the hash, so that tokens of two subjects differ.
    fn seed(self) -> u64 {
        match self {
            Subject::BodyWords => 1,
            Subject::AttributePairs => 2,
            Subject::AttributeWords => 3,
            Subject::ResourcePairs => 4,
        }
    }
}

/// A token as an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    pub(crate) subject: Subject,
    /// The upper half of an XXH3-64 with the subject's seed; never 0.
    pub(crate) hash: u32,
}

impl Token {
    fn of(subject: Subject, bytes: &[u8]) -> Token {
        let hash = (xxh3_64_with_seed(bytes, subject.seed()) >> 32) as u32;
        Token {
            subject,
            hash: hash.max(1),
        }
    }

    /// The token of a unit of text; `None` for what has none: long words, and a single character without one before it.
    pub(crate) fn unit(subject: Subject, unit: Unit<'_>) -> Option<Token> {
        match unit {
            Unit::Word(word) => is_kept(word).then(|| Token::of(subject, word)),
            Unit::Char { char, after } => {
                let mut both = [0; 8];
                let first = after?.encode_utf8(&mut both).len();
                let second = char.encode_utf8(&mut both[first..]).len();
                Some(Token::of(subject, &both[..first + second]))
            }
        }
    }

    /// The token of a key with its value, as SQL's text.
    pub(crate) fn pair(subject: Subject, key: &str, value: &str) -> Token {
        let mut bytes = Vec::with_capacity(key.len() + value.len() + 1);
        write_pair(&mut bytes, key, value);
        Token::of(subject, &bytes)
    }
}

fn is_kept(word: &[u8]) -> bool {
    word.len() <= RANDOM_WORD_BYTES
        || word.len() <= WORD_BYTES && !word.iter().any(u8::is_ascii_digit)
}

fn write_pair(out: &mut Vec<u8>, key: &str, value: &str) {
    out.clear();
    out.extend_from_slice(key.as_bytes());
    out.push(BETWEEN);
    out.extend_from_slice(value.as_bytes());
}

/// Room to make tokens in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    word: Vec<u8>,
    pair: Vec<u8>,
}

/// Calls `each` with the tokens of a text.
pub(crate) fn of_text(
    subject: Subject,
    text: &str,
    scratch: &mut Scratch,
    mut each: impl FnMut(Token),
) {
    scan(text, &mut scratch.word, |unit, _| {
        if let Some(token) = Token::unit(subject, unit) {
            each(token);
        }
    });
}

/// Calls `each` with the tokens of a map in canonical JSON: a pair for each entry that has a text, and where `words` names a
/// subject the words of that text.
pub(crate) fn of_map(
    pairs: Subject,
    words: Option<Subject>,
    map: &str,
    scratch: &mut Scratch,
    mut each: impl FnMut(Token),
) {
    for entry in decode::entries(map) {
        let Some(value) = convert::json_text(entry.value) else {
            continue;
        };
        write_pair(&mut scratch.pair, &entry.key(), &value);
        each(Token::of(pairs, &scratch.pair));
        if let Some(words) = words {
            of_text(words, &value, scratch, &mut each);
        }
    }
}
