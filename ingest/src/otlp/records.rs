//! Single records of a request: what dead letters keep of those that made no row, and requests made of them again.

use super::{
    metrics::message::{MetricMessage, without_points},
    outline::{Outline, ResourceGroup, ScopeGroup},
    replay::Offer,
    wire::{BYTES, key},
};
use bytes::{Bytes, BytesMut};
use cairn_storage::{
    append::{Decoded, Envelope, Record},
    signal::{Encoding, Signal},
};
use std::sync::Arc;

/// Field numbers of the framing: see `outline`.
const RESOURCE_GROUP: u32 = key(1, BYTES);
const CONTEXT: u32 = key(1, BYTES);
const NESTED: u32 = key(2, BYTES);
const SCHEMA_URL: u32 = key(3, BYTES);

/// The records with these ordinals, in the order asked for; their bytes are slices of `payload`.
///
/// Nothing for a request that cannot be decoded, or of an encoding whose records do not stand apart.
pub fn records(
    signal: Signal,
    encoding: Encoding,
    payload: &Bytes,
    ordinals: &[u32],
) -> Vec<Record> {
    let offer = match encoding {
        Encoding::OtlpProtobuf => None,
        Encoding::OtlpJson
        | Encoding::PrometheusV1
        | Encoding::PrometheusV2
        | Encoding::Samples => return Vec::new(),
        Encoding::Replay => match Offer::read(payload) {
            Ok(offer) => Some(offer),
            Err(_) => return Vec::new(),
        },
    };
    let payload = offer.as_ref().map_or(payload, |offer| &offer.request);
    let Ok(outline) = Outline::read(payload) else {
        return Vec::new();
    };
    let places: Vec<Place<'_>> = match signal {
        Signal::Logs | Signal::Spans => outline.records.iter().enumerate().map(alone).collect(),
        Signal::Metrics => outline
            .records
            .iter()
            .enumerate()
            .flat_map(|(at, metric)| of_metric(at, metric))
            .collect(),
        Signal::DeadLetters => return Vec::new(),
    };
    let mut envelopes = Envelopes {
        outline: &outline,
        resource: None,
        scope: None,
        metric: None,
    };
    ordinals
        .iter()
        .map(|ordinal| record(payload, &places, *ordinal, &mut envelopes))
        .collect()
}

/// Gives the rejected records of a decoded request what they stood in.
pub(super) fn envelop(signal: Signal, payload: &Bytes, decoded: &mut Decoded) {
    if decoded.rejected.is_empty() {
        return;
    }
    let ordinals: Vec<u32> = decoded.rejected.iter().map(|one| one.ordinal).collect();
    let records = records(signal, Encoding::OtlpProtobuf, payload, &ordinals);
    for (rejected, record) in decoded.rejected.iter_mut().zip(records) {
        rejected.envelope = record.envelope;
    }
}

/// A request of one record, in the bytes of OTLP protobuf. Several of them, one behind the other, are one request.
pub(crate) fn request(envelope: &Envelope, record: &[u8]) -> Bytes {
    let Envelope {
        resource,
        scope,
        metric,
    } = envelope;
    let metric = metric.as_ref().map(|metric| with_point(metric, record));
    let record = metric.as_deref().unwrap_or(record);
    let mut group = BytesMut::with_capacity(scope.len() + record.len() + 16);
    group.extend_from_slice(scope);
    put(&mut group, NESTED, record);
    let mut resource_group = BytesMut::with_capacity(resource.len() + group.len() + 16);
    resource_group.extend_from_slice(resource);
    put(&mut resource_group, NESTED, &group);
    let mut request = BytesMut::with_capacity(resource_group.len() + 16);
    put(&mut request, RESOURCE_GROUP, &resource_group);
    request.freeze()
}

/// The metric with `point` as its one data point: pieces of the same kind of data are merged.
fn with_point(metric: &[u8], point: &[u8]) -> Bytes {
    let mut message = MetricMessage::default();
    let kind = message.read(metric).ok().and(message.kind);
    let mut whole = BytesMut::from(metric);
    if let Some(kind) = kind {
        let mut data = BytesMut::with_capacity(point.len() + 8);
        put(&mut data, key(1, BYTES), point);
        put(&mut whole, MetricMessage::data_key(kind), &data);
    }
    whole.freeze()
}

/// Where a record stands: the index in the outline of the record or metric, its bytes, and whether these are a data point. A
/// request has at most 2^21 of them.
struct Place<'a> {
    at: u32,
    bytes: &'a [u8],
    is_point: bool,
}

