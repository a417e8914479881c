//! Reopening, damage of every kind, other versions, and the suite that every catalog runs.

use super::*;
use crate::{
    catalog::conformance::{self, digest, event, segment},
    error::Kind,
    world::real,
};
use sqlx::{Connection, sqlite::SqliteConnectOptions};

async fn open(folder: &Path) -> SqliteCatalog {
    SqliteCatalog::open(&folder.join("catalog.sqlite"), &real::world())
        .await
        .expect("opens")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// Commits a little of everything and closes.
async fn fill(folder: &Path) -> CatalogState {
    let catalog = open(folder).await;
    catalog.begin_epoch().await.expect("works");
    for number in 1..=40 {
        let commit = Commit {
            add: vec![segment(number)],
            digests: (1..50)
                .map(|digest_number| digest(digest_number, "shop"))
                .collect(),
            events: vec![event(number as u64)],
            ..Commit::default()
        };
        catalog.commit(commit).await.expect("fits");
    }
    let state = catalog.load().await.expect("loads");
    catalog.close().await.expect("closes");
    state
}

/// Runs SQL on the file behind the catalog's back.
async fn tamper(folder: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.join("catalog.sqlite"));
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("opens");
    let done = sqlx::query(sql)
        .execute(&mut connection)
        .await
        .expect("runs");
    assert!(done.rows_affected() > 0, "{sql} changed nothing");
    connection.close().await.expect("closes");
}

/// A state without anything beside it.
fn only(state: CatalogState) -> Contents {
    Contents {
        state,
        ..Contents::default()
    }
}

/// A state whose digests don't show which were committed together.
fn in_one_order(mut state: CatalogState) -> CatalogState {
    state
        .digests
        .sort_by_key(|digest| (digest.digest, digest.signal));
    state
}

#[expect(
    clippy::disallowed_methods,
    reason = "damages the file as no disk call would"
)]
fn overwrite(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join("catalog.sqlite");
    let mut bytes = std::fs::read(&path).expect("there");
    change(&mut bytes);
    std::fs::write(&path, bytes).expect("written");
}

#[tokio::test]
async fn conforms() {
    let folders = parking_lot::Mutex::new(Vec::new());
    conformance::suite(async || {
        let folder = folder();
        let catalog = open(folder.path()).await;
        folders.lock().push(folder);
        Box::new(catalog) as Box<dyn Catalog>
    })
    .await;
}

#[tokio::test]
async fn all_is_there_after_reopening() {
    let folder = folder();
    let state = fill(folder.path()).await;
    assert_eq!((state.segments.len(), state.digests.len()), (40, 40 * 49));
    let catalog = open(folder.path()).await;
    assert_eq!(catalog.load().await.expect("loads"), state);
    let epoch = catalog.begin_epoch().await.expect("works");
    catalog.close().await.expect("closes");
    // Closed is not gone: the next call opens it again.
    assert_eq!(catalog.begin_epoch().await.expect("works"), epoch + 1);
}

#[tokio::test]
async fn every_changed_row_is_noticed() {
    let changes = [
        "UPDATE segments SET max_time = 1 WHERE id = '00000000000000000000000007'",
        "UPDATE segments SET live = 0 WHERE id = '00000000000000000000000007'",
        "UPDATE segments SET tenant = 'zoo' WHERE id = '00000000000000000000000007'",
        "UPDATE segments SET body = x'00' WHERE id = '00000000000000000000000007'",
        "UPDATE segments SET level = 'high' WHERE id = '00000000000000000000000007'",
    ];
    for change in changes {
        let folder = folder();
        let state = fill(folder.path()).await;
        tamper(folder.path(), change).await;
        let loaded = open(folder.path()).await.load().await.expect("loads");
        assert_eq!(loaded.damaged.len(), 1, "{change}: {:?}", loaded.damaged);
        assert_eq!(loaded.segments.len(), 39, "{change}");
        assert_eq!(loaded.digests, state.digests);
    }
    let folder = folder();
    fill(folder.path()).await;
    tamper(
        folder.path(),
        "UPDATE digests SET tenant = 'zoo' WHERE number = 2",
    )
    .await;
    tamper(
        folder.path(),
        "UPDATE meta SET value = 5 WHERE name = 'epoch'",
    )
    .await;
    tamper(
        folder.path(),
        "UPDATE events SET body = 'x' WHERE number = 3",
    )
    .await;
    let catalog = open(folder.path()).await;
    assert_eq!(catalog.load().await.expect("loads").damaged.len(), 1);
    let floor = file::epoch_floor(&real::world());
    assert!(catalog.begin_epoch().await.expect("goes on from the clock") >= floor);
    assert_eq!(
        catalog.events(3, 5).await.expect("those are whole").len(),
        5
    );
    assert_eq!(
        catalog.events(0, 5).await.expect_err("damaged").kind(),
        Kind::Corrupt
    );
}

