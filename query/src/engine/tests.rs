//! The engine over a real store: what it answers, what it refuses, and that nothing stops it.

use super::{Engine, MOST_WAITING, SqlRequest, warm};
use crate::{
    config::Config,
    error::{Error, Kind, Place},
    sql::answer::{AnswerEnd, Part, Truncated},
};
use arrow::{
    array::{
        ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampNanosecondArray, new_null_array,
    },
    compute::{cast, concat_batches},
    datatypes::{DataType, Int64Type},
    util::display::array_value_to_string,
};
use bytes::Bytes;
use cairn_storage::{
    append::{Append, Decode, Decoded},
    catalog::memory::MemoryCatalog,
    id::TenantId,
    objects::local::LocalStore,
    schema::batch_schema,
    signal::{Encoding, Signal, Table},
    store::{Parts, Store},
    telemetry::Telemetry,
    time::Nanos,
    world::real,
};
use futures::{FutureExt, StreamExt};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// A minute to be done with what is stopped: these tests wait for events, not for time.
const PATIENCE: Duration = Duration::from_secs(60);

struct Nothing;

impl Decode for Nothing {
    fn decode(
        &self,
        _: Signal,
        _: Encoding,
        _: u16,
        _: &Bytes,
        _: Nanos,
    ) -> Result<Decoded, String> {
        Err("these tests never replay".to_string())
    }
}

struct Fixture {
    engine: Engine,
    store: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(config: Config) -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let world = real::world();
        let data_dir = folder.path().join("data");
        let parts = Parts {
            world: world.clone(),
            config: cairn_storage::config::Config {
                data_dir: data_dir.clone(),
                ..Default::default()
            },
            catalog: Arc::new(MemoryCatalog::new(world.clone())),
            bucket: Arc::new(LocalStore::new(world, data_dir.join("bucket"))),
            decode: Arc::new(Nothing),
            telemetry: Telemetry::unregistered(),
        };
        let store = Store::open(parts).await.expect("an empty store opens");
        let spill = data_dir.join("spill");
        let mut registry = Registry::default();
        let engine = Engine::new(store.clone(), config, &spill, &mut registry);
        Fixture {
            engine: engine.expect("the settings work"),
            store,
            folder,
        }
    }

    /// Appends `rows` log records of tenant `name`, with bodies `body 0`, `body 1`, ….
    async fn logs(&self, name: &str, rows: usize) -> u64 {
        let append = Append {
            tenant: tenant(name),
            signal: Signal::Logs,
            encoding: Encoding::OtlpProtobuf,
            decoder_version: 1,
            received: Nanos(1_700_000_000_000_000_000),
            payload: Bytes::from(format!("{name} {rows}")),
            decoded: Decoded {
                tables: vec![(Table::Logs, logs(rows))],
                offered: rows as u64,
                ..Decoded::default()
            },
            refusals: Vec::new(),
        };
        let reservation = self.store.budget().reserve(1 << 20).expect("there is room");
        let outcome = self
            .store
            .append(append, reservation)
            .await
            .expect("the append works");
        outcome.sequence
    }

    async fn ask(&self, request: SqlRequest) -> Result<Answer, Error> {
        let answer = self.engine.sql(request).await?;
        let schema = answer.schema;
        let mut parts = answer.parts;
        let mut batches = Vec::new();
        while let Some(part) = parts.next().await {
            match part? {
                Part::Rows(batch) => {
                    assert!(batch.num_rows() > 0, "no empty batches");
                    batches.push(batch);
                }
                Part::End(end) => {
                    assert!(parts.next().await.is_none(), "nothing comes after the end");
                    let rows = concat_batches(&schema, &batches).expect("batches have the schema");
                    return Ok(Answer { rows, end: *end });
                }
            }
        }
        panic!("an answer without an end");
    }

    async fn sql(&self, statement: &str) -> Result<Answer, Error> {
        self.ask(request(statement)).await
    }

    async fn refused(&self, statement: &str) -> Error {
        match self.sql(statement).await {
            Err(error) => error,
            Ok(answer) => panic!("{statement} was answered: {:?}", answer.rows),
        }
    }

    /// Waits until no statement holds a thread.
    async fn idle(&self) {
        let idle = async {
            while self.engine.lanes.counts() != (0, 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, idle)
            .await
            .expect("what is stopped ends");
    }
}

