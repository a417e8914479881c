//! What goes into the bucket, what happens while it is away, and how damage in it is told.

use super::*;
use crate::objects::faulty::{FaultyStore, ObjectFaults};
use bytes::Bytes;
use object_store::{ObjectStoreExt, path::Path as ObjectPath};

const HOUR: i64 = crate::time::HOUR_NANOS;

/// Hours of one flush that get a segment of their own.
const OPEN_HOURS: i64 = 64;

#[test]
fn hours_beyond_the_open_ones_make_one_late_segment() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        // Two rows in most hours, one in the six that are late.
        let late = [3, 9, 20, 21, 40, 69];
        let hours = OPEN_HOURS + late.len() as i64;
        let mut rows = Vec::new();
        for hour in 0..hours {
            let count = if late.contains(&hour) { 1 } else { 2 };
            rows.extend((0..count).map(|n| format!("{} h{hour:02}-{n}\n", hour * HOUR + n)));
        }
        append(&store, request(&rows.concat()))
            .await
            .expect("stored");
        store.flush_all().await.expect("flushed");
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert_eq!(snapshot.segments.len() as i64, OPEN_HOURS + 1);
        let mut hours_of_their_own = 0;
        for segment in &snapshot.segments {
            let (time, path) = (segment.meta.time, &segment.meta.objects[0].file.path);
            if path.contains("/date=late/hour=late/") {
                assert_eq!(segment.meta.rows, late.len() as u64);
                assert_eq!((time.min.0, time.max.0), (3 * HOUR, 69 * HOUR));
            } else {
                assert_eq!(time.min.hour(), time.max.hour(), "{path}");
                assert_eq!(segment.meta.rows, 2, "{path}");
                hours_of_their_own += 1;
            }
        }
        assert_eq!(hours_of_their_own, OPEN_HOURS);
        assert_eq!(records(&store, Signal::Logs).await.len(), rows.len());
    });
}

#[test]
fn an_outage_of_the_bucket_ends_at_the_disk_quota_and_loses_nothing() {
    let mut fixture = Fixture::new();
    fixture.config.disk_bytes = 256 << 10;
    let far = FaultyStore::new(Arc::new(InMemory::new()), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    let away = ObjectFaults {
        outage: true,
        ..ObjectFaults::default()
    };
    let mut stored = 0;
    fixture.run(async {
        let store = fixture.open().await;
        far.set_faults(away);
        let line = "x".repeat(4_000);
        let error = loop {
            match append(&store, request(&format!("{stored} {line}{stored}\n"))).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            let flushed = store.flush_all().await;
            assert_eq!(
                flushed.expect_err("the bucket is away").kind(),
                Kind::Unavailable
            );
        };
        assert_eq!(error.kind(), Kind::Limited);
        assert!(stored > 5, "{stored} requests fit into the quota");
        let used = store.state.disk_bytes();
        assert!(used < 2 * fixture.config.disk_bytes, "{used} bytes on disk");
        assert_eq!(store.budget().used_bytes(), 0, "staged rows take no memory");
        assert_eq!(records(&store, Signal::Logs).await.len(), stored);
    });
    // A start while the bucket is away finds everything in the log.
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await.len(), stored);
        store.flush_all().await.expect_err("it is still away");
        far.set_faults(ObjectFaults::default());
        store.flush_all().await.expect("the bucket is back");
        append(&store, request("9 after\n"))
            .await
            .expect("there is room again");
        assert_eq!(records(&store, Signal::Logs).await.len(), stored + 1);
        assert!(store.health().accepting);
    });
}

/// What `cairn verify` says of the fixture.
async fn verified(fixture: &Fixture) -> Verified {
    let world = fixture.simulation.world();
    verify(&world, &fixture.config, &*fixture.catalog, &*fixture.bucket)
        .await
        .expect("everything is within reach")
}

/// The files of all live segments, with their bytes.
async fn files(fixture: &Fixture) -> Vec<(ObjectPath, Bytes)> {
    use crate::catalog::Catalog;
    let loaded = fixture.catalog.load().await.expect("loaded");
    let mut files = Vec::new();
    for meta in &loaded.segments {
        let objects = meta.objects.iter().map(|object| &object.file);
        for file in objects.chain(&meta.index) {
            let path = ObjectPath::parse(&file.path).expect("a path");
            let answer = fixture.bucket.get(&path).await.expect("there");
            files.push((path, answer.bytes().await.expect("read")));
        }
    }
    files
}

