//! Plans from a context that allows everything, held against the list.

use super::check;
use crate::error::{Error, Kind};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    datasource::MemTable, execution::context::SQLOptions, logical_expr::TableScan,
    prelude::SessionContext,
};
use std::sync::Arc;

fn context() -> SessionContext {
    let context = SessionContext::new();
    let fields = vec![
        Field::new("a", DataType::Int64, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("l", DataType::new_list(DataType::Int64, true), true),
    ];
    let table = MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]]);
    let table: Arc<MemTable> = Arc::new(table.expect("a table without rows"));
    context
        .register_table("logs", table.clone())
        .expect("the name is free");
    context
        .register_table("foreign", table)
        .expect("the name is free");
    context
}

fn is_logs(scan: &TableScan) -> bool {
    scan.table_name.table() == "logs"
}

async fn checked(sql: &str) -> Result<(), Error> {
    let plan = context().state().create_logical_plan(sql).await;
    check(
        &plan.unwrap_or_else(|error| panic!("{sql}: {error}")),
        &is_logs,
    )
}

#[tokio::test]
async fn queries_over_our_tables_pass() {
    for sql in [
        "SELECT a, upper(s), count(*), sum(a) OVER (ORDER BY a) FROM logs GROUP BY a, s ORDER BY 1 LIMIT 5",
        "SELECT DISTINCT s FROM logs WHERE a IN (SELECT a FROM logs) AND EXISTS (SELECT 1 FROM logs)",
        "SELECT (SELECT max(a) FROM logs), unnest(l) FROM logs",
        "SELECT 1 UNION ALL SELECT a FROM logs",
        "SELECT * FROM logs x JOIN logs y USING (a)",
        "VALUES (1), (2)",
        "EXPLAIN SELECT * FROM logs",
        "EXPLAIN ANALYZE SELECT * FROM logs",
        "SELECT CAST(a AS VARCHAR), TRY_CAST(s AS BIGINT) AS n, s::timestamp AS t, CAST(l AS DOUBLE[]) FROM logs",
        "SELECT CASE WHEN a > 1 THEN s END, a BETWEEN 1 AND 2, s LIKE 'x%', s SIMILAR TO 'y', -a, NOT a = 1 FROM logs",
        "SELECT a FROM logs GROUP BY CUBE (a, s)",
    ] {
        let outcome = checked(sql).await;
        assert!(outcome.is_ok(), "{sql}: {outcome:?}");
    }
}

#[tokio::test]
async fn other_tables_are_denied_wherever_they_stand() {
    for sql in [
        "SELECT * FROM foreign",
        "SELECT * FROM logs WHERE a IN (SELECT a FROM foreign)",
        "SELECT (SELECT max(a) FROM foreign) FROM logs",
        "SELECT * FROM logs l, LATERAL (SELECT * FROM foreign f WHERE f.a = l.a) x",
        "WITH x AS (SELECT * FROM foreign) SELECT * FROM x",
        "EXPLAIN SELECT * FROM foreign",
        "SELECT 1 FROM logs ORDER BY (SELECT max(a) FROM foreign)",
        "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM foreign)) FROM logs",
        "SELECT * FROM range(10)",
        "SELECT * FROM generate_series(1, 10)",
    ] {
        let error = checked(sql).await.expect_err(sql);
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
    }
}

#[tokio::test]
async fn functions_that_are_not_listed_are_denied_wherever_they_stand() {
    for sql in [
        "SELECT version()",
        "SELECT a FROM logs WHERE s = version()",
        "SELECT a FROM logs ORDER BY version()",
        "SELECT count(*) FROM logs GROUP BY version()",
        "SELECT count(*) FROM logs HAVING min(version()) = 'x'",
        "SELECT max(s) FILTER (WHERE version() = 'x') FROM logs",
        "SELECT sum(a) OVER (PARTITION BY version()) FROM logs",
        "SELECT * FROM logs x JOIN logs y ON x.s = y.s AND levenshtein(x.s, y.s) < 2",
        "SELECT a FROM logs WHERE EXISTS (SELECT levenshtein(s, 'x') FROM logs)",
        "VALUES (version())",
        "SELECT arrow_cast(NULL, 'FixedSizeList(1000000000, Int64)')",
        "SELECT upper(version())",
    ] {
        let error = checked(sql).await.expect_err(sql);
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
        assert!(error.to_string().contains("the function"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn types_of_which_a_null_is_large_are_denied() {
    for sql in [
        "SELECT CAST(NULL AS BIGINT[1000000000])",
        "SELECT CAST(NULL AS BIGINT[1000][1000])",
        "SELECT TRY_CAST(l AS BIGINT[100000]) FROM logs",
    ] {
        let error = checked(sql).await.expect_err(sql);
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
    }
    assert!(
        checked("SELECT CAST(l AS BIGINT[3]) FROM logs")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn steps_that_are_no_queries_are_denied() {
    for sql in [
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO logs VALUES (1, 'x', NULL)",
        "DROP TABLE logs",
        "SET datafusion.execution.batch_size = 1",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "DESCRIBE logs",
        "COPY (SELECT 1 AS x) TO '/tmp/never.csv' STORED AS CSV",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/tmp/never.csv'",
        "EXPLAIN COPY (SELECT 1 AS x) TO '/tmp/never.csv' STORED AS CSV",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
    ] {
        let Ok(plan) = context().state().create_logical_plan(sql).await else {
            continue;
        };
        let error = check(&plan, &is_logs).expect_err(sql);
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
        assert!(!error.to_string().contains("/tmp"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn the_second_net_holds_by_itself() {
    let queries = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    for sql in [
        "CREATE TABLE t (a int)",
        "INSERT INTO logs VALUES (1, 'x', NULL)",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN INSERT INTO logs VALUES (1, 'x', NULL)",
    ] {
        let plan = context().state().create_logical_plan(sql).await.expect(sql);
        assert!(queries.verify_plan(&plan).is_err(), "{sql}");
    }
}

#[tokio::test]
async fn placeholders_without_a_value_are_named() {
    let error = checked("SELECT a FROM logs WHERE a = $1")
        .await
        .expect_err("no value");
    assert_eq!(error.to_string(), "no value is given for $1");
}