struct Answer {
    rows: RecordBatch,
    end: AnswerEnd,
}

impl Answer {
    fn text(&self, column: usize, row: usize) -> String {
        array_value_to_string(self.rows.column(column), row).expect("the value can be shown")
    }

    fn int(&self, column: usize) -> i64 {
        self.rows
            .column(column)
            .as_primitive::<Int64Type>()
            .value(0)
    }
}

fn tenant(name: &str) -> TenantId {
    name.parse().expect("a valid id")
}

fn request(statement: &str) -> SqlRequest {
    SqlRequest {
        tenant: tenant("a"),
        statement: statement.to_string(),
        parameters: Value::Null,
        deadline: None,
        max_rows: None,
        min_sequence: None,
    }
}

fn logs(rows: usize) -> RecordBatch {
    let schema = batch_schema(Table::Logs);
    let column = |name: &str, data_type: &DataType| -> ArrayRef {
        let text = |text: &dyn Fn(usize) -> String| -> ArrayRef {
            let texts: StringArray = (0..rows).map(|row| Some(text(row))).collect();
            cast(&texts, data_type).expect("text is text")
        };
        match (name, data_type) {
            ("body", _) => text(&|row| format!("body {row}")),
            ("service_name", _) => text(&|_| "shop".to_string()),
            ("attributes", _) => text(&|row| format!("{{\"n\":{row},\"route\":\"/a\"}}")),
            ("resource_attributes", _) => text(&|_| "{\"service.name\":\"shop\"}".to_string()),
            ("scope_attributes", _) => text(&|_| "{}".to_string()),
            ("timestamp_origin", _) => text(&|_| "record".to_string()),
            ("timestamp", _) => {
                let start = 1_700_000_000_000_000_000_i64;
                let times = (0..rows).map(|row| start + row as i64);
                Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            ("trace_id", _) => {
                let ids = (0..rows).map(|row| [row as u8; 16]);
                Arc::new(FixedSizeBinaryArray::try_from_iter(ids).expect("all of one length"))
            }
            ("row_ordinal", _) => Arc::new(Int32Array::from_iter_values(0..rows as i32)),
            (_, DataType::Int32) => Arc::new(Int32Array::from(vec![9; rows])),
            (_, DataType::Int64) => Arc::new(Int64Array::from(vec![0; rows])),
            (_, other) => new_null_array(other, rows),
        }
    };
    let columns = schema
        .fields()
        .iter()
        .map(|f| column(f.name(), f.data_type()))
        .collect();
    RecordBatch::try_new(schema, columns).expect("every column is there")
}

fn small() -> Config {
    Config {
        partitions: 2,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_answered_with_its_completeness() {
    let fixture = Fixture::new(small()).await;
    let sequence = fixture.logs("a", 100).await;
    let answer = fixture
        .sql("SELECT body, attributes['n'] AS n FROM logs ORDER BY timestamp LIMIT 3")
        .await
        .expect("it is answered");
    assert_eq!(answer.rows.num_rows(), 3);
    assert_eq!(
        (answer.text(0, 2), answer.text(1, 2)),
        ("body 2".into(), "2".into())
    );
    assert_eq!(answer.end.rows, 3);
    assert_eq!(answer.end.truncated, None);
    assert!(answer.end.completeness.sequence >= sequence);
    assert_eq!(answer.end.completeness.buffered_rows, 100);
    assert!(answer.end.elapsed > Duration::ZERO);
    let other = SqlRequest {
        tenant: tenant("b"),
        ..request("SELECT count(*) FROM logs")
    };
    assert_eq!(
        fixture.ask(other).await.expect("it is answered").int(0),
        0,
        "rows of another tenant"
    );
    let constant = fixture
        .sql("SELECT 1 WHERE false")
        .await
        .expect("it is answered");
    assert_eq!((constant.rows.num_rows(), constant.end.rows), (0, 0));
    assert!(
        constant.end.completeness.taken > 0,
        "an answer without tables holds as of now"
    );
    fixture.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_literals() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 20).await;
    let statement = "SELECT count(*) FROM logs WHERE attributes['n'] < $limit AND trace_id <> $id AND body = ANY($bodies)";
    let parameters = json!({
        "limit": 5,
        "id": "01010101010101010101010101010101",
        "bodies": ["body 1", "body 2", "body 3", "body 9"],
    });
    let asked = SqlRequest {
        parameters,
        ..request(statement)
    };
    assert_eq!(fixture.ask(asked).await.expect("it is answered").int(0), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_cut_at_their_limits_and_say_so() {
    let fixture = Fixture::new(Config {
        answer_bytes: 20_000,
        ..small()
    })
    .await;
    fixture.logs("a", 5_000).await;
    let limited = |max_rows| SqlRequest {
        max_rows: Some(max_rows),
        ..request("SELECT severity_number FROM logs")
    };
    let answer = fixture.ask(limited(10)).await.expect("it is answered");
    assert_eq!((answer.rows.num_rows(), answer.end.rows), (10, 10));
    assert_eq!(answer.end.truncated, Some(Truncated::Rows(10)));
    let answer = fixture.ask(limited(5_000)).await.expect("it is answered");
    assert_eq!(
        (answer.rows.num_rows(), answer.end.truncated),
        (5_000, None),
        "all rows is no cut"
    );
    let answer = fixture
        .sql("SELECT body, attributes FROM logs")
        .await
        .expect("it is answered");
    assert_eq!(answer.end.truncated, Some(Truncated::Bytes(20_000)));
    assert!(
        (100..5_000).contains(&answer.rows.num_rows()),
        "{}",
        answer.rows.num_rows()
    );
    assert_eq!(answer.end.rows, answer.rows.num_rows() as u64);
}

/// What a tenant may try, and the kind of error that it gets.
const ATTEMPTS: &[(&str, Kind)] = &[
    (
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        Kind::Denied,
    ),
    ("COPY (SELECT 1) TO '/tmp/x.csv'", Kind::Denied),
    ("SET datafusion.runtime.memory_limit='64G'", Kind::Denied),
    (
        "SET datafusion.sql_parser.recursion_limit=100000",
        Kind::Denied,
    ),
    ("INSERT INTO logs VALUES (1)", Kind::Denied),
    ("CREATE TABLE t (a int)", Kind::Denied),
    ("DROP TABLE logs", Kind::Denied),
    ("PREPARE p AS SELECT 1", Kind::Denied),
    ("SELECT * FROM '/etc/passwd'", Kind::Denied),
    ("SHOW ALL", Kind::Denied),
    ("SHOW CREATE TABLE logs", Kind::Denied),
    (
        "SELECT * FROM information_schema.df_settings",
        Kind::Invalid,
    ),
    ("SELECT * FROM information_schema.tables", Kind::Invalid),
    ("SELECT version()", Kind::Denied),
    ("SELECT length(repeat('a', 1000000000))", Kind::TooLarge),
    ("SELECT array_length(range(0,300000000))", Kind::TooLarge),
    ("SELECT lpad('a', 2000000000,'b')", Kind::TooLarge),
    (
        "SELECT count(*) FROM generate_series(1, 1000000000000)",
        Kind::Denied,
    ),
    (
        "SELECT count(*) FROM range(10000000) a, range(10000000) b",
        Kind::Denied,
    ),
    (
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r",
        Kind::Denied,
    ),
    ("SELECT 'a' ~ '((a{1000}){1000}){1000}'", Kind::Invalid),
    ("SELECT count(*) FROM logs WHERE body ~ '['", Kind::Invalid),
    (
        "SELECT count(*) FROM logs WHERE body ILIKE repeat('%_', 20000)",
        Kind::Invalid,
    ),
    (
        "SELECT regexp_replace(body, '(?=a)', 'x') FROM logs",
        Kind::Invalid,
    ),
    (
        "SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT 1)))))))))",
        Kind::TooLarge,
    ),
    (
        "SELECT array_agg(body) OVER (ORDER BY body) FROM logs",
        Kind::Denied,
    ),
    ("SELECT @@version", Kind::Invalid),
    ("SELECT * FROM other.public.logs", Kind::Invalid),
    ("SELECT * FROM series", Kind::Invalid),
    ("SELECT 1; SELECT 2", Kind::Denied),
    ("SELECT 1 / 0", Kind::Invalid),
    ("", Kind::Invalid),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_tenants_try() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 10).await;
    for (statement, kind) in ATTEMPTS {
        let error = fixture.refused(statement).await;
        assert_eq!(error.kind(), *kind, "{statement}: {error}");
        let text = error.to_string();
        let folder = fixture
            .folder
            .path()
            .to_str()
            .expect("a plain path")
            .to_string();
        assert!(
            !text.contains(&folder) && !text.contains("/tmp"),
            "{statement}: {text}"
        );
    }
    let regex = fixture
        .sql("SELECT repeat('a', 1000) ~ '(a*)*b'")
        .await
        .expect("linear time");
    assert_eq!(regex.text(0, 0), "false");
    assert_eq!(
        fixture
            .sql("SELECT count(*) FROM logs")
            .await
            .expect("it lives")
            .int(0),
        10
    );
    fixture.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_and_long_statements_are_answered_or_refused() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 1).await;
    let chain = |term: &str, op: &str, n: usize| vec![term; n].join(op);
    let union = |n: usize| vec!["SELECT 1"; n].join(" UNION ALL ");
    let joins = |n: usize| {
        let joins: Vec<String> = (0..n)
            .map(|i| format!("JOIN logs l{i} ON l{i}.body = l.body"))
            .collect();
        format!("SELECT count(*) FROM logs l {}", joins.join(" "))
    };
    let list: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let answered = [
        format!("SELECT {}", chain("1", "+", 501)),
        format!("SELECT {}", chain("body", "||", 100)) + " FROM logs",
        format!(
            "SELECT 1 FROM logs WHERE {}",
            chain("severity_number=9", " OR ", 250)
        ),
        format!("SELECT {}1{}", "(".repeat(64), ")".repeat(64)),
        format!("SELECT {}1", "- ".repeat(400)),
        format!("SELECT {}1{}", "abs(".repeat(60), ")".repeat(60)),
        union(101),
        joins(12),
        format!(
            "SELECT count(*) FROM logs WHERE severity_number IN ({})",
            list.join(",")
        ),
        format!(
            "SELECT CASE severity_number {} END FROM logs",
            "WHEN 1 THEN 2 ".repeat(1_000)
        ),
    ];
    for statement in answered {
        let answer = fixture.sql(&statement).await;
        assert!(
            answer.is_ok(),
            "{}…: {}",
            &statement[..60],
            answer.err().expect("an error")
        );
    }
    let refused = [
        format!("SELECT {}", chain("1", "+", 10_000)),
        format!("SELECT {}", chain("'a'", "||", 10_000)),
        format!(
            "SELECT 1 FROM logs WHERE {}",
            chain("severity_number=9", " OR ", 3_000)
        ),
        format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        union(3_000),
        joins(200),
    ];
    for statement in refused {
        assert_eq!(
            fixture.refused(&statement).await.kind(),
            Kind::TooLarge,
            "{}…",
            &statement[..60]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_point_at_the_place() {
    let fixture = Fixture::new(small()).await;
    let check = async |statement: &str, line, column| {
        let error = fixture.refused(statement).await;
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert_eq!(
            error.place(),
            Some(Place { line, column }),
            "{statement}: {error}"
        );
    };
    check("SELECT 1\nFROM logs\nWHERE nothing = 1", 3, 7).await;
    check("SELECT 1 FROM logs\nWHERE 1 < 2 AND nothing", 2, 17).await;
    check("SELECT 1 FROM logs l WHERE l.nothing = 1", 1, 28).await;
    check("SELECT 1 FROM logs WHERE body = nothing", 1, 33).await;
    check("SELECT 1 FROM logs WHERE lower(nothing) = 'a'", 1, 32).await;
    check("SELECT 1 FROM logs WHERE nothing['k'] = 'a'", 1, 26).await;
    check(
        "SELECT 1 FROM logs WHERE attributes['k'] IN (1, nothing)",
        1,
        49,
    )
    .await;
    check("SELECT 1 FROM logs WHERE trace_id = nothing", 1, 37).await;
    check("SELECT body, l.nothing FROM logs l", 1, 14).await;
    check("SELECT sum(nothing) FROM logs", 1, 12).await;
    check("SELECT count(*) FROM logs GROUP BY nothing", 1, 36).await;
    check("SELECT count(*) FROM logs HAVING nothing > 1", 1, 34).await;
    check("SELECT body FROM logs ORDER BY nothing", 1, 32).await;
    check(
        "SELECT 1 FROM logs a JOIN logs b ON a.body = b.nothing",
        1,
        46,
    )
    .await;
    check("SELECT 1 FROM logs a, logs b WHERE body = 'x'", 1, 36).await;
    check(
        "SELECT body, count(*) FROM logs GROUP BY service_name",
        1,
        8,
    )
    .await;
    check("SELECT 1,\n  nothing(body) FROM logs", 2, 3).await;
    check("SELECT *\nFROM nowhere", 2, 6).await;
    check("SELECT a FRO logs", 1, 14).await;
    check("SELECT 'a", 1, 8).await;
    check("SELECT $1", 1, 8).await;
    check("EXPLAIN SELECT nothing FROM logs", 1, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_to_ask_is_described() {
    let fixture = Fixture::new(small()).await;
    let tables = fixture.sql("SHOW TABLES").await.expect("it is answered");
    let names: Vec<String> = (0..tables.rows.num_rows())
        .map(|row| tables.text(0, row))
        .collect();
    for table in [
        "dead_letters",
        "exemplars",
        "logs",
        "metrics",
        "span_events",
        "span_links",
        "spans",
    ] {
        assert!(names.iter().any(|name| name == table), "{names:?}");
    }
    let described = fixture.sql("DESCRIBE logs").await.expect("it is answered");
    let shown = fixture
        .sql("SHOW COLUMNS FROM public.LOGS")
        .await
        .expect("it is answered");
    assert_eq!(described.rows, shown.rows);
    assert_eq!(described.text(0, 0), "timestamp");
    assert_eq!(described.text(1, 0), "TIMESTAMP(9) WITH TIME ZONE");
    assert_eq!(
        fixture.refused("DESCRIBE nothing").await.kind(),
        Kind::NotFound
    );
    let schema = fixture
        .engine
        .schema(&tenant("a"))
        .await
        .expect("it is answered");
    for table in &schema.tables {
        assert!(
            !table.description.is_empty(),
            "{} is not documented",
            table.name
        );
        for column in &table.columns {
            let name = &column.name;
            assert!(
                !column.description.is_empty(),
                "{}.{name} is not documented",
                table.name
            );
            assert!(!name.starts_with("__"), "{}.{name} is hidden", table.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_knows_attributes_buffered_and_flushed() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 1_000).await;
    let logs = async || {
        let schema = fixture
            .engine
            .schema(&tenant("a"))
            .await
            .expect("it is answered");
        schema
            .tables
            .into_iter()
            .find(|table| table.name == "logs")
            .expect("there are logs")
    };
    let buffered = logs().await;
    let key = |table: &super::TableAnswer, column: &str, key: &str| {
        table
            .attributes
            .iter()
            .find(|a| a.column == column && a.key == key)
            .cloned()
    };
    let n = key(&buffered, "attributes", "n").expect("it is in the buffer");
    assert_eq!(
        (n.types, n.buffered_rows, n.segments, n.segment_rows),
        (vec!["int".to_string()], 1_000, 0, 0)
    );
    let service = key(&buffered, "resource_attributes", "service.name").expect("it is there");
    assert_eq!(
        (service.types, service.buffered_rows),
        (vec!["text".to_string()], 1_000)
    );
    fixture.store.flush_all().await.expect("the flush works");
    let n = key(&logs().await, "attributes", "n").expect("it is in the segment");
    assert_eq!(
        (n.types, n.buffered_rows, n.segments, n.segment_rows),
        (vec!["int".to_string()], 0, 1, 1_000)
    );
    let nobody = fixture
        .engine
        .schema(&tenant("b"))
        .await
        .expect("it is answered");
    assert!(
        nobody
            .tables
            .iter()
            .all(|table| table.attributes.is_empty()),
        "keys of another tenant"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_tell_no_paths_and_no_other_tenant() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 1_000).await;
    fixture.logs("neighbour", 1_000).await;
    fixture.store.flush_all().await.expect("the flush works");
    let segments = |name| fixture.store.snapshot(&tenant(name), Signal::Logs).segments;
    let id = |name| segments(name)[0].meta.id.to_string();
    for statement in [
        "EXPLAIN SELECT body FROM logs WHERE attributes['route'] = '/a'",
        "EXPLAIN VERBOSE SELECT body FROM logs",
        "EXPLAIN ANALYZE SELECT body FROM logs WHERE body = 'body 1'",
        "EXPLAIN ANALYZE VERBOSE SELECT sum(severity_number) FROM logs",
    ] {
        let answer = fixture.sql(statement).await.expect("it is answered");
        let rows = 0..answer.rows.num_rows();
        let plan: String = rows.map(|row| answer.text(1, row)).collect();
        let segment = format!("{}.logs", id("a"));
        assert!(
            plan.contains(&segment),
            "{statement}: {segment} is not in {plan}"
        );
        let folder = fixture.folder.path().to_str().expect("a plain path");
        for secret in [
            folder,
            "tenant=",
            "signal=",
            "bucket",
            ".parquet",
            "neighbour",
            &id("neighbour"),
        ] {
            assert!(!plan.contains(secret), "{statement}: {secret} is in {plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_end_is_stopped_in_time() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 3_000).await;
    for statement in [
        "SELECT sum(a.severity_number + d.severity_number) FROM logs a, logs b, logs c, logs d",
        "SELECT count(*) FROM logs a JOIN logs b ON a.service_name = b.service_name JOIN logs c ON b.service_name = c.service_name JOIN logs d ON c.service_name = d.service_name",
        "SELECT count(*) FROM logs a JOIN logs b ON a.body < b.body JOIN logs c ON b.body < c.body JOIN logs d ON c.body < d.body",
    ] {
        let deadline = Some(Duration::from_millis(300));
        let asked = SqlRequest {
            deadline,
            ..request(statement)
        };
        let error = fixture.ask(asked).await.err().expect("it has no end");
        // A join may have taken its memory before its time is over, on a machine that is busy with other things.
        let stopped = [Kind::TimedOut, Kind::TooLarge].contains(&error.kind());
        assert!(stopped, "{statement}: {error}");
        fixture.idle().await;
    }
    let telemetry = &fixture.engine.telemetry;
    assert_eq!(telemetry.overdue.get(), 0);
    assert_eq!(
        fixture
            .sql("SELECT count(*) FROM logs")
            .await
            .expect("it lives")
            .int(0),
        3_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_that_does_not_yield_holds_up_nobody() {
    let fixture = Fixture::new(small()).await;
    // Constants are folded while planning, on this thread of the lane, all of them before it yields.
    let constant = "length(reverse(upper(lower(repeat('a\u{e9}', 300000)))))";
    let columns: Vec<String> = (0..500).map(|n| format!("{constant} AS c{n}")).collect();
    let statement = format!("SELECT {}", columns.join(","));
    let deadline = Some(Duration::from_millis(100));
    let clock = real::world().clock;
    let begun = clock.monotonic();
    let error = fixture
        .ask(SqlRequest {
            deadline,
            ..request(&statement)
        })
        .await;
    let took = clock.monotonic() - begun;
    assert_eq!(error.err().map(|error| error.kind()), Some(Kind::TimedOut));
    let telemetry = &fixture.engine.telemetry;
    assert_eq!(
        telemetry.overdue.get(),
        1,
        "it still runs when its caller has the answer"
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
    let other = fixture
        .sql("SELECT 1")
        .await
        .expect("others are answered meanwhile");
    assert_eq!(other.int(0), 1);
    fixture.idle().await;
    assert_eq!(telemetry.overdue.get(), 0);
}

/// Nobody has counted this far: the operators give nothing before their first row.
const WITHOUT_A_ROW: &str =
    "SELECT sum(a.severity_number + d.severity_number) FROM logs a, logs b, logs c, logs d";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_stops_its_statement() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 3_000).await;
    let cancelled = || {
        let labels = crate::telemetry::OutcomeLabels {
            tenant: "a".to_string(),
            outcome: "cancelled",
        };
        let statements = &fixture.engine.telemetry.statements;
        statements.get_or_create(&labels).get()
    };

    // Between two rows.
    let rows = "SELECT a.body, b.body FROM logs a, logs b, logs c, logs d";
    let mut answer = fixture.engine.sql(request(rows)).await.expect("it begins");
    assert!(matches!(answer.parts.next().await, Some(Ok(Part::Rows(_)))));
    assert_eq!(fixture.engine.lanes.counts().0, 1);
    drop(answer);
    fixture.idle().await;
    assert_eq!(cancelled(), 1);

    // Before the first row.
    let begun = fixture.engine.sql(request(WITHOUT_A_ROW)).await;
    let mut answer = begun.expect("it begins");
    assert!(
        answer.parts.next().now_or_never().is_none(),
        "it has no end"
    );
    assert_eq!(fixture.engine.lanes.counts().0, 1);
    drop(answer);
    fixture.idle().await;
    assert_eq!(cancelled(), 2);

    // While it is planned: the caller leaves as soon as the statement has a lane.
    drop(fixture.engine.sql(request(WITHOUT_A_ROW)).now_or_never());
    fixture.idle().await;
    assert_eq!(cancelled(), 3);
    assert_eq!(fixture.engine.memory.used_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited_and_given_back() {
    let config = Config {
        statement_memory_bytes: 16 << 20,
        memory_bytes: 32 << 20,
        ..small()
    };
    let fixture = Fixture::new(config).await;
    fixture.logs("a", 3_000).await;
    let error = fixture
        .refused("SELECT array_agg(a.body || b.body) FROM logs a, logs b")
        .await;
    assert_eq!(error.kind(), Kind::TooLarge, "{error}");
    fixture.idle().await;
    assert_eq!(fixture.engine.memory.used_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_memory_goes_to_disk() {
    let config = Config {
        statement_memory_bytes: 64 << 20,
        memory_bytes: 128 << 20,
        ..small()
    };
    let fixture = Fixture::new(config).await;
    fixture.logs("a", 900).await;
    // 810,000 texts of more than 100 bytes.
    let sorted = "SELECT count(*), max(n) FROM (SELECT row_number() OVER (ORDER BY t) AS n FROM
        (SELECT a.body || b.body || repeat('x', 100) AS t FROM logs a, logs b))";
    let answer = fixture.sql(sorted).await.expect("it is answered");
    assert_eq!(
        (answer.int(0), answer.text(1, 0)),
        (810_000, "810000".into())
    );
    let plan = fixture.sql(&format!("EXPLAIN ANALYZE {sorted}")).await;
    let plan = plan.expect("it is answered").text(1, 0);
    let spills = plan.split("spill_count=").skip(1);
    let spills = spills.filter(|rest| !rest.starts_with('0')).count();
    assert!(spills > 0, "nothing was spilled: {plan}");
    fixture.idle().await;
    assert_eq!(fixture.engine.memory.used_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_run_at_the_same_time() {
    let config = Config {
        lanes: 2,
        concurrent: 1,
        queue_milliseconds: 50,
        ..small()
    };
    let fixture = Fixture::new(config).await;
    fixture.logs("a", 3_000).await;
    let running = fixture
        .engine
        .sql(request("SELECT a.body FROM logs a, logs b, logs c"))
        .await;
    let error = fixture.refused("SELECT 1").await;
    assert_eq!(error.kind(), Kind::Limited, "{error}");
    let other = SqlRequest {
        tenant: tenant("b"),
        ..request("SELECT 1")
    };
    assert!(
        fixture.ask(other).await.is_ok(),
        "another tenant has its share"
    );
    drop(running);
    fixture.idle().await;
    assert!(fixture.sql("SELECT 1").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_sequence_is_waited_for() {
    let fixture = Fixture::new(small()).await;
    let sequence = fixture.logs("a", 1).await;
    let at = |sequence| SqlRequest {
        min_sequence: Some(sequence),
        deadline: Some(Duration::from_millis(300)),
        ..request("SELECT count(*) FROM logs")
    };
    assert_eq!(
        fixture.ask(at(sequence)).await.expect("it is there").int(0),
        1
    );
    let error = fixture
        .ask(at(sequence + 1_000))
        .await
        .err()
        .expect("it is not there");
    assert_eq!(error.kind(), Kind::TimedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_wait_for_a_commit_sequence_and_no_more() {
    let fixture = Fixture::new(small()).await;
    let next = fixture.logs("a", 1).await + 1;
    let asked = || {
        Box::pin(fixture.engine.sql(SqlRequest {
            min_sequence: Some(next),
            deadline: Some(PATIENCE),
            ..request("SELECT count(*) FROM logs")
        }))
    };
    let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| asked()).collect();
    for each in &mut waiting {
        assert!(futures::poll!(each.as_mut()).is_pending());
    }
    let error = asked().await.err().expect("there are enough");
    assert_eq!(error.kind(), Kind::Limited, "{error}");
    let one = waiting.pop().expect("some wait");
    drop(waiting);
    let again = asked();
    assert_eq!(fixture.logs("a", 2).await, next);
    assert!(one.await.is_ok(), "it is woken");
    assert!(again.await.is_ok(), "those who left made room");
}

#[tokio::test(flavor = "multi_thread")]
async fn warming_up_asks_unseen() {
    let fixture = Fixture::new(small()).await;
    fixture.engine.warm_up().await;
    fixture.logs("a", 3_000).await;
    fixture.store.flush_all().await.expect("it is flushed");
    let read = fixture.store.read_footers().await;
    assert_eq!(read, 1, "the footer of the one object");
    fixture.engine.warm_up().await;
    fixture.idle().await;
    let unseen = crate::telemetry::OutcomeLabels {
        tenant: "a".to_string(),
        outcome: "ok",
    };
    let statements = &fixture.engine.telemetry.statements;
    assert_eq!(statements.get_or_create(&unseen).get(), 0);
    let since = "timestamp >= to_timestamp_nanos(0)";
    for statement in warm::LOGS.iter().chain(&warm::SPANS) {
        let statement = statement.replace("timestamp >= {since}", since);
        assert!(fixture.sql(&statement).await.is_ok(), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_counted_once() {
    let fixture = Fixture::new(small()).await;
    fixture.logs("a", 3_000).await;
    fixture
        .sql("SELECT body FROM logs LIMIT 7")
        .await
        .expect("it is answered");
    fixture.refused("SELECT nothing FROM logs").await;
    fixture.refused("DROP TABLE logs").await;
    drop(
        fixture
            .engine
            .sql(request("SELECT a.body FROM logs a, logs b, logs c"))
            .await,
    );
    fixture.idle().await;
    let count = |outcome: &'static str| {
        let labels = crate::telemetry::OutcomeLabels {
            tenant: "a".to_string(),
            outcome,
        };
        fixture
            .engine
            .telemetry
            .statements
            .get_or_create(&labels)
            .get()
    };
    let counted = ["ok", "invalid", "denied", "cancelled", "timed_out"].map(count);
    assert_eq!(counted, [1, 1, 1, 1, 0]);
    fixture.engine.update_metrics();
    assert_eq!(fixture.engine.telemetry.running.get(), 0);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let fixture = Fixture::new(small()).await;
    let config = Config {
        statement_memory_bytes: 1 << 40,
        ..small()
    };
    let spill = fixture.folder.path().join("other");
    let engine = Engine::new(
        fixture.store.clone(),
        config,
        &spill,
        &mut Registry::default(),
    );
    assert_eq!(engine.err().map(|error| error.kind()), Some(Kind::Invalid));
}
