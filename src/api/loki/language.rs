//! `format_query`, about the text alone, and `status/buildinfo`.

use super::{answer, failure::Failure, parameters::Parameters};
use crate::api::asked::Read;
use axum::{extract::RawQuery, http::HeaderMap, response::Response};
use bytes::Bytes;
use serde_json::json;

/// The version of Loki whose API and language this is: clients choose by it what they ask for.
const LOKI_VERSION: &str = "3.5.0";

/// `format_query`: the query as it is best read.
pub(in crate::api) async fn format(
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::read(query.as_deref(), &form)?;
    let expr = cairn_logql::parse(parameters.query()?).map_err(Failure::invalid)?;
    let text = cairn_logql::format(&expr);
    Ok(answer::success(text.into(), None, &headers))
}

/// `status/buildinfo`.
pub(in crate::api) async fn build_info(headers: HeaderMap) -> Response {
    let about = json!({
        "version": LOKI_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "Cairn",
        "cairnVersion": env!("CARGO_PKG_VERSION"),
    });
    answer::plain(&about, None, &headers)
}
