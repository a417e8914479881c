//! `GET /api/v1/logs/export`: all matching records as one stream, NDJSON, CSV or Parquet, however many there are.
//!
//! The records are asked for in pages, newest first, each from the place where the one before ended, so that no limit of a
//! single answer cuts the export. What a batch makes is sent before the next one is taken. A stream that breaks off is not whole.

use super::{
    question::{Cursor, Interval, Question, Than},
    rows::{NEWEST_FIRST, columns, request, texts},
};
use crate::api::{problem::Problem, sql, state::Api};
use arrow::{array::Array, datatypes::Schema, record_batch::RecordBatch};
use axum::{
    Extension,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use bytes::Bytes;
use cairn_query::{
    error::Error,
    format::{Encoder, Format, parquet},
    sql::answer::{AnswerEnd, Part},
};
use cairn_tenancy::principal::Principal;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use std::sync::Arc;

/// Records of a page.
const PAGE_ROWS: u64 = 100_000;

/// The format is that of `Accept`: NDJSON, CSV or Parquet.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(question) = question?;
    let kind = Kind::accepted(&headers)?;
    let left = match question.limit {
        Some(_) => question.rows(u32::MAX, u32::MAX)?.into(),
        None => u64::MAX,
    };
    let mut export = Export {
        interval: question.interval(api.world.clock.as_ref())?,
        api,
        principal,
        question,
        kind,
        left,
        at: At::Page(None),
        writer: None,
    };
    // The first rows are asked for before the answer begins: what is wrong with the question is said as a problem.
    let first = export.next().await?;
    let rest = stream::unfold(export, async |mut export| {
        let bytes = export.next().await.transpose()?;
        if bytes.is_err() {
            export.at = At::Over;
        }
        Some((bytes, export))
    });
    let pieces = stream::iter(first.map(Ok)).chain(rest);
    let body = Body::from_stream(pieces.map_err(std::io::Error::other));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text(Format),
    Parquet,
}

impl Kind {
    fn accepted(headers: &HeaderMap) -> Result<Kind, Problem> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let mut ranges = accept.unwrap_or_default().split([',', ';']);
        if ranges.any(|range| range.trim().eq_ignore_ascii_case(parquet::MEDIA_TYPE)) {
            return Ok(Kind::Parquet);
        }
        match sql::accepted(headers) {
            Ok(Format::Csv) => Ok(Kind::Text(Format::Csv)),
            Ok(Format::Json | Format::Ndjson) => Ok(Kind::Text(Format::Ndjson)),
            Ok(Format::Arrow) | Err(_) => Err(Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "invalid",
                format!(
                    "an export comes as {}, {} or {}",
                    Format::Ndjson.media_type(),
                    Format::Csv.media_type(),
                    parquet::MEDIA_TYPE
                ),
            )),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Kind::Text(format) => format.media_type(),
            Kind::Parquet => parquet::MEDIA_TYPE,
        }
    }
}

/// What makes bytes of rows; one for all pages.
enum Writer {
    Text(Encoder),
    Parquet(Box<parquet::File>),
}

