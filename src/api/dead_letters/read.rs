//! Dead letters without a mark, read by the query engine as their own tenant would.
//!
//! An answer that is not whole is refused: a mark that cannot be read would let a letter become a second row.

use super::{Position, Problem, Wish};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use bytes::Bytes;
use cairn_ingest::replay::Letter;
use cairn_query::{
    engine::{Engine, SqlRequest},
    sql::answer::Part,
};
use cairn_storage::{
    append::{Envelope, LetterId, Reason},
    id::TenantId,
    signal::Signal,
    time::Nanos,
};
use futures::StreamExt;
use serde_json::{Value, json};

/// Letters of one page at most.
const MAX_LETTERS: u64 = 10_000;

/// Bytes of the records of one page, unless one letter is larger.
const MAX_BYTES: i64 = 8 << 20;

/// What a letter is taken to have that says nothing of its size, as those of older versions.
const OLD_BYTES: i64 = 64 << 10;

/// Letters in the order of their ids.
pub(super) struct Page {
    pub(super) letters: Vec<Letter>,
    /// The last one, where there may be more.
    pub(super) next: Option<Position>,
}

/// The first letters that `wish` names and that have no mark.
pub(super) async fn page(engine: &Engine, tenant: &TenantId, wish: &Wish) -> Result<Page, Problem> {
    let (filter, parameters) = filter(wish);
    let statement = format!(
        "SELECT row_epoch, row_sequence, row_ordinal, coalesce(size_bytes, {OLD_BYTES}) FROM dead_letters AS letter \
         WHERE {filter} ORDER BY row_epoch, row_sequence, row_ordinal LIMIT {MAX_LETTERS}"
    );
    let sizes = sizes(&ask(engine, tenant, statement, parameters.clone()).await?)?;
    let mut bytes = 0;
    let fits = |(_, size): &&(Position, i64)| {
        let is_first = bytes == 0;
        bytes += size.max(&1);
        is_first || bytes <= MAX_BYTES
    };
    let count = sizes.iter().take_while(fits).count();
    let last = count.checked_sub(1).map(|at| sizes[at].0);
    let Some((epoch, sequence, ordinal)) = last else {
        return Ok(Page {
            letters: Vec::new(),
            next: None,
        });
    };
    let statement = format!(
        "SELECT row_epoch, row_sequence, row_ordinal, signal, reason, timestamp, record, record_resource, \
         record_scope, record_metric FROM dead_letters AS letter WHERE {filter} AND NOT ({}) \
         ORDER BY row_epoch, row_sequence, row_ordinal",
        behind((epoch, sequence, ordinal))
    );
    let mut letters = Vec::with_capacity(count);
    for batch in ask(engine, tenant, statement, parameters).await? {
        letters_of(&batch, &mut letters)?;
    }
    let is_cut = count < sizes.len() || count as u64 == MAX_LETTERS;
    Ok(Page {
        letters,
        next: last.filter(|_| is_cut),
    })
}

/// Letters and their bytes, from rows of three columns that make a position and one of sizes.
fn sizes(batches: &[RecordBatch]) -> Result<Vec<(Position, i64)>, Problem> {
    let mut found = Vec::new();
    for batch in batches {
        let (epochs, sequences) = (numbers(batch, 0)?, numbers(batch, 1)?);
        let (ordinals, sizes) = (numbers(batch, 2)?, numbers(batch, 3)?);
        found.extend((0..batch.num_rows()).map(|row| {
            let position = (epochs[row], sequences[row], ordinals[row] as i32);
            (position, sizes[row])
        }));
    }
    Ok(found)
}

/// The condition that `wish` makes, and the values in it.
fn filter(wish: &Wish) -> (String, Value) {
    let mut parameters = serde_json::Map::new();
    let mut conditions = vec![
        "letter.outcome <> 'replayed'".to_string(),
        "NOT EXISTS (SELECT 1 FROM dead_letters AS mark WHERE mark.outcome = 'replayed' AND \
         mark.letter_epoch = letter.row_epoch AND mark.letter_sequence = letter.row_sequence AND \
         mark.letter_ordinal = letter.row_ordinal)"
            .to_string(),
    ];
    let mut given = |condition: &str, name: &str, value: Option<&str>| {
        if let Some(value) = value {
            conditions.push(condition.to_string());
            parameters.insert(name.to_string(), json!(value));
        }
    };
    let signal = wish.signal.map(Signal::as_str);
    given("letter.signal = $signal", "signal", signal);
    given("letter.reason = $reason", "reason", wish.reason.as_deref());
    let (from, to) = (wish.from.as_deref(), wish.to.as_deref());
    given(
        "letter.timestamp >= to_timestamp_nanos($from)",
        "from",
        from,
    );
    given("letter.timestamp < to_timestamp_nanos($to)", "to", to);
    if let Some(after) = wish.after {
        conditions.push(behind(after));
    }
    (conditions.join(" AND "), Value::Object(parameters))
}

