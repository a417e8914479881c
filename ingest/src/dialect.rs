//! Logs as others write them -> the bytes of an `ExportLogsServiceRequest`, in one walk over the request.
//!
//! As with `otlp/json`, nothing behind this knows what the request was. What each field becomes is in
//! `docs/howto/ship-logs.md`.
//!
//! The flow: [`translate`] - `loki`, `bulk`, `lines`, `syslog` find the records - `document` flattens JSON objects -
//! `instant`, `severity`, `resource` say what a text means - `record` writes.
//!
//! - A record that cannot be read is written all the same, its text as the body, and refused by ordinal: so it is
//!   counted, kept in `dead_letters` with the reason, and can be replayed as plain text.
//! - Whatever has no place of its own becomes an attribute; what does not have the shape that its place asks for (a
//!   time that is none, a trace id of 31 digits) stays an attribute under its own name.
//! - Nothing recurses, nothing is allocated by a number in the request; the output has the limit of the request, and
//!   all memory is paid from the request's reservation.

pub(crate) mod bulk;
pub(crate) mod document;
mod error;
pub(crate) mod instant;
pub(crate) mod lines;
mod loki;
mod record;
mod resource;
mod severity;
mod snappy;
pub(crate) mod syslog;

pub use error::DialectError;

use self::{
    bulk::{Bulk, Document, Items},
    document::Fields,
    record::{Records, Written},
    syslog::Received,
};
use cairn_storage::{append::Refusal, budget::Reservation};

/// How a request is written, and what its sender says about it beside the body.
#[derive(Debug)]
pub(crate) enum Source {
    /// A `logproto.PushRequest`, snappy-compressed in one block.
    LokiProtobuf,
    /// The JSON of Loki's push API.
    LokiJson,
    /// Lines of Elasticsearch's bulk API.
    Bulk(Bulk),
    /// One document of Elasticsearch's.
    Document(Document),
    /// JSON objects, one a line or in an array.
    Lines(Fields),
    /// Syslog messages, whose places in the request these are.
    Syslog(Received),
}

/// A request as protobuf, and what is to be told of its records.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) payload: Vec<u8>,
    /// Records that could not be read, in the order of their ordinals.
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) places: Places,
    /// What `refusals` and `places` take.
    pub(crate) memory: Reservation,
}

/// Where the records of a request stand in it, by ordinal.
#[derive(Debug, Default)]
pub(crate) enum Places {
    #[default]
    Untold,
    /// The line on which each record begins, from 1.
    Lines(Vec<u32>),
    Items(Items),
}

/// Translates `text`, written as `source` says, to protobuf of at most `limit_bytes`, paid from `memory`, which holds
/// afterwards what the payload takes.
///
/// An error is one of the request as a whole: no record of it can be told from another, or there is no room.
pub(crate) fn translate(
    source: &Source,
    text: &[u8],
    limit_bytes: u64,
    memory: &mut Reservation,
) -> Result<Translated, DialectError> {
    let block = match source {
        Source::LokiProtobuf => Some(snappy::open(text, limit_bytes, memory)?),
        _ => None,
    };
    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let text = block.as_ref().map_or(text, |block| &block.bytes[..]);
    let mut records = Records::new(text.len(), limit, memory)?;
    let places = match source {
        Source::LokiProtobuf => loki::protobuf(text, &mut records).map(|()| Places::Untold),
        Source::LokiJson => loki::json(text, &mut records).map(|()| Places::Untold),
        Source::Bulk(bulk) => bulk::write(text, bulk, &mut records).map(Places::Items),
        Source::Document(document) => {
            bulk::write_one(text, document, &mut records).map(Places::Items)
        }
        Source::Lines(fields) => lines::write(text, fields, &mut records).map(Places::Lines),
        Source::Syslog(received) => {
            syslog::write(text, received, &mut records).map(|()| Places::Untold)
        }
    }?;
    let Written {
        payload,
        refusals,
        kept_bytes,
    } = records.finish()?;
    // The output's memory is settled; what is kept beside it is paid on its own.
    memory.resize(memory.bytes() + kept_bytes);
    Ok(Translated {
        payload,
        refusals,
        places,
        memory: memory.split(kept_bytes),
    })
}

#[cfg(test)]
mod tests;
