//! `GET /api/v1/logs/fields`: which fields the newest matching records have, and their most frequent values.

use super::{
    question::Question,
    rows::{NEWEST_FIRST, all, request, texts},
};
use crate::api::{problem::Problem, state::Api};
use arrow::array::StringArray;
use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
};
use cairn_storage::attributes::{convert, decode};
use cairn_tenancy::principal::Principal;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Records that are looked at.
const USUAL_ROWS: u32 = 2_000;
const MOST_ROWS: u32 = 20_000;

/// Values that each field is shown with.
const TOP_VALUES: usize = 10;

/// Longer values are not counted one by one.
const VALUE_BYTES: usize = 256;

/// The columns that are fields of their own.
const COLUMNS: [&str; 5] = [
    "severity",
    "service_name",
    "event_name",
    "scope_name",
    "body_type",
];

/// The maps whose entries are fields.
const MAPS: [&str; 2] = ["attributes", "resource_attributes"];

/// Counts are of the records that were looked at, which `rows` tells.
pub(in crate::api) async fn get(
    State(api): State<Arc<Api>>,
    Extension(principal): Extension<Principal>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Value>), Problem> {
    let Query(question) = question?;
    let condition = question.condition(question.interval(api.world.clock.as_ref())?)?;
    let statement = format!(
        "SELECT coalesce(severity(severity_number), nullif(upper(severity_text), ''), 'UNSET') AS severity, service_name, \
         event_name, scope_name, body_type, attributes, resource_attributes FROM logs WHERE {} {NEWEST_FIRST} LIMIT {}",
        condition.sql(),
        question.rows(USUAL_ROWS, MOST_ROWS)?
    );
    let (batches, end) = all(&api, request(principal.tenant, statement, condition)).await?;
    let mut fields = Fields::default();
    for batch in &batches {
        for (at, name) in COLUMNS.into_iter().enumerate() {
            fields.column(name, &texts(batch.column(at))?);
        }
        for (at, map) in MAPS.into_iter().enumerate() {
            fields.map(map, &texts(batch.column(COLUMNS.len() + at))?);
        }
    }
    let answer = json!({ "rows": end.rows, "fields": fields.shown() });
    Ok((
        [(CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(answer),
    ))
}

/// Fields by what a statement calls them.
#[derive(Default)]
struct Fields(BTreeMap<String, Field>);

#[derive(Default)]
struct Field {
    rows: u64,
    types: BTreeSet<&'static str>,
    values: HashMap<String, u64>,
}

impl Field {
    fn add(&mut self, kind: &'static str, value: &str) {
        self.rows += 1;
        self.types.insert(kind);
        if value.len() <= VALUE_BYTES {
            match self.values.get_mut(value) {
                Some(count) => *count += 1,
                None => {
                    self.values.insert(value.to_owned(), 1);
                }
            }
        }
    }
}

impl Fields {
    fn column(&mut self, name: &str, texts: &StringArray) {
        for text in texts.iter().flatten() {
            self.0.entry(name.to_owned()).or_default().add("text", text);
        }
    }

    fn map(&mut self, map: &str, texts: &StringArray) {
        for json in texts.iter().flatten() {
            for entry in decode::entries(json) {
                let name = format!("{map}['{}']", entry.key().replace('\'', "''"));
                let text = convert::json_text(entry.value).unwrap_or_default();
                self.0
                    .entry(name)
                    .or_default()
                    .add(kind(entry.value), &text);
            }
        }
    }

    fn shown(&self) -> Vec<Value> {
        let field = |(name, field): (&String, &Field)| {
            let mut top: Vec<(&String, &u64)> = field.values.iter().collect();
            top.sort_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.cmp(other.0)));
            let value =
                |(value, count): &(&String, &u64)| json!({ "value": value, "count": count });
            json!({
                "name": name,
                "rows": field.rows,
                "types": field.types,
                "distinct": field.values.len(),
                "top": top.iter().take(TOP_VALUES).map(value).collect::<Vec<_>>(),
            })
        };
        self.0.iter().map(field).collect()
    }
}

/// The type of a value in canonical JSON.
fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "text",
        Some(b't' | b'f') => "bool",
        Some(b'{') if json.starts_with(r#"{"$bytes""#) => "bytes",
        Some(b'{') if json.starts_with(r#"{"$double""#) => "double",
        Some(b'{') => "map",
        Some(b'[') => "array",
        Some(b'n') | None => "null",
        _ if json.contains(['.', 'e']) => "double",
        _ => "integer",
    }
}
