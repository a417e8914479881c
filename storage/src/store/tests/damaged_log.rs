//! Acknowledged requests that the log has lost: named by answers and by verify until somebody has seen it.

use super::*;
use crate::snapshot::MissingPart;
use std::path::Path;

fn log_files(fixture: &Fixture) -> Vec<PathBuf> {
    let world = fixture.simulation.world();
    let names = world.disk.list(Path::new("/data/wal")).expect("listed");
    let names = names.iter().filter(|name| name.ends_with(".wal"));
    names
        .map(|name| Path::new("/data/wal").join(name))
        .collect()
}

/// Two requests in the log, nothing flushed, and the process is gone.
fn two_requests() -> (Fixture, PathBuf) {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        append(&store, request("2 b\n")).await.expect("stored");
    });
    let path = log_files(&fixture).remove(0);
    (fixture, path)
}

/// The places that an answer names as missing, and how many requests and segments it sees.
async fn seen(store: &Arc<Store>) -> (Vec<String>, usize) {
    let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
    let places = snapshot.missing.iter().map(|missing| match &missing.part {
        MissingPart::Log { place } => place.clone(),
        other => panic!("{other:?}"),
    });
    let rows = snapshot.buffered.len() + snapshot.segments.len();
    (places.collect(), rows)
}

#[test]
fn a_flipped_bit_in_the_last_request_is_no_torn_tail() {
    let (fixture, path) = two_requests();
    let world = fixture.simulation.world();
    let file = world.disk.open(&path).expect("there");
    let bytes = file.read_at(0, usize::MAX).expect("read");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("frames");
    file.write_at(last as u64, &[bytes[last] ^ 1])
        .expect("written");
    let name = path.file_name().expect("a file").to_string_lossy();
    let found = fixture.run(fixture.verify());
    assert!(found.problems[0].contains(&*name), "{found:?}");
    fixture.run(async {
        let store = fixture.open().await;
        let (places, rows) = seen(&store).await;
        assert_eq!(rows, 1);
        assert!(places[0].starts_with(&*name), "{places:?}");
        append(&store, request("3 c\n")).await.expect("stored");
        store.close().await.expect("flushed");
    });
    // The mark has passed the lost request and its file is retired: it stays lost.
    assert!(log_files(&fixture).is_empty());
    fixture.run(async {
        let (places, _) = seen(&fixture.open().await).await;
        assert_eq!(places.len(), 1, "{places:?}");
    });
    let found = fixture.run(fixture.verify());
    assert!(found.problems[0].contains(&*name), "{found:?}");
    // Somebody has seen it.
    let folder = Path::new("/data/wal/damaged");
    for name in world.disk.list(folder).expect("listed") {
        world.disk.remove(&folder.join(name)).expect("removed");
    }
    assert!(fixture.run(fixture.verify()).is_sound());
    let (places, _) = fixture.run(async { seen(&fixture.open().await).await });
    assert!(places.is_empty());
}

#[test]
fn a_log_file_that_is_cut_or_gone_is_noticed() {
    let (fixture, path) = two_requests();
    let world = fixture.simulation.world();
    world
        .disk
        .open(&path)
        .and_then(|file| file.set_length(100))
        .expect("cut");
    let (places, rows) = fixture.run(async { seen(&fixture.open().await).await });
    assert!((rows, places.is_empty()) == (0, false), "{places:?}");

    let (fixture, path) = two_requests();
    let world = fixture.simulation.world();
    world.disk.remove(&path).expect("removed");
    assert!(!fixture.run(fixture.verify()).is_sound());
    let (places, rows) = fixture.run(async { seen(&fixture.open().await).await });
    assert_eq!((rows, places.len()), (0, 1), "{places:?}");
}

#[test]
fn what_a_power_cut_takes_from_an_unfinished_write_is_not_missed() {
    let fixture = Fixture::new();
    for _ in 0..4 {
        fixture.run(async {
            let store = fixture.open().await;
            append(&store, request("1 a\n")).await.expect("stored");
            // Under way when the power goes.
            let _ = futures::poll!(std::pin::pin!(append(&store, request("2 b\n"))));
        });
        fixture.simulation.cut_power();
        let (places, _) = fixture.run(async { seen(&fixture.open().await).await });
        assert!(places.is_empty(), "{places:?}");
    }
}
