//! `GET /api/v1/logs/export`: all matching records as one stream, NDJSON or CSV, however many there are.
//!
//! The records are asked for in pages, newest first, each from the place where the one before ended, so that no limit of a
//! single answer cuts the export. A stream that breaks off is not whole.

use super::{
    question::{Cursor, Question, Than},
    rows::{NEWEST_FIRST, columns, request},
};
use crate::api::{problem::Problem, sql, state::Api};
use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::DataType,
};
use axum::{
    Extension,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use bytes::Bytes;
use cairn_query::{
    error::Error,
    format::{Encoder, Format},
    sql::answer::Part,
};
use cairn_tenancy::principal::Principal;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Records of a page.
const PAGE_ROWS: u64 = 100_000;

/// The format is that of `Accept`: NDJSON, or CSV.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    let format = match sql::accepted(&headers)? {
        Format::Csv => Format::Csv,
        Format::Json | Format::Ndjson => Format::Ndjson,
        Format::Arrow => {
            return Err(Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "invalid",
                "an export comes as application/x-ndjson or text/csv",
            ));
        }
    };
    let left = match question.limit {
        Some(_) => question.rows(u32::MAX, u32::MAX)?.into(),
        None => u64::MAX,
    };
    let mut export = Export {
        interval: question.interval(api.world.clock.as_ref())?,
        api,
        principal,
        question,
        format,
        left,
        at: Some(None),
    };
    // The first page is asked for before the answer begins: what is wrong with the question is said as a problem.
    let first = export.page().await?;
    let rest = stream::unfold(export, async |mut export| {
        let page = export.page().await.transpose()?;
        Some((page, export))
    });
    let pages = stream::iter(first.map(Ok)).chain(rest);
    let body = Body::from_stream(pages.map_err(std::io::Error::other));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// An export under way.
struct Export {
    api: Arc<Api>,
    principal: Principal,
    question: Question,
    interval: super::question::Interval,
    format: Format,
    /// Rows that are still wanted.
    left: u64,
    /// Where the next page begins: `None` at the end, `Some(None)` at the start.
    at: Option<Option<Cursor>>,
}

impl Export {
    /// The next page; `None` after the last.
    async fn page(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(at) = self.at.take().filter(|_| self.left > 0) else {
            return Ok(None);
        };
        let refused = |problem: Problem| Error::invalid(problem.detail());
        let mut condition = self.question.condition(self.interval).map_err(refused)?;
        if let Some(cursor) = at {
            condition.page(cursor, Than::Older);
        }
        let rows = PAGE_ROWS.min(self.left);
        let statement = format!(
            "SELECT {} FROM logs WHERE {} {NEWEST_FIRST} LIMIT {rows}",
            columns(),
            condition.sql()
        );
        let request = request(self.principal.tenant.clone(), statement, condition);
        let answer = self
            .api
            .parts()
            .map_err(refused)?
            .engine
            .sql(request)
            .await?;
        let mut encoder = Encoder::new(self.format, &answer.schema)?;
        let mut bytes = match (self.format, at) {
            (Format::Csv, None) => encoder.start()?,
            _ => Vec::new(),
        };
        let mut parts = answer.parts;
        let mut last = None;
        let mut count = 0;
        while let Some(part) = parts.next().await {
            match part? {
                Part::Rows(batch) => {
                    count += batch.num_rows() as u64;
                    last = cursor_of_last(&batch);
                    bytes.extend_from_slice(&encoder.rows(&batch)?);
                }
                // A part of the records that cannot be read must not go missing in silence.
                Part::End(end) => match end.completeness.missing.first() {
                    Some(missing) => {
                        return Err(Error::Internal(format!(
                            "records are missing: {}",
                            missing.reason
                        )));
                    }
                    // The page was cut by the size of an answer, or is full: there may be more.
                    None if count == rows || end.truncated.is_some() => self.at = last.map(Some),
                    None => {}
                },
            }
        }
        self.left -= count;
        Ok((count > 0 || !bytes.is_empty()).then(|| bytes.into()))
    }
}

fn cursor_of_last(batch: &arrow::record_batch::RecordBatch) -> Option<Cursor> {
    let column = batch.column_by_name("cursor")?;
    let texts = cast(column, &DataType::Utf8).ok()?;
    let texts = texts.as_string::<i32>();
    Cursor::parse(texts.value(texts.len().checked_sub(1)?)).ok()
}
