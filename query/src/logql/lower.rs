//! What of a LogQL selector and its line filters a scan does by itself: filters that no record passes wrongly left out.
//!
//! They rule out segments, blocks and rows; what they let through is judged again by the pipeline, so a filter may let
//! too much through and never too little.

use super::streams::{LEVEL, LEVELS};
use crate::batches;
use cairn_logql::{
    Needle,
    ast::{MatchOp, Matcher},
};
use datafusion::{
    functions::string::expr_fn::contains,
    logical_expr::{Expr, col, lit},
};

/// From the first instant through the last, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) from: i64,
    pub(super) through: i64,
}

/// Records of an interval.
pub(super) fn in_time(interval: Interval) -> [Expr; 2] {
    batches::in_time(interval.from, interval.through)
}

/// Records whose streams `selector` may mean.
pub(super) fn streams(selector: &[Matcher]) -> Vec<Expr> {
    selector.iter().filter_map(matcher).collect()
}

/// Records whose line contains one needle of each list.
pub(super) fn lines(lists: &[Vec<Needle>]) -> Vec<Expr> {
    let any = |needles: &Vec<Needle>| needles.iter().map(needle).reduce(Expr::or);
    lists.iter().filter_map(any).collect()
}

fn needle(needle: &Needle) -> Expr {
    if !needle.ignores_case {
        return contains(col("body"), lit(needle.text.as_str()));
    }
    let mut pattern = String::from("%");
    for character in needle.text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    col("body").ilike(lit(pattern))
}

/// The most values of a list of alternatives; a filter of more costs more than it saves.
const ALTERNATIVES: usize = 32;

fn matcher(matcher: &Matcher) -> Option<Expr> {
    let values = match matcher.op {
        MatchOp::Equal => vec![matcher.value.as_str()],
        MatchOp::Regex => alternatives(&matcher.value)?,
        MatchOp::NotEqual | MatchOp::NotRegex => return None,
    };
    let each = values.into_iter().map(|value| equal(&matcher.name, value));
    // One of which nothing is certain leaves all of them so.
    each.collect::<Option<Vec<Expr>>>()?
        .into_iter()
        .reduce(Expr::or)
}

/// The values of an expression that is nothing but values: `a|b`.
fn alternatives(expression: &str) -> Option<Vec<&str>> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | ':' | '|');
    let values: Vec<&str> = expression.split('|').collect();
    (expression.chars().all(is_plain) && values.len() <= ALTERNATIVES).then_some(values)
}

fn equal(name: &str, value: &str) -> Option<Expr> {
    // A label that is absent has the value "": such a matcher says nothing of what is there.
    if value.is_empty() {
        return None;
    }
    match name {
        "service_name" => Some(col("service_name").eq(lit(value))),
        LEVEL => level(value),
        _ => stands_for_itself(value).then(|| contains(col("resource_attributes"), lit(value))),
    }
}

/// Records of a level: by their number, or without one by a text that is looked at later.
fn level(name: &str) -> Option<Expr> {
    let number = || col("severity_number");
    let (_, first) = LEVELS.iter().find(|(level, _)| *level == name)?;
    let of_level = number().between(lit(*first), lit(first + 3));
    let without = number().lt(lit(1)).or(number().gt(lit(24)));
    // An attribute of the resource goes before the severity.
    let named = contains(col("resource_attributes"), lit(format!("\"{LEVEL}\"")));
    Some(of_level.or(without).or(named))
}

/// Whether a text is the same in canonical JSON, and can only be there as a whole or within another text.
fn stands_for_itself(text: &str) -> bool {
    text.chars()
        .all(|c| c != '"' && c != '\\' && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::{lines, streams};
    use cairn_logql::{
        Needle,
        ast::{MatchOp, Matcher},
    };

    fn lowered(name: &str, op: MatchOp, value: &str) -> Vec<String> {
        let matcher = Matcher {
            name: name.to_owned(),
            op,
            value: value.to_owned(),
        };
        streams(&[matcher])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn only_what_is_certain_is_lowered() {
        let equal = |name, value| lowered(name, MatchOp::Equal, value);
        assert_eq!(equal("service_name", "shop").len(), 1);
        assert_eq!(equal("k8s_pod_name", "p-1").len(), 1);
        assert_eq!(equal("level", "error").len(), 1);
        assert!(equal("level", "loud").is_empty());
        assert!(equal("service_name", "").is_empty());
        assert!(equal("k8s_pod_name", "a\"b").is_empty());
        assert!(lowered("service_name", MatchOp::NotEqual, "shop").is_empty());
        let regex = |value| lowered("service_name", MatchOp::Regex, value);
        assert_eq!(regex("shop|till").len(), 1);
        assert!(regex("shop|").is_empty());
        assert!(regex("sh.p").is_empty());
    }

    #[test]
    fn needles_become_filters_of_the_body() {
        let needle = |text: &str, ignores_case| Needle {
            text: text.to_owned(),
            ignores_case,
        };
        let lists = [vec![needle("a", false), needle("b_", true)], Vec::new()];
        let filters = lines(&lists);
        assert_eq!(filters.len(), 1);
        let text = filters[0].to_string();
        assert!(
            text.contains("contains") && text.contains(r"%b\_%"),
            "{text}"
        );
    }
}
