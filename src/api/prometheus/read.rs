//! `read`: remote read, with samples (not streamed chunks).

use super::failure::Failure;
use crate::{api::state::Api, prompb};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{
        HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::Response,
};
use bytes::Bytes;
use cairn_promql::{
    matcher::{MatchOp, Matcher},
    source::{Selection, Series},
};
use cairn_proto::{
    read::{LabelMatcher, Query, QueryResult, ReadRequest, ReadResponse},
    write_v1::{Label, Sample, TimeSeries},
};
use cairn_tenancy::principal::Principal;
use prost::Message;
use snap::raw::{Decoder, Encoder, decompress_len};
use std::sync::Arc;

/// The longest request after decompression: matchers of a few queries.
const MOST_BYTES: usize = 1 << 20;

/// The most queries of one request.
const MOST_QUERIES: usize = 64;

/// The series that each query of the request selects, with their samples.
pub(in crate::api) async fn post(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Result<Response, Failure> {
    let request = request(&body)?;
    let mut results = Vec::with_capacity(request.queries.len());
    let engine = api.parts()?.engine;
    for query in &request.queries {
        let mut series = engine
            .select_series(principal.tenant.clone(), selection(query)?)
            .await?;
        series.sort_by(|one, other| one.labels.cmp(&other.labels));
        results.push(QueryResult {
            timeseries: series.iter().map(written).collect(),
        });
    }
    let answer = ReadResponse { results }.encode_to_vec();
    let packed = Encoder::new().compress_vec(&answer);
    let packed = packed
        .map_err(|_| Failure::bad_data("the answer is too large for remote read: ask for less"))?;
    let mut response = Response::new(Body::from(packed));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    Ok(response)
}

fn request(body: &[u8]) -> Result<ReadRequest, Failure> {
    let broken =
        |_| Failure::bad_data("the body must be a remote read request, packed with snappy");
    if decompress_len(body).map_err(broken)? > MOST_BYTES {
        return Err(Failure::bad_data(format!(
            "the request is longer than {MOST_BYTES} bytes"
        )));
    }
    let bytes = Decoder::new().decompress_vec(body).map_err(broken)?;
    let request = ReadRequest::decode(bytes.as_slice())
        .map_err(|error| Failure::bad_data(format!("reading the request: {error}")))?;
    let types = &request.accepted_response_types;
    if !types.is_empty() && !types.contains(&0) {
        return Err(Failure::bad_data(
            "remote read answers with samples only (response type 0)",
        ));
    }
    if request.queries.len() > MOST_QUERIES {
        return Err(Failure::bad_data(format!(
            "a request may have {MOST_QUERIES} queries"
        )));
    }
    Ok(request)
}

fn selection(query: &Query) -> Result<Selection, Failure> {
    let matcher = |matcher: &LabelMatcher| {
        let op = match matcher.r#type {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Matches,
            3 => MatchOp::NotMatches,
            other => {
                return Err(Failure::bad_data(format!(
                    "there is no matcher of type {other}"
                )));
            }
        };
        Matcher::new(&matcher.name, op, &matcher.value)
            .map_err(|error| Failure::bad_data(error.to_string()))
    };
    Ok(Selection {
        matchers: query
            .matchers
            .iter()
            .map(matcher)
            .collect::<Result<_, _>>()?,
        from_ms: query.start_timestamp_ms,
        through_ms: query.end_timestamp_ms,
    })
}

fn written(series: &Series) -> TimeSeries {
    let floats = series.floats.times_ms.iter().zip(&series.floats.values);
    let floats = floats.map(|(timestamp, value)| (*timestamp, *value));
    let stale = series
        .stale_ms
        .iter()
        .map(|timestamp| (*timestamp, prompb::STALE));
    let mut samples: Vec<Sample> = floats
        .chain(stale)
        .map(|(timestamp, value)| Sample { value, timestamp })
        .collect();
    samples.sort_by_key(|sample| sample.timestamp);
    let label = |(name, value): (&Arc<str>, &Arc<str>)| Label {
        name: name.to_string(),
        value: value.to_string(),
    };
    TimeSeries {
        labels: series.labels.iter().map(label).collect(),
        samples,
        histograms: series
            .histograms
            .iter()
            .map(|(time, h)| prompb::histogram(h, *time))
            .collect(),
        exemplars: Vec::new(),
    }
}
