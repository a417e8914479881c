//! Text in a sidecar: no row that matches lies outside of the blocks that are named, and damage is an error.

use super::{super::BLOCK_ROWS, *};
use crate::text::{
    demand::Demand,
    pattern::{contains, like},
    regex,
    token::Subject,
};
use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, StringArray, StringViewArray, new_null_array,
};
use arrow::datatypes::DataType;
use proptest::prelude::*;
use std::ops::Range;

/// A row as text: its body, its attributes, its resource.
type Row = (Option<String>, String, String);

fn builder(rows: &[Row]) -> Builder {
    let mut builder = Builder::default();
    // As row groups come: not always whole blocks.
    for part in rows.chunks(10_000) {
        let bodies = part.iter().map(|row| row.0.as_deref());
        let bodies: ArrayRef = Arc::new(StringArray::from_iter(bodies));
        let attributes = StringViewArray::from_iter_values(part.iter().map(|row| &row.1));
        let resources = StringArray::from_iter_values(part.iter().map(|row| &row.2));
        let keys = Int32Array::from_iter_values(0..part.len() as i32);
        let resources = DictionaryArray::new(keys, Arc::new(resources));
        let columns: [(&str, ArrayRef); 3] = [
            ("body", bodies),
            ("attributes", Arc::new(attributes)),
            ("resource_attributes", Arc::new(resources)),
        ];
        for (name, values) in columns {
            builder
                .look_at(Table::Logs, name, &values)
                .expect("text in a known form");
        }
    }
    builder
}

