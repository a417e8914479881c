//! Backups come back, and damage and other versions are told apart.

use super::*;
use crate::{
    append::Answer,
    catalog::{CatalogState, Digest, Event},
    error::Kind,
    id::TenantId,
    signal::{Encoding, Signal, Table},
};

fn contents() -> Contents {
    let tenant = TenantId::default_tenant();
    let digest = Digest {
        tenant: tenant.clone(),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        digest: u128::MAX - 3,
        received: Nanos(i64::MIN),
        sequence: u64::MAX,
        answer: Answer {
            rejected: 2,
            message: "two of \"them\"".to_string(),
        },
    };
    let event = Event {
        kind: "cairn.segment.committed.v1".to_string(),
        tenant,
        time: Nanos(7),
        body: "{}".to_string(),
    };
    Contents {
        state: CatalogState {
            last_sequence: 9,
            digests: vec![digest],
            ..CatalogState::default()
        },
        field_ids: vec![(Table::Logs, "a.one".to_string(), 1_000)],
        events: vec![(41, event)],
        last_event: 41,
        epoch: 3,
        commits: 12,
    }
}

fn backup() -> (Head, Bytes) {
    let (body, body_bytes) = pack(&contents());
    let head = Head {
        sequence: 5,
        taken: Nanos(1),
        owner: None,
        commits: 12,
        tables: Vec::new(),
        body_bytes,
    };
    let bytes = join(&head, &body);
    (head, bytes)
}

#[test]
fn what_goes_in_comes_out() {
    let (head, bytes) = backup();
    assert_eq!(split("b", &bytes).expect("whole"), (head, contents()));
}

#[test]
fn every_cut_and_every_flipped_byte_is_damage() {
    let (_, bytes) = backup();
    for length in 0..bytes.len() {
        let error = split("b", &bytes[..length]).expect_err("cut");
        assert_eq!(error.kind(), Kind::Corrupt, "{length}: {error}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 0x10;
        let error = split("b", &flipped).expect_err("flipped");
        assert_eq!(error.kind(), Kind::Corrupt, "{at}: {error}");
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let (_, bytes) = backup();
    let mut newer = bytes[..bytes.len() - 4].to_vec();
    newer[8] = 2;
    newer.put_u32_le(crc32c::crc32c(&newer));
    let error = split("catalog/7.backup", &newer).expect_err("newer");
    assert_eq!(error.kind(), Kind::Invalid);
    let says = error.to_string();
    assert!(
        says.contains("catalog/7.backup has format version 2 and this build knows 1: use a newer"),
        "{says}"
    );
}
