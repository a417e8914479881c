//! The framing that the requests of all three signals share: resources, in them scopes, in them records.
//!
//! Walked first and alone, because a resource, a scope or a schema URL may stand behind the records that it belongs
//! to. A flaw here is one of the whole request: no record can be blamed for it.
//!
//! Field numbers (opentelemetry-proto 1.x, the same in logs, metrics and traces): request 1 resource group; resource
//! group 1 resource, 2 scope group, 3 schema URL; scope group 1 scope, 2 record, 3 schema URL.

use super::{
    error::DecodeError,
    tally::{limit_rows, offset},
    wire::{Flaw, Reader, numbers},
};
use std::ops::Range;

/// A message in the pieces it came in, nearly always one.
pub(super) type Pieces<'a> = Vec<&'a [u8]>;

/// Records of one scope; `records` are indexes into [`Outline::records`].
#[derive(Debug, Default)]
pub(super) struct ScopeGroup<'a> {
    pub(super) scope: Pieces<'a>,
    pub(super) schema_url: &'a [u8],
    pub(super) records: Range<usize>,
}

/// Scopes of one resource; `scopes` are indexes into [`Outline::scopes`].
#[derive(Debug)]
pub(super) struct ResourceGroup<'a> {
    pub(super) resource: Pieces<'a>,
    pub(super) schema_url: &'a [u8],
    pub(super) scopes: Range<usize>,
}

/// A request, its records not read yet. Groups without records are left out.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) resources: Vec<ResourceGroup<'a>>,
    pub(super) scopes: Vec<ScopeGroup<'a>>,
    pub(super) records: Vec<&'a [u8]>,
}

const REQUEST_FIELDS: u64 = numbers([1]);
const GROUP_FIELDS: u64 = numbers([1, 2, 3]);

impl<'a> Outline<'a> {
    /// The outline of `payload`.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut outline = Outline::default();
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let group = match reader.key() {
                Ok(0x0a) => reader.bytes(),
                Ok(key) => match reader.skip(key, REQUEST_FIELDS) {
                    Ok(()) => continue,
                    Err(flaw) => Err(flaw),
                },
                Err(flaw) => Err(flaw),
            };
            let group = group.map_err(|flaw| broken(payload, reader, flaw))?;
            outline.read_resource_group(payload, group)?;
            limit_rows("records", outline.records.len())?;
        }
        Ok(outline)
    }

    fn read_resource_group(
        &mut self,
        payload: &[u8],
        message: &'a [u8],
    ) -> Result<(), DecodeError> {
        let first = self.scopes.len();
        let mut resource = Pieces::new();
        let mut schema_url: &[u8] = &[];
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match read_field(&mut reader).map_err(|flaw| broken(payload, reader, flaw))? {
                (1, field) => resource.push(field),
                (2, field) => self.read_scope_group(payload, field)?,
                (3, field) => schema_url = field,
                _ => {}
            }
        }
        let scopes = first..self.scopes.len();
        if !scopes.is_empty() {
            self.resources.push(ResourceGroup {
                resource,
                schema_url,
                scopes,
            });
        }
        Ok(())
    }

    fn read_scope_group(&mut self, payload: &[u8], message: &'a [u8]) -> Result<(), DecodeError> {
        let first = self.records.len();
        let mut scope = Pieces::new();
        let mut schema_url: &[u8] = &[];
        let mut reader = Reader::new(message);
        while !reader.is_empty() {
            match read_field(&mut reader).map_err(|flaw| broken(payload, reader, flaw))? {
                (2, field) => self.records.push(field),
                (1, field) => scope.push(field),
                (3, field) => schema_url = field,
                _ => {}
            }
            limit_rows("records", self.records.len())?;
        }
        let records = first..self.records.len();
        if !records.is_empty() {
            self.scopes.push(ScopeGroup {
                scope,
                schema_url,
                records,
            });
        }
        Ok(())
    }
}

/// The next field of a group; number 0 for one that was skipped.
#[inline(always)]
fn read_field<'a>(reader: &mut Reader<'a>) -> Result<(u32, &'a [u8]), Flaw> {
    match reader.key()? {
        key @ (0x0a | 0x12 | 0x1a) => Ok((key >> 3, reader.bytes()?)),
        key => {
            reader.skip(key, GROUP_FIELDS)?;
            Ok((0, &[]))
        }
    }
}

fn broken(payload: &[u8], reader: Reader<'_>, flaw: Flaw) -> DecodeError {
    DecodeError::Malformed {
        offset: offset(payload, reader.rest()),
        what: flaw.what(),
    }
}