fn alone<'a>((at, bytes): (usize, &&'a [u8])) -> Place<'a> {
    Place {
        at: at as u32,
        bytes,
        is_point: false,
    }
}

/// The records of a metric, as `metrics` offers them: its points, or itself where they cannot be told.
fn of_metric<'a>(at: usize, metric: &'a [u8]) -> Vec<Place<'a>> {
    let mut message = MetricMessage::default();
    match message.read(metric) {
        Ok(()) if message.kind.is_some() || !message.unknown_fields => {
            let point = |bytes: &&'a [u8]| Place {
                at: at as u32,
                bytes,
                is_point: true,
            };
            message.points.iter().map(point).collect()
        }
        _ => vec![alone((at, &metric))],
    }
}

fn record(
    payload: &Bytes,
    places: &[Place<'_>],
    ordinal: u32,
    envelopes: &mut Envelopes<'_>,
) -> Record {
    let Some(place) = places.get(ordinal as usize) else {
        return Record::default();
    };
    Record {
        bytes: match place.bytes {
            [] => Bytes::new(),
            bytes => payload.slice_ref(bytes),
        },
        envelope: envelopes.of(place),
    }
}

/// Envelopes of one request; neighbours share theirs, and all scopes of a resource its bytes, so that together they
/// are not larger than the request.
struct Envelopes<'a> {
    outline: &'a Outline<'a>,
    /// The index of the resource asked for last, and its message.
    resource: Option<(usize, Bytes)>,
    /// The index of the scope asked for last, and the envelope of its records.
    scope: Option<(usize, Arc<Envelope>)>,
    /// The index of the metric asked for last, and the envelope of its points.
    metric: Option<(usize, Arc<Envelope>)>,
}

impl Envelopes<'_> {
    fn of(&mut self, place: &Place<'_>) -> Option<Arc<Envelope>> {
        match place.is_point {
            true => self.of_point(place.at as usize),
            false => self.of_record(place.at as usize),
        }
    }

    /// The envelope of the record, or metric, at this index of the outline.
    fn of_record(&mut self, at: usize) -> Option<Arc<Envelope>> {
        let scopes = &self.outline.scopes;
        let scope = scopes.partition_point(|scope| scope.records.end <= at);
        if let Some((known, envelope)) = &self.scope
            && *known == scope
        {
            return Some(envelope.clone());
        }
        let envelope = Arc::new(Envelope {
            resource: self.resource(scope)?,
            scope: of_scope(scopes.get(scope)?),
            metric: None,
        });
        self.scope = Some((scope, envelope.clone()));
        Some(envelope)
    }

    /// The envelope of the points of the metric at this index.
    fn of_point(&mut self, at: usize) -> Option<Arc<Envelope>> {
        if let Some((known, envelope)) = &self.metric
            && *known == at
        {
            return Some(envelope.clone());
        }
        let metric = without_points(self.outline.records.get(at)?)?;
        let envelope = Arc::new(Envelope {
            metric: Some(metric.into()),
            ..self.of_record(at)?.as_ref().clone()
        });
        self.metric = Some((at, envelope.clone()));
        Some(envelope)
    }

    /// The message of the resource of the scope at this index.
    fn resource(&mut self, scope: usize) -> Option<Bytes> {
        let resources = &self.outline.resources;
        let at = resources.partition_point(|group| group.scopes.end <= scope);
        if let Some((known, resource)) = &self.resource
            && *known == at
        {
            return Some(resource.clone());
        }
        let resource = of_resource(resources.get(at)?);
        self.resource = Some((at, resource.clone()));
        Some(resource)
    }
}

fn of_resource(group: &ResourceGroup<'_>) -> Bytes {
    message(&group.resource, group.schema_url)
}

fn of_scope(group: &ScopeGroup<'_>) -> Bytes {
    message(&group.scope, group.schema_url)
}

fn message(context: &[&[u8]], schema_url: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    for piece in context {
        put(&mut message, CONTEXT, piece);
    }
    if !schema_url.is_empty() {
        put(&mut message, SCHEMA_URL, schema_url);
    }
    message.freeze()
}

/// Appends a field of bytes.
fn put(message: &mut BytesMut, key: u32, field: &[u8]) {
    put_varint(message, u64::from(key));
    put_varint(message, field.len() as u64);
    message.extend_from_slice(field);
}

fn put_varint(message: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        message.extend_from_slice(&[number as u8 | 0x80]);
        number >>= 7;
    }
    message.extend_from_slice(&[number as u8]);
}

#[cfg(test)]
mod tests;
