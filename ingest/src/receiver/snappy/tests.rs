//! Blocks that are whole, too long, and broken.

use super::*;
use cairn_storage::budget::Budget;

/// What becomes of `block` where 1,000 bytes are the limit.
fn check(block: Vec<u8>) -> Result<Vec<u8>> {
    let budget = Budget::new(1 << 20);
    let memory = budget.reserve(block.len() as u64).expect("room");
    let block = Payload {
        bytes: block.into(),
        memory,
    };
    let payload = decompress(block, 1_000, budget.empty())?;
    assert_eq!(payload.memory.bytes(), payload.bytes.len() as u64);
    assert_eq!(budget.used_bytes(), payload.bytes.len() as u64);
    Ok(payload.bytes.to_vec())
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(bytes)
        .expect("small")
}

#[test]
fn blocks() {
    for bytes in [
        &b""[..],
        b"a",
        &[7; 1_000],
        b"a text of some length, a text",
    ] {
        assert_eq!(check(compress(bytes)).expect("sound"), bytes);
    }
    let too_large = check(compress(&[7; 1_001])).expect_err("beyond the limit");
    assert!(matches!(
        too_large,
        Error::TooLarge {
            limit_bytes: 1_000,
            ..
        }
    ));
    let mut cut = compress(&[7; 1_000]);
    cut.pop();
    for bad in [
        vec![],
        cut,
        vec![200, 1, 0, 0],
        vec![0xff; 12],
        b"plain text".to_vec(),
    ] {
        let error = check(bad).expect_err("no block");
        assert!(
            matches!(
                error,
                Error::BrokenCompression {
                    compression: "snappy",
                    ..
                }
            ),
            "{error}"
        );
    }
}
