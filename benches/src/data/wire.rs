//! Writes protobuf fields to a buffer.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>. Only what OTLP needs; field numbers are the caller's.

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Appends a varint.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

/// Appends an integer field.
pub(super) fn int(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// Appends a `sint32` field (zigzag).
pub(super) fn zigzag(out: &mut Vec<u8>, field: u64, value: i32) {
    int(out, field, u64::from((value << 1 ^ value >> 31) as u32));
}

/// Appends a `fixed64` field.
pub(super) fn fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a `double` field.
pub(super) fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// Appends a `fixed32` field.
pub(super) fn fixed32(out: &mut Vec<u8>, field: u64, value: u32) {
    key(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field of text or bytes.
pub(super) fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a field of packed 64-bit numbers.
pub(super) fn packed_fixed64(out: &mut Vec<u8>, field: u64, values: impl Iterator<Item = u64>) {
    message(out, field, |out| {
        values.for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    });
}

/// Appends a field that `write` fills: a message, packed numbers, or text in pieces.
pub(super) fn message<T>(
    out: &mut Vec<u8>,
    field: u64,
    write: impl FnOnce(&mut Vec<u8>) -> T,
) -> T {
    key(out, field, BYTES);
    let start = out.len();
    // Room for the length of most messages; longer ones are moved along.
    out.push(0);
    let made = write(out);
    let length = out.len() - start - 1;
    match u8::try_from(length) {
        Ok(length @ 0..0x80) => out[start] = length,
        _ => {
            let mut prefix = Vec::with_capacity(10);
            varint(&mut prefix, length as u64);
            out.splice(start..=start, prefix);
        }
    }
    made
}

/// Appends a `KeyValue` whose `AnyValue` is written by `write`.
pub(super) fn attribute(
    out: &mut Vec<u8>,
    field: u64,
    name: &str,
    write: impl FnOnce(&mut Vec<u8>),
) {
    message(out, field, |out| {
        bytes(out, 1, name.as_bytes());
        message(out, 2, write);
    });
}

/// Appends a `KeyValue` of text.
pub(super) fn text_attribute(out: &mut Vec<u8>, field: u64, name: &str, value: &str) {
    attribute(out, field, name, |out| bytes(out, 1, value.as_bytes()));
}
