//! `Resource.entity_refs` to canonical JSON: a list of objects in the order of arrival, empty fields left out.
//!
//! Source: `EntityRef` in `opentelemetry/proto/common/v1/common.proto`. Keys are in the order of their bytes, as in
//! attribute maps; the keys of attributes that an entity lists keep their order.

use super::{
    tally::{Care, Counts},
    wire::{BYTES, Flaw, Reader, key, numbers},
};
use cairn_storage::attributes::encode;

/// The most entities of a resource. Bounds memory, since an empty one takes two bytes on the wire; a resource
/// describes a handful.
const MAX_ENTITIES: usize = 1024;

const SCHEMA_URL: u32 = key(1, BYTES);
const TYPE: u32 = key(2, BYTES);
const ID_KEY: u32 = key(3, BYTES);
const DESCRIPTION_KEY: u32 = key(4, BYTES);
const FIELDS: u64 = numbers([1, 2, 3, 4]);

/// An `EntityRef` as it stands in the request.
#[derive(Debug, Default)]
struct Entity<'a> {
    schema_url: &'a [u8],
    of_type: &'a [u8],
    id_keys: Vec<&'a [u8]>,
    description_keys: Vec<&'a [u8]>,
}

/// Appends the list of the entities in `messages`; nothing where there are none.
pub(super) fn write(
    out: &mut Vec<u8>,
    messages: &[&[u8]],
    care: Care,
    counts: &mut Counts,
) -> Result<(), Flaw> {
    if messages.len() > MAX_ENTITIES {
        return Err(Flaw::TooManyEntities);
    }
    let mut text = |out: &mut Vec<u8>, text: &[u8]| {
        encode::unchecked_text(out, &care.text(text, counts));
    };
    for (i, message) in messages.iter().enumerate() {
        out.push(if i == 0 { b'[' } else { b',' });
        write_entity(out, &read(message)?, &mut text);
    }
    if !messages.is_empty() {
        out.push(b']');
    }
    Ok(())
}

fn read(message: &[u8]) -> Result<Entity<'_>, Flaw> {
    let mut entity = Entity::default();
    let mut reader = Reader::new(message);
    while !reader.is_empty() {
        match reader.key()? {
            SCHEMA_URL => entity.schema_url = reader.bytes()?,
            TYPE => entity.of_type = reader.bytes()?,
            ID_KEY => entity.id_keys.push(reader.bytes()?),
            DESCRIPTION_KEY => entity.description_keys.push(reader.bytes()?),
            other => reader.skip(other, FIELDS)?,
        }
    }
    Ok(entity)
}

fn write_entity(
    out: &mut Vec<u8>,
    entity: &Entity<'_>,
    text: &mut impl FnMut(&mut Vec<u8>, &[u8]),
) {
    let start = out.len();
    for (name, keys) in [
        ("description_keys", &entity.description_keys),
        ("id_keys", &entity.id_keys),
    ] {
        for (i, key) in keys.iter().enumerate() {
            if i == 0 {
                out.push(b',');
                encode::key(out, name);
                out.push(b'[');
            } else {
                out.push(b',');
            }
            text(out, key);
        }
        if !keys.is_empty() {
            out.push(b']');
        }
    }
    for (name, value) in [("schema_url", entity.schema_url), ("type", entity.of_type)] {
        if !value.is_empty() {
            out.push(b',');
            encode::key(out, name);
            text(out, value);
        }
    }
    match out.get_mut(start) {
        // In place of the first field's comma.
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}
