//! The order in which a reader expects names: numbers within them by value.

use std::cmp::Ordering;

/// Compares texts piece by piece, a piece being all digits or none.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    while !one.is_empty() && !other.is_empty() {
        let (left, right) = (piece(one), piece(other));
        let order = match (number(left), number(right)) {
            (Some(left), Some(right)) => numbers(left, right),
            _ => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
        one = &one[left.len()..];
        other = &other[right.len()..];
    }
    one.len().cmp(&other.len())
}

fn piece(text: &str) -> &str {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits);
    &text[..end.unwrap_or(text.len())]
}

fn number(piece: &str) -> Option<&str> {
    piece
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(piece)
}

/// Of any length, so as digits.
fn numbers(one: &str, other: &str) -> Ordering {
    let (left, right) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    let by_value = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
    by_value.then_with(|| one.len().cmp(&other.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value() {
        let mut names = ["a10", "a9", "4m600", "4m5", "a", "1.11.3", "1.2.3", "a09"];
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(
            names,
            ["1.2.3", "1.11.3", "4m5", "4m600", "a", "a9", "a09", "a10"]
        );
    }
}
