//! `format_query` and `parse_query`: about the text alone.

use super::{answer, failure::Failure, parameters::Parameters};
use crate::api::asked::Read;
use axum::{extract::RawQuery, http::HeaderMap, response::Response};
use bytes::Bytes;
use cairn_promql::{expr::Expr, format::pretty, json::ast_json};

fn parsed(parameters: &Parameters) -> Result<Expr, Failure> {
    let expr = cairn_promql::parse::parse(parameters.required("query")?, true);
    expr.map_err(|error| Failure::parameter("query", error))
}

/// `format_query`: the query as it is best read.
pub(in crate::api) async fn format(
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::read(query.as_deref(), &form)?;
    let text = pretty(&parsed(&parameters)?);
    Ok(answer::data(&text.into(), None, &headers))
}

/// `parse_query`: the query as a tree.
pub(in crate::api) async fn parse(
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::read(query.as_deref(), &form)?;
    Ok(answer::data(
        &ast_json(&parsed(&parameters)?),
        None,
        &headers,
    ))
}
