//! Keys from segments and from the buffer, counted.

use super::Keys;
use crate::engine::AttributeAnswer;
use arrow::{
    array::{ArrayRef, DictionaryArray, RecordBatch, StringArray, StringViewArray},
    datatypes::{Field, Int32Type, Schema},
};
use cairn_storage::{
    id::TenantId,
    signal::{Signal, Table},
    snapshot::{BufferedRequest, Snapshot},
    time::{Nanos, TimeRange},
};
use std::sync::Arc;

fn request(sequence: u64, maps: &[&str]) -> Arc<BufferedRequest> {
    let attributes = StringArray::from(maps.to_vec());
    let resources: DictionaryArray<Int32Type> =
        maps.iter().map(|_| Some(r#"{"host":"h"}"#)).collect();
    let fields = vec![
        Field::new(
            "attributes",
            arrow::array::Array::data_type(&attributes).clone(),
            false,
        ),
        Field::new(
            "resource_attributes",
            arrow::array::Array::data_type(&resources).clone(),
            false,
        ),
    ];
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![Arc::new(attributes), Arc::new(resources)],
    );
    Arc::new(BufferedRequest {
        epoch: 1,
        sequence,
        received: Nanos(0),
        tables: vec![(Table::Logs, batch.expect("columns of one length"))],
        time: TimeRange {
            min: Nanos(0),
            max: Nanos(0),
        },
        memory_bytes: 0,
    })
}

fn keys(buffered: Vec<Arc<BufferedRequest>>) -> Keys {
    let snapshot = Snapshot {
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        segments: Vec::new(),
        buffered,
        sequence: 9,
        taken: Nanos(0),
        missing: Vec::new(),
        tombstones: Vec::new(),
    };
    Keys::from(&snapshot, Table::Logs)
}

#[test]
fn buffered_keys_have_types_and_counts() {
    let first = request(1, &[r#"{"a":1,"b":"x"}"#, r#"{"a":"y"}"#]);
    let second = request(2, &[r#"{"a":1.5,"c":[1],"d":true,"e":null}"#, "{}"]);
    let keys = keys(vec![first, second]);
    let answer = |column: &str, key: &str, types: &[&str], rows| AttributeAnswer {
        column: column.to_string(),
        key: key.to_string(),
        types: types.iter().map(|t| t.to_string()).collect(),
        segments: 0,
        segment_rows: 0,
        buffered_rows: rows,
    };
    let expected = [
        answer("attributes", "a", &["double", "int", "text"], 3),
        answer("attributes", "b", &["text"], 1),
        answer("attributes", "c", &["other"], 1),
        answer("attributes", "d", &["bool"], 1),
        answer("attributes", "e", &["other"], 1),
        answer("resource_attributes", "host", &["text"], 4),
    ];
    assert!(!keys.is_partial());
    assert_eq!(keys.answer(), expected);
}

#[test]
fn a_long_buffer_is_looked_at_from_its_newest_rows() {
    let old = request(1, &[r#"{"old":1}"#]);
    let new = request(2, &vec![r#"{"new":1}"#; 20_000]);
    let keys = keys(vec![old, new]);
    assert!(keys.is_partial());
    let answer = keys.answer();
    assert!(
        answer
            .iter()
            .any(|a| a.key == "new" && a.buffered_rows == 20_000)
    );
    assert!(!answer.iter().any(|a| a.key == "old"));
}

#[test]
fn keys_of_rows_are_added_uncounted() {
    let mut keys = keys(vec![request(1, &["{}"])]);
    let maps: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some(r#"{"host":"h","zone":1}"#),
        None,
    ]));
    keys.add("resource_attributes", &maps);
    let counted: Vec<(String, u64)> = keys
        .answer()
        .into_iter()
        .map(|a| (a.key, a.buffered_rows))
        .collect();
    assert_eq!(counted, [("host".to_string(), 1), ("zone".to_string(), 0)]);
}
