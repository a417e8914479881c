//! What filters demand, and what falls away where an attribute has a column of its own.

use super::*;
use crate::{
    attributes::function::attribute,
    testing::{self, Item, Row},
};
use cairn_storage::segment::ValueKind;
use datafusion::{
    functions::{
        regex::expr_fn::regexp_like,
        string::expr_fn::{contains, ends_with, starts_with},
        unicode::expr_fn::strpos,
    },
    logical_expr::{binary_expr, col, lit},
};

fn object(promoted: bool) -> ObjectMeta {
    let row: Row = [("k".to_string(), Item::Int(1))].into();
    let chosen = match promoted {
        true => [("k".to_string(), ValueKind::Int)].into(),
        false => Default::default(),
    };
    let promotion = testing::promote(&[row], &chosen, true);
    promotion.segment.meta.objects[0].clone()
}

fn check(filter: Expr, expected: Demand) {
    let found = Search::of(std::slice::from_ref(&filter)).in_file(&object(false));
    assert_eq!(found, expected, "{filter}");
}

fn words(text: &str) -> Demand {
    Demand::words(Subject::BodyWords, text)
}

#[test]
fn filters_on_bodies_demand_words() {
    let body = || col("body");
    check(body().like(lit("% a b %")), words("a b"));
    check(body().ilike(lit("a %")), words("a"));
    check(body().not_like(lit("% a %")), Demand::nothing());
    check(body().eq(lit("a b")), words("a b"));
    check(lit("a b").eq(body()), words("a b"));
    check(body().not_eq(lit("a b")), Demand::nothing());
    check(contains(body(), lit(" a ")), words("a"));
    check(starts_with(body(), lit("a b")), words("a"));
    check(ends_with(body(), lit("a b")), words("b"));
    check(strpos(body(), lit(" a ")).gt(lit(0)), words("a"));
    check(strpos(body(), lit(" a ")).eq(lit(0)), Demand::nothing());
    check(regexp_like(body(), lit(r"\ba\b"), None), words("a"));
    check(
        regexp_like(body(), lit(r"\bA\b"), Some(lit("i"))),
        words("a"),
    );
    check(
        regexp_like(body(), lit(r"\ba\b"), Some(lit("x"))),
        Demand::nothing(),
    );
    check(
        binary_expr(body(), Operator::RegexIMatch, lit("^A ")),
        words("a"),
    );
    check(
        binary_expr(body(), Operator::RegexNotMatch, lit("^A ")),
        Demand::nothing(),
    );
    check(
        HasPhrase::udf(Last::Whole).call(vec![body(), lit("a b")]),
        words("a b"),
    );
    let begins = |with| HasPhrase::udf(Last::Beginning).call(vec![body(), lit(with)]);
    check(begins("a b"), words("a"));
    check(begins("a b-"), words("a b"));
    check(begins("a"), Demand::nothing());
    check(col("other").eq(lit("a")), Demand::nothing());
    let either = body().eq(lit("a")).or(body().eq(lit("b")));
    check(either.clone(), words("a").or(words("b")));
    check(either.or(col("other").eq(lit("a"))), Demand::nothing());
    let both = body().eq(lit("a")).and(col("other").eq(lit("a")));
    check(both, words("a"));
    check(
        body().in_list(vec![lit("a"), lit("b")], false),
        words("a").or(words("b")),
    );
    check(body().in_list(vec![lit("a")], true), Demand::nothing());
}

#[test]
fn filters_on_attributes_demand_pairs_of_the_overflow() {
    let key = || attribute(col("attributes"), "k", Wanted::Text);
    let pair = Demand::pair(Subject::AttributePairs, "k", "v");
    check(key().eq(lit("v")), pair);
    let word = Demand::words(Subject::AttributeWords, "v");
    check(key().like(lit("% v %")), word);
    let promoted = Search::of(&[key().eq(lit("v"))]).in_file(&object(true));
    assert_eq!(promoted, Demand::nothing());
    let number = attribute(col("attributes"), "k", Wanted::Int).eq(lit(1_i64));
    check(number, Demand::nothing());
    let resource = attribute(col("resource_attributes"), "k", Wanted::Text);
    let pair = Demand::pair(Subject::ResourcePairs, "k", "v");
    check(resource.eq(lit("v")), pair);
}
