//! The limit to the byte, what bombs cost, and what is reserved.

use super::{
    super::compression::tests::{gzip, zstd},
    *,
};
use crate::error::Kind;

const MIB: u64 = 1 << 20;

fn pack(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Identity => bytes.to_vec(),
        Compression::Gzip => gzip(bytes),
        Compression::Zstd => zstd(bytes),
    }
}

const ALL: [Compression; 3] = [Compression::Identity, Compression::Gzip, Compression::Zstd];

async fn gather(
    compression: Compression,
    packed: &[u8],
    limit_bytes: u64,
    budget: &Budget,
) -> Result<Payload> {
    let mut gathering = Gathering::new(compression, limit_bytes, budget)?;
    for chunk in packed.chunks(16 << 10) {
        gathering.push(Bytes::copy_from_slice(chunk)).await?;
    }
    gathering.finish()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn exactly_the_limit_and_one_more() {
    for compression in ALL {
        for content in [vec![b'a'; MIB as usize], noise(MIB as usize)] {
            let budget = Budget::new(64 * MIB);
            let packed = pack(compression, &content);
            let payload = gather(compression, &packed, MIB, &budget)
                .await
                .expect("at the limit");
            assert_eq!(payload.bytes, content);
            let error = gather(compression, &packed, MIB - 1, &budget)
                .await
                .expect_err("over it");
            assert_eq!(error.kind(), Kind::TooLarge, "{compression:?}: {error}");
        }
    }
}

/// What is reserved is what is allocated: never less, and never twice the limit.
#[tokio::test]
async fn the_budget_pays_for_what_is_kept_and_gets_it_back() {
    for compression in ALL {
        let budget = Budget::new(64 * MIB);
        let content = noise(700_000);
        let packed = pack(compression, &content);
        let payload = gather(compression, &packed, MIB, &budget)
            .await
            .expect("within limits");
        let held = payload.memory.bytes();
        assert!((700_000..=MIB).contains(&held), "{compression:?}: {held}");
        assert_eq!(
            budget.used_bytes(),
            held,
            "the decompressor's memory was given back"
        );
        drop(payload);
        assert_eq!(budget.used_bytes(), 0);
    }
}

#[tokio::test]
async fn a_spent_budget_is_a_limit_and_not_an_error_of_the_client() {
    for compression in ALL {
        let budget = Budget::new(512 << 10);
        let packed = pack(compression, &noise(MIB as usize));
        let error = gather(compression, &packed, MIB, &budget)
            .await
            .expect_err("half of it fits");
        assert_eq!(error.kind(), Kind::Limited, "{compression:?}: {error}");
        assert_eq!(budget.used_bytes(), 0);
    }
}

/// A gigabyte of zeros in a megabyte (gzip) or in 33 kilobytes (zstd) is given up at the limit.
#[tokio::test]
async fn bombs_cost_no_more_than_the_limit() {
    let zeros = vec![0; 64 << 20];
    for compression in [Compression::Gzip, Compression::Zstd] {
        let bomb = pack(compression, &zeros).repeat(16);
        let budget = Budget::new(16 * MIB);
        let mut gathering = Gathering::new(compression, 4 * MIB, &budget).expect("it fits");
        let error = gathering
            .push(Bytes::from(bomb))
            .await
            .expect_err("it is a bomb");
        assert_eq!(error.kind(), Kind::TooLarge, "{error}");
        assert!(gathering.gathered_bytes() <= 4 * MIB);
        assert!(
            budget.used_bytes() <= 8 * MIB,
            "{} bytes",
            budget.used_bytes()
        );
    }
}

#[tokio::test]
async fn one_chunk_is_not_copied() {
    let chunk = Bytes::from(noise(1000));
    let budget = Budget::new(MIB);
    let mut gathering = Gathering::new(Compression::Identity, MIB, &budget).expect("it fits");
    gathering.push(chunk.clone()).await.expect("within limits");
    let payload = gathering.finish().expect("it is whole");
    assert_eq!(payload.bytes.as_ptr(), chunk.as_ptr());
}

#[tokio::test]
async fn nothing_is_a_payload_unless_it_claims_to_be_compressed() {
    let budget = Budget::new(MIB);
    let payload = gather(Compression::Identity, b"", MIB, &budget)
        .await
        .expect("an empty request");
    assert!(payload.bytes.is_empty());
    for compression in [Compression::Gzip, Compression::Zstd] {
        let error = gather(compression, b"", MIB, &budget)
            .await
            .expect_err("it is not compressed");
        assert_eq!(error.kind(), Kind::Invalid);
        let empty = pack(compression, b"");
        let payload = gather(compression, &empty, MIB, &budget)
            .await
            .expect("nothing, packed");
        assert!(payload.bytes.is_empty());
    }
}
