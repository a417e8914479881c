//! Random attribute maps give the same values from the buffer and from what the store promotes.

use crate::{
    batch::{Row, batch, instant, int, text},
    shop,
    world::World,
};
use cairn_storage::{
    append::Decoded,
    attributes::encode,
    signal::{Signal, Table},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// The JSON of a value of any type.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let int = prop_oneof![-3i64..3, any::<i64>()];
    let double = prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        Just(-0.0)
    ];
    let words = prop_oneof!["[0-9.eE+-]{0,6}", any::<String>(), "[a-c]{0,2}"];
    prop_oneof![
        4 => int.prop_map(move |v| written(&|out| encode::int(out, v))),
        4 => double.prop_map(move |v| written(&|out| encode::double(out, v))),
        4 => words.prop_map(move |v| written(&|out| encode::text(out, &v))),
        2 => any::<bool>().prop_map(move |v| written(&|out| encode::boolean(out, v))),
        1 => any::<Vec<u8>>().prop_map(move |v| written(&|out| encode::bytes(out, &v))),
        1 => Just(b"null".to_vec()),
        1 => Just(b"[1,{\"a\":\"b\"},null]".to_vec()),
        1 => Just(b"{\"$$a\":{\"$double\":\"NaN\"}}".to_vec()),
    ]
}

/// Keys that come often, with awkward characters, and keys that come once.
fn key() -> impl Strategy<Value = String> {
    let often = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "a:int",
        "$double",
        "k\"\\\n\u{e9}",
        "",
        "x'y",
    ]);
    prop_oneof![8 => often.prop_map(str::to_string), 1 => any::<String>()]
}

fn map() -> impl Strategy<Value = (Vec<String>, String)> {
    prop::collection::btree_map(key(), value(), 0..6).prop_map(|entries| {
        let keys = entries.keys().cloned().collect();
        let mut entries: Vec<(String, Vec<u8>)> = entries.into_iter().collect();
        let mut out = Vec::new();
        encode::object(&mut out, &mut entries, |out, json| {
            out.extend_from_slice(json)
        });
        (
            keys,
            String::from_utf8(out).expect("canonical JSON is UTF-8"),
        )
    })
}

async fn world(maps: &[String], flushed: bool) -> World {
    let world = World::new().await;
    for (number, maps) in maps.chunks(40).enumerate() {
        let row = |(at, map): (usize, &String)| -> Row {
            let i = (number * 40 + at) as i64;
            vec![
                ("timestamp", instant(shop::START + i)),
                ("timestamp_origin", text("record")),
                ("attributes", text(map)),
                ("resource_attributes", text(map)),
                ("row_ordinal", int(at as i64)),
            ]
        };
        let rows: Vec<Row> = maps.iter().enumerate().map(row).collect();
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
    if flushed {
        world.store.flush_all().await.expect("flushes");
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_the_same_from_buffer_and_segment() {
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..12 {
        let maps = prop::collection::vec(map(), 1..120)
            .new_tree(&mut runner)
            .expect("maps")
            .current();
        let keys: std::collections::BTreeSet<&String> =
            maps.iter().flat_map(|(keys, _)| keys).collect();
        let maps: Vec<String> = maps.iter().map(|(_, map)| map.clone()).collect();
        let (buffer, segment) = (world(&maps, false).await, world(&maps, true).await);
        let whole = "SELECT attributes FROM logs ORDER BY timestamp";
        let expected: Vec<Vec<String>> = maps.iter().map(|map| vec![map.clone()]).collect();
        assert_eq!(buffer.rows(whole).await, expected);
        assert_eq!(segment.rows(whole).await, expected);
        for key in keys.into_iter().take(40) {
            let key = key.replace('\'', "''");
            let values = format!(
                "SELECT attributes['{key}'], attr_double(attributes, '{key}'),
                attr_int(attributes, '{key}'), resource['{key}'] FROM logs ORDER BY timestamp"
            );
            let expected = buffer.rows(&values).await;
            assert_eq!(segment.rows(&values).await, expected, "{key}");
            for row in &expected {
                assert_eq!(
                    row[0], row[3],
                    "{key}: the map of a resource is read the same way"
                );
            }
            let grouped = format!(
                "SELECT attributes['{key}'] AS v, count(*) FROM logs
                WHERE attributes['{key}'] > 0 OR attributes['{key}'] >= 'a' GROUP BY v ORDER BY v"
            );
            assert_eq!(
                segment.rows(&grouped).await,
                buffer.rows(&grouped).await,
                "{key}"
            );
        }
    }
}
