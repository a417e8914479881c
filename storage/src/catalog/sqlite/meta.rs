//! Writing the numbers of the `meta` table.

use super::read;
use sqlx::SqliteConnection;

/// Sets a number of the `meta` table.
pub(super) async fn put_meta(
    connection: &mut SqliteConnection,
    name: &str,
    value: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO meta (name, value, crc) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, crc = excluded.crc",
    )
    .bind(name)
    .bind(value)
    .bind(read::meta_checksum(name, value))
    .execute(connection)
    .await
    .map(drop)
}
