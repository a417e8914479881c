//! What the columns of catalog rows hold: checksums, and compact bodies of segments, digests and tombstones.

use super::Digest;
use crate::{
    append::Answer,
    deletion::Tombstone,
    id::TenantId,
    segment::SegmentMeta,
    signal::{Encoding, Signal},
    time::Nanos,
};
use bytes::{Buf, BufMut};

/// Favours speed: bodies are a few kilobytes and most of the gain comes at the first level.
const ZSTD_LEVEL: i32 = 1;

/// No body of a segment or a tombstone is longer; more is damage.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// The checksum of a row: crc32c over the table's name and every column, each with its kind and length, so
/// that no two rows of different columns have the same input.
pub(super) struct Checksum(u32);

impl Checksum {
    pub(super) fn of(table: &str) -> Checksum {
        Checksum(0).text(table)
    }

    pub(super) fn int(self, value: i64) -> Checksum {
        self.add(b'i', &value.to_le_bytes())
    }

    pub(super) fn text(self, value: &str) -> Checksum {
        self.add(b't', value.as_bytes())
    }

    pub(super) fn bytes(self, value: &[u8]) -> Checksum {
        self.add(b'b', value)
    }

    pub(super) fn finish(self) -> i64 {
        i64::from(self.0)
    }

    fn add(self, kind: u8, value: &[u8]) -> Checksum {
        let head = crc32c::crc32c_append(self.0, &[kind]);
        let head = crc32c::crc32c_append(head, &(value.len() as u64).to_le_bytes());
        Checksum(crc32c::crc32c_append(head, value))
    }
}

/// A segment as zstd JSON.
pub(super) fn pack_segment(meta: &SegmentMeta) -> Vec<u8> {
    pack(meta)
}

/// A tombstone as zstd JSON.
pub(super) fn pack_tombstone(tombstone: &Tombstone) -> Vec<u8> {
    pack(tombstone)
}

/// Reads what [`pack_tombstone`] made; the error says what is wrong.
pub(super) fn unpack_tombstone(body: &[u8]) -> Result<Tombstone, String> {
    unpack(body)
}

fn pack(value: &impl serde::Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("its fields all have a JSON form");
    zstd::bulk::compress(&json, ZSTD_LEVEL).expect("compression into memory does not fail")
}

/// Reads what [`pack_segment`] made; the error says what is wrong.
pub(super) fn unpack_segment(body: &[u8]) -> Result<SegmentMeta, String> {
    unpack(body)
}

fn unpack<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let length = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
    let length = length
        .filter(|length| *length <= MAX_BODY_BYTES)
        .ok_or("no length")?;
    let json = zstd::bulk::decompress(body, length as usize).map_err(|e| e.to_string())?;
    serde_json::from_slice(&json).map_err(|e| e.to_string())
}

/// The digests of one commit, tenant and signal: about 34 bytes each, for thousands of requests a second.
///
/// All of `digests` have the same tenant and signal, which are not repeated.
pub(super) fn pack_digests(digests: &[Digest]) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + digests.len() * 34);
    body.put_u32_le(digests.len() as u32);
    for digest in digests {
        let answered = digest.answer != Answer::default();
        body.put_u8(digest.encoding as u8);
        body.put_u8(u8::from(answered));
        body.put_u128_le(digest.digest);
        body.put_i64_le(digest.received.0);
        body.put_u64_le(digest.sequence);
        if answered {
            body.put_u64_le(digest.answer.rejected);
            body.put_u32_le(digest.answer.message.len() as u32);
            body.put_slice(digest.answer.message.as_bytes());
        }
    }
    body
}

/// Reads what [`pack_digests`] made; the error says what is wrong.
pub(super) fn unpack_digests(
    tenant: &TenantId,
    signal: Signal,
    mut body: &[u8],
) -> Result<Vec<Digest>, String> {
    let short = |_| "digests end early".to_string();
    let count = body.try_get_u32_le().map_err(short)?;
    let mut digests = Vec::new();
    for _ in 0..count {
        let code = body.try_get_u8().map_err(short)?;
        let answered = body.try_get_u8().map_err(short)? != 0;
        let digest = body.try_get_u128_le().map_err(short)?;
        let received = Nanos(body.try_get_i64_le().map_err(short)?);
        let sequence = body.try_get_u64_le().map_err(short)?;
        let answer = if answered {
            unpack_answer(&mut body)?
        } else {
            Answer::default()
        };
        let encoding = Encoding::from_code(code).ok_or(format!("encoding {code} is not known"))?;
        let tenant = tenant.clone();
        digests.push(Digest {
            tenant,
            signal,
            encoding,
            digest,
            received,
            sequence,
            answer,
        });
    }
    if body.is_empty() {
        Ok(digests)
    } else {
        Err("digests end late".to_string())
    }
}

fn unpack_answer(body: &mut &[u8]) -> Result<Answer, String> {
    let short = |_| "an answer ends early".to_string();
    let rejected = body.try_get_u64_le().map_err(short)?;
    let length = body.try_get_u32_le().map_err(short)? as usize;
    let text = body.split_off(..length).ok_or("an answer ends early")?;
    let message = String::from_utf8(text.to_vec()).map_err(|e| e.to_string())?;
    Ok(Answer { rejected, message })
}

/// Digests grouped by tenant and signal, in the order of both, those of a group in their old order.
pub(super) fn group_digests(mut digests: Vec<Digest>) -> Vec<Digest> {
    digests.sort_by(|a, b| (&a.tenant, a.signal).cmp(&(&b.tenant, b.signal)));
    digests
}
