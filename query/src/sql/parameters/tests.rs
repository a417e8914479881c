//! Values of every kind in every place.

use super::bind;
use crate::error::{Error, Kind, Place};
use datafusion::sql::{
    parser::{DFParser, Statement},
    sqlparser::dialect::GenericDialect,
};
use serde_json::{Value, json};

fn bound(sql: &str, parameters: Value) -> Result<String, Error> {
    let statements = DFParser::parse_sql_with_dialect(sql, &GenericDialect {});
    let mut statement: Statement = statements
        .expect("the statement parses")
        .pop_front()
        .expect("there is one");
    bind(&mut statement, &parameters)?;
    Ok(statement.to_string())
}

#[test]
fn values_become_literals() {
    let check = |sql: &str, parameters: Value, expected: &str| {
        assert_eq!(bound(sql, parameters).expect("binds"), expected, "{sql}");
    };
    check("SELECT $1", json!([7]), "SELECT 7");
    check("SELECT 2 - $1", json!([-7]), "SELECT 2 - (-7)");
    check("SELECT $1, $2", json!([1.5, true]), "SELECT 1.5, true");
    check("SELECT $1", json!(["it's; DROP"]), "SELECT 'it''s; DROP'");
    check("SELECT $1", json!([null]), "SELECT NULL");
    check(
        "SELECT $1",
        json!([9_223_372_036_854_775_807_i64]),
        "SELECT 9223372036854775807",
    );
    check("SELECT $b, $a", json!({"a": 1, "b": 2}), "SELECT 2, 1");
    check(
        "SELECT $2, $1, $2",
        json!(["a", "b"]),
        "SELECT 'b', 'a', 'b'",
    );
    check(
        "SELECT 1 FROM t WHERE a = ANY($1) LIMIT $2",
        json!([["x", "y"], 5]),
        "SELECT 1 FROM t WHERE a = ANY(ARRAY['x', 'y']) LIMIT 5",
    );
    check("EXPLAIN SELECT $1", json!([7]), "EXPLAIN SELECT 7");
    check("SELECT 1", Value::Null, "SELECT 1");
    check("SELECT '$1'", json!([]), "SELECT '$1'");
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |sql: &str, parameters: Value| bound(sql, parameters).expect_err(sql);
    let error = refused("SELECT\n $2", json!([1]));
    assert_eq!(error.to_string(), "no value is given for $2");
    assert_eq!(error.place(), Some(Place { line: 2, column: 2 }));
    assert_eq!(refused("SELECT $1", Value::Null).kind(), Kind::Invalid);
    let error = refused("SELECT $1", json!([1, 2]));
    assert_eq!(
        error.to_string(),
        "a value is given for $2, which the statement lacks"
    );
    assert_eq!(refused("SELECT 1", json!("x")).kind(), Kind::Invalid);
    assert_eq!(
        refused("SELECT $1", json!([{"a": 1}])).kind(),
        Kind::Invalid
    );
    assert_eq!(refused("SELECT $1", json!([[[1]]])).kind(), Kind::Invalid);
    assert_eq!(refused("SELECT ?", json!([1])).kind(), Kind::Invalid);
    assert_eq!(
        refused("SELECT $1", json!(["a".repeat(70_000)])).kind(),
        Kind::TooLarge
    );
    assert_eq!(
        refused("SELECT 1", json!(vec![1; 1_001])).kind(),
        Kind::TooLarge
    );
}
