//! The language of the log search: what the scan and the index do with a condition changes no answer.

use crate::{
    shop::{self, Place},
    world::World,
};
use cairn_query::search;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// The condition of `text`, with its values written into it.
fn condition(text: &str) -> String {
    let condition = search::condition(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let Some(condition) = condition else {
        return "true".to_string();
    };
    // From the last on, or `$q1` would be put into `$q10`.
    let values = condition.parameters.iter().rev();
    values.fold(condition.sql, |sql, (name, value)| {
        let literal = match value.as_str() {
            Some(text) => format!("'{}'", text.replace('\'', "''")),
            None => value.to_string(),
        };
        sql.replace(&format!("${name}"), &literal)
    })
}

/// A search over the records of the shop.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "order",
        "Failed",
        "plac*",
        "\"order 7\"",
        "\"order 1\"*",
        "*aile*",
        "swordfish",
        "order-12",
        "service=cart",
        "service:che*",
        "level:error",
        "severity>=warn",
        "mixed:17",
        "mixed=17",
        "mixed>60",
        "attributes.mixed:*",
        "resource.host.name=h1",
        "trace_id:*",
        "00000000000000000000000000000003",
        "*",
        "it's",
        "body:placed",
        "mixed!=many",
    ])
    .prop_map(str::to_string);
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_the_same_with_and_without_the_index() {
    let mut runner = TestRunner::new(Config::default());
    let mut worlds = Vec::new();
    for place in Place::ALL {
        worlds.push((place, shop::open(place).await));
    }
    for _ in 0..100 {
        let text = text().new_tree(&mut runner).expect("a search").current();
        let condition = condition(&text);
        let mut expected: Option<Vec<Vec<String>>> = None;
        for (place, world) in &worlds {
            let inside = format!(
                "SELECT timestamp, body FROM logs WHERE {condition} ORDER BY timestamp, body"
            );
            // Behind a subquery with a limit a filter cannot sink into the scan.
            let above = format!(
                "SELECT timestamp, body FROM (SELECT * FROM logs ORDER BY timestamp LIMIT 1000000) \
                 WHERE {condition} ORDER BY timestamp, body"
            );
            let inside = world.rows(&inside).await;
            assert_eq!(inside, world.rows(&above).await, "{text} in {place:?}");
            let expected = expected.get_or_insert_with(|| inside.clone());
            assert_eq!(expected, &inside, "{text} in {place:?}");
        }
    }
}

/// Rows and bytes of what a search counts.
async fn read(world: &World, text: &str) -> (String, u64, u64) {
    let statement = format!("SELECT count(*) FROM logs WHERE {}", condition(text));
    // The first one reads footers and sidecars, too.
    world.sql(&statement).await.expect("an answer");
    let answer = world.sql(&statement).await.expect("an answer");
    let rows = crate::world::rows(&answer.batches);
    let read = &answer.completeness;
    (rows[0][0].clone(), read.segments_read, read.bytes_read)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_reads_less_than_a_part() {
    let world = crate::pruning::two_days().await;
    let (found, segments, bytes) = read(&world, "70001").await;
    let (found_by_part, all, all_bytes) = read(&world, "*70001*").await;
    assert_eq!((found.as_str(), found_by_part.as_str()), ("1", "1"));
    assert!(segments <= 4 && all == 48, "{segments} of {all} segments");
    assert!(bytes * 4 < all_bytes, "{bytes} of {all_bytes} bytes");
    // A trace id that is typed is a word of bodies or an id, and both are looked up.
    let id = &world
        .rows("SELECT hex(trace_id) FROM logs WHERE has_word(body, '70001')")
        .await[0][0];
    let (found, segments, _) = read(&world, id).await;
    assert_eq!(found, "1");
    assert!(segments <= 4, "{segments} segments for an id");
}
