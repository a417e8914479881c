//! One request as bytes in the log: encode and decode, nothing else.
//!
//! A frame carries the random key of its file. A client chooses the payload but never sees the key, so bytes
//! inside a payload can't pass for a frame when the scan after damage looks for the next one.

use crate::{
    append::{Reason, Refusal},
    id::TenantId,
    signal::{Encoding, Signal},
    time::Nanos,
};
use bytes::{Buf, Bytes};

/// The version of the frame layout that this build writes.
pub const FRAME_FORMAT_VERSION: u16 = 1;

/// The first bytes of every frame: not text, and not the start of a protobuf message that anybody sends.
pub const FRAME_MAGIC: [u8; 4] = [0xC5, b'W', b'A', b'L'];

/// Header and payload together; the writer refuses more. Far above the largest request (64 MiB), so that only
/// a bug or an absurd number of refusals can reach it.
pub const MAX_FRAME_BYTES: usize = 1 << 30;

/// The only kind of frame so far: a request.
const KIND_REQUEST: u16 = 1;

/// Where the checksummed bytes begin: after magic and checksum.
const CHECKED_FROM: usize = 8;

/// The bytes before the tenant.
const FIXED_BYTES: usize = 80;

/// The checksum of the header alone, at its end.
const HEADER_CHECKSUM_BYTES: usize = 4;

/// A request as the log keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    /// The version of the decoder that decoded it first, and must decode it at replay.
    pub decoder_version: u16,
    pub received: Nanos,
    /// XXH3-128 of `payload`.
    pub digest: u128,
    /// What admission refused.
    pub refusals: Vec<Refusal>,
    /// The request as received, after decompression.
    pub payload: Bytes,
}

/// A request with its place in the order of all requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The epoch of the writer.
    pub epoch: u64,
    pub sequence: u64,
    pub request: Request,
}

/// What ties a frame to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The random key of the file.
    pub key: u64,
    /// The offset before which every byte of the file was durable when the frame was written.
    pub synced: u64,
}

/// A frame that was found whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub frame: Frame,
    /// See [`Place::synced`].
    pub synced: u64,
    /// Bytes of the whole frame.
    pub length: usize,
}

/// Bytes where a frame was expected, and are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub detail: String,
    /// The length of the frame where its header is whole, so that the scan can go on behind it.
    pub length: Option<usize>,
    /// Whose request it was, where the header is whole.
    pub lost: Option<Lost>,
}

/// A request whose frame is damaged behind its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub tenant: TenantId,
    pub signal: Signal,
    pub sequence: u64,
}

/// The bytes that `request` takes in the log.
pub fn encoded_bytes(request: &Request) -> usize {
    let refusals: usize = request
        .refusals
        .iter()
        .map(|refusal| 9 + refusal.detail.len())
        .sum();
    let tenant = 1 + request.tenant.as_str().len();
    FIXED_BYTES + tenant + 4 + refusals + HEADER_CHECKSUM_BYTES + request.payload.len()
}

