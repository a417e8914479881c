//! What the walkers of all signals share: the state of one request, resources and scopes, ids.

use super::{
    attributes::AttributeWriter,
    columns::Unfit,
    entities,
    error::DecodeError,
    outline::{Outline, ResourceGroup, ScopeGroup},
    rows::{
        SpanId, TraceId,
        context::{Resource, Scope},
    },
    tally::{Care, Counts, Ledger},
    value::is_text,
    wire::{Flaw, Reader, numbers},
};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use cairn_storage::{append::Decoded, attributes::convert, signal::Table, time::Nanos};
use std::borrow::Cow;

/// Why a walk made no rows at all.
#[derive(Debug)]
pub(super) enum Failure {
    Request(DecodeError),
    Columns(Unfit),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Failure::Request(error)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Failure::Columns(unfit)
    }
}

/// What a resource and a scope add to their records; otherwise which of them is flawed, and how.
pub(super) type Context<'r> = Result<(&'r Resource, Scope), (&'static str, Flaw)>;

/// The tables of a signal as a walk fills them.
pub(super) trait Tables<'a> {
    /// Decodes a record of a sound resource and scope.
    fn decode(
        &mut self,
        walk: &mut Walk<'a>,
        record: &'a [u8],
        context: &(&Resource, Scope),
    ) -> Result<(), DecodeError>;

    /// Rejects a record whose resource or scope (`what`) is flawed.
    fn reject(
        &mut self,
        walk: &mut Walk<'a>,
        record: &'a [u8],
        what: &str,
        flaw: Flaw,
    ) -> Result<(), DecodeError> {
        let ordinal = walk.ledger.offer();
        walk.ledger.reject(ordinal, record, what, flaw);
        Ok(())
    }

    /// Ends a scope: all rows since the last one are of it.
    fn end_scope(&mut self, resource: &Resource, scope: &Scope);

    /// Ends a resource: all rows since the last one are of it.
    fn end_resource(&mut self, _: &Resource) {}

    /// The batches of the tables that have rows.
    fn finish(self) -> Result<Vec<Option<(Table, RecordBatch)>>, Unfit>;
}