#[tokio::test]
async fn what_is_no_database_is_set_aside_and_reported() {
    let folder = folder();
    fill(folder.path()).await;
    overwrite(folder.path(), |bytes| bytes[..64].fill(0x55));
    let catalog = open(folder.path()).await;
    let state = catalog.load().await.expect("loads");
    assert_eq!(
        (state.segments.len(), state.damaged.len()),
        (0, 1),
        "{:?}",
        state.damaged
    );
    catalog
        .commit(Commit {
            add: vec![segment(1)],
            ..Commit::default()
        })
        .await
        .expect("fits");
    let names = real::world().disk.list(folder.path()).expect("listed");
    assert!(
        names.iter().any(|name| name.contains(".damaged-")),
        "{names:?}"
    );
}

#[tokio::test]
async fn damaged_pages_never_block_and_a_rebuild_heals() {
    let (mut noticed, mut used) = (0, 0);
    for page in 1..20 {
        let folder = folder();
        let before = in_one_order(fill(folder.path()).await);
        overwrite(folder.path(), |bytes| {
            let end = bytes.len().min((page + 1) * 4096);
            bytes[page * 4096..end].fill(0xA5);
        });
        let catalog = open(folder.path()).await;
        let state = catalog.load().await.expect("loads what it can");
        noticed += usize::from(!state.damaged.is_empty());
        used += state.segments.len();
        // Whatever came back is right.
        assert!(
            state
                .segments
                .iter()
                .all(|meta| before.segments.contains(meta))
        );
        catalog
            .replace_all(only(before.clone()))
            .await
            .expect("a rebuild works");
        assert_eq!(in_one_order(catalog.load().await.expect("loads")), before);
        let floor = file::epoch_floor(&real::world()) - 60;
        assert!(catalog.begin_epoch().await.expect("works") > floor);
        catalog.close().await.expect("closes");
        let again = open(folder.path()).await.load().await.expect("loads");
        assert_eq!(in_one_order(again), before);
    }
    assert!(
        noticed >= 17,
        "{noticed} of 19 damaged pages were noticed; one may be free"
    );
    assert!(used > 40 * 5, "hardly anything was saved: {used}");
}

/// Makes the file as long as it may become, where the connection is still the one that the test has seen.
async fn limit_pages(catalog: &SqliteCatalog, pragma: &'static str) {
    if let Some(connection) = catalog.open.lock().await.connection.as_mut() {
        sqlx::query(pragma).execute(connection).await.expect("set");
    }
}

/// SQLite rolls a transaction back by itself when the disk is full, which sqlx does not see: found by a full disk under
/// the real binary, whose flushes failed ever after.
#[tokio::test]
async fn the_catalog_works_again_after_a_full_disk() {
    let folder = folder();
    let before = fill(folder.path()).await;
    let catalog = open(folder.path()).await;
    // As many as there are: the next page is one too many.
    limit_pages(&catalog, "PRAGMA max_page_count = 1").await;
    let commit = |number| Commit {
        add: vec![segment(number)],
        events: (0..200).map(event).collect(),
        ..Commit::default()
    };
    let full = catalog.commit(commit(41)).await.expect_err("it is full");
    assert_eq!(full.kind(), Kind::Unavailable, "{full}");
    limit_pages(&catalog, "PRAGMA max_page_count = 100000").await;
    catalog.commit(commit(42)).await.expect("there is room");
    let after = catalog.load().await.expect("loads");
    assert_eq!(after.damaged, Vec::<String>::new());
    assert_eq!(after.segments.len(), before.segments.len() + 1);
}

#[tokio::test]
async fn a_catalog_that_is_gone_is_not_begun_anew_while_the_server_runs() {
    let folder = folder();
    fill(folder.path()).await;
    let catalog = open(folder.path()).await;
    catalog.close().await.expect("closes");
    let disk = real::world().disk;
    let path = folder.path().join("catalog.sqlite");
    disk.remove(&path).expect("removed");
    let commit = Commit {
        add: vec![segment(41)],
        ..Commit::default()
    };
    let gone = catalog.commit(commit).await.expect_err("it is gone");
    assert_eq!(gone.kind(), Kind::Unavailable, "{gone}");
    // Nothing is there: a start makes it anew from the bucket, and not from a file with one segment.
    disk.status(&path).expect_err("not made");
}

