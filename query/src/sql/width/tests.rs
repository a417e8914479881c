//! Small statements with large values, and ordinary ones.

use super::{batch_rows, check};
use crate::error::{Error, Kind};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    common::config::ConfigNonZeroUsize,
    datasource::MemTable,
    prelude::{SessionConfig, SessionContext},
};
use std::sync::Arc;

async fn width(sql: &str) -> Result<u64, Error> {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.recursion_limit =
        ConfigNonZeroUsize::try_new(500).expect("it is not 0");
    let context = SessionContext::new_with_config(config);
    let fields = vec![
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("l", DataType::new_list(DataType::Int64, true), true),
    ];
    let table = MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]]);
    let table = Arc::new(table.expect("a table without rows"));
    context
        .register_table("t", table)
        .expect("the name is free");
    let plan = context.state().create_logical_plan(sql).await;
    check(&plan.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

async fn refused(sql: &str) -> (Kind, String) {
    match width(sql).await {
        Err(error) => (error.kind(), error.to_string()),
        Ok(width) => panic!("{sql} passed with {width} bytes a row"),
    }
}

#[tokio::test]
async fn bombs_are_refused() {
    for sql in [
        "SELECT length(repeat('a', 1000000000))",
        "SELECT lpad('a', 2000000000, 'b')",
        "SELECT rpad('a', 2000000000)",
        "SELECT array_length(range(0, 300000000))",
        "SELECT generate_series(1, 1000000000000)",
        "SELECT range(0, 9223372036854775807)",
        "SELECT generate_series(TIMESTAMP '1970-01-01', TIMESTAMP '2030-01-01', INTERVAL '1 second')",
        "SELECT array_repeat('abc', 100000000)",
        "SELECT array_resize(make_array(1), 1000000000, 0)",
        "SELECT repeat(repeat(repeat('aaaaaaaaaa', 1000), 1000), 1000)",
        "SELECT replace(repeat('a', 100000), 'a', repeat('b', 100000))",
        "SELECT regexp_replace(repeat('a', 10000), '', repeat('b', 1000), 'g')",
        "SELECT array_to_string(range(0, 60000), repeat('x', 1000))",
        "SELECT string_to_array(repeat('a,', 100000), ',')",
        "SELECT concat(s, repeat('x', 1048576)) FROM t",
        "SELECT 1 FROM t WHERE repeat('a', 1000000000) = s",
        "SELECT count(*) FROM t GROUP BY repeat('a', 1000000000)",
        "SELECT sum(length(repeat('a', 1000000000))) FROM t",
        "SELECT * FROM t ORDER BY repeat('a', 1000000000)",
        "SELECT * FROM t a JOIN t b ON a.s = concat(b.s, repeat('a', 1000000000))",
        "SELECT * FROM t WHERE s IN (SELECT repeat('a', 1000000000))",
        "SELECT sum(n) OVER (ORDER BY repeat('a', 1000000000)) FROM t",
        "VALUES (repeat('a', 1000000000))",
        "SELECT unnest(range(0, 1000000000))",
        "EXPLAIN SELECT repeat('a', 1000000000)",
    ] {
        let (kind, message) = refused(sql).await;
        assert_eq!(kind, Kind::TooLarge, "{sql}: {message}");
    }
}

#[tokio::test]
async fn counts_from_data_are_refused() {
    for sql in [
        "SELECT repeat(s, n) FROM t",
        "SELECT lpad(s, n) FROM t",
        "SELECT range(n) FROM t",
        "SELECT repeat('a', (SELECT max(n) FROM t))",
        "SELECT array_repeat(s, length(s)) FROM t",
    ] {
        assert_eq!(refused(sql).await.0, Kind::Denied, "{sql}");
    }
}

#[tokio::test]
async fn growth_by_steps_is_refused() {
    let mut nested = "'abc'".to_string();
    for _ in 0..40 {
        nested = format!("encode({nested}, 'hex')");
    }
    assert_eq!(refused(&format!("SELECT {nested}")).await.0, Kind::TooLarge);
    let mut doubled = "SELECT s AS c0 FROM t".to_string();
    for level in 1..20 {
        let below = level - 1;
        doubled = format!("SELECT c{below} || c{below} AS c{level} FROM ({doubled}) AS q{level}");
    }
    assert_eq!(refused(&doubled).await.0, Kind::TooLarge);
}

#[tokio::test]
async fn expressions_that_double_in_size_when_inlined_are_refused() {
    let mut doubled = "SELECT n AS c0 FROM t".to_string();
    for level in 1..25 {
        let below = level - 1;
        // Numbers stay small; the filter above them would have a node for each of 2^24 paths.
        doubled =
            format!("SELECT c{below} % 7 + c{below} % 5 AS c{level} FROM ({doubled}) AS q{level}");
    }
    let (kind, message) = refused(&format!("SELECT 1 FROM ({doubled}) AS q WHERE c24 = 1")).await;
    assert_eq!(kind, Kind::TooLarge, "{message}");
}

#[tokio::test]
async fn ordinary_statements_pass() {
    for sql in [
        "SELECT * FROM t WHERE s LIKE '%x%' ORDER BY n DESC LIMIT 100",
        "SELECT lpad(to_hex(n), 16, '0'), rpad(s, 20) FROM t",
        "SELECT regexp_replace(s, '[0-9a-f]{8}-[0-9a-f-]{27}', '<id>', 'g') AS p, count(*) FROM t GROUP BY 1",
        "SELECT regexp_replace(regexp_replace(regexp_replace(s, '\\d+', '<number>', 'g'), '[a-f]+', '<hex>', 'g'), 'x', 'y') FROM t",
        "SELECT replace(replace(s, 'a', 'b'), 'cc', 'd') FROM t",
        "SELECT repeat('-', 80)",
        "SELECT unnest(range(0, 600))",
        "SELECT unnest(generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 minute'))",
        "SELECT unnest(generate_series(now() - INTERVAL '1 hour', now(), INTERVAL '1 minute'))",
        "SELECT range(10, 0, -1), range(5), generate_series(1, 3)",
        "SELECT array_to_string(array_agg(s), ', ') FROM t",
        "SELECT string_agg(s, ', ') FROM t",
        "SELECT encode(sha256(s), 'hex') FROM t",
        "SELECT upper(lower(trim(coalesce(nullif(s, ''), 'none')))) FROM t",
        "SELECT concat_ws(' ', s, s, s, s), s || ' ' || s FROM t",
        "SELECT CASE WHEN n > 1 THEN 'a' ELSE s END, n + 1, CAST(n AS VARCHAR) FROM t",
        "SELECT to_char(to_timestamp(n), '%Y-%m-%d %H:%M:%S') FROM t",
        "SELECT (SELECT max(s) FROM t), s IN (SELECT s FROM t) FROM t",
        "SELECT n, sum(n) OVER (PARTITION BY s ORDER BY n) FROM t",
        "SELECT s, count(*) FROM t GROUP BY ROLLUP (s, n)",
        "SELECT unnest(l) FROM t",
        "SELECT x.s, y.s || x.s FROM t x LEFT JOIN t y ON x.n = y.n WHERE x.n NOT IN (1, 2)",
    ] {
        let width = width(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(
            batch_rows(width, 8_192) >= 500,
            "{sql} is {width} bytes wide"
        );
    }
}

#[tokio::test]
async fn wide_rows_come_in_small_batches() {
    let wide = width("SELECT repeat(s, 1000) FROM t")
        .await
        .expect("half a megabyte passes");
    assert!((500_000..1_000_000).contains(&wide), "{wide}");
    let rows = batch_rows(wide, 8_192) as u64;
    assert!((64..300).contains(&rows), "{rows}");
    let series = width("SELECT unnest(range(0, 60000))")
        .await
        .expect("a long series passes");
    assert!((64..300).contains(&batch_rows(series, 8_192)), "{series}");
    assert_eq!(batch_rows(u64::MAX, 8_192), 64);
    assert_eq!(batch_rows(0, 8_192), 8_192);
    assert_eq!(batch_rows(u64::MAX, 10), 10);
}
