//! Reading rows, each checked against its checksum.

use super::failed;
use crate::{
    catalog::{
        CatalogState, Contents, Digest, Event, FlushMark, MAX_EVENTS,
        row::{Checksum, unpack_digests, unpack_segment, unpack_tombstone},
    },
    deletion::Tombstone,
    error::Result,
    id::{OwnerId, TenantId},
    segment::SegmentMeta,
    signal::{Signal, Table},
    time::Nanos,
};
use futures::TryStreamExt;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};
use ulid::Ulid;

/// The primary codes SQLITE_CORRUPT and SQLITE_NOTADB.
const DAMAGE_CODES: [u32; 2] = [11, 26];

/// Numbers that were given out and must not be given again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) epoch: u64,
    pub(super) last_event: u64,
    pub(super) commits: u64,
}

/// The primary code SQLITE_ERROR: what the statement asks for is not in the file.
const MISSING_CODE: u32 = 1;

/// Whether SQLite says that the file's bytes are wrong.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| DAMAGE_CODES.contains(&code))
}

/// Whether the file could not be read, whatever is in it: the next attempt may work.
pub(super) fn is_of_disk(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| code != MISSING_CODE && !DAMAGE_CODES.contains(&code))
}

/// The same of a line of `PRAGMA quick_check`, which takes a page that it did not get for a damaged one.
pub(super) fn is_unread(line: &str) -> bool {
    let code = line.split_once("error code=").map(|(_, rest)| {
        let digits = rest.split(|c: char| !c.is_ascii_digit());
        digits.take(1).collect::<String>().parse::<u32>()
    });
    matches!(code, Some(Ok(code)) if !DAMAGE_CODES.contains(&(code & 0xff)))
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}

/// Reads everything; rows that are damaged are described and left out.
pub(super) async fn load(connection: &mut SqliteConnection) -> Result<CatalogState> {
    let mut damaged = Vec::new();
    let segments =
        "SELECT id, tenant, signal, level, min_time, max_time, row_count, live, body, crc
                    FROM segments ORDER BY id";
    let segments = rows(connection, "segments", segments, segment, &mut damaged).await?;
    let marks = "SELECT shard, tenant, signal, sequence, crc FROM flush_marks";
    let mut marks = rows(connection, "flush_marks", marks, mark, &mut damaged).await?;
    marks.sort_by(|a, b| (a.shard, &a.tenant, a.signal).cmp(&(b.shard, &b.tenant, b.signal)));
    let digests = "SELECT tenant, signal, newest, body, crc FROM digests ORDER BY number";
    let digests = rows(connection, "digests", digests, digests_of, &mut damaged).await?;
    let tombstones = "SELECT id, body, crc FROM tombstones ORDER BY id";
    let tombstones = rows(
        connection,
        "tombstones",
        tombstones,
        tombstone,
        &mut damaged,
    )
    .await?;
    let (live, retired): (Vec<_>, Vec<_>) = segments.into_iter().partition(|(live, _)| *live);
    let metas = |rows: Vec<(bool, SegmentMeta)>| rows.into_iter().map(|(_, meta)| meta).collect();
    let mut numbers = Vec::new();
    for name in ["last_sequence", "owner_high", "owner_low"] {
        let number = meta(connection, name).await;
        numbers.push(number.unwrap_or_else(|detail| {
            damaged.push(detail);
            None
        }));
    }
    let owner = numbers[1].zip(numbers[2]).map(|(high, low)| {
        let bits = u128::from(high as u64) << 64 | u128::from(low as u64);
        OwnerId(Ulid(bits))
    });
    Ok(CatalogState {
        owner,
        last_sequence: numbers[0].unwrap_or(0) as u64,
        segments: metas(live),
        retired: metas(retired),
        flushed_through: marks,
        digests: digests.into_iter().flatten().collect(),
        tombstones,
        damaged,
    })
}