#[test]
fn pages_that_were_not_read_are_no_damage() {
    let page = |code| format!("Tree 3 page 7: unable to get the page. error code={code}");
    assert!(read::is_unread(&page(266)), "SQLITE_IOERR_READ");
    assert!(!read::is_unread(&page(11)), "SQLITE_CORRUPT");
    assert!(!read::is_unread("Page 9: never used"));
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name() {
    let folder = folder();
    fill(folder.path()).await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("catalog.sqlite"));
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("opens");
    meta::put_meta(&mut connection, "format_version", 3)
        .await
        .expect("written");
    connection.close().await.expect("closes");
    let path = folder.path().join("catalog.sqlite");
    let refused = SqliteCatalog::open(&path, &real::world()).await;
    let error = refused.err().expect("is refused");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("version 3"), "{error}");
}

/// A file made from `docs/formats/catalog.md` by another program: it must open for ever.
#[tokio::test]
async fn a_file_of_version_1_opens() {
    let folder = folder();
    let golden = include_bytes!("../../../golden/catalog-1.sqlite");
    let made = real::world()
        .disk
        .create(&folder.path().join("catalog.sqlite"));
    made.expect("created").write_at(0, golden).expect("written");
    let catalog = open(folder.path()).await;
    let state = catalog.load().await.expect("loads");
    assert_eq!(state.damaged, Vec::<String>::new());
    let [segment] = &state.segments[..] else {
        panic!("one is live: {:?}", state.segments)
    };
    assert_eq!(segment.id.to_string(), "01kdx0000000000000000000ab");
    let bounds = |column: usize| segment.objects[0].columns[column].bounds.clone();
    use crate::segment::Bounds;
    assert_eq!(bounds(1), Some(Bounds::Double(0.1 + 0.2, f64::INFINITY)));
    assert_eq!(bounds(2), None);
    assert_eq!(bounds(4), Some(Bounds::Bytes(vec![0, 1], vec![255])));
    assert_eq!(state.flushed_through[0].sequence, 42);
    assert_eq!(state.digests.len(), 2);
    let digest = &state.digests[1];
    assert_eq!(
        (digest.digest, digest.sequence, digest.received.0),
        (u128::MAX, 42, 200)
    );
    assert_eq!(
        (digest.answer.rejected, &digest.answer.message[..]),
        (3, "grün")
    );
    let events = catalog.events(0, 10).await.expect("reads");
    assert_eq!(
        (events.len(), events[0].0, &events[0].1.body[..]),
        (1, 3, "{\"n\":1}")
    );
    let names = ["a.ratio:double".to_string(), "a.new".to_string()];
    let ids = catalog.field_ids(Table::Logs, &names).await.expect("works");
    assert_eq!(ids, [1004, 1005]);
    assert_eq!(catalog.begin_epoch().await.expect("works"), 1_767_225_601);
    let segment = segment.clone();
    let again = Commit {
        add: vec![segment.clone()],
        ..Commit::default()
    };
    assert_eq!(
        catalog.commit(again).await.expect_err("exists").kind(),
        Kind::Conflict
    );
    let replaced = Commit {
        replace: vec![segment.id],
        ..Commit::default()
    };
    catalog.commit(replaced).await.expect("is live");
}

#[expect(
    clippy::disallowed_methods,
    reason = "puts files back as no disk call would"
)]
#[tokio::test]
async fn an_old_copy_is_no_catalog() {
    let folder = folder();
    fill(folder.path()).await;
    let path = folder.path().join("catalog.sqlite");
    let old = std::fs::read(&path).expect("there");
    let catalog = open(folder.path()).await;
    let commit = Commit {
        add: vec![segment(41)],
        ..Commit::default()
    };
    catalog.commit(commit).await.expect("fits");
    let newest = catalog.load().await.expect("loads");
    assert!(newest.damaged.is_empty(), "{:?}", newest.damaged);
    catalog.close().await.expect("closes");
    std::fs::write(&path, old).expect("written");
    let catalog = open(folder.path()).await;
    let damaged = catalog.load().await.expect("loads").damaged;
    assert!(
        damaged[0].contains("40 commits and there were 41"),
        "{damaged:?}"
    );
    // Made anew it counts, whatever was there.
    catalog
        .replace_all(only(newest.clone()))
        .await
        .expect("replaced");
    catalog.close().await.expect("closes");
    let loaded = open(folder.path()).await.load().await.expect("loads");
    assert_eq!(in_one_order(loaded), in_one_order(newest));
    // Without the count it is not known which of two copies is the newer.
    std::fs::remove_file(folder.path().join("catalog.commits")).expect("removed");
    let damaged = open(folder.path())
        .await
        .load()
        .await
        .expect("loads")
        .damaged;
    assert!(
        damaged[0].contains("catalog.commits is gone"),
        "{damaged:?}"
    );
}