impl Writer {
    /// A writer, and what stands before the rows.
    fn new(kind: Kind, schema: &Schema) -> Result<(Writer, Vec<u8>), Error> {
        match kind {
            Kind::Parquet => {
                let file = parquet::File::new(schema)?;
                Ok((Writer::Parquet(Box::new(file)), Vec::new()))
            }
            Kind::Text(format) => {
                let mut encoder = Encoder::new(format, schema)?;
                let head = match format {
                    Format::Csv => encoder.start()?,
                    // The lines are the records and nothing else.
                    _ => Vec::new(),
                };
                Ok((Writer::Text(encoder), head))
            }
        }
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, Error> {
        match self {
            Writer::Text(encoder) => encoder.rows(batch),
            Writer::Parquet(file) => file.rows(batch),
        }
    }

    fn end(&mut self) -> Result<Vec<u8>, Error> {
        match self {
            Writer::Text(_) => Ok(Vec::new()),
            Writer::Parquet(file) => file.end(),
        }
    }
}

/// An export under way.
struct Export {
    api: Arc<Api>,
    principal: Principal,
    question: Question,
    interval: Interval,
    kind: Kind,
    /// Rows that are still wanted.
    left: u64,
    at: At,
    /// `None` before the first page.
    writer: Option<Writer>,
}

/// What comes next.
enum At {
    /// The page behind this row; the first one without.
    Page(Option<Cursor>),
    Rows(Page),
    End,
    Over,
}

/// A page that is read.
struct Page {
    parts: BoxStream<'static, Result<Part, Error>>,
    /// Rows that were asked for, and that came.
    asked: u64,
    count: u64,
    last: Option<Cursor>,
}

impl Export {
    /// The next bytes, which are not empty; `None` after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut bytes = Vec::new();
        loop {
            match std::mem::replace(&mut self.at, At::Over) {
                At::Page(_) if self.left == 0 => self.at = At::End,
                At::Page(after) => bytes.extend(self.open(after).await?),
                At::Rows(page) => {
                    bytes.extend(self.read(page).await?);
                    if !bytes.is_empty() && matches!(self.at, At::Rows(_)) {
                        return Ok(Some(bytes.into()));
                    }
                }
                At::End => {
                    if let Some(writer) = &mut self.writer {
                        bytes.extend(writer.end()?);
                    }
                    return Ok(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()));
                }
                At::Over => return Ok(None),
            }
        }
    }

    /// Asks for a page; what stands before its rows.
    async fn open(&mut self, after: Option<Cursor>) -> Result<Vec<u8>, Error> {
        let refused = |problem: Problem| Error::invalid(problem.detail());
        let mut condition = self.question.condition(self.interval).map_err(refused)?;
        if let Some(cursor) = after {
            condition.page(cursor, Than::Older);
        }
        let asked = PAGE_ROWS.min(self.left);
        let statement = format!(
            "SELECT {} FROM logs WHERE {} {NEWEST_FIRST} LIMIT {asked}",
            columns(),
            condition.sql()
        );
        let request = request(self.principal.tenant.clone(), statement, condition);
        let engine = self.api.parts().map_err(refused)?.engine;
        let answer = engine.sql(request).await?;
        let mut head = Vec::new();
        if self.writer.is_none() {
            let (writer, start) = Writer::new(self.kind, &answer.schema)?;
            self.writer = Some(writer);
            head = start;
        }
        self.at = At::Rows(Page {
            parts: answer.parts,
            asked,
            count: 0,
            last: None,
        });
        Ok(head)
    }

    /// Takes the next rows of a page, or its end.
    async fn read(&mut self, mut page: Page) -> Result<Vec<u8>, Error> {
        match page.parts.next().await {
            Some(part) => match part? {
                Part::Rows(batch) => {
                    page.count += batch.num_rows() as u64;
                    page.last = cursor_of_last(&batch).or(page.last);
                    self.at = At::Rows(page);
                    let writer = self.writer.as_mut().expect("a page has set it");
                    writer.rows(&batch)
                }
                Part::End(end) => {
                    self.left -= page.count;
                    self.at = after(&page, &end)?;
                    Ok(Vec::new())
                }
            },
            None => Err(Error::Internal("an answer has no end".to_owned())),
        }
    }
}

/// What comes after a page.
fn after(page: &Page, end: &AnswerEnd) -> Result<At, Error> {
    // A part of the records that cannot be read must not go missing in silence.
    if let Some(missing) = end.completeness.missing.first() {
        let detail = format!("records are missing: {}", missing.reason);
        return Err(Error::Internal(detail));
    }
    // The page is full, or was cut by the size of an answer: there may be more.
    match (
        page.count == page.asked || end.truncated.is_some(),
        page.last,
    ) {
        (false, _) => Ok(At::End),
        (true, Some(last)) => Ok(At::Page(Some(last))),
        (true, None) => Err(Error::invalid(
            "a record is larger than an answer may be: raise query.answer_bytes",
        )),
    }
}

fn cursor_of_last(batch: &RecordBatch) -> Option<Cursor> {
    let texts = texts(batch.column_by_name("cursor")?).ok()?;
    Cursor::parse(texts.value(texts.len().checked_sub(1)?)).ok()
}
