//! Writing: each function is one transaction.

use super::{
    failed,
    meta::put_meta,
    read::{
        self, Counters, digests_checksum, event_checksum, field_checksum, mark_checksum,
        tombstone_checksum,
    },
};
use crate::{
    catalog::{
        Commit, Contents, Digest, Event, FlushMark,
        row::{Checksum, group_digests, pack_digests, pack_segment, pack_tombstone},
    },
    deletion::Tombstone,
    error::{Error, Result},
    id::{OwnerId, SegmentId},
    schema::FIRST_PROMOTED_FIELD_ID,
    segment::SegmentMeta,
    signal::Table,
};
use sqlx::{Connection, SqliteConnection};

/// Gives the next epoch, at least `floor`.
pub(super) async fn begin_epoch(connection: &mut SqliteConnection, floor: u64) -> Result<u64> {
    let doing = failed("beginning an epoch");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&doing)?;
    let epoch = match read::meta(&mut transaction, "epoch").await {
        Ok(Some(last)) => last as u64 + 1,
        Ok(None) => floor,
        Err(detail) => {
            // Epochs are given at most once a second, so the clock is above all that were given.
            tracing::error!(
                detail,
                floor,
                "the catalog's epoch is damaged: going on from the clock"
            );
            floor
        }
    };
    put_meta(&mut transaction, "epoch", epoch as i64)
        .await
        .map_err(&doing)?;
    transaction.commit().await.map_err(&doing)?;
    Ok(epoch)
}

/// Says whose the catalog is.
pub(super) async fn set_owner(connection: &mut SqliteConnection, owner: OwnerId) -> Result<()> {
    let doing = failed("setting the owner");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&doing)?;
    put_owner(&mut transaction, owner).await.map_err(&doing)?;
    transaction.commit().await.map_err(&doing)
}

/// The 128 bits of an owner's id as two numbers: `meta` holds integers.
async fn put_owner(connection: &mut SqliteConnection, owner: OwnerId) -> sqlx::Result<()> {
    let OwnerId(id) = owner;
    put_meta(connection, "owner_high", (id.0 >> 64) as i64).await?;
    put_meta(connection, "owner_low", id.0 as i64).await
}

/// Makes `commit` durable, all or nothing; returns how many commits the catalog has now.
pub(super) async fn commit(connection: &mut SqliteConnection, commit: Commit) -> Result<u64> {
    let doing = failed("committing");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&doing)?;
    for id in &commit.replace {
        retire(&mut transaction, *id).await?;
    }
    for id in &commit.forget {
        forget(&mut transaction, *id).await.map_err(&doing)?;
    }
    for meta in &commit.add {
        add(&mut transaction, meta, true).await?;
    }
    for meta in &commit.announce {
        add(&mut transaction, meta, false).await?;
    }
    for mark in &commit.flushed_through {
        raise(&mut transaction, mark).await.map_err(&doing)?;
    }
    // Before those of this commit are there: they stay even if they are older.
    if let Some(from) = commit.forget_digests_before {
        forget_digests(&mut transaction, from.0)
            .await
            .map_err(&doing)?;
    }
    put_digests(&mut transaction, commit.digests)
        .await
        .map_err(&doing)?;
    for event in &commit.events {
        put_event(&mut transaction, None, event)
            .await
            .map_err(&doing)?;
    }
    for tombstone in &commit.tombstones {
        put_tombstone(&mut transaction, tombstone)
            .await
            .map_err(&doing)?;
    }
    let commits = 1 + read::counters(&mut transaction).await.commits;
    put_meta(&mut transaction, "commits", commits as i64)
        .await
        .map_err(&doing)?;
    transaction.commit().await.map_err(&doing)?;
    Ok(commits)
}

