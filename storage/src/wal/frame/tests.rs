//! The codec for any request, any damage, and the fixed layout.

use super::*;
use proptest::prelude::*;

const EPOCH: u64 = 7;
const PLACE: Place = Place {
    key: 0x0123_4567_89AB_CDEF,
    synced: 4096,
};

fn refusals() -> impl Strategy<Value = Vec<Refusal>> {
    let refusal =
        (any::<u32>(), 0..Reason::ALL.len(), ".{0,20}").prop_map(|(ordinal, index, detail)| {
            Refusal {
                ordinal,
                reason: Reason::ALL[index],
                detail,
            }
        });
    proptest::collection::vec(refusal, 0..5)
}

fn requests() -> impl Strategy<Value = Request> {
    let head = (
        "[a-z0-9_-]{1,64}",
        0..Signal::ALL.len(),
        any::<bool>(),
        any::<u16>(),
    );
    let tail = (any::<i64>(), any::<u128>(), refusals(), any::<Vec<u8>>());
    (head, tail).prop_map(|((tenant, signal, json, decoder_version), tail)| {
        let (received, digest, refusals, payload) = tail;
        Request {
            tenant: tenant.parse().expect("made of allowed characters"),
            signal: Signal::ALL[signal],
            encoding: if json {
                Encoding::OtlpJson
            } else {
                Encoding::OtlpProtobuf
            },
            decoder_version,
            received: Nanos(received),
            digest,
            refusals,
            payload: payload.into(),
        }
    })
}

fn bytes_of(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    encode(frame, PLACE, &mut out);
    out
}

proptest! {
    #[test]
    fn decodes_what_was_encoded(request in requests(), sequence: u64, behind: Vec<u8>) {
        let frame = Frame { epoch: EPOCH, sequence, request };
        let mut bytes = bytes_of(&frame);
        let length = bytes.len();
        prop_assert_eq!(length, encoded_bytes(&frame.request));
        bytes.extend(behind);
        let found = decode(&bytes.into(), EPOCH, PLACE.key);
        prop_assert_eq!(found, Ok(Found { frame, synced: PLACE.synced, length }));
    }

    #[test]
    fn notices_every_flipped_bit_and_every_cut(request in requests(), place: prop::sample::Index, bit in 0..8) {
        let frame = Frame { epoch: EPOCH, sequence: 1, request };
        let whole = bytes_of(&frame);
        let at = place.index(whole.len());
        let mut flipped = whole.clone();
        flipped[at] ^= 1u8 << bit;
        prop_assert!(decode(&flipped.into(), EPOCH, PLACE.key).is_err());
        prop_assert!(decode(&Bytes::from(whole).slice(..at), EPOCH, PLACE.key).is_err());
    }

    #[test]
    fn takes_any_bytes(bytes: Vec<u8>) {
        let mut framed = FRAME_MAGIC.to_vec();
        framed.extend(bytes);
        prop_assert!(decode(&framed.into(), EPOCH, PLACE.key).is_err());
    }
}

fn request(payload: &'static [u8]) -> Request {
    Request {
        tenant: "shop".parse().expect("valid"),
        signal: Signal::Spans,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 3,
        received: Nanos(1_000),
        digest: 0x1111_2222_3333_4444_5555_6666_7777_8888,
        refusals: vec![Refusal {
            ordinal: 4,
            reason: Reason::TooOld,
            detail: "a day".to_string(),
        }],
        payload: Bytes::from_static(payload),
    }
}

#[test]
fn a_damaged_payload_names_whose_it_was() {
    let frame = Frame {
        epoch: EPOCH,
        sequence: 12,
        request: request(b"payload"),
    };
    let mut bytes = bytes_of(&frame);
    let length = bytes.len();
    *bytes.last_mut().expect("not empty") ^= 1;
    let broken = decode(&bytes.into(), EPOCH, PLACE.key).expect_err("damaged");
    assert_eq!(broken.length, Some(length));
    let lost = broken.lost.expect("the header is whole");
    assert_eq!(
        (lost.tenant.as_str(), lost.signal, lost.sequence),
        ("shop", Signal::Spans, 12)
    );
}

#[test]
fn frames_of_other_files_are_none() {
    let frame = Frame {
        epoch: EPOCH,
        sequence: 1,
        request: request(b"x"),
    };
    let bytes = Bytes::from(bytes_of(&frame));
    for (epoch, key) in [(EPOCH + 1, PLACE.key), (EPOCH, PLACE.key + 1)] {
        let broken = decode(&bytes, epoch, key).expect_err("of another file");
        assert_eq!((broken.length, broken.lost), (None, None));
    }
}

#[test]
fn a_later_version_is_refused_by_name_and_skipped_whole() {
    let frame = Frame {
        epoch: EPOCH,
        sequence: 1,
        request: request(b"x"),
    };
    let mut bytes = bytes_of(&frame);
    bytes[8] = 2;
    let end = bytes.len() - frame.request.payload.len() - HEADER_CHECKSUM_BYTES;
    let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..end]);
    bytes[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
    let length = bytes.len();
    let broken = decode(&bytes.into(), EPOCH, PLACE.key).expect_err("unknown version");
    assert_eq!(broken.length, Some(length));
    assert!(broken.detail.contains("version 2"), "{}", broken.detail);
}

/// The bytes of `docs/formats/wal.md`: a change of them strands the logs of every installation.
#[test]
fn the_layout_is_fixed() {
    let frame = Frame {
        epoch: EPOCH,
        sequence: 12,
        request: request(b"payload"),
    };
    let expected = concat!(
        "c557414c",
        "CHECKSUM",
        "0100",
        "0100",
        "6b000000",
        "07000000",
        "03",
        "01",
        "0300",
        "0700000000000000",
        "efcdab8967452301",
        "0c00000000000000",
        "e803000000000000",
        "0010000000000000",
        "88887777666655554444333322221111",
        "04",
        "73686f70",
        "01000000",
        "04000000",
        "04",
        "05000000",
        "6120646179",
        "HEADER__",
        "7061796c6f6164",
    );
    let bytes = bytes_of(&frame);
    let header_end = bytes.len() - 7;
    let checksum = crc32c::crc32c(&bytes[8..]).to_le_bytes();
    let header_checksum = crc32c::crc32c(&bytes[8..header_end - 4]).to_le_bytes();
    let expected = expected
        .replace("CHECKSUM", &hex::encode(checksum))
        .replace("HEADER__", &hex::encode(header_checksum));
    assert_eq!(hex::encode(&bytes), expected);
}
