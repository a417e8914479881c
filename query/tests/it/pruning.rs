//! What is read of what there is.

use crate::{
    batch::{Row, batch, id, instant, text},
    shop::{self, Place},
    world::World,
};
use cairn_storage::{
    append::Decoded,
    signal::{Signal, Table},
};

const HOUR: i64 = 3_600_000_000_000;

/// 48 hours of logs, 2,000 records each.
pub(crate) async fn two_days() -> World {
    let world = World::new().await;
    for hour in 0..48 {
        let rows: Vec<Row> = (0..2_000).map(|i| row(hour, i)).collect();
        let tables = vec![(Table::Logs, batch(Table::Logs, &rows))];
        let offered = rows.len() as u64;
        world
            .append(
                Signal::Logs,
                Decoded {
                    tables,
                    offered,
                    ..Decoded::default()
                },
            )
            .await;
    }
    world.store.flush_all().await.expect("flushes");
    world
}

fn row(hour: i64, i: i64) -> Row {
    let number = (hour * 2_000 + i) as u64;
    vec![
        (
            "timestamp",
            instant(shop::START + hour * HOUR + i * 1_000_000_000),
        ),
        ("timestamp_origin", text("record")),
        ("service_name", text(["a", "b"][(i % 2) as usize])),
        (
            "body",
            text(format!(
                "request {number} took {} ms",
                number.wrapping_mul(2_654_435_761) % 997
            )),
        ),
        ("trace_id", id(number, 16)),
        (
            "attributes",
            text(format!(r#"{{"hour":{hour},"key.{hour}":"v{i}"}}"#)),
        ),
        ("row_ordinal", crate::batch::int(i)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hour_of_48_reads_a_twentieth() {
    let world = two_days().await;
    let everything = "SELECT min(length(body)), min(trace_id), min(attributes), min(span_id),
        min(resource_attributes), min(row_sequence), min(observed_timestamp) FROM logs";
    let whole = world
        .sql(everything)
        .await
        .expect("reads everything")
        .completeness;
    assert_eq!((whole.segments_considered, whole.segments_pruned), (48, 0));

    let hour = "SELECT count(*), min(length(body)), min(trace_id), min(attributes) FROM logs
        WHERE timestamp >= '2024-01-02T10:00:00Z' AND timestamp < '2024-01-02T11:00:00Z'";
    let answer = world.sql(hour).await.expect("reads one hour");
    let one = answer.completeness;
    assert_eq!(crate::world::rows(&answer.batches)[0][0], "2000");
    assert_eq!(
        (
            one.segments_considered,
            one.segments_pruned,
            one.segments_read
        ),
        (48, 47, 1)
    );
    let limit = whole.bytes_read / 20;
    assert!(
        one.bytes_read <= limit,
        "{} bytes read, {limit} allowed",
        one.bytes_read
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_attributes_and_bounds_open_nothing() {
    let world = two_days().await;
    let pruned = async |filter: &str| {
        let answer = world
            .sql(&format!("SELECT count(*) FROM logs WHERE {filter}"))
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
        let rows = crate::world::rows(&answer.batches)[0][0].clone();
        (
            rows,
            answer.completeness.segments_pruned,
            answer.completeness.segments_read,
        )
    };
    assert_eq!(
        pruned("attributes['key.7'] = 'v1'").await,
        ("1".to_string(), 47, 1)
    );
    assert_eq!(
        pruned("attributes['never'] = 'v1'").await,
        ("0".to_string(), 48, 0)
    );
    assert_eq!(
        pruned("attributes['hour'] = 7").await,
        ("2000".to_string(), 47, 1)
    );
    assert_eq!(
        pruned("attributes['hour'] > 45").await,
        ("4000".to_string(), 46, 2)
    );
    assert_eq!(
        pruned("attributes['hour'] BETWEEN 3 AND 4").await,
        ("4000".to_string(), 46, 2)
    );
    assert_eq!(pruned("service_name = 'z'").await, ("0".to_string(), 48, 0));
    assert_eq!(
        pruned("timestamp < '2020-01-01'").await,
        ("0".to_string(), 48, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_id_opens_its_segment_only() {
    let world = two_days().await;
    let wanted = crate::world::rows(
        &world
            .sql("SELECT trace_id FROM logs WHERE body LIKE 'request 70001 %'")
            .await
            .expect("finds it")
            .batches,
    );
    let wanted = &wanted[0][0];
    let by_id = format!(
        "SELECT body FROM logs WHERE trace_id = '{}'",
        wanted.to_uppercase()
    );
    let answer = world.sql(&by_id).await.expect("finds it again");
    assert_eq!(crate::world::rows(&answer.batches).len(), 1);
    // The filter of a whole file lets about one in a hundred through that does not have the id.
    let read = answer.completeness.segments_read;
    assert!(read <= 4, "{read} segments read for one trace id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_opens_its_segment_only() {
    let world = two_days().await;
    let check = async |filter: &str, most_read: u64| {
        let answer = world
            .sql(&format!("SELECT count(*) FROM logs WHERE {filter}"))
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
        assert_eq!(crate::world::rows(&answer.batches)[0][0], "1", "{filter}");
        let read = answer.completeness.segments_read;
        assert!(read <= most_read, "{read} segments read for {filter}");
    };
    // A dictionary lets about one in a hundred through that does not have the word.
    check("has_word(body, '70001')", 4).await;
    check("has_phrase(body, 'Request 70001 took')", 4).await;
    check("body LIKE 'request 70001 %'", 4).await;
    check("body ~ '\\b70001\\b'", 4).await;
    check("contains(body, ' 70001 ') AND service_name = 'b'", 4).await;
    check("body LIKE '% 70001 %' OR body LIKE '% 70001 never %'", 4).await;
    // Nothing bounds the word, so all are read.
    check("body LIKE '%70001 took%'", 48).await;
    let unknown = world
        .sql("SELECT count(*) FROM logs WHERE has_word(body, 'swordfish')")
        .await
        .expect("an answer");
    assert!(unknown.completeness.segments_read <= 3);
    assert!(
        world
            .sql("SELECT count(*) FROM logs WHERE has_word(body, '--')")
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_says_what_was_pruned_and_read() {
    let world = two_days().await;
    let plan = async |filter: &str| {
        let explain = format!("EXPLAIN ANALYZE SELECT min(length(body)) FROM logs {filter}");
        format!("{:?}", world.rows(&explain).await)
    };
    let hour = "WHERE timestamp >= '2024-01-02T10:00:00Z' AND timestamp < '2024-01-02T11:00:00Z'";
    let (one, whole) = (plan(hour).await, plan("").await);
    assert!(one.contains("segments_considered=48"), "{one}");
    assert!(one.contains("segments_pruned=47"), "{one}");
    assert!(whole.contains("segments_pruned=0"), "{whole}");
    let (read, all) = (scanned(&one), scanned(&whole));
    assert!(read > 0.0 && read <= all / 20.0, "{read} of {all} in {one}");
}

/// The bytes that a plan says were scanned: `bytes_scanned=1.50 K` and so on.
fn scanned(plan: &str) -> f64 {
    let (_, text) = plan.split_once("bytes_scanned=").expect("the plan says it");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, rest) = text.split_at(end.expect("something follows"));
    let unit = match rest.trim_start().chars().next() {
        Some('K') => 1e3,
        Some('M') => 1e6,
        _ => 1.0,
    };
    number.parse::<f64>().expect("a number") * unit
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_first_needs_no_sort_and_stops_early() {
    let world = two_days().await;
    let newest = "SELECT timestamp, body FROM logs ORDER BY timestamp DESC LIMIT 100";
    let plan = format!("{:?}", world.rows(&format!("EXPLAIN {newest}")).await);
    assert!(!plan.contains("SortExec"), "{plan}");
    let answer = world.sql(newest).await.expect("reads the newest");
    assert_eq!(crate::world::rows(&answer.batches).len(), 100);
    let read = answer.completeness.segments_read;
    assert!(read <= 12, "{read} segments read for the newest 100 rows");

    let filtered = "SELECT timestamp, body FROM logs WHERE service_name = 'a'
        ORDER BY timestamp DESC LIMIT 100";
    let plan = format!("{:?}", world.rows(&format!("EXPLAIN {filtered}")).await);
    assert!(
        !plan.contains("SortExec") && !plan.contains("FilterExec"),
        "{plan}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_asks_for_no_order() {
    let world = two_days().await;
    let explain = "EXPLAIN SELECT service_name, date_trunc('minute', timestamp) AS minute, count(*)
        FROM logs GROUP BY 1, 2";
    let plan = format!("{:?}", world.rows(explain).await);
    for order in ["output_ordering", "preserve_order", "SortPreserving"] {
        assert!(!plan.contains(order), "{order} is in {plan}");
    }
    // What needs it below still has it.
    let newest = "SELECT count(*), min(body) FROM
        (SELECT body FROM logs ORDER BY timestamp DESC LIMIT 2)";
    assert_eq!(
        world.rows(newest).await,
        [["2", "request 95998 took 604 ms"]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_prune_points_and_series_together() {
    let world = shop::open(Place::ManySegments).await;
    let answer = world
        .sql(
            "SELECT sum(value) FROM metrics WHERE attributes['core'] = 1
            AND timestamp < '2024-01-01T10:05:00Z'",
        )
        .await
        .expect("one point");
    assert_eq!(crate::world::rows(&answer.batches), [["1.0"]]);
    // One of 12 segments has that time: its samples and its series are read, nothing else.
    assert_eq!(
        answer.completeness.segments_read, 2,
        "{:?}",
        answer.completeness
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_nothing_of_another() {
    let world = shop::open(Place::Both).await;
    let other = "other".parse().expect("a tenant id");
    for table in [
        "logs",
        "spans",
        "span_events",
        "span_links",
        "metrics",
        "exemplars",
        "dead_letters",
    ] {
        let count = format!("SELECT count(*) FROM {table}");
        let answer = world.sql_of(&other, &count).await.expect("an empty table");
        assert_eq!(crate::world::rows(&answer.batches), [["0"]], "{table}");
        assert_ne!(world.rows(&count).await, [["0"]], "{table}");
    }
}