async fn retire(connection: &mut SqliteConnection, id: SegmentId) -> Result<()> {
    let doing = failed("replacing a segment");
    let not_live = || Error::Conflict {
        what: "the catalog",
        detail: format!("segment {id} is not live"),
    };
    let row = sqlx::query(
        "SELECT id, tenant, signal, level, min_time, max_time, row_count, live, body, crc
         FROM segments WHERE id = ?1 AND live = 1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(&doing)?
    .ok_or_else(not_live)?;
    let checked = read::segment(&row).and_then(|_| read::segment_checksum_of(&row, 0));
    let crc = checked.map_err(|detail| Error::Corrupt {
        what: format!("the catalog's row of segment {id}"),
        detail,
    })?;
    sqlx::query("UPDATE segments SET live = 0, crc = ?2 WHERE id = ?1")
        .bind(id.to_string())
        .bind(crc.finish())
        .execute(connection)
        .await
        .map_err(&doing)?;
    Ok(())
}

/// Drops the row of a segment that is no longer live, where there is one.
async fn forget(connection: &mut SqliteConnection, id: SegmentId) -> sqlx::Result<()> {
    let forget =
        sqlx::query("DELETE FROM segments WHERE id = ?1 AND live = 0").bind(id.to_string());
    forget.execute(connection).await.map(drop)
}

async fn add(connection: &mut SqliteConnection, meta: &SegmentMeta, live: bool) -> Result<()> {
    let (id, body) = (meta.id.to_string(), pack_segment(meta));
    let (level, rows) = (i64::from(meta.level), meta.rows as i64);
    let crc = Checksum::of("segments")
        .text(&id)
        .text(meta.tenant.as_str())
        .text(meta.signal.as_str())
        .int(level)
        .int(meta.time.min.0)
        .int(meta.time.max.0)
        .int(rows)
        .int(i64::from(live))
        .bytes(&body);
    let added =
        sqlx::query("INSERT INTO segments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
            .bind(&id)
            .bind(meta.tenant.as_str())
            .bind(meta.signal.as_str())
            .bind(level)
            .bind(meta.time.min.0)
            .bind(meta.time.max.0)
            .bind(rows)
            .bind(live)
            .bind(body)
            .bind(crc.finish())
            .execute(connection)
            .await;
    match added {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_database_error()
                .is_some_and(|e| e.is_unique_violation()) =>
        {
            let detail = format!("segment {id} exists already");
            Err(Error::Conflict {
                what: "the catalog",
                detail,
            })
        }
        Err(error) => Err(failed("adding a segment")(error)),
    }
}

async fn raise(connection: &mut SqliteConnection, mark: &FlushMark) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO flush_marks (shard, tenant, signal, sequence, crc) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (shard, tenant, signal) DO UPDATE
         SET sequence = excluded.sequence, crc = excluded.crc
         WHERE excluded.sequence > flush_marks.sequence",
    )
    .bind(mark.shard)
    .bind(mark.tenant.as_str())
    .bind(mark.signal.as_str())
    .bind(mark.sequence as i64)
    .bind(mark_checksum(mark).finish())
    .execute(connection)
    .await
    .map(drop)
}

