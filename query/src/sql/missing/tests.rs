//! Names that do not exist, and where statements have them.

use super::Missing;
use crate::error::Place;
use datafusion::{
    common::{Column, TableReference},
    error::DataFusionError,
    sql::parser::DFParser,
};

fn check(missing: &Missing, statement: &str, at: Option<(u64, u64)>) {
    let mut statements = DFParser::parse_sql(statement).expect("the statement is well formed");
    let parsed = statements.pop_front().expect("one statement");
    let place = at.map(|(line, column)| Place { line, column });
    assert_eq!(missing.place(&parsed), place, "{missing:?} in {statement}");
}

#[test]
fn a_column_is_found_where_it_is_used() {
    let column = |name: &str| Missing::Column(Column::from_name(name));
    check(
        &column("nothing"),
        "SELECT 1 AS nothing\nFROM logs WHERE nothing > 1",
        Some((2, 17)),
    );
    check(&column("nothing"), "SELECT NOTHING FROM logs", Some((1, 8)));
    check(&column("Nothing"), "SELECT NOTHING FROM logs", None);
    check(
        &column("Nothing"),
        "EXPLAIN SELECT \"Nothing\" FROM logs",
        Some((1, 16)),
    );
    check(
        &column("nothing"),
        "SELECT nothing['k'] FROM logs",
        Some((1, 8)),
    );
    check(&column("nothing"), "SELECT 'nothing' FROM nothing", None);
}

#[test]
fn a_prefix_tells_columns_of_one_name_apart() {
    let of = |table: &str| {
        Missing::Column(Column::new(
            Some(TableReference::bare(table.to_string())),
            "n",
        ))
    };
    let statement = "SELECT a.n FROM logs a, logs b WHERE b.n = 1";
    check(&of("a"), statement, Some((1, 8)));
    check(&of("b"), statement, Some((1, 38)));
    // A prefix that the planner put there.
    check(&of("logs"), "SELECT n FROM logs", Some((1, 8)));
}

#[test]
fn a_function_is_found_by_any_case() {
    let error = DataFusionError::Plan("Invalid function 'frob'.\nDid you mean 'floor'?".into());
    let missing = Missing::of(&error).expect("a function is missing");
    assert_eq!(missing, Missing::Function("frob".to_string()));
    check(&missing, "SELECT 1 +\n Frob(2)", Some((2, 2)));
    assert_eq!(Missing::of(&DataFusionError::Plan("no".into())), None);
}
