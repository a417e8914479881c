//! Dead letters that are offered again, without HTTP: what a letter of a whole request becomes, and what stays.

use crate::{
    requests::{log, logs_request},
    server::Server,
};
use arrow::{
    array::AsArray,
    datatypes::{Int32Type, TimestampNanosecondType},
};
use bytes::Bytes;
use cairn_ingest::{
    config::Config,
    pipeline::Pipeline,
    replay::{Fate, Letter},
};
use cairn_storage::{
    append::{LetterId, Reason},
    id::TenantId,
    signal::Signal,
    time::Nanos,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

fn letter(sequence: u64, reason: Reason, record: Vec<u8>) -> Letter {
    Letter {
        id: LetterId {
            epoch: 1,
            sequence,
            ordinal: 0,
        },
        signal: Signal::Logs,
        reason,
        received: Nanos(1_000_000_000),
        record: Bytes::from(record),
        envelope: None,
    }
}

#[tokio::test]
async fn a_whole_request_is_judged_record_by_record() {
    let server = Server::start().await;
    let config = Config {
        max_value_bytes: 100,
        ..Config::default()
    };
    let pipeline = Pipeline::new(server.store.clone(), &config);
    let long = log(&"x".repeat(200));
    let untimed = LogRecord {
        time_unix_nano: 0,
        ..log("no time")
    };
    let whole = logs_request(vec![long.clone(), log("fine"), untimed]).encode_to_vec();
    let letters = vec![
        letter(1, Reason::Undecodable, whole),
        letter(2, Reason::Undecodable, b"\xff".to_vec()),
        letter(
            3,
            Reason::Undecodable,
            logs_request(vec![long]).encode_to_vec(),
        ),
        letter(
            4,
            Reason::TooLarge,
            log("what did it stand in").encode_to_vec(),
        ),
        letter(5, Reason::Undecodable, Vec::new()),
    ];
    let tenant = TenantId::default_tenant();
    let fates = pipeline.replay(&tenant, letters).await.expect("offered");
    assert_eq!(fates[0], Fate::Stored);
    let reasons = fates.iter().map(|fate| match fate {
        Fate::Bad { reason, .. } => Some(*reason),
        _ => None,
    });
    let bad = Some(Reason::Undecodable);
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [None, bad, Some(Reason::TooLarge), None, bad]
    );
    assert_eq!(fates[3], Fate::Alone);
    assert_eq!(server.rows("default", Signal::Logs), 2);
    let told = |outcome: &str| {
        let outcome = format!("outcome=\"{outcome}\"");
        server.metric("storage_records_total", &["signal=\"logs\"", &outcome])
    };
    assert_eq!((told("received"), told("stored")), (3.0, 2.0));
    assert_eq!((told("rejected"), told("replayed")), (1.0, 1.0));
    // The one that is refused now, and the mark at the place of the first that is a row.
    let batches = server.batches("default", Signal::DeadLetters);
    let ordinals: Vec<i32> = batches
        .iter()
        .flat_map(|batch| {
            let column = batch.column_by_name("row_ordinal").expect("a column");
            let numbers = column.as_primitive::<Int32Type>();
            numbers.values().to_vec()
        })
        .collect();
    assert_eq!(ordinals, [0, 1]);
    let times: Vec<i64> = server
        .batches("default", Signal::Logs)
        .iter()
        .flat_map(|batch| {
            let column = batch.column_by_name("timestamp").expect("a column");
            let times = column.as_primitive::<TimestampNanosecondType>();
            times.values().to_vec()
        })
        .collect();
    assert_eq!(times[1], 1_000_000_000, "when it was received first");
}