/// One row for each tenant and signal, so that thousands of requests a second stay cheap.
async fn put_digests(connection: &mut SqliteConnection, digests: Vec<Digest>) -> sqlx::Result<()> {
    let digests = group_digests(digests);
    for group in digests.chunk_by(|a, b| (&a.tenant, a.signal) == (&b.tenant, b.signal)) {
        let (tenant, signal) = (&group[0].tenant, group[0].signal);
        let newest = group
            .iter()
            .map(|digest| digest.received.0)
            .max()
            .unwrap_or(i64::MIN);
        let body = pack_digests(group);
        let crc = digests_checksum(tenant, signal, newest, &body).finish();
        sqlx::query(
            "INSERT INTO digests (tenant, signal, newest, body, crc) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(tenant.as_str())
        .bind(signal.as_str())
        .bind(newest)
        .bind(body)
        .bind(crc)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Drops the rows that hold older digests only.
async fn forget_digests(connection: &mut SqliteConnection, from: i64) -> sqlx::Result<()> {
    let forget = sqlx::query("DELETE FROM digests WHERE newest < ?1").bind(from);
    forget.execute(connection).await.map(drop)
}

/// Adds an event, under the next number unless it has one.
async fn put_event(
    connection: &mut SqliteConnection,
    number: Option<u64>,
    event: &Event,
) -> sqlx::Result<()> {
    let sql = "INSERT INTO events (number, kind, tenant, time, body, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sqlx::query(sql)
        .bind(number.map(|number| number as i64))
        .bind(&event.kind)
        .bind(event.tenant.as_str())
        .bind(event.time.0)
        .bind(&event.body)
        .bind(event_checksum(event).finish())
        .execute(connection)
        .await
        .map(drop)
}

async fn put_tombstone(
    connection: &mut SqliteConnection,
    tombstone: &Tombstone,
) -> sqlx::Result<()> {
    let (id, body) = (tombstone.id.to_string(), pack_tombstone(tombstone));
    let crc = tombstone_checksum(&id, &body).finish();
    sqlx::query(
        "INSERT INTO tombstones (id, body, crc) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET body = excluded.body, crc = excluded.crc",
    )
    .bind(id)
    .bind(body)
    .bind(crc)
    .execute(connection)
    .await
    .map(drop)
}

/// Has the numbers of events go on above `last`.
async fn continue_events(connection: &mut SqliteConnection, last: u64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sqlite_sequence WHERE name = 'events'")
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?1)")
        .bind(last as i64)
        .execute(connection)
        .await
        .map(drop)
}

/// The field ids of `columns`, giving new ones where there are none.
pub(super) async fn field_ids(
    connection: &mut SqliteConnection,
    table: Table,
    columns: &[String],
) -> Result<Vec<i32>> {
    let doing = failed("giving field ids");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&doing)?;
    let mut ids = Vec::with_capacity(columns.len());
    for column in columns {
        let known: Option<(i64, i64)> =
            sqlx::query_as("SELECT id, crc FROM fields WHERE of_table = ?1 AND column_name = ?2")
                .bind(table.as_str())
                .bind(column)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(&doing)?;
        ids.push(match known {
            Some((id, crc)) => checked_field(table, column, id, crc)?,
            None => new_field(&mut transaction, table, column)
                .await
                .map_err(&doing)?,
        });
    }
    transaction.commit().await.map_err(&doing)?;
    Ok(ids)
}

fn checked_field(table: Table, column: &str, id: i64, crc: i64) -> Result<i32> {
    match i32::try_from(id) {
        Ok(checked) if crc == field_checksum(table, column, id).finish() => Ok(checked),
        _ => Err(Error::Corrupt {
            what: format!("the field id of column {column} of {table} in the catalog"),
            detail: "the checksum does not match: rebuild the catalog".to_string(),
        }),
    }
}

async fn new_field(
    connection: &mut SqliteConnection,
    table: Table,
    column: &str,
) -> sqlx::Result<i32> {
    let highest: Option<i32> = sqlx::query_scalar("SELECT max(id) FROM fields WHERE of_table = ?1")
        .bind(table.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let id = highest.map_or(FIRST_PROMOTED_FIELD_ID, |highest| highest + 1);
    put_field(connection, table, column, id).await?;
    Ok(id)
}

async fn put_field(
    connection: &mut SqliteConnection,
    table: Table,
    column: &str,
    id: i32,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO fields (of_table, column_name, id, crc) VALUES (?1, ?2, ?3, ?4)")
        .bind(table.as_str())
        .bind(column)
        .bind(id)
        .bind(field_checksum(table, column, i64::from(id)).finish())
        .execute(connection)
        .await
        .map(drop)
}

/// Fills an empty database and closes it.
pub(super) async fn fill(
    mut connection: SqliteConnection,
    counters: Counters,
    contents: Contents,
) -> Result<()> {
    let doing = failed("filling a new file");
    let Contents {
        state,
        field_ids,
        events,
        ..
    } = contents;
    let everything = Commit {
        add: state.segments,
        flushed_through: state.flushed_through,
        digests: state.digests,
        tombstones: state.tombstones,
        ..Commit::default()
    };
    commit(&mut connection, everything).await?;
    let mut transaction = connection.begin().await.map_err(&doing)?;
    for meta in &state.retired {
        add(&mut transaction, meta, false).await?;
    }
    if let Some(owner) = state.owner {
        put_owner(&mut transaction, owner).await.map_err(&doing)?;
    }
    put_meta(
        &mut transaction,
        "last_sequence",
        state.last_sequence as i64,
    )
    .await
    .map_err(&doing)?;
    put_meta(&mut transaction, "commits", counters.commits as i64)
        .await
        .map_err(&doing)?;
    if counters.epoch > 0 {
        put_meta(&mut transaction, "epoch", counters.epoch as i64)
            .await
            .map_err(&doing)?;
    }
    for (number, event) in &events {
        put_event(&mut transaction, Some(*number), event)
            .await
            .map_err(&doing)?;
    }
    continue_events(&mut transaction, counters.last_event)
        .await
        .map_err(&doing)?;
    for (table, column, id) in field_ids {
        put_field(&mut transaction, table, &column, id)
            .await
            .map_err(&doing)?;
    }
    transaction.commit().await.map_err(&doing)?;
    connection.close().await.map_err(&doing)
}
