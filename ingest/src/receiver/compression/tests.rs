//! What is decompressed, what is refused, and that a window is paid for before it is allocated.

use super::*;
use crate::error::Kind;
use cairn_storage::budget::Budget;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;

/// Large enough for any window that is taken.
const MEMORY: u64 = 16 << 20;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("writing to memory")
}

/// Decompresses `chunks`, making `step` bytes at a time.
fn inflate(compression: Compression, chunks: &[&[u8]], step: usize) -> Result<Vec<u8>> {
    let mut memory = Budget::new(MEMORY).reserve(0)?;
    let mut inflater = compression
        .inflater(&mut memory)?
        .expect("the body is compressed");
    let mut output = Vec::new();
    let mut buffer = vec![0; step];
    for mut chunk in chunks.iter().copied() {
        loop {
            let made = inflater.step(&mut chunk, &mut buffer, &mut memory)?;
            output.extend_from_slice(&buffer[..made]);
            if chunk.is_empty() && made < step {
                break;
            }
        }
    }
    inflater.finish().map(|()| output)
}

fn check_refused(compression: Compression, bytes: &[u8], expected: &str) {
    let error = inflate(compression, &[bytes], 100)
        .expect_err("it is broken")
        .to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn names() {
    let parse = |name| Compression::parse(name).map_err(|e| e.kind());
    for (name, expected) in [
        (None, Ok(Compression::Identity)),
        (Some(""), Ok(Compression::Identity)),
        (Some("identity"), Ok(Compression::Identity)),
        (Some("GZip"), Ok(Compression::Gzip)),
        (Some(" zstd "), Ok(Compression::Zstd)),
        (Some("br"), Err(Kind::Unsupported)),
        (Some("gzip, gzip"), Err(Kind::Unsupported)),
        (Some("snappy"), Err(Kind::Unsupported)),
    ] {
        assert_eq!(parse(name), expected, "{name:?}");
    }
}

/// However the compressed bytes are cut, what is made is the same; a cut end is noticed wherever it is.
#[test]
fn every_cut() {
    let text = b"a cairn is a pile of stones, stones, stones".repeat(3);
    for (compression, packed) in [
        (Compression::Gzip, gzip(&text)),
        (Compression::Zstd, zstd(&text)),
    ] {
        for at in 0..packed.len() {
            let (first, second) = packed.split_at(at);
            assert_eq!(
                inflate(compression, &[first, second], 7).expect("it is whole"),
                text
            );
            check_refused(compression, first, "ends early");
        }
        let bytes: Vec<&[u8]> = packed.chunks(1).collect();
        assert_eq!(inflate(compression, &bytes, 1).expect("it is whole"), text);
    }
}

#[test]
fn members_and_frames_follow_each_other() {
    let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
    assert_eq!(
        inflate(Compression::Gzip, &[&members], 100).expect("valid"),
        b"one two"
    );
    let skippable = [
        &0x184D_2A53_u32.to_le_bytes()[..],
        &3_u32.to_le_bytes(),
        b"abc",
    ]
    .concat();
    let frames = [
        skippable.clone(),
        zstd(b"one "),
        zstd(b""),
        skippable,
        zstd(b"two"),
    ]
    .concat();
    assert_eq!(
        inflate(Compression::Zstd, &[&frames], 100).expect("valid"),
        b"one two"
    );
}

#[test]
fn empty_parts_do_not_go_on_for_ever() {
    for (compression, empty) in [
        (Compression::Gzip, gzip(b"")),
        (Compression::Zstd, zstd(b"")),
    ] {
        assert_eq!(
            inflate(compression, &[&empty.repeat(4096)], 10).expect("at the limit"),
            b""
        );
        check_refused(compression, &empty.repeat(4097), "more than 4096 parts");
    }
}

#[test]
fn what_is_broken() {
    check_refused(
        Compression::Gzip,
        &[gzip(b"one"), b"garbage".to_vec()].concat(),
        "gzip",
    );
    check_refused(
        Compression::Gzip,
        &[gzip(b"one"), vec![0; 512]].concat(),
        "gzip",
    );
    check_refused(Compression::Gzip, b"not gzip at all", "gzip");
    check_refused(Compression::Gzip, &zstd(b"one"), "gzip");
    check_refused(
        Compression::Zstd,
        &[zstd(b"one"), b"garbage".to_vec()].concat(),
        "no frame",
    );
    check_refused(Compression::Zstd, &gzip(b"one"), "no frame");
    let mut wrong_sum = gzip(b"one");
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    check_refused(Compression::Gzip, &wrong_sum, "gzip");
    let mut wrong_length = gzip(b"one");
    *wrong_length.last_mut().expect("it has a trailer") ^= 1;
    check_refused(Compression::Gzip, &wrong_length, "gzip");
}

/// A frame of a few bytes may ask for a window of gigabytes.
#[test]
fn a_window_is_refused_or_paid_for() {
    let frame = |window_descriptor: u8| {
        [&ZSTD_MAGIC.to_le_bytes()[..], &[0x00, window_descriptor]].concat()
    };
    let kind = |bytes: &[u8]| inflate(Compression::Zstd, &[bytes], 10).map_err(|e| e.kind());
    // 2^13 KiB is the limit, an eighth more is over it.
    let eight_mib = 13 << 3;
    assert_eq!(
        kind(&frame(eight_mib)),
        Err(Kind::Invalid),
        "taken, and then it ends early"
    );
    assert_eq!(kind(&frame(eight_mib + 1)), Err(Kind::TooLarge));
    assert_eq!(kind(&frame(0xFF)), Err(Kind::TooLarge));
    // One segment whose content is declared in eight bytes.
    let single = [
        &ZSTD_MAGIC.to_le_bytes()[..],
        &[0xE0],
        &(1_u64 << 40).to_le_bytes(),
    ]
    .concat();
    assert_eq!(kind(&single), Err(Kind::TooLarge));

    let budget = Budget::new(4 << 20);
    let mut memory = budget.reserve(0).expect("nothing is asked for");
    let mut inflater = Compression::Zstd
        .inflater(&mut memory)
        .expect("it fits")
        .expect("it is compressed");
    let step = inflater.step(&mut &frame(eight_mib)[..], &mut [0; 10], &mut memory);
    assert_eq!(
        step.map_err(|e| e.kind()),
        Err(Kind::Limited),
        "the budget has 4 MiB"
    );
    assert!(memory.bytes() < 1 << 20, "nothing was taken");
}

/// Our reading of a frame's head is the encoder's.
#[test]
fn windows_of_real_frames() {
    for (content, level, expected) in [
        (&b"abc"[..], 3, 3),
        (&[7; 255], 3, 255),
        (&[7; 256], 3, 256),
        (&[7; 70_000], 3, 70_000),
    ] {
        let frame = zstd::bulk::compress(content, level).expect("writing to memory");
        assert_eq!(window(&frame).expect("it is a frame"), Some(expected));
        for end in 0..5 {
            assert_eq!(window(&frame[..end]).expect("it may become one"), None);
        }
    }
    // A stream whose length is not known gets the window of its level.
    let mut stream = zstd::Encoder::new(Vec::new(), 3).expect("writing to memory");
    stream.write_all(&[7; 70_000]).expect("writing to memory");
    let frame = stream.finish().expect("writing to memory");
    assert_eq!(window(&frame).expect("it is a frame"), Some(2 << 20));
}

proptest! {
    #[test]
    fn anything_comes_back(
        bytes in prop::collection::vec(any::<u8>(), 0..5_000),
        cut in 1_usize..600,
        step in 1_usize..600,
    ) {
        let packed = [(Compression::Gzip, gzip(&bytes)), (Compression::Zstd, zstd(&bytes))];
        for (compression, packed) in packed {
            let chunks: Vec<&[u8]> = packed.chunks(cut).collect();
            prop_assert_eq!(&inflate(compression, &chunks, step).expect("it is whole"), &bytes);
        }
    }

    /// Broken input is an error, never a panic, an endless loop or other bytes (zstd has no checksum here).
    #[test]
    fn damage_is_an_error_or_harmless(
        bytes in prop::collection::vec(any::<u8>(), 1..500),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        for (compression, mut packed) in
            [(Compression::Gzip, gzip(&bytes)), (Compression::Zstd, zstd(&bytes))]
        {
            let at = at.index(packed.len());
            packed[at] ^= flip;
            let result = inflate(compression, &[&packed], 64);
            // Some bits of a deflate stream mean the same either way; the checksum covers what comes out.
            if let (Compression::Gzip, Ok(found)) = (compression, result) {
                prop_assert_eq!(&found, &bytes);
            }
        }
    }
}
