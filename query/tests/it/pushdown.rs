//! Filters inside the scan give what filters above it give (datafusion#25268 is open).

use crate::shop::{self, Place};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// A predicate over the shop's logs.
fn predicate() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "flag",
        "http.status",
        "mixed",
        "nested",
        "rare",
        "ratio",
        "user.id",
        "big",
        "absent",
    ]);
    let op = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let literal = prop_oneof![
        (-5i64..250).prop_map(|n| n.to_string()),
        (-5i64..250).prop_map(|n| format!("{n}.5")),
        Just("9007199254740993".to_string()),
        (0i64..60).prop_map(|n| format!("'u{n}'")),
        (0i64..250).prop_map(|n| format!("'{n}'")),
        prop::sample::select(vec!["'true'", "true", "false", "'many'", "'r17'", "''"])
            .prop_map(str::to_string),
    ];
    let on_attribute = (key.clone(), op, literal.clone())
        .prop_map(|(key, op, literal)| format!("attributes['{key}'] {op} {literal}"));
    let shape = (
        key,
        prop::sample::select(vec!["IS NULL", "IS NOT NULL", "LIKE '%1%'"]),
    )
        .prop_map(|(key, shape)| format!("attributes['{key}'] {shape}"));
    let range = (0i64..120, 0i64..240)
        .prop_map(|(low, high)| format!("attributes['mixed'] BETWEEN {low} AND {high}"));
    let list = prop::collection::vec(literal, 1..4)
        .prop_map(|items| format!("attributes['mixed'] IN ({})", items.join(", ")));
    let on_column = prop::sample::select(vec![
        "service_name = 'cart'",
        "severity_number >= 13",
        "timestamp >= '2024-01-01T11:00:00Z'",
        "trace_id IS NULL",
        "trace_id > '80000000000000000000000000000000'",
        "body LIKE '%failed%'",
        "body ILIKE 'ORDER 7%' OR body = 'order 8 placed'",
        "body ~ '\\border (1|20) '",
        "has_word(body, 'Failed')",
        "has_prefix(body, 'order 1')",
        "has_word(body, 'failed') OR trace_id = '00000000000000000000000000000003'",
        "strpos(body, ' 11 ') > 0",
        "resource['host.name'] = 'h1'",
        "resource['cpu.count'] > 4",
        "attributes LIKE '%many%'",
    ])
    .prop_map(str::to_string);
    let leaf = prop_oneof![4 => on_attribute, 1 => shape, 1 => range, 1 => list, 3 => on_column];
    leaf.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_inside_and_above_the_scan_agree() {
    let mut runner = TestRunner::new(Config::default());
    let mut worlds = Vec::new();
    for place in Place::ALL {
        worlds.push((place, shop::open(place).await));
    }
    let columns = "row_ordinal, timestamp, body, attributes, resource_attributes, trace_id";
    for _ in 0..150 {
        let filter = predicate()
            .new_tree(&mut runner)
            .expect("a predicate")
            .current();
        let mut expected: Option<Vec<Vec<String>>> = None;
        for (place, world) in &worlds {
            let inside = format!("SELECT {columns} FROM logs WHERE {filter} ORDER BY timestamp");
            // Behind a subquery with a limit a filter cannot sink into the scan.
            let above = format!(
                "SELECT {columns} FROM (SELECT * FROM logs ORDER BY timestamp LIMIT 1000000)
                WHERE {filter} ORDER BY timestamp"
            );
            let inside = world.rows(&inside).await;
            let above = world.rows(&above).await;
            assert_eq!(inside, above, "{filter} in {place:?}");
            let expected = expected.get_or_insert_with(|| inside.clone());
            assert_eq!(expected, &inside, "{filter} in {place:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_the_same_wherever_its_rows_are() {
    let mut worlds = Vec::new();
    for place in Place::ALL {
        worlds.push((place, shop::open(place).await));
    }
    for (table, order) in [
        ("logs", "timestamp"),
        ("spans", "timestamp"),
        ("span_events", "timestamp"),
        ("span_links", "timestamp"),
        ("metrics", "timestamp, series_id"),
        ("exemplars", "timestamp"),
        ("dead_letters", "detail"),
    ] {
        let all = format!("SELECT * FROM {table} ORDER BY {order}");
        let expected = worlds[0].1.rows(&all).await;
        assert!(!expected.is_empty(), "{table} has no rows");
        for (place, world) in &worlds {
            assert_eq!(expected, world.rows(&all).await, "{table} in {place:?}");
        }
    }
}
