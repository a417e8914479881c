//! `format_query` and `parse_query`: about the text alone.

use super::{answer, failure::Failure, parameters::Parameters};
use axum::{extract::RawQuery, http::HeaderMap, response::Response};
use bytes::Bytes;

/// `format_query`: the query as it is best read.
pub(in crate::api) async fn format(
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::new(query.as_deref(), &form)?;
    let text = cairn_promql::format_query(parameters.required("query")?);
    let text = text.map_err(|error| Failure::parameter("query", error))?;
    Ok(answer::data(&text.into(), None, &headers))
}

/// `parse_query`: the query as a tree.
pub(in crate::api) async fn parse(
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::new(query.as_deref(), &form)?;
    let tree = cairn_promql::parse_query(parameters.required("query")?);
    let tree = tree.map_err(|error| Failure::parameter("query", error))?;
    Ok(answer::data(&tree, None, &headers))
}
