//! Log records as they are written: one behind the other, neighbours of one resource in one group.
//!
//! Field numbers: opentelemetry-proto 1.x, `logs.v1` and `common.v1`.

use super::error::{DialectError, Fault};
use crate::otlp::{
    MAX_ROWS,
    json::output::{Begun, Output},
    wire::{BYTES, FIXED64, VARINT, key},
};
use cairn_storage::{
    append::{Reason, Refusal},
    budget::Reservation,
};

/// Fields of `LogRecord`.
const TIME: u32 = 1;
const SEVERITY_NUMBER: u32 = 2;
const SEVERITY_TEXT: u32 = 3;
pub(super) const BODY: u32 = 5;
pub(super) const ATTRIBUTE: u32 = 6;
const TRACE_ID: u32 = 9;
const SPAN_ID: u32 = 10;
const OBSERVED_TIME: u32 = 11;

/// Members of `AnyValue`.
pub(super) const TEXT: u32 = 1;
pub(super) const BOOL: u32 = 2;
pub(super) const INT: u32 = 3;
pub(super) const DOUBLE: u32 = 4;
const RAW: u32 = 7;

/// Fields of `KeyValue`.
pub(super) const KEY: u32 = 1;
pub(super) const VALUE: u32 = 2;

/// A request under construction.
pub(super) struct Records<'m> {
    pub(super) output: Output<'m>,
    /// The group that is open: its resource and its scope.
    group: Option<(Begun, Begun)>,
    /// The attributes of the open group's resource, encoded.
    resource: Vec<u8>,
    /// The same of the record being written.
    next_resource: Vec<u8>,
    /// A record on its way into another group.
    moved: Vec<u8>,
    count: u32,
    refusals: Vec<Refusal>,
    /// The last time that a record had; 0 before any.
    last_time: u64,
    /// Where the times of refused records are to stand.
    untimed: Vec<usize>,
    /// What is kept beside the output after the end.
    kept_bytes: u64,
}

/// A request that is written.
pub(super) struct Written {
    pub(super) payload: Vec<u8>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) kept_bytes: u64,
}

