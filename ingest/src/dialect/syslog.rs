//! Syslog messages: RFC 5424 and RFC 3164, told apart by the version behind the priority.
//!
//! Sources: RFC 5424; RFC 3164; OpenTelemetry logs data model, appendix A ("RFC5424 Syslog") and B (severities). What
//! is neither is kept as text: nobody would send it again.

mod rfc3164;
mod rfc5424;

use super::{
    error::{DialectError, Fault},
    instant::Zone,
    record::Records,
};
use cairn_storage::{append::Reason, time::Nanos};
use std::{net::IpAddr, ops::Range, sync::Arc};

const SEVERITIES: [(&[u8], u64); 8] = [
    (b"emerg", 21),
    (b"alert", 19),
    (b"crit", 18),
    (b"err", 17),
    (b"warning", 13),
    (b"notice", 10),
    (b"info", 9),
    (b"debug", 5),
];

const FACILITIES: [&[u8]; 24] = [
    b"kern",
    b"user",
    b"mail",
    b"daemon",
    b"auth",
    b"syslog",
    b"lpr",
    b"news",
    b"uucp",
    b"cron",
    b"authpriv",
    b"ftp",
    b"ntp",
    b"audit",
    b"alert",
    b"clock",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];

/// Messages as they came in; their texts lie behind each other in the request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) messages: Arc<Vec<Message>>,
    /// The zone of times that name none.
    pub(crate) zone: Zone,
}

/// One message as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) received: Nanos,
    pub(crate) peer: IpAddr,
    /// Where its text is.
    pub(crate) text: Range<usize>,
    /// Set where the text is not all of it.
    pub(crate) cut: Option<Cut>,
}

/// Why a text is not all of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It is longer than this many bytes.
    TooLong { limit_bytes: usize },
    /// The connection ended within it.
    BrokenOff,
}

/// What both RFCs say of a message.
#[derive(Debug, Default, PartialEq)]
struct Parts<'a> {
    /// ns since the epoch.
    time: Option<i64>,
    host: Option<&'a [u8]>,
    application: Option<&'a [u8]>,
    process: Option<&'a [u8]>,
    message_id: Option<&'a [u8]>,
    /// Elements of RFC 5424, which are well-formed.
    structured: &'a [u8],
    is_5424: bool,
    message: &'a [u8],
}

/// Writes the messages of `text`.
pub(super) fn write(
    text: &[u8],
    received: &Received,
    records: &mut Records<'_>,
) -> Result<(), DialectError> {
    for message in received.messages.iter() {
        let raw = text.get(message.text.clone()).unwrap_or_default();
        records.add(raw, |records| match message.cut {
            None => Ok(write_message(raw, message, received.zone, records)?),
            Some(Cut::TooLong { limit_bytes }) => Err(Fault::Record {
                reason: Reason::TooLarge,
                detail: format!(
                    "the message is longer than {limit_bytes} bytes; its start is kept"
                ),
            }),
            Some(Cut::BrokenOff) => {
                Err(Fault::malformed("the connection ended within the message"))
            }
        })?;
    }
    Ok(())
}

fn write_message(
    raw: &[u8],
    message: &Message,
    zone: Zone,
    records: &mut Records<'_>,
) -> Result<(), DialectError> {
    // Two messages of one text are two: this makes them differ.
    records.observed_time(u64::try_from(message.received.0).unwrap_or(0))?;
    records.attribute(
        b"network.peer.address",
        message.peer.to_canonical().to_string().as_bytes(),
    )?;
    let Some((priority, rest)) = priority(raw) else {
        return records.body_text(raw);
    };
    let (name, number) = SEVERITIES[usize::from(priority % 8)];
    records.severity(name, number)?;
    records.attribute_int(b"syslog.facility", i64::from(priority / 8))?;
    records.attribute(
        b"syslog.facility.name",
        FACILITIES[usize::from(priority / 8)],
    )?;
    let parts = rfc5424::read(rest).unwrap_or_else(|| rfc3164::read(rest, message.received, zone));
    write_parts(&parts, records)
}

fn write_parts(parts: &Parts<'_>, records: &mut Records<'_>) -> Result<(), DialectError> {
    if let Some(time) = parts.time.and_then(|time| u64::try_from(time).ok()) {
        records.time(time)?;
    }
    if parts.is_5424 {
        records.attribute_int(b"syslog.version", 1)?;
    }
    let attributes: [(&[u8], _); 2] = [
        (b"syslog.procid", parts.process),
        (b"syslog.msgid", parts.message_id),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            records.attribute(name, value)?;
        }
    }
    let of_resource: [(&[u8], _); 2] = [
        (b"host.name", parts.host),
        (b"service.name", parts.application),
    ];
    for (name, value) in of_resource {
        if let Some(value) = value {
            records.resource(name, value)?;
        }
    }
    rfc5424::write_structured(parts.structured, records)?;
    records.body_text(parts.message)
}

/// The priority at the front of a message, below 192, and what follows it.
fn priority(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
    let digits = &rest[..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let priority = u8::try_from(number)
        .ok()
        .filter(|priority| *priority < 192)?;
    Some((priority, &rest[end + 1..]))
}

#[cfg(test)]
mod tests;