/// Everything, as of one instant.
pub(super) async fn contents(connection: &mut SqliteConnection) -> Result<Contents> {
    let doing = failed("reading everything");
    let mut transaction = connection.begin().await.map_err(&doing)?;
    let mut state = load(&mut transaction).await?;
    let fields = "SELECT of_table, column_name, id, crc FROM fields ORDER BY of_table, id";
    let damaged = &mut state.damaged;
    let field_ids = rows(&mut transaction, "fields", fields, field, damaged).await?;
    let Counters {
        epoch,
        last_event,
        commits,
    } = counters(&mut transaction).await;
    let after = last_event.saturating_sub(u64::from(MAX_EVENTS));
    let events = events(&mut transaction, after, MAX_EVENTS).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Contents {
        state,
        field_ids,
        events,
        last_event,
        epoch,
        commits,
    })
}

/// Reads the rows of one table. Only an error that is not about the file's bytes ends the load.
async fn rows<T>(
    connection: &mut SqliteConnection,
    table: &'static str,
    sql: &'static str,
    read: fn(&SqliteRow) -> Result<T, String>,
    damaged: &mut Vec<String>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    let mut rows = sqlx::query(sql).fetch(connection);
    for number in 1.. {
        match rows.try_next().await {
            Ok(Some(row)) => match read(&row) {
                Ok(value) => found.push(value),
                Err(detail) => damaged.push(format!("row {number} of {table}: {detail}")),
            },
            Ok(None) => break,
            // A damaged file of version 1 was not brought to version 2, and lacks a table.
            Err(error) if is_damage(&error) || primary_code(&error) == Some(MISSING_CODE) => {
                damaged.push(format!(
                    "table {table} ends after {} rows: {error}",
                    number - 1
                ));
                break;
            }
            Err(error) => return Err(failed("reading")(error)),
        }
    }
    Ok(found)
}

fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, String>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|error| error.to_string())
}

fn check(row: &SqliteRow, checksum: Checksum) -> Result<(), String> {
    if get::<i64>(row, "crc")? == checksum.finish() {
        Ok(())
    } else {
        Err("the checksum does not match".to_string())
    }
}

fn tenant_and_signal(row: &SqliteRow) -> Result<(TenantId, Signal), String> {
    let tenant: TenantId = get::<&str>(row, "tenant")?
        .parse()
        .map_err(|e: crate::error::Error| e.to_string())?;
    let signal: Signal = get::<&str>(row, "signal")?
        .parse()
        .map_err(|e: crate::error::Error| e.to_string())?;
    Ok((tenant, signal))
}

/// A segment, and whether it is live.
pub(super) fn segment(row: &SqliteRow) -> Result<(bool, SegmentMeta), String> {
    let live: i64 = get(row, "live")?;
    check(row, segment_checksum_of(row, live)?)?;
    Ok((live != 0, unpack_segment(get(row, "body")?)?))
}

/// The checksum that a row of `segments` has when its `live` is as given.
pub(super) fn segment_checksum_of(row: &SqliteRow, live: i64) -> Result<Checksum, String> {
    Ok(Checksum::of("segments")
        .text(get(row, "id")?)
        .text(get(row, "tenant")?)
        .text(get(row, "signal")?)
        .int(get(row, "level")?)
        .int(get(row, "min_time")?)
        .int(get(row, "max_time")?)
        .int(get(row, "row_count")?)
        .int(live)
        .bytes(get(row, "body")?))
}

fn mark(row: &SqliteRow) -> Result<FlushMark, String> {
    let (shard, sequence): (i64, i64) = (get(row, "shard")?, get(row, "sequence")?);
    let (tenant, signal) = tenant_and_signal(row)?;
    let mark = FlushMark {
        shard: shard as u32,
        tenant,
        signal,
        sequence: sequence as u64,
    };
    check(row, mark_checksum(&mark))?;
    Ok(mark)
}

/// The checksum of a row of `flush_marks`.
pub(super) fn mark_checksum(mark: &FlushMark) -> Checksum {
    Checksum::of("flush_marks")
        .int(i64::from(mark.shard))
        .text(mark.tenant.as_str())
        .text(mark.signal.as_str())
        .int(mark.sequence as i64)
}

fn field(row: &SqliteRow) -> Result<(Table, String, i32), String> {
    let name: &str = get(row, "of_table")?;
    let mut tables = Signal::ALL.iter().flat_map(|signal| signal.tables());
    let table = tables.find(|table| table.as_str() == name);
    let table = *table.ok_or_else(|| format!("the table {name} is not known"))?;
    let (column, id): (String, i64) = (get(row, "column_name")?, get(row, "id")?);
    check(row, field_checksum(table, &column, id))?;
    let id = i32::try_from(id).map_err(|error| error.to_string())?;
    Ok((table, column, id))
}