impl<'m> Records<'m> {
    /// Nothing yet, of a text of `text_bytes`; at most `limit_bytes`, taken from `memory`.
    pub(super) fn new(
        text_bytes: usize,
        limit_bytes: usize,
        memory: &'m mut Reservation,
    ) -> Result<Records<'m>, DialectError> {
        Ok(Records {
            output: Output::new(text_bytes, limit_bytes, memory)?,
            group: None,
            resource: Vec::new(),
            next_resource: Vec::new(),
            moved: Vec::new(),
            count: 0,
            refusals: Vec::new(),
            last_time: 0,
            untimed: Vec::new(),
            kept_bytes: 0,
        })
    }

    /// Adds the record that `write` writes. Where it cannot be read, `raw` becomes its body and it is refused.
    pub(super) fn add(
        &mut self,
        raw: &[u8],
        write: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), DialectError> {
        if self.count as usize == MAX_ROWS {
            return Err(DialectError::TooMany { limit: MAX_ROWS });
        }
        let start = self.output.written_bytes();
        let begun = self.begin(2)?;
        match write(self) {
            Ok(()) => {
                self.output.end(begun)?;
                self.place(start)?;
            }
            Err(Fault::Record { reason, detail }) => {
                self.output.take_back(start);
                self.refuse(raw, reason, detail)?;
            }
            Err(Fault::Request(error)) => return Err(error),
        }
        self.next_resource.clear();
        self.count += 1;
        Ok(())
    }

    /// Keeps `item` beside the output, paid for.
    pub(super) fn keep<T>(&mut self, items: &mut Vec<T>, item: T) -> Result<(), DialectError> {
        let before = items.capacity();
        if items.len() == before {
            let more = before.max(16);
            self.pay(more * size_of::<T>())?;
            items.reserve_exact(more);
        }
        items.push(item);
        Ok(())
    }

    /// Appends `bytes` to `kept`, paid for.
    pub(super) fn keep_bytes(
        &mut self,
        kept: &mut Vec<u8>,
        bytes: &[u8],
    ) -> Result<(), DialectError> {
        let before = kept.capacity();
        if before - kept.len() < bytes.len() {
            let more = before.max(bytes.len());
            self.pay(more)?;
            kept.reserve_exact(more);
        }
        kept.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes memory for what the answer will say of a record.
    pub(super) fn keep_answer(&mut self, bytes: usize) -> Result<(), DialectError> {
        self.pay(bytes)
    }

    /// Takes memory for what stays until the request is answered.
    fn pay(&mut self, bytes: usize) -> Result<(), DialectError> {
        self.output.pay(bytes)?;
        self.kept_bytes += bytes as u64;
        Ok(())
    }

    /// Ends the request.
    ///
    /// Refused records get the time of others, so that a request of which only they have none is known again when it is
    /// sent again.
    pub(super) fn finish(mut self) -> Result<Written, DialectError> {
        self.end_group()?;
        for at in &self.untimed {
            self.output.patch64(*at, self.last_time);
        }
        Ok(Written {
            payload: self.output.finish(),
            refusals: self.refusals,
            kept_bytes: self.kept_bytes,
        })
    }

    /// Begins a message in the record.
    pub(super) fn begin(&mut self, number: u32) -> Result<Begun, DialectError> {
        Ok(self.output.begin(number, false)?)
    }

    /// ns; 0 is no time.
    pub(super) fn time(&mut self, time: u64) -> Result<(), DialectError> {
        self.last_time = time;
        Ok(self.output.fixed64(key(TIME, FIXED64), time)?)
    }

    /// ns; 0 is no time.
    pub(super) fn observed_time(&mut self, time: u64) -> Result<(), DialectError> {
        self.last_time = time;
        Ok(self.output.fixed64(key(OBSERVED_TIME, FIXED64), time)?)
    }

    /// A severity by its name, and by its number in OTLP unless that is 0.
    pub(super) fn severity(&mut self, name: &[u8], number: u64) -> Result<(), DialectError> {
        if number > 0 {
            self.output.varint(key(SEVERITY_NUMBER, VARINT), number)?;
        }
        Ok(self.output.bytes(SEVERITY_TEXT, name)?)
    }

    pub(super) fn body_text(&mut self, text: &[u8]) -> Result<(), DialectError> {
        let body = self.begin(BODY)?;
        self.output.bytes(TEXT, text)?;
        Ok(self.output.end(body)?)
    }

    /// The trace id that 32 hexadecimal digits are; false where they are none.
    pub(super) fn trace_id(&mut self, digits: &[u8]) -> Result<bool, DialectError> {
        self.id::<16>(TRACE_ID, digits)
    }

    /// The span id that 16 hexadecimal digits are; false where they are none.
    pub(super) fn span_id(&mut self, digits: &[u8]) -> Result<bool, DialectError> {
        self.id::<8>(SPAN_ID, digits)
    }

    fn id<const N: usize>(&mut self, number: u32, digits: &[u8]) -> Result<bool, DialectError> {
        let mut id = [0; N];
        let is_id = hex::decode_to_slice(digits, &mut id).is_ok() && id != [0; N];
        if is_id {
            self.output.bytes(number, &id)?;
        }
        Ok(is_id)
    }

    pub(super) fn attribute(&mut self, name: &[u8], text: &[u8]) -> Result<(), DialectError> {
        let attribute = self.begin(ATTRIBUTE)?;
        self.output.bytes(KEY, name)?;
        let value = self.begin(VALUE)?;
        self.output.bytes(TEXT, text)?;
        self.output.end(value)?;
        Ok(self.output.end(attribute)?)
    }

    pub(super) fn attribute_int(&mut self, name: &[u8], number: i64) -> Result<(), DialectError> {
        let attribute = self.begin(ATTRIBUTE)?;
        self.output.bytes(KEY, name)?;
        let value = self.begin(VALUE)?;
        self.output.varint(key(INT, VARINT), number as u64)?;
        self.output.end(value)?;
        Ok(self.output.end(attribute)?)
    }

    /// An attribute of the record's resource.
    pub(super) fn resource(&mut self, name: &[u8], text: &[u8]) -> Result<(), DialectError> {
        self.resource_room(encoded_bytes(name, text))?;
        encode(&mut self.next_resource, 1, name, text);
        Ok(())
    }

    /// Attributes of the record's resource, encoded as its field 1.
    pub(super) fn resource_fields(&mut self, fields: &[u8]) -> Result<(), DialectError> {
        self.resource_room(fields.len())?;
        self.next_resource.extend_from_slice(fields);
        Ok(())
    }

    /// Room for `more` bytes of a resource.
    fn resource_room(&mut self, more: usize) -> Result<(), DialectError> {
        let (length, capacity) = (self.next_resource.len(), self.next_resource.capacity());
        if capacity - length < more {
            let grown = capacity.max(length + more);
            // The last one is kept beside it, to be compared.
            self.output.pay(2 * grown)?;
            self.next_resource.reserve_exact(grown);
        }
        Ok(())
    }

    fn refuse(&mut self, raw: &[u8], reason: Reason, detail: String) -> Result<(), DialectError> {
        self.next_resource.clear();
        let start = self.output.written_bytes();
        let begun = self.begin(2)?;
        let body = self.begin(BODY)?;
        let member = match simdutf8::basic::from_utf8(raw) {
            Ok(_) => TEXT,
            Err(_) => RAW,
        };
        self.output.bytes(member, raw)?;
        self.output.end(body)?;
        self.output.fixed64(key(OBSERVED_TIME, FIXED64), 0)?;
        self.output.end(begun)?;
        self.place(start)?;
        let mut untimed = std::mem::take(&mut self.untimed);
        self.keep(&mut untimed, self.output.written_bytes() - 8)?;
        self.untimed = untimed;
        self.pay(detail.capacity())?;
        let refusal = Refusal {
            ordinal: self.count,
            reason,
            detail,
        };
        let mut refusals = std::mem::take(&mut self.refusals);
        self.keep(&mut refusals, refusal)?;
        self.refusals = refusals;
        Ok(())
    }

    /// Puts the record that begins at `start` into the group of its resource.
    fn place(&mut self, start: usize) -> Result<(), DialectError> {
        if self.group.is_some() && self.resource == self.next_resource {
            return Ok(());
        }
        let length = self.output.written_bytes() - start;
        if self.moved.capacity() < length {
            self.output.pay(length - self.moved.capacity())?;
            self.moved.reserve_exact(length - self.moved.len());
        }
        self.moved.extend_from_slice(self.output.since(start));
        self.output.take_back(start);
        self.end_group()?;
        let group = self.output.begin(1, true)?;
        if !self.next_resource.is_empty() {
            self.output.bytes(1, &self.next_resource)?;
        }
        let scope = self.output.begin(2, true)?;
        self.group = Some((group, scope));
        self.output.raw(&self.moved)?;
        self.moved.clear();
        std::mem::swap(&mut self.resource, &mut self.next_resource);
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), DialectError> {
        if let Some((group, scope)) = self.group.take() {
            self.output.end(scope)?;
            self.output.end(group)?;
        }
        Ok(())
    }
}

/// Appends the field `number`, a `KeyValue` of text.
pub(super) fn encode(fields: &mut Vec<u8>, number: u32, name: &[u8], text: &[u8]) {
    let value_bytes = 1 + length_bytes(text.len()) + text.len();
    let pair_bytes =
        1 + length_bytes(name.len()) + name.len() + 1 + length_bytes(value_bytes) + value_bytes;
    put_head(fields, number, pair_bytes);
    put_head(fields, KEY, name.len());
    fields.extend_from_slice(name);
    put_head(fields, VALUE, value_bytes);
    put_head(fields, TEXT, text.len());
    fields.extend_from_slice(text);
}

/// The most bytes that [`encode`] appends.
pub(super) fn encoded_bytes(name: &[u8], text: &[u8]) -> usize {
    name.len() + text.len() + 4 * 11
}

/// The key of a field of bytes, its number below 16, and their length.
fn put_head(fields: &mut Vec<u8>, number: u32, mut length: usize) {
    fields.push(key(number, BYTES) as u8);
    while length >= 0x80 {
        fields.push(length as u8 | 0x80);
        length >>= 7;
    }
    fields.push(length as u8);
}

fn length_bytes(length: usize) -> usize {
    length.max(1).ilog2() as usize / 7 + 1
}
