//! Pruning never loses a row, and loses what it should.

use super::*;
use crate::{
    attributes::function::attribute,
    testing::{self, KEYS, Row},
};
use cairn_storage::segment::{ObjectMeta, ValueKind};
use datafusion::{
    logical_expr::{Operator, binary_expr, col},
    physical_expr::PhysicalExprSimplifier,
};
use proptest::prelude::*;

fn filters(rows: &[Row]) -> Vec<Expr> {
    let mut filters = Vec::new();
    let literal = |value| Expr::Literal(value, None);
    let operators = [
        Operator::Eq,
        Operator::NotEq,
        Operator::Lt,
        Operator::GtEq,
        Operator::IsDistinctFrom,
    ];
    for key in KEYS.iter().chain(&["absent"]) {
        let of = |wanted| attribute(col("attributes"), key, wanted);
        for item in rows.iter().flat_map(|row| row.values()) {
            let value = item.value();
            let text = value.clone().text().map(|text| text.into_owned());
            for op in operators {
                let text = literal(ScalarValue::Utf8View(text.clone()));
                filters.push(binary_expr(of(Wanted::Text), op, text));
                let number = literal(ScalarValue::Float64(value.number()));
                filters.push(binary_expr(of(Wanted::Double), op, number));
                let int = literal(ScalarValue::Int64(value.int()));
                filters.push(binary_expr(of(Wanted::Int), op, int));
            }
        }
        filters.push(of(Wanted::Text).is_null());
        filters.push(of(Wanted::Double).is_null());
        filters.push(of(Wanted::Int).is_not_null());
        filters.push(of(Wanted::Text).like(literal(ScalarValue::Utf8View(Some("a%".into())))));
        filters.push(Expr::Not(Box::new(of(Wanted::Text).is_null())));
    }
    filters
}

fn matches(filter: &Expr, rows: &[Row]) -> bool {
    let schema = testing::table_schema();
    let filter = physical(filter, &schema).expect("a filter over the map");
    let filter = PhysicalExprSimplifier::new(&schema)
        .simplify(filter)
        .expect("simplifies");
    let table = testing::table(rows);
    let found = filter
        .evaluate(&table)
        .and_then(|value| value.into_array(table.num_rows()));
    let found = found.expect("a filter evaluates");
    let found: &BooleanArray = arrow::array::AsArray::as_boolean(found.as_ref());
    found.true_count() > 0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn never_loses_a_row(rows in testing::rows(), choice in testing::choice()) {
        let promotion = testing::promote(&rows, &choice.0, choice.1);
        let objects: Vec<&ObjectMeta> = promotion.segment.meta.objects.iter().collect();
        let schema = testing::table_schema();
        for filter in filters(&rows) {
            let may = may_match(std::slice::from_ref(&filter), &schema, &objects).expect("prunes");
            let does = matches(&filter, &rows);
            prop_assert!(may[0] || !does, "{filter} was pruned and matches");
        }
    }
}

#[test]
fn absent_keys_and_bounds_prune() {
    let row = |status: i64| -> Row { [("status".to_string(), testing::Item::Int(status))].into() };
    let rows = [row(200), row(404)];
    let chosen = [("status".to_string(), ValueKind::Int)].into();
    let promotion = testing::promote(&rows, &chosen, true);
    let objects: Vec<&ObjectMeta> = promotion.segment.meta.objects.iter().collect();
    let schema = testing::table_schema();
    let may = |filter: Expr| may_match(&[filter], &schema, &objects).expect("prunes")[0];
    let number = |value: f64| Expr::Literal(ScalarValue::Float64(Some(value)), None);
    let text = |value: &str| Expr::Literal(ScalarValue::Utf8View(Some(value.into())), None);
    let status = || attribute(col("attributes"), "status", Wanted::Double);
    assert!(may(status().gt(number(300.0))));
    assert!(!may(status().gt(number(404.0))));
    assert!(!may(status().lt(number(200.0))));
    let absent = || attribute(col("attributes"), "user.id", Wanted::Text);
    assert!(!may(absent().eq(text("u1"))));
    assert!(!may(absent().is_not_null()));
    assert!(may(absent().is_null()));
}
