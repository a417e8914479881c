//! Statements of every kind, and what the guard says to them.

use super::{Asked, check};
use crate::error::{Error, Kind, Place};
use datafusion::sql::sqlparser::dialect::GenericDialect;

/// On a stack as lanes have it.
fn asked(sql: &str) -> Result<Asked, Error> {
    let sql = sql.to_string();
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let thread = thread
        .spawn(move || check(&sql, &GenericDialect {}))
        .expect("a thread starts");
    thread.join().expect("the guard does not panic")
}

fn refused(sql: &str) -> (Kind, String, Option<Place>) {
    match asked(sql) {
        Err(error) => (error.kind(), error.to_string(), error.place()),
        Ok(asked) => panic!("{} was let through: {asked:?}", &sql[..sql.len().min(200)]),
    }
}

#[test]
fn queries_pass() {
    for sql in [
        "SELECT 1",
        "SELECT * FROM logs",
        "select body, attributes['k'] from logs where timestamp > now() - interval '1 hour' order by 1 desc limit 5",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT count(*) FROM logs GROUP BY GROUPING SETS ((service_name), ())",
        "SELECT * FROM logs l JOIN spans s ON l.trace_id = s.trace_id",
        "SELECT * FROM (logs CROSS JOIN spans)",
        "SELECT * FROM UNNEST(make_array(1, 2))",
        "SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM logs",
        "SELECT CASE WHEN a THEN 1 END, x IN (1, 2), EXISTS (SELECT 1) FROM logs",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN VERBOSE SELECT 1",
        "SELECT repeat('a', 10)",
    ] {
        assert!(
            matches!(asked(sql), Ok(Asked::Query(_))),
            "{sql}: {:?}",
            asked(sql)
        );
    }
    assert!(matches!(asked("SHOW TABLES"), Ok(Asked::Tables)));
    let name = |sql: &str| match asked(sql) {
        Ok(Asked::Columns(name)) => name.to_string(),
        other => panic!("{sql}: {other:?}"),
    };
    assert_eq!(name("DESCRIBE logs"), "logs");
    assert_eq!(name("SHOW COLUMNS FROM logs"), "logs");
    assert_eq!(name("SHOW COLUMNS IN public.spans"), "public.spans");
}

#[test]
fn statements_that_are_no_queries_are_denied() {
    for sql in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE DATABASE d",
        "CREATE FUNCTION f(a int) RETURNS int RETURN a",
        "DROP TABLE logs",
        "DROP VIEW v",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY logs TO '/tmp/x.parquet'",
        "INSERT INTO logs VALUES (1)",
        "UPDATE logs SET body = 'x'",
        "DELETE FROM logs",
        "TRUNCATE logs",
        "SET datafusion.runtime.memory_limit = '64G'",
        "RESET datafusion.runtime.memory_limit",
        "SHOW ALL",
        "SHOW datafusion.execution.batch_size",
        "SHOW CREATE TABLE logs",
        "SHOW FUNCTIONS",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "ANALYZE logs",
        "USE other",
        "GRANT SELECT ON logs TO x",
        "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
        "EXPLAIN CREATE TABLE t (a int)",
        "EXPLAIN ANALYZE INSERT INTO logs VALUES (1)",
        "EXPLAIN EXPLAIN SELECT 1",
        "EXPLAIN FORMAT TREE SELECT 1",
        "EXPLAIN (FORMAT TREE) SELECT 1",
        "WITH a AS (INSERT INTO logs VALUES (1) RETURNING 1) SELECT * FROM a",
        "KILL 1",
        "CALL f()",
        "VACUUM",
        "LOAD 'x'",
        "ATTACH DATABASE 'x' AS y",
        "LISTEN x",
        "SELECT 1; DROP TABLE logs",
    ] {
        let (kind, message, _) = refused(sql);
        // What the parser of our dialect does not know either is Invalid.
        assert!(
            matches!(kind, Kind::Denied | Kind::Invalid),
            "{sql}: {kind:?} {message}"
        );
        assert!(
            !message.contains("/tmp") && !message.contains("/etc"),
            "{sql}: {message}"
        );
    }
}

#[test]
fn the_kind_of_statement_is_named() {
    let (kind, message, _) = refused("DROP TABLE logs");
    assert_eq!(kind, Kind::Denied);
    assert!(
        message.starts_with("DROP TABLE is not allowed: use SELECT"),
        "{message}"
    );
    let (_, message, _) = refused("COPY logs TO '/tmp/x'");
    assert!(message.starts_with("COPY"), "{message}");
}

#[test]
fn clauses_without_use_here_are_denied() {
    for sql in [
        "SELECT * INTO t FROM logs",
        "SELECT * FROM logs FOR UPDATE",
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r",
        "SELECT * FROM logs LATERAL VIEW explode(a) t AS x",
        "SELECT * FROM logs DISTRIBUTE BY a",
        "SELECT TOP 5 * FROM logs",
        "SELECT * FROM logs TABLESAMPLE (10 PERCENT)",
        "SELECT * FROM generate_series(1, 10)",
        "SELECT * FROM range(1000000000000)",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM logs PIVOT (sum(a) FOR b IN ('x'))",
        "SELECT * FROM TABLE(f())",
        "TABLE logs",
    ] {
        let (kind, message, _) = refused(sql);
        assert!(
            matches!(kind, Kind::Denied | Kind::Invalid),
            "{sql}: {kind:?} {message}"
        );
    }
}