/// A request being decoded.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) outline: Outline<'a>,
    pub(super) attributes: AttributeWriter<'a>,
    pub(super) ledger: Ledger<'a>,
    /// ns.
    pub(super) received: i64,
    pub(super) payload_bytes: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        payload: &'a Bytes,
        received: Nanos,
        care: Care,
    ) -> Result<Self, DecodeError> {
        Ok(Walk {
            outline: Outline::read(payload)?,
            attributes: AttributeWriter::new(care),
            ledger: Ledger::new(payload),
            received: received.0,
            payload_bytes: payload.len(),
        })
    }

    /// Seeds the hashes of dictionaries: the time of receipt in ns, which no sender knows beforehand.
    pub(super) fn seed(&self) -> u64 {
        self.received as u64
    }

    /// Walks all records of the request into `tables`.
    pub(super) fn run(mut self, mut tables: impl Tables<'a>) -> Result<Decoded, Failure> {
        for group in std::mem::take(&mut self.outline.resources) {
            let resource = self.resource(&group);
            for scope in group.scopes.clone() {
                self.run_scope(&mut tables, &resource, scope)?;
            }
            if let Ok(resource) = &resource {
                tables.end_resource(resource);
            }
        }
        let batches = tables.finish()?;
        self.finish(batches)
    }

    fn run_scope(
        &mut self,
        tables: &mut impl Tables<'a>,
        resource: &Result<Resource, Flaw>,
        scope: usize,
    ) -> Result<(), DecodeError> {
        let group = std::mem::take(&mut self.outline.scopes[scope]);
        let context = self.context(resource, &group);
        for index in group.records {
            let record = self.outline.records[index];
            match &context {
                Ok(context) => tables.decode(self, record, context)?,
                Err((what, flaw)) => tables.reject(self, record, what, *flaw)?,
            }
        }
        if let Ok((resource, scope)) = &context {
            tables.end_scope(resource, scope);
        }
        Ok(())
    }

    /// The outcome of the request with these tables.
    fn finish(mut self, tables: Vec<Option<(Table, RecordBatch)>>) -> Result<Decoded, Failure> {
        if self.attributes.values.not_text {
            return Err(Unfit::Text.into());
        }
        let counts = *self.attributes.counts();
        let (offered, rejected) = self.ledger.finish();
        Ok(Decoded {
            replayed: Vec::new(),
            tables: tables.into_iter().flatten().collect(),
            rejected,
            offered,
            untimed: counts.untimed,
            replaced_text: counts.replaced_text,
            duplicate_keys: counts.duplicate_keys,
            invalid_ids: counts.invalid_ids,
        })
    }

    /// Runs `read`; what it counted is taken back if it fails.
    pub(super) fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Flaw>,
    ) -> Result<T, Flaw> {
        let before = *self.attributes.counts();
        read(self).inspect_err(|_| {
            *self.attributes.counts() = before;
            self.attributes.values.reset();
        })
    }

    /// The first of a record's own times, ns, that is not 0, and where it comes from; without one the time of
    /// receipt, which is counted.
    #[inline(always)]
    pub(super) fn time<O>(&mut self, own: [(i64, O); 2], received: O) -> (i64, O) {
        match own.into_iter().find(|(time, _)| *time != 0) {
            Some(found) => found,
            None => {
                self.attributes.counts().untimed = true;
                (self.received, received)
            }
        }
    }

    /// Text of a field.
    #[inline(always)]
    pub(super) fn text(&mut self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.attributes
            .values
            .care
            .text(text, &mut self.attributes.values.counts)
    }

    /// The resource of a group.
    fn resource(&mut self, group: &ResourceGroup<'a>) -> Result<Resource, Flaw> {
        self.attempt(|walk| {
            let mut resource = Resource::default();
            let mut entities = Vec::new();
            walk.attributes.begin();
            for piece in &group.resource {
                let mut reader = Reader::new(piece);
                while !reader.is_empty() {
                    match reader.key()? {
                        0x0a => walk.attributes.add(reader.bytes()?)?,
                        0x10 => resource.dropped_attributes_count = reader.varint()? as u32,
                        0x1a => entities.push(reader.bytes()?),
                        key => reader.skip(key, RESOURCE_FIELDS)?,
                    }
                }
            }
            resource.service_name = match walk.attributes.find(b"service.name")? {
                Some(json) => {
                    // Not UTF-8 only if the column is not either, and then all is read again.
                    let json = String::from_utf8_lossy(json);
                    convert::json_text(&json).map(|text| text.into_owned().into_bytes())
                }
                None => None,
            };
            walk.attributes.write(&mut resource.attributes)?;
            let values = &mut walk.attributes.values;
            entities::write(
                &mut resource.entity_refs,
                &entities,
                values.care,
                &mut values.counts,
            )?;
            resource.schema_url = walk.text(group.schema_url).into_owned();
            // Told here, since a resource may reach no column: all its scopes may be flawed.
            let texts = [
                &resource.attributes,
                &resource.entity_refs,
                &resource.schema_url,
            ];
            walk.attributes.values.not_text |= texts.iter().any(|text| !is_text(text));
            Ok(resource)
        })
    }

    /// The resource and scope of a group.
    fn context<'r>(
        &mut self,
        resource: &'r Result<Resource, Flaw>,
        group: &ScopeGroup<'a>,
    ) -> Context<'r> {
        let resource = resource
            .as_ref()
            .map_err(|flaw| ("resource of a record", *flaw))?;
        let scope = self
            .scope(group)
            .map_err(|flaw| ("scope of a record", flaw))?;
        Ok((resource, scope))
    }

    fn scope(&mut self, group: &ScopeGroup<'a>) -> Result<Scope, Flaw> {
        self.attempt(|walk| {
            let mut scope = Scope::default();
            let mut name: &[u8] = &[];
            let mut version: &[u8] = &[];
            walk.attributes.begin();
            for piece in &group.scope {
                let mut reader = Reader::new(piece);
                while !reader.is_empty() {
                    match reader.key()? {
                        0x0a => name = reader.bytes()?,
                        0x12 => version = reader.bytes()?,
                        0x1a => walk.attributes.add(reader.bytes()?)?,
                        0x20 => scope.dropped_attributes_count = reader.varint()? as u32,
                        key => reader.skip(key, SCOPE_FIELDS)?,
                    }
                }
            }
            walk.attributes.write(&mut scope.attributes)?;
            scope.name = walk.text(name).into_owned();
            scope.version = walk.text(version).into_owned();
            scope.schema_url = walk.text(group.schema_url).into_owned();
            Ok(scope)
        })
    }
}

const RESOURCE_FIELDS: u64 = numbers([1, 2, 3]);
const SCOPE_FIELDS: u64 = numbers([1, 2, 3, 4]);

/// The trace id in `bytes`; zeros, counted, where it is none. An absent id (no bytes) is counted where the
/// message must have one.
#[inline(always)]
pub(super) fn trace_id<'a>(bytes: &'a [u8], must: bool, counts: &mut Counts) -> &'a TraceId {
    id(bytes, must, counts)
}

/// As [`trace_id`].
#[inline(always)]
pub(super) fn span_id<'a>(bytes: &'a [u8], must: bool, counts: &mut Counts) -> &'a SpanId {
    id(bytes, must, counts)
}

#[inline(always)]
fn id<'a, const N: usize>(bytes: &'a [u8], must: bool, counts: &mut Counts) -> &'a [u8; N] {
    match <&[u8; N]>::try_from(bytes) {
        Ok(id) if *id != [0; N] => id,
        _ => {
            counts.invalid_ids += u64::from(must || !bytes.is_empty());
            &[0; N]
        }
    }
}