/// Row `number` of many: a word of its own, one of its block, one that all have.
fn row(number: u64) -> Row {
    let block = number / BLOCK_ROWS;
    let body = format!(
        "request r{number} of block{block} done; host=\"h{}\"",
        number % 7
    );
    (
        (!number.is_multiple_of(11)).then_some(body),
        format!(r#"{{"n":{number},"note":"see page p{block}","ok":true}}"#),
        format!(r#"{{"pod":"pod-{}"}}"#, number / 1_000),
    )
}

fn sidecar(rows: &[Row]) -> Vec<u8> {
    let bytes = builder(rows).finish().expect("built");
    bytes.expect("there are tokens")
}

async fn blocks(index: &Index, demand: &Demand) -> Option<Vec<Range<u64>>> {
    let counters = ReadCounters::default();
    let blocks = index.blocks_that(Table::Logs, demand, &counters).await;
    match blocks.expect("an answer") {
        Blocks::Unknown => None,
        Blocks::Rows(rows) => Some(rows),
    }
}

#[tokio::test]
async fn tokens_name_their_blocks() {
    let rows: Vec<Row> = (0..60_000).map(row).collect();
    let counters = ReadCounters::default();
    let index = open(sidecar(&rows), &counters).await.expect("an index");
    let body = |pattern: &str| like(Subject::BodyWords, pattern);
    let block = |number: u64| number * BLOCK_ROWS..((number + 1) * BLOCK_ROWS).min(60_000);
    let only = |number| Some(vec![block(number)]);
    assert_eq!(blocks(&index, &body("% r20000 %")).await, only(2));
    assert_eq!(blocks(&index, &body("%r20000%")).await, None);
    assert_eq!(blocks(&index, &body("% of block7 %")).await, only(7));
    assert_eq!(
        blocks(&index, &body("% Done; %")).await,
        Some(std::iter::once(0..60_000).collect())
    );
    assert_eq!(
        blocks(&index, &body("% r20000 % r50000 %")).await,
        Some(vec![])
    );
    let either = regex::demand(Subject::BodyWords, r"\br(9000|9001|59999)\b", false);
    assert_eq!(
        blocks(&index, &either).await,
        Some(vec![block(1), block(7)])
    );
    let pair = |subject, key, value| Demand::pair(subject, key, value);
    let number = pair(Subject::AttributePairs, "n", "40000");
    assert_eq!(blocks(&index, &number).await, only(4));
    let pod = pair(Subject::ResourcePairs, "pod", "pod-17");
    assert_eq!(blocks(&index, &pod).await, only(2));
    let note = Demand::words(Subject::AttributeWords, "Page p3");
    assert_eq!(blocks(&index, &note).await, only(3));
    assert_eq!(blocks(&index, &pod.and(note)).await, Some(vec![]));
    assert_eq!(blocks(&index, &Demand::nothing()).await, None);
    let unknown = index.blocks_that(Table::Spans, &number, &counters).await;
    assert_eq!(unknown.expect("an answer"), Blocks::Unknown);
}

#[tokio::test]
async fn a_token_costs_one_small_request() {
    let rows: Vec<Row> = (0..200_000).map(row).collect();
    let bytes = sidecar(&rows);
    let whole = bytes.len() as u64;
    let counters = ReadCounters::default();
    let index = open(bytes, &counters).await.expect("an index");
    let opened = counters.requests.load(Ordering::Relaxed);
    let read = counters.bytes.load(Ordering::Relaxed);
    let mut found = 0;
    for absent in 0..1_000 {
        let demand = Demand::words(Subject::BodyWords, &format!("absent{absent}"));
        let blocks = index.blocks_that(Table::Logs, &demand, &counters).await;
        found += u64::from(blocks.expect("an answer") != Blocks::Rows(Vec::new()));
    }
    assert!(found < 30, "{found} of 1000 are taken for present");
    let requests = counters.requests.load(Ordering::Relaxed) - opened;
    assert!(requests <= 1_000, "{requests}");
    let bytes = (counters.bytes.load(Ordering::Relaxed) - read) / 1_000;
    assert!(bytes < 8_192, "{bytes} of {whole} bytes for each token");
}

#[tokio::test]
async fn a_block_with_too_many_tokens_may_hold_all() {
    let mut rows: Vec<Row> = (0..20_000).map(row).collect();
    let words: Vec<String> = (0..70_000).map(|word| format!("w{word}")).collect();
    rows[9_000].0 = Some(words.join(" "));
    let counters = ReadCounters::default();
    let index = open(sidecar(&rows), &counters).await.expect("an index");
    let word = |word: &str| Demand::words(Subject::BodyWords, word);
    let second = BLOCK_ROWS..2 * BLOCK_ROWS;
    assert_eq!(
        blocks(&index, &word("w69999")).await,
        Some(vec![second.clone()])
    );
    assert_eq!(
        blocks(&index, &word("absent")).await,
        Some(vec![second.clone()])
    );
    assert_eq!(
        blocks(&index, &word("r17")).await,
        Some(std::iter::once(0..second.end).collect())
    );
}

#[tokio::test]
async fn damaged_text_is_an_error_and_never_a_lost_row() {
    let rows: Vec<Row> = (0..17_000).map(row).collect();
    let whole = sidecar(&rows);
    let mut errors = 0;
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let counters = ReadCounters::default();
        let Ok(index) = open(bytes, &counters).await else {
            errors += 1;
            continue;
        };
        for number in (1..17_000_u64).step_by(1_700) {
            let demand = Demand::pair(Subject::AttributePairs, "n", &number.to_string());
            match index.blocks_that(Table::Logs, &demand, &counters).await {
                Ok(Blocks::Rows(ranges)) => {
                    let is_found = ranges.iter().any(|range| range.contains(&number));
                    assert!(is_found, "byte {at}, row {number}");
                }
                Ok(Blocks::Unknown) => panic!("byte {at} hid the section"),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Corrupt);
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 0);
}

#[test]
fn the_same_rows_give_the_same_bytes_in_any_form() {
    let rows: Vec<Row> = (0..9_000).map(row).collect();
    let plain = sidecar(&rows);
    let mut other = Builder::default();
    let bodies = StringViewArray::from_iter(rows.iter().map(|row| row.0.as_deref()));
    let attributes = StringArray::from_iter_values(rows.iter().map(|row| &row.1));
    let resources = StringViewArray::from_iter_values(rows.iter().map(|row| &row.2));
    let columns: [(&str, ArrayRef); 3] = [
        ("resource_attributes", Arc::new(resources)),
        ("body", Arc::new(bodies)),
        ("attributes", Arc::new(attributes)),
    ];
    for (name, values) in columns {
        other.look_at(Table::Logs, name, &values).expect("text");
    }
    assert_eq!(other.finish().expect("built"), Some(plain));
}

#[test]
fn what_is_no_text_is_an_error() {
    let numbers = new_null_array(&DataType::Int64, 3);
    let mut builder = Builder::default();
    assert!(builder.look_at(Table::Logs, "body", &numbers).is_err());
    assert!(builder.look_at(Table::Logs, "flags", &numbers).is_ok());
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(
        &[
            "timeout", "Error", "db", "日本", "x-1", "a_b", "9", "sword", "fish", "é", "\n", "{}",
        ][..],
    );
    let between = prop::sample::select(&[" ", "", "=", ": "][..]);
    prop::collection::vec((word, between), 0..6)
        .prop_map(|parts| parts.iter().flat_map(|(a, b)| [*a, *b]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Rare texts among many common ones, and patterns made of parts of them.
    #[test]
    fn no_row_that_matches_lies_elsewhere(
        rare in prop::collection::vec((0..26_000_usize, words()), 1..12),
        parts in prop::collection::vec((words(), any::<bool>()), 1..8),
    ) {
        let mut rows: Vec<Row> = (0..26_000).map(row).collect();
        for (at, text) in &rare {
            rows[*at].0 = Some(text.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let counters = ReadCounters::default();
        let index = open(sidecar(&rows), &counters);
        let index = runtime.block_on(index).expect("an index");
        let rare_parts = rare.iter().map(|(_, text)| (text.clone(), true));
        for (part, spaced) in parts.into_iter().chain(rare_parts) {
            let part = if spaced { format!(" {part} ") } else { part };
            let part = part.trim_end_matches('\n');
            let expression = ::regex::escape(part);
            let built = ::regex::RegexBuilder::new(&expression).case_insensitive(true).build().expect("escaped");
            let demands = [
                contains(Subject::BodyWords, part),
                like(Subject::BodyWords, &format!("%{}%", part.replace('_', r"\_"))),
                regex::demand(Subject::BodyWords, &expression, true),
            ];
            for demand in demands {
                let Some(ranges) = runtime.block_on(blocks(&index, &demand)) else { continue };
                for (at, row) in rows.iter().enumerate() {
                    let matches = row.0.as_ref().is_some_and(|body| built.is_match(body));
                    let is_named = ranges.iter().any(|range| range.contains(&(at as u64)));
                    prop_assert!(!matches || is_named, "{:?} has {part:?}", row.0);
                }
            }
        }
    }
}