/// Appends the bytes of `frame` to `out`.
///
/// # Panics
/// When the frame is longer than [`MAX_FRAME_BYTES`]: the writer refuses such requests before.
pub fn encode(frame: &Frame, place: Place, out: &mut Vec<u8>) {
    let request = &frame.request;
    let total = encoded_bytes(request);
    assert!(
        total <= MAX_FRAME_BYTES,
        "a frame of {total} bytes passed the writer's check"
    );
    let start = out.len();
    out.reserve(total);
    out.extend_from_slice(&FRAME_MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&FRAME_FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&KIND_REQUEST.to_le_bytes());
    let header_bytes = total - request.payload.len();
    out.extend_from_slice(&(header_bytes as u32).to_le_bytes());
    out.extend_from_slice(&(request.payload.len() as u32).to_le_bytes());
    out.push(request.signal.code());
    out.push(request.encoding as u8);
    out.extend_from_slice(&request.decoder_version.to_le_bytes());
    for word in [frame.epoch, place.key, frame.sequence] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&request.received.0.to_le_bytes());
    out.extend_from_slice(&place.synced.to_le_bytes());
    out.extend_from_slice(&request.digest.to_le_bytes());
    let tenant = request.tenant.as_str().as_bytes();
    out.push(tenant.len() as u8);
    out.extend_from_slice(tenant);
    out.extend_from_slice(&(request.refusals.len() as u32).to_le_bytes());
    for refusal in &request.refusals {
        out.extend_from_slice(&refusal.ordinal.to_le_bytes());
        out.push(refusal.reason as u8);
        out.extend_from_slice(&(refusal.detail.len() as u32).to_le_bytes());
        out.extend_from_slice(refusal.detail.as_bytes());
    }
    let header_checksum = crc32c::crc32c(&out[start + CHECKED_FROM..]);
    out.extend_from_slice(&header_checksum.to_le_bytes());
    debug_assert_eq!(out.len() - start, header_bytes);
    out.extend_from_slice(&request.payload);
    let checksum = crc32c::crc32c(&out[start + CHECKED_FROM..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the frame at the start of `bytes`, which go to the end of the file whose epoch and key are given.
///
/// The payload of the result is a slice of `bytes`: copy what is to outlive the file's memory.
pub fn decode(bytes: &Bytes, epoch: u64, key: u64) -> Result<Found, Broken> {
    let (header_bytes, payload_bytes) = lengths(bytes, epoch, key)?;
    let length = header_bytes + payload_bytes;
    let fields = header_fields(bytes.slice(..header_bytes))?;
    let lost = || Lost {
        tenant: fields.request.tenant.clone(),
        signal: fields.request.signal,
        sequence: fields.sequence,
    };
    if length > bytes.len() {
        let detail = format!(
            "the file ends {} bytes before the payload",
            length - bytes.len()
        );
        return Err(Broken {
            detail,
            length: None,
            lost: Some(lost()),
        });
    }
    let stored = (&bytes[4..8]).get_u32_le();
    if crc32c::crc32c(&bytes[CHECKED_FROM..length]) != stored {
        let detail = "the checksum does not match the payload".to_string();
        return Err(Broken {
            detail,
            length: Some(length),
            lost: Some(lost()),
        });
    }
    let request = Request {
        payload: bytes.slice(header_bytes..length),
        ..fields.request
    };
    let frame = Frame {
        epoch,
        sequence: fields.sequence,
        request,
    };
    Ok(Found {
        frame,
        synced: fields.synced,
        length,
    })
}

/// Checks magic, lengths, the header's checksum, that it is a frame of this file, and the version.
fn lengths(bytes: &Bytes, epoch: u64, key: u64) -> Result<(usize, usize), Broken> {
    if bytes.len() < FIXED_BYTES {
        return Err(broken("the file ends inside a header"));
    }
    if bytes[..4] != FRAME_MAGIC {
        return Err(broken("no frame begins here"));
    }
    let mut rest = &bytes[CHECKED_FROM..];
    let version = rest.get_u16_le();
    let kind = rest.get_u16_le();
    let header_bytes = rest.get_u32_le() as usize;
    let payload_bytes = rest.get_u32_le() as usize;
    let shortest = FIXED_BYTES + 1 + 4 + HEADER_CHECKSUM_BYTES;
    if header_bytes < shortest || header_bytes.saturating_add(payload_bytes) > MAX_FRAME_BYTES {
        return Err(broken("the lengths in the header are impossible"));
    }
    if header_bytes > bytes.len() {
        return Err(broken("the file ends inside a header"));
    }
    let end = header_bytes - HEADER_CHECKSUM_BYTES;
    let stored = (&bytes[end..header_bytes]).get_u32_le();
    if crc32c::crc32c(&bytes[CHECKED_FROM..end]) != stored {
        return Err(broken("the checksum does not match the header"));
    }
    let mut identity = &bytes[24..40];
    if (identity.get_u64_le(), identity.get_u64_le()) != (epoch, key) {
        return Err(broken("a frame of another file"));
    }
    // From here on the header is what our writer wrote, perhaps of a later version.
    if version != FRAME_FORMAT_VERSION || kind != KIND_REQUEST {
        return Err(Broken {
            detail: format!(
                "frame version {version}, kind {kind} is not known to this build: use a newer build"
            ),
            length: Some(header_bytes + payload_bytes).filter(|length| *length <= bytes.len()),
            lost: None,
        });
    }
    Ok((header_bytes, payload_bytes))
}

struct Fields {
    sequence: u64,
    synced: u64,
    /// With an empty payload.
    request: Request,
}

/// Reads the fields of a header whose checksum was right.
fn header_fields(header: Bytes) -> Result<Fields, Broken> {
    let mut rest = header.slice(20..header.len() - HEADER_CHECKSUM_BYTES);
    let (signal, encoding) = (rest.get_u8(), rest.get_u8());
    let decoder_version = rest.get_u16_le();
    rest.advance(16);
    let sequence = rest.get_u64_le();
    let received = Nanos(rest.get_i64_le());
    let synced = rest.get_u64_le();
    let digest = rest.get_u128_le();
    let signal = Signal::from_code(signal)
        .ok_or_else(|| broken(format!("signal {signal} is not known to this build")))?;
    let encoding = Encoding::from_code(encoding)
        .ok_or_else(|| broken(format!("encoding {encoding} is not known to this build")))?;
    let tenant_bytes = rest.get_u8() as usize;
    let tenant = text(&mut rest, tenant_bytes)?
        .parse()
        .map_err(|_| broken("the tenant in the header is none"))?;
    let refusals = refusals(&mut rest)?;
    let payload = Bytes::new();
    let request = Request {
        tenant,
        signal,
        encoding,
        decoder_version,
        received,
        digest,
        refusals,
        payload,
    };
    Ok(Fields {
        sequence,
        synced,
        request,
    })
}

fn refusals(rest: &mut Bytes) -> Result<Vec<Refusal>, Broken> {
    let short = || broken("the header is too short for its refusals");
    let count = rest.try_get_u32_le().map_err(|_| short())?;
    let mut refusals = Vec::new();
    for _ in 0..count {
        let ordinal = rest.try_get_u32_le().map_err(|_| short())?;
        let code = rest.try_get_u8().map_err(|_| short())?;
        let reason = Reason::from_code(code)
            .ok_or_else(|| broken(format!("reason {code} is not known to this build")))?;
        let length = rest.try_get_u32_le().map_err(|_| short())? as usize;
        refusals.push(Refusal {
            ordinal,
            reason,
            detail: text(rest, length)?,
        });
    }
    if !rest.is_empty() {
        return Err(broken("the header is longer than its fields"));
    }
    Ok(refusals)
}

fn text(rest: &mut Bytes, length: usize) -> Result<String, Broken> {
    if length > rest.len() {
        return Err(broken("the header is too short for its text"));
    }
    let bytes = rest.split_to(length);
    String::from_utf8(bytes.to_vec()).map_err(|_| broken("text in the header is not UTF-8"))
}

fn broken(detail: impl Into<String>) -> Broken {
    Broken {
        detail: detail.into(),
        length: None,
        lost: None,
    }
}

#[cfg(test)]
mod tests;