#[test]
fn tables_are_named_not_paths() {
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM \"file:///x.csv\"",
        "SELECT * FROM 'x.csv'",
        "SELECT 1 WHERE EXISTS (SELECT * FROM \"../x\")",
    ] {
        let (kind, message, place) = refused(sql);
        assert_eq!(kind, Kind::Denied, "{sql}: {message}");
        // The parser gives a name in single quotes no place.
        assert!(place.is_some() || sql.contains('\''), "{sql}");
    }
}

#[test]
fn refused_functions_say_why_and_where() {
    let (kind, message, place) = refused("SELECT 1,\n  version()");
    assert_eq!(kind, Kind::Denied);
    assert_eq!(
        message,
        "the function version is not allowed: it tells about the server, not about telemetry"
    );
    assert_eq!(place, Some(Place { line: 2, column: 3 }));
    for call in [
        "LEVENSHTEIN('a', 'b')",
        "input_file_name()",
        "arrow_cast(1, 'Int8')",
        "pg.f(1)",
    ] {
        assert_eq!(refused(&format!("SELECT {call}")).0, Kind::Denied, "{call}");
    }
}

#[test]
fn errors_of_the_parser_have_a_place() {
    let (kind, message, place) = refused("SELECT 1\nFROM logs WHERE");
    assert_eq!(kind, Kind::Invalid, "{message}");
    let (kind, message, place_of_from) = refused("SELECT a b c\nFROM logs");
    assert_eq!(kind, Kind::Invalid);
    assert!(!message.contains(" at Line"), "{message}");
    assert_eq!(
        place_of_from,
        Some(Place {
            line: 1,
            column: 12
        }),
        "{message} {place:?}"
    );
    let (_, message, place) = refused("SELECT 'abc");
    assert_eq!(place, Some(Place { line: 1, column: 8 }), "{message}");
    assert_eq!(refused("").0, Kind::Invalid);
    assert_eq!(refused("  -- nothing\n;").0, Kind::Invalid);
}

#[test]
fn sizes_are_limited() {
    let too_large = |sql: &str| {
        let (kind, message, _) = refused(sql);
        assert_eq!(kind, Kind::TooLarge, "{message}");
        message
    };
    too_large(&format!("SELECT '{}'", "a".repeat(64 << 10)));
    let list = |n: usize| format!("SELECT a IN ({}) FROM logs", vec!["1"; n].join(","));
    assert!(asked(&list(10_000)).is_ok());
    assert!(too_large(&list(10_001)).contains("IN list"));
    let cases = |n: usize| format!("SELECT CASE {} END FROM logs", "WHEN a THEN 1 ".repeat(n));
    assert!(asked(&cases(1_000)).is_ok());
    assert!(too_large(&cases(1_001)).contains("CASE"));
    too_large(&format!("SELECT {}", vec!["1"; 1_001].join(",")));
    assert!(asked("SELECT 1 FROM logs GROUP BY CUBE (a, b, c)").is_ok());
    too_large("SELECT 1 FROM logs GROUP BY CUBE (a, b, c, d, e, f, g, h, i)");
    too_large("SELECT 1 FROM logs GROUP BY CUBE (a, b, c, d, e), CUBE (f, g, h, i)");
    let commas = vec!["logs"; 34].join(", ");
    assert!(too_large(&format!("SELECT 1 FROM {commas}")).contains("joins"));
}

#[test]
fn with_inside_with_ends_at_8() {
    let nested = |levels: usize| {
        let (open, close) = (
            "WITH a AS (".repeat(levels),
            ") SELECT * FROM a".repeat(levels),
        );
        format!("{open}SELECT 1{close}")
    };
    assert!(asked(&nested(8)).is_ok());
    let (kind, told, _) = refused(&nested(9));
    assert_eq!(kind, Kind::TooLarge);
    assert!(told.contains("the depth of WITH"), "{told}");
    let side_by_side = vec!["(WITH a AS (SELECT 1) SELECT * FROM a)"; 20].join(" UNION ALL ");
    assert!(asked(&side_by_side).is_ok());
}

#[test]
fn with_queries_count_at_each_use() {
    let mut sql = "WITH t0 AS (SELECT * FROM logs)".to_string();
    for n in 1..30 {
        sql += &format!(", t{n} AS (SELECT * FROM t{}, t{})", n - 1, n - 1);
    }
    let (kind, message, _) = refused(&format!("{sql} SELECT * FROM t29"));
    assert_eq!(kind, Kind::TooLarge, "{message}");
    // The same names in a row, each used once.
    let mut sql = "WITH t0 AS (SELECT * FROM logs)".to_string();
    for n in 1..30 {
        sql += &format!(", t{n} AS (SELECT * FROM t{})", n - 1);
    }
    assert!(asked(&format!("{sql} SELECT * FROM t29")).is_ok());
    let nested = "WITH a AS (WITH b AS (SELECT * FROM logs, spans) SELECT * FROM b, b b2) SELECT * FROM a, a a2";
    assert!(asked(nested).is_ok());
}

#[test]
fn the_deepest_statements_that_pass_do_not_overflow_a_lane() {
    let chain = vec!["1"; 501].join("+");
    assert!(asked(&format!("SELECT {chain}")).is_ok());
    let nested = format!("SELECT {}1{}", "(".repeat(64), ")".repeat(64));
    assert!(asked(&nested).is_ok(), "{:?}", asked(&nested));
    let selects = format!(
        "SELECT * FROM {}logs{}",
        "(SELECT * FROM ".repeat(60),
        ") t".repeat(60)
    );
    assert!(asked(&selects).is_ok(), "{:?}", asked(&selects));
    let unions = vec!["SELECT 1"; 101].join(" UNION ALL ");
    assert!(asked(&unions).is_ok());
}
