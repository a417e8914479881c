//! What a stream gives each of its entries, encoded once, and what an entry says of itself.

use crate::dialect::{
    error::{DialectError, Fault},
    record::{ATTRIBUTE, Records, encode, encoded_bytes},
    resource, severity,
};
use cairn_storage::append::Reason;

/// Labels and metadata that name a severity, the best first.
const LEVELS: [&[u8]; 3] = [b"level", b"detected_level", b"severity"];

/// The labels of a stream, in their places.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The attributes of the resource, encoded.
    resource: Vec<u8>,
    /// The attributes that every record gets, encoded.
    attributes: Vec<u8>,
    level: Option<Level>,
    /// What was taken from the budget for these.
    paid_bytes: usize,
}

/// A severity by name, as the label or member `name` has it.
#[derive(Debug, Clone)]
struct Level {
    rank: usize,
    text: Vec<u8>,
}

/// What an entry says of itself.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// ns since the epoch.
    pub(super) time: i128,
    level: Option<Level>,
}

impl Stream {
    /// Forgets the stream before.
    pub(super) fn begin(&mut self) {
        self.resource.clear();
        self.attributes.clear();
        self.level = None;
    }

    /// Takes a label.
    pub(super) fn label(
        &mut self,
        name: &[u8],
        value: &[u8],
        records: &mut Records<'_>,
    ) -> Result<(), DialectError> {
        self.pay(encoded_bytes(name, value), records)?;
        if let Some(name) = resource::labelled(name) {
            encode(&mut self.resource, 1, name.as_bytes(), value);
        } else if let Some(level) = Level::of(name, value) {
            if let Some(loser) = Level::keep_better(&mut self.level, level) {
                encode(&mut self.attributes, ATTRIBUTE, loser.name(), &loser.text);
            }
        } else {
            // What tells streams apart stays what a selector can name.
            encode(&mut self.resource, 1, name, value);
        }
        Ok(())
    }

    /// Adds the entry that `read` reads, unless its stream is `bad`; `raw` is its text.
    pub(super) fn add(
        &self,
        records: &mut Records<'_>,
        (raw, bad): (&[u8], Option<&'static str>),
        read: impl FnOnce(&mut Records<'_>, &mut Entry) -> Result<(), Fault>,
    ) -> Result<(), DialectError> {
        records.add(raw, |records| {
            if let Some(what) = bad {
                return Err(Fault::malformed(format!(
                    "the labels of its stream: {what}"
                )));
            }
            let mut entry = Entry::default();
            read(records, &mut entry)?;
            let time = u64::try_from(entry.time).map_err(|_| Fault::Record {
                reason: Reason::TimeOutOfRange,
                detail: format!("{} ns since the epoch is no time that is kept", entry.time),
            })?;
            records.time(time)?;
            records.output.raw(&self.attributes)?;
            self.write_level(entry.level, records)?;
            Ok(records.resource_fields(&self.resource)?)
        })
    }

    /// The severity of an entry is its own before that of its stream, which then is an attribute.
    fn write_level(
        &self,
        own: Option<Level>,
        records: &mut Records<'_>,
    ) -> Result<(), DialectError> {
        if let (Some(_), Some(of_stream)) = (&own, &self.level) {
            records.attribute(of_stream.name(), &of_stream.text)?;
        }
        match own.as_ref().or(self.level.as_ref()) {
            Some(level) => records.severity(&level.text, severity::number(&level.text)),
            None => Ok(()),
        }
    }

    fn pay(&mut self, more: usize, records: &mut Records<'_>) -> Result<(), DialectError> {
        // Vectors double, and what one stream needed the next has.
        let needed = 2 * (self.resource.len() + self.attributes.len() + more);
        if needed > self.paid_bytes {
            records.output.pay(needed - self.paid_bytes)?;
            self.paid_bytes = needed;
        }
        Ok(())
    }
}

impl Entry {
    /// Takes a pair of structured metadata.
    pub(super) fn metadata(
        &mut self,
        name: &[u8],
        value: &[u8],
        records: &mut Records<'_>,
    ) -> Result<(), DialectError> {
        let is_id = match name {
            b"trace_id" => records.trace_id(value)?,
            b"span_id" => records.span_id(value)?,
            _ => false,
        };
        if is_id {
            return Ok(());
        }
        let Some(level) = Level::of(name, value) else {
            return records.attribute(name, value);
        };
        match Level::keep_better(&mut self.level, level) {
            Some(loser) => records.attribute(loser.name(), &loser.text),
            None => Ok(()),
        }
    }
}

impl Level {
    fn of(name: &[u8], value: &[u8]) -> Option<Level> {
        let rank = LEVELS.into_iter().position(|level| level == name)?;
        let text = value.to_vec();
        Some(Level { rank, text })
    }

    fn name(&self) -> &'static [u8] {
        LEVELS[self.rank]
    }

    /// Keeps the better of two and returns the other.
    fn keep_better(kept: &mut Option<Level>, level: Level) -> Option<Level> {
        match kept {
            Some(better) if better.rank < level.rank => Some(level),
            _ => kept.replace(level),
        }
    }
}
