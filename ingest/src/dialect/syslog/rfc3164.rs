//! RFC 3164, section 4.1, and what is sent in its name: a time without year and zone or one of ISO 8601, a host that may
//! be missing, a tag with a process or without, or nothing but text.

use super::Parts;
use crate::dialect::instant::{Civil, Zone, digits, iso8601, take, time_of_day, year_and_month};
use cairn_storage::time::Nanos;

/// Longest tag that is one; the RFC has 32, programs with paths in their names have more.
const MAX_TAG_BYTES: usize = 128;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The parts of what follows the priority, received at `received`; times without a zone are in `zone`.
pub(super) fn read(text: &[u8], received: Nanos, zone: Zone) -> Parts<'_> {
    let mut rest = text;
    let Some(time) = short_time(&mut rest, received, zone).or_else(|| long_time(&mut rest)) else {
        return Parts {
            message: text,
            ..Parts::default()
        };
    };
    let mut parts = Parts {
        time: Some(time),
        ..Parts::default()
    };
    // A first word that ends as tags do is no host: senders on the same machine leave it out.
    if let Some(end) = memchr::memchr(b' ', rest)
        && end > 0
        && !rest[..end].ends_with(b":")
    {
        parts.host = Some(&rest[..end]);
        rest = &rest[end + 1..];
    }
    parts.message = rest;
    if let Some((application, process, message)) = tag(rest) {
        parts.application = Some(application);
        parts.process = process;
        parts.message = message;
    }
    parts
}

/// `Nov 30 16:20:01 `: the year is that of the arrival, but December received in January is of the year before, and
/// January received in December of the year after.
fn short_time(rest: &mut &[u8], received: Nanos, zone: Zone) -> Option<i64> {
    let mut ahead = *rest;
    let (name, after) = ahead.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| month == &name)? as i64 + 1;
    ahead = after;
    take(&mut ahead, b" ")?;
    let day = match take(&mut ahead, b" ") {
        Some(_) => digits(&mut ahead, 1, 1..=9)?,
        None => digits(&mut ahead, 2, 1..=31)?,
    };
    take(&mut ahead, b" ")?;
    let (second_of_day, nanos) = time_of_day(&mut ahead)?;
    end_of_time(&mut ahead)?;
    let (year, received_month) = year_and_month(received.0, zone);
    let year = match (month, received_month) {
        (12, 1) => year - 1,
        (1, 12) => year + 1,
        _ => year,
    };
    let civil = Civil {
        year,
        month,
        day,
        second_of_day,
        nanos,
    };
    let time = civil.nanos_in(zone)?;
    *rest = ahead;
    Some(time)
}

/// A time with year and zone, as relays send it.
fn long_time(rest: &mut &[u8]) -> Option<i64> {
    let end = memchr::memchr(b' ', rest)?;
    let time = iso8601(&rest[..end])?;
    *rest = &rest[end + 1..];
    Some(time)
}

/// The blank behind a time, which some write with a colon before it.
fn end_of_time(rest: &mut &[u8]) -> Option<()> {
    let _ = take(rest, b":");
    take(rest, b" ").map(drop)
}

/// Tag, process and message.
type Tagged<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// `tag: message` and `tag[process]: message`; the colon and the blank may be missing behind a process.
fn tag(text: &[u8]) -> Option<Tagged<'_>> {
    let end = text
        .iter()
        .take(MAX_TAG_BYTES + 1)
        .position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    let (tag, rest) = text.split_at(end);
    let (process, message) = match rest {
        [b'[', rest @ ..] => {
            let end = rest
                .iter()
                .take(MAX_TAG_BYTES)
                .position(|byte| *byte == b']')?;
            let message = &rest[end + 1..];
            let message = message.strip_prefix(b":").unwrap_or(message);
            (Some(&rest[..end]), message)
        }
        [b':', message @ ..] => (None, message),
        _ => return None,
    };
    let message = message.strip_prefix(b" ").unwrap_or(message);
    (!tag.is_empty()).then_some((tag, process, message))
}