/// The checksum of a row of `fields`.
pub(super) fn field_checksum(table: Table, column: &str, id: i64) -> Checksum {
    Checksum::of("fields")
        .text(table.as_str())
        .text(column)
        .int(id)
}

fn digests_of(row: &SqliteRow) -> Result<Vec<Digest>, String> {
    let body: &[u8] = get(row, "body")?;
    let newest: i64 = get(row, "newest")?;
    let (tenant, signal) = tenant_and_signal(row)?;
    check(row, digests_checksum(&tenant, signal, newest, body))?;
    unpack_digests(&tenant, signal, body)
}

/// The checksum of a row of `digests`.
pub(super) fn digests_checksum(
    tenant: &TenantId,
    signal: Signal,
    newest: i64,
    body: &[u8],
) -> Checksum {
    Checksum::of("digests")
        .text(tenant.as_str())
        .text(signal.as_str())
        .int(newest)
        .bytes(body)
}

fn tombstone(row: &SqliteRow) -> Result<Tombstone, String> {
    let (id, body): (&str, &[u8]) = (get(row, "id")?, get(row, "body")?);
    check(row, tombstone_checksum(id, body))?;
    unpack_tombstone(body)
}

/// The checksum of a row of `tombstones`.
pub(super) fn tombstone_checksum(id: &str, body: &[u8]) -> Checksum {
    Checksum::of("tombstones").text(id).bytes(body)
}

/// Events after `after`, oldest first. An event whose row is damaged is an error: it must not get lost unseen.
pub(super) async fn events(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Event)>> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "SELECT number, kind, tenant, time, body, crc FROM events
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await
    .map_err(failed("reading events"))?;
    let event = |row: &SqliteRow| {
        event(row).map_err(|detail| crate::error::Error::Corrupt {
            what: "an event in the catalog".to_string(),
            detail,
        })
    };
    rows.iter().map(event).collect()
}

fn event(row: &SqliteRow) -> Result<(u64, Event), String> {
    let number: i64 = get(row, "number")?;
    let tenant: &str = get(row, "tenant")?;
    let event = Event {
        kind: get(row, "kind")?,
        tenant: tenant
            .parse()
            .map_err(|e: crate::error::Error| e.to_string())?,
        time: Nanos(get(row, "time")?),
        body: get(row, "body")?,
    };
    check(row, event_checksum(&event))?;
    Ok((number as u64, event))
}

/// The checksum of a row of `events`; the number is SQLite's and given after it.
pub(super) fn event_checksum(event: &Event) -> Checksum {
    Checksum::of("events")
        .text(&event.kind)
        .text(event.tenant.as_str())
        .int(event.time.0)
        .text(&event.body)
}

/// The checksum of a row of `meta`.
pub(super) fn meta_checksum(name: &str, value: i64) -> i64 {
    Checksum::of("meta").text(name).int(value).finish()
}

/// A number of the `meta` table; the error describes damage.
pub(super) async fn meta(
    connection: &mut SqliteConnection,
    name: &'static str,
) -> Result<Option<i64>, String> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT value, crc FROM meta WHERE name = ?1")
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(|error| error.to_string())?;
    match row {
        Some((value, crc)) if crc == meta_checksum(name, value) => Ok(Some(value)),
        Some(_) => Err(format!("the checksum does not match {name}")),
        None => Ok(None),
    }
}

/// The counters as far as they can be read.
pub(super) async fn counters(connection: &mut SqliteConnection) -> Counters {
    let epoch = meta(connection, "epoch").await.ok().flatten().unwrap_or(0);
    let commits = meta(connection, "commits")
        .await
        .ok()
        .flatten()
        .unwrap_or(0);
    let last: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
            .fetch_optional(connection)
            .await
            .unwrap_or(None);
    Counters {
        epoch: epoch as u64,
        last_event: last.unwrap_or(0) as u64,
        commits: commits as u64,
    }
}
