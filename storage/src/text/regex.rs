//! What a regular expression demands.
//!
//! The expression is written out as sequences of characters, edges where no word goes on, and gaps of unknown text; a text that
//! matches holds one of the sequences. What is too much to write out becomes a gap.

use super::{
    demand::Demand,
    token::Subject,
    words::{self, Class},
};
use regex_syntax::{
    ParserBuilder,
    hir::{self, Hir, HirKind, Look, Repetition},
};

/// Longer expressions are not looked at.
const EXPRESSION_BYTES: usize = 4 << 10;
/// Deeper ones neither; the engine that runs them has a limit of its own.
const DEPTH: u32 = 64;
/// Sequences that an expression is written out as, at most.
const SEQUENCES: usize = 64;
/// Pieces of a sequence, at most.
const PIECES: usize = 512;
/// Characters of a class that each gets a sequence of its own, at most.
const CHOICES: usize = 8;
/// Characters of a class that are looked at, one by one.
const CLASS_CHARS: usize = 256;
/// Repetitions that are written out one behind the other, at most.
const REPEATED: u32 = 4;

/// A piece of what an expression matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// No word goes on here, from either side.
    Edge,
    /// Any text, or none.
    Gap,
}

type Sequence = Vec<Piece>;

/// What a text must have in which `expression` (syntax of the `regex` crate) finds a match anywhere; `ignore_case` as its flag
/// `i`. What is no expression demands nothing: whoever runs it says so.
pub fn demand(subject: Subject, expression: &str, ignore_case: bool) -> Demand {
    if expression.len() > EXPRESSION_BYTES {
        return Demand::nothing();
    }
    let mut parser = ParserBuilder::new()
        .nest_limit(DEPTH)
        .case_insensitive(ignore_case)
        .build();
    let Ok(hir) = parser.parse(expression) else {
        return Demand::nothing();
    };
    let demands = sequences(&hir)
        .into_iter()
        .map(|s| of_sequence(subject, &s));
    demands.reduce(Demand::or).unwrap_or_else(Demand::nothing)
}

fn of_sequence(subject: Subject, sequence: &[Piece]) -> Demand {
    let mut demand = Demand::nothing();
    let mut text = String::new();
    // A match may lie anywhere.
    let mut open = true;
    for piece in sequence.iter().chain(&[Piece::Gap]) {
        let ends_open = match piece {
            Piece::Char(char) => {
                text.push(*char);
                continue;
            }
            Piece::Edge => false,
            Piece::Gap => true,
        };
        demand = demand.and(Demand::of_part(subject, &text, (open, ends_open)));
        text.clear();
        open = ends_open;
    }
    demand
}

/// What `hir` matches, each in a sequence; never none.
fn sequences(hir: &Hir) -> Vec<Sequence> {
    let written = match hir.kind() {
        HirKind::Empty => vec![Vec::new()],
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => vec![text.chars().map(Piece::Char).collect()],
            Err(_) => gap(),
        },
        HirKind::Class(hir::Class::Unicode(class)) => of_class(class),
        HirKind::Class(hir::Class::Bytes(_)) => gap(),
        HirKind::Look(look) => vec![vec![of_look(*look)]],
        HirKind::Repetition(repetition) => of_repetition(repetition),
        HirKind::Capture(capture) => sequences(&capture.sub),
        HirKind::Concat(parts) => parts.iter().fold(vec![Vec::new()], |before, part| {
            joined(before, &sequences(part))
        }),
        HirKind::Alternation(parts) => parts.iter().flat_map(sequences).collect(),
    };
    match written.len() <= SEQUENCES && written.iter().all(|s| s.len() <= PIECES) {
        true => written,
        false => gap(),
    }
}

fn gap() -> Vec<Sequence> {
    vec![vec![Piece::Gap]]
}

/// Every sequence of `before` with every one of `after` behind it; a gap in the place of `after` where these are too many.
fn joined(before: Vec<Sequence>, after: &[Sequence]) -> Vec<Sequence> {
    let longest = |of: &[Sequence]| of.iter().map(Vec::len).max().unwrap_or(0);
    let fits =
        before.len() * after.len() <= SEQUENCES && longest(&before) + longest(after) <= PIECES;
    let gap = gap();
    let after = if fits { after } else { &gap };
    let with = |first: &Sequence| -> Vec<Sequence> {
        let both = after
            .iter()
            .map(|second| [first.as_slice(), second].concat());
        both.collect()
    };
    before.iter().flat_map(with).collect()
}

fn of_class(class: &hir::ClassUnicode) -> Vec<Sequence> {
    let ranges = class.ranges().iter();
    let count: usize = ranges.clone().map(|range| range.len()).sum();
    if count == 0 || count > CLASS_CHARS {
        return gap();
    }
    let chars: Vec<char> = ranges
        .flat_map(|range| range.start()..=range.end())
        .collect();
    if chars
        .iter()
        .all(|char| words::class(*char) == Class::Separator)
    {
        return vec![vec![Piece::Edge]];
    }
    // The cases of a letter are one to a word.
    let mut distinct: Vec<char> = Vec::new();
    for char in chars {
        if !distinct
            .iter()
            .any(|known| words::fold(*known).eq(words::fold(char)))
        {
            distinct.push(char);
        }
    }
    match distinct.len() <= CHOICES {
        true => distinct
            .into_iter()
            .map(|char| vec![Piece::Char(char)])
            .collect(),
        false => gap(),
    }
}

fn of_look(look: Look) -> Piece {
    match look {
        Look::Start | Look::End => Piece::Edge,
        // Line feeds and carriage returns separate words.
        Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF => Piece::Edge,
        // One of the two sides is no character of a word, or is it by a narrower rule than ours: see `Class::Single`.
        Look::WordUnicode | Look::WordStartUnicode | Look::WordEndUnicode => Piece::Edge,
        Look::WordStartHalfUnicode | Look::WordEndHalfUnicode => Piece::Edge,
        // To these a letter beyond ASCII bounds a word.
        Look::WordAscii | Look::WordStartAscii | Look::WordEndAscii => Piece::Gap,
        Look::WordStartHalfAscii | Look::WordEndHalfAscii => Piece::Gap,
        Look::WordAsciiNegate | Look::WordUnicodeNegate => Piece::Gap,
    }
}

fn of_repetition(repetition: &Repetition) -> Vec<Sequence> {
    let once = sequences(&repetition.sub);
    let only_edges = once.iter().flatten().all(|piece| *piece == Piece::Edge);
    let (min, max) = (repetition.min, repetition.max);
    let none_or = |mut some: Vec<Sequence>| {
        some.push(Vec::new());
        some
    };
    match (min, max) {
        (_, Some(0)) => vec![Vec::new()],
        (0, Some(1)) => none_or(once),
        (0, _) if only_edges => none_or(once),
        (0, _) => gap(),
        _ if only_edges => once,
        (min, Some(max)) if min == max && min <= REPEATED => {
            (1..min).fold(once.clone(), |before, _| joined(before, &once))
        }
        // The first, what comes between, the last; which may be one and the same.
        _ => joined(joined(once.clone(), &gap()), &once),
    }
}