/// The condition that a letter comes after this place.
fn behind((epoch, sequence, ordinal): Position) -> String {
    format!(
        "(letter.row_epoch > {epoch} OR (letter.row_epoch = {epoch} AND (letter.row_sequence > {sequence} OR \
         (letter.row_sequence = {sequence} AND letter.row_ordinal > {ordinal}))))"
    )
}

async fn ask(
    engine: &Engine,
    tenant: &TenantId,
    statement: String,
    parameters: Value,
) -> Result<Vec<RecordBatch>, Problem> {
    let request = SqlRequest {
        tenant: tenant.clone(),
        statement,
        parameters,
        deadline: None,
        max_rows: None,
        min_sequence: None,
    };
    let mut parts = engine.sql(request).await?.parts;
    let mut batches = Vec::new();
    while let Some(part) = parts.next().await {
        match part? {
            Part::Rows(batch) => batches.push(batch),
            Part::End(end) if !end.completeness.missing.is_empty() => {
                return Err(Problem::unavailable(
                    "a part of dead_letters cannot be read, and it may say what was replayed already",
                ));
            }
            Part::End(end) => {
                if let Some(truncated) = end.truncated {
                    let detail = format!("the dead letters of one page are too many: {truncated}");
                    return Err(Problem::internal(detail));
                }
                return Ok(batches);
            }
        }
    }
    Err(Problem::internal("an answer has no end"))
}

fn letters_of(batch: &RecordBatch, letters: &mut Vec<Letter>) -> Result<(), Problem> {
    let (epochs, sequences) = (numbers(batch, 0)?, numbers(batch, 1)?);
    let (ordinals, times) = (numbers(batch, 2)?, numbers(batch, 5)?);
    let signals = cast_to(batch, 3, &DataType::Utf8)?;
    let reasons = cast_to(batch, 4, &DataType::Utf8)?;
    let (signals, reasons) = (signals.as_string::<i32>(), reasons.as_string::<i32>());
    let [record, resource, scope, metric] =
        [6, 7, 8, 9].map(|column| cast_to(batch, column, &DataType::Binary));
    let (record, resource, scope, metric) = (record?, resource?, scope?, metric?);
    let bytes = |column: &dyn Array, row: usize| -> Option<Bytes> {
        let column = column.as_binary::<i32>();
        column
            .is_valid(row)
            .then(|| Bytes::copy_from_slice(column.value(row)))
    };
    for row in 0..batch.num_rows() {
        let reason = Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == reasons.value(row));
        let signal = signals.value(row).parse::<Signal>().ok();
        let (Some(reason), Some(signal)) = (reason, signal) else {
            return Err(Problem::internal("a dead letter of an unknown kind"));
        };
        let envelope = bytes(&resource, row).map(|of_resource| Envelope {
            resource: of_resource,
            scope: bytes(&scope, row).unwrap_or_default(),
            metric: bytes(&metric, row),
        });
        letters.push(Letter {
            id: LetterId {
                epoch: epochs[row] as u64,
                sequence: sequences[row] as u64,
                ordinal: ordinals[row] as u32,
            },
            signal,
            reason,
            received: Nanos(times[row]),
            record: bytes(&record, row).unwrap_or_default(),
            envelope,
        });
    }
    Ok(())
}

/// A column of integers or instants, without NULL.
fn numbers(batch: &RecordBatch, column: usize) -> Result<Vec<i64>, Problem> {
    let column = cast_to(batch, column, &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().values().to_vec())
}

fn cast_to(
    batch: &RecordBatch,
    column: usize,
    data_type: &DataType,
) -> Result<arrow::array::ArrayRef, Problem> {
    let wrong = |_| Problem::internal("a column of dead_letters has another type");
    cast(batch.column(column), data_type).map_err(wrong)
}