#[test]
fn verify_tells_of_every_kind_of_damage() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let text = "1 a\n2 bad-b\n3 c\n";
        append(&store, request(text)).await.expect("stored");
        store.flush_all().await.expect("flushed");
        for number in 0..3 {
            let text = format!("{number} still-in-the-log-{number}\n");
            append(&store, request(&text)).await.expect("stored");
        }
    });
    fixture.run(async {
        let sound = verified(&fixture).await;
        assert!(sound.is_sound() && sound.frames == 4, "{sound:?}");
        let files = files(&fixture).await;
        for (path, whole) in &files {
            for damage in [flipped(whole), whole.slice(1..), Bytes::new()] {
                put(&fixture, path, damage).await;
                check_told(&verified(&fixture).await, path);
            }
            fixture.bucket.delete(path).await.expect("deleted");
            check_told(&verified(&fixture).await, path);
            put(&fixture, path, whole.clone()).await;
        }
        assert_eq!(verified(&fixture).await, sound);
        let orphan = ObjectPath::from("tenant=a/orphan.parquet");
        put(&fixture, &orphan, "no segment".into()).await;
        let found = verified(&fixture).await;
        assert!(found.is_sound(), "an orphan is no damage");
        assert_eq!(
            (found.orphans, found.orphan_bytes),
            (vec![orphan.to_string()], 10)
        );
    });
    let disk = fixture.simulation.world().disk;
    let folder = Path::new("/data/wal");
    let name = disk.list(folder).expect("listed").remove(0);
    let file = disk.open(&folder.join(&name)).expect("opened");
    let bytes = file.read_at(0, usize::MAX).expect("read");
    let at = memchr::memmem::find(&bytes, b"still-in-the-log-1").expect("it is there");
    file.write_at(at as u64, b"S").expect("written");
    fixture.run(async {
        let found = verified(&fixture).await;
        assert_eq!(found.frames, 3);
        assert!(found.report.findings.is_empty() && !found.is_sound());
        assert!(found.problems[0].contains(&name), "{:?}", found.problems);
    });
}

fn flipped(whole: &Bytes) -> Bytes {
    let mut bytes = whole.to_vec();
    bytes[whole.len() / 2] ^= 1;
    bytes.into()
}

async fn put(fixture: &Fixture, path: &ObjectPath, bytes: Bytes) {
    let put = fixture.bucket.put(path, bytes.into()).await;
    put.expect("written");
}

fn check_told(found: &Verified, path: &ObjectPath) {
    assert!(!found.is_sound());
    let of_others = |finding: &&crate::segment::verify::Finding| finding.path != path.as_ref();
    let findings = &found.report.findings;
    assert_eq!(findings.iter().find(of_others), None);
    assert!(!findings.is_empty(), "nothing is told of {path}");
}

/// Ten minutes in which the bucket does nothing, or in which most of what it does goes wrong.
#[test]
fn what_waited_for_the_bucket_reaches_it_within_twice_the_outage() {
    const OUTAGE: Duration = Duration::from_secs(600);
    let away = ObjectFaults {
        outage: true,
        ..ObjectFaults::default()
    };
    let wrong = ObjectFaults {
        refused: 0.4,
        reply_lost: 0.4,
        repeated: 0.1,
        ..ObjectFaults::default()
    };
    for faults in [away, wrong] {
        let mut fixture = Fixture::new();
        fixture.config.flush_age_seconds = 30;
        fixture.config.small_segment_bytes = 1;
        let far = FaultyStore::new(Arc::new(InMemory::new()), fixture.simulation.world());
        fixture.bucket = Arc::new(far.clone());
        fixture.run(async {
            let store = fixture.open().await;
            let shutdown = CancellationToken::new();
            let clients = async {
                let clock = &store.world().clock;
                far.set_faults(faults);
                let began = clock.monotonic();
                let mut sent = 0;
                while clock.monotonic() - began < OUTAGE {
                    let taken = append(&store, request(&format!("{sent} r-{sent}\n"))).await;
                    taken.expect("the bucket is needed for no request");
                    sent += 1;
                    clock.sleep(Duration::from_secs(5)).await;
                }
                assert!(!store.state.buffers.uncommitted().is_empty());
                far.set_faults(ObjectFaults::default());
                let over = clock.monotonic();
                while !store.state.buffers.uncommitted().is_empty() {
                    let waited = clock.monotonic() - over;
                    assert!(waited < 2 * OUTAGE, "{faults:?}: still after {waited:?}");
                    clock.sleep(Duration::from_secs(1)).await;
                }
                assert_eq!(records(&store, Signal::Logs).await.len(), sent);
                assert_eq!(store.state.staged_bytes.load(Ordering::Relaxed), 0);
                shutdown.cancel();
            };
            futures::join!(store.run(shutdown.clone()), clients);
        });
    }
}
