//! Tests of the store as its callers see it, mostly in the simulated world.

use super::*;
use crate::{
    append::Reason,
    catalog::memory::{CatalogFaults, MemoryCatalog},
    error::Kind,
    objects::local::LocalStore,
    refuse,
    signal::Encoding,
    simulate::{TextDecode, rows},
    snapshot::MissingPart,
    telemetry::{ExpiredLabels, RETENTION},
    time::Nanos,
    world::simulated::{Ended, Faults, Simulation},
};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use std::{future::Future, path::PathBuf, time::Duration};

mod backed_up;
mod background;
mod bucket;
mod cached;
mod claimed;
mod clock;
mod compacted;
mod concurrent;
mod damaged_log;
mod deleted;
mod documents;
mod evicted;
mod expired;
mod lost;
mod orphans;
mod replayed;

/// A machine with one store's surroundings.
struct Fixture {
    simulation: Simulation,
    config: Config,
    catalog: Arc<MemoryCatalog>,
    bucket: Arc<dyn ObjectStore>,
    telemetry: Telemetry,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture::with_seed(1)
    }

    fn with_seed(seed: u64) -> Fixture {
        let simulation = Simulation::new(seed);
        Fixture {
            config: Config {
                data_dir: PathBuf::from("/data"),
                bucket: "memory://far".to_string(),
                memory_bytes: 8 << 20,
                flush_bytes: 1 << 20,
                wal_file_bytes: 64 << 10,
                disk_bytes: 8 << 20,
                ..Config::default()
            },
            catalog: Arc::new(MemoryCatalog::new(simulation.world())),
            bucket: Arc::new(InMemory::new()),
            telemetry: Telemetry::unregistered(),
            simulation,
        }
    }

    async fn open(&self) -> Arc<Store> {
        self.try_open().await.expect("the store starts")
    }

    async fn try_open(&self) -> Result<Arc<Store>> {
        Store::open(Parts {
            world: self.simulation.world(),
            config: self.config.clone(),
            catalog: self.catalog.clone(),
            bucket: self.bucket.clone(),
            decode: Arc::new(TextDecode),
            telemetry: self.telemetry.clone(),
        })
        .await
    }

    async fn rebuild(&self, claim: Claim) -> Result<Rebuilt> {
        let (world, config) = (self.simulation.world(), &self.config);
        rebuild(&world, config, &*self.catalog, &*self.bucket, claim).await
    }

    async fn verify(&self) -> Verified {
        let (world, config) = (self.simulation.world(), &self.config);
        let verified = verify(&world, config, &*self.catalog, &*self.bucket).await;
        verified.expect("everything is within reach")
    }

    /// The paths in the bucket that hold `part`, sorted.
    async fn objects(&self, part: &str) -> Vec<String> {
        let listed: Vec<object_store::ObjectMeta> =
            self.bucket.list(None).try_collect().await.expect("listed");
        let paths = listed.into_iter().map(|object| object.location.to_string());
        let mut paths: Vec<String> = paths.filter(|path| path.contains(part)).collect();
        paths.sort();
        paths
    }

    fn run<T>(&self, life: impl Future<Output = T>) -> T {
        match self.simulation.run(life) {
            Ended::Finished(value) => value,
            Ended::Stopped(stop) => panic!("ended by {stop:?}"),
        }
    }

    /// The ledger of the default tenant's logs: received, stored, deduplicated, rejected for `malformed`.
    fn ledger(&self) -> [u64; 4] {
        let tenant = TenantId::default_tenant();
        let count = |outcome, reason| {
            self.telemetry
                .records(&tenant, Signal::Logs, outcome, reason)
        };
        [
            count("received", ""),
            count("stored", ""),
            count("deduplicated", ""),
            count("rejected", "malformed"),
        ]
    }
}

/// A request of lines `<time> <id>` (see `simulate`).
fn request(text: &str) -> Append {
    versioned(text, 1)
}

fn versioned(text: &str, decoder_version: u16) -> Append {
    let payload = Bytes::from(text.to_string());
    let received = Nanos(5_000_000_000);
    let decoded = TextDecode
        .decode(Signal::Logs, Encoding::OtlpProtobuf, 1, &payload, received)
        .expect("the text is well formed");
    Append {
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        decoder_version,
        received,
        payload,
        decoded,
        refusals: Vec::new(),
    }
}

async fn append(store: &Store, request: Append) -> Result<Outcome> {
    let reservation = store.budget().reserve(request.payload.len() as u64)?;
    store.append(request, reservation).await
}

/// The records of the default tenant's signal that a snapshot shows, sorted.
async fn records(store: &Store, signal: Signal) -> Vec<String> {
    let read = rows(store, &TenantId::default_tenant(), signal)
        .await
        .expect("readable");
    let mut records: Vec<String> = read.0.into_iter().map(|row| row.record).collect();
    records.sort();
    records
}

#[test]
fn rows_are_visible_when_acknowledged_and_after_flush_and_restart() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let outcome = append(&store, request("1 a\n2 b\n3 bad-c\n"))
            .await
            .expect("acknowledged");
        assert_eq!((outcome.sequence, outcome.deduplicated), (1, false));
        assert_eq!((outcome.answer.rejected, store.sequence()), (1, 1));
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
        assert_eq!(records(&store, Signal::DeadLetters).await, ["it is bad"]);
        store.flush_all().await.expect("flushed");
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert_eq!((snapshot.segments.len(), snapshot.buffered.len()), (1, 0));
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b"]);
        append(&store, request("4 d\n"))
            .await
            .expect("acknowledged");
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(store.sequence(), 2);
        assert_eq!(records(&store, Signal::Logs).await, ["a", "b", "d"]);
        assert_eq!(records(&store, Signal::DeadLetters).await, ["it is bad"]);
        assert_eq!(store.tenants(), [TenantId::default_tenant()]);
        assert_eq!(
            store.health(),
            Health {
                accepting: true,
                problems: vec![],
                orphans: None,
            }
        );
    });
    assert_eq!(fixture.ledger(), [4, 3, 0, 1]);
}

#[test]
fn a_byte_identical_request_gets_the_first_answer_also_after_a_restart() {
    let fixture = Fixture::new();
    let text = "1 a\n2 bad-b\n";
    let first = fixture.run(async {
        let store = fixture.open().await;
        let both = futures::join!(append(&store, request(text)), append(&store, request(text)));
        let (first, second) = (both.0.expect("first"), both.1.expect("second"));
        assert!(!first.deduplicated && second.deduplicated);
        assert_eq!(
            (second.sequence, &second.answer),
            (first.sequence, &first.answer)
        );
        store.flush_all().await.expect("flushed");
        first
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        let again = append(&store, request(text)).await.expect("acknowledged");
        assert!(again.deduplicated);
        assert_eq!(
            (again.sequence, again.answer),
            (first.sequence, first.answer)
        );
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
    });
    assert_eq!(fixture.ledger(), [6, 1, 4, 1]);
}

#[test]
fn requests_with_records_without_a_time_are_stored_each_time() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        for _ in 0..2 {
            assert!(
                !append(&store, request("- a\n"))
                    .await
                    .expect("stored")
                    .deduplicated
            );
        }
        assert_eq!(records(&store, Signal::Logs).await, ["a", "a"]);
    });
}

#[test]
fn a_failed_write_is_retryable_and_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        fixture.simulation.set_faults(Faults {
            sync: 1.0,
            ..Faults::default()
        });
        let both = futures::join!(
            append(&store, request("1 a\n")),
            append(&store, request("1 a\n"))
        );
        for outcome in [both.0, both.1] {
            assert_eq!(
                outcome.expect_err("nothing is durable").kind(),
                Kind::Unavailable
            );
        }
        assert!(!store.health().accepting);
        assert!(records(&store, Signal::Logs).await.is_empty());
        assert_eq!(store.budget().used_bytes(), 0);
        fixture.simulation.set_faults(Faults::default());
        assert!(
            !append(&store, request("1 a\n"))
                .await
                .expect("stored")
                .deduplicated
        );
        assert!(store.health().accepting);
    });
    fixture.simulation.cut_power();
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
    });
    assert_eq!(fixture.ledger(), [1, 1, 0, 0]);
}

#[test]
fn numbers_that_do_not_add_up_are_refused() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let mut lossy = request("1 a\n2 b\n");
        lossy.decoded.offered = 3;
        let error = append(&store, lossy)
            .await
            .expect_err("a record is unaccounted for");
        assert_eq!(error.kind(), Kind::Internal);
        assert!(
            !append(&store, request("1 a\n2 b\n"))
                .await
                .expect("stored")
                .deduplicated
        );
    });
}

#[test]
fn memory_is_taken_for_buffered_rows_and_given_back_by_a_flush() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n2 bad-b\n"))
            .await
            .expect("stored");
        let tenant = TenantId::default_tenant();
        let buffered = [Signal::Logs, Signal::DeadLetters]
            .map(|signal| store.snapshot(&tenant, signal).buffered[0].memory_bytes);
        assert_eq!(store.budget().used_bytes(), buffered.iter().sum::<u64>());
        store.flush_all().await.expect("flushed");
        assert_eq!(store.budget().used_bytes(), 0);
        let all = store
            .budget()
            .reserve(store.budget().limit_bytes())
            .expect("it is empty");
        let error = append(&store, request("3 c\n"))
            .await
            .expect_err("nothing is left");
        assert_eq!(error.kind(), Kind::Limited);
        drop(all);
    });
}

#[test]
fn what_is_counted_for_a_request_is_near_what_its_rows_hold() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        for (sequence, length) in [(1, 1), (2, 4_000), (3, 100_000)] {
            let line = format!("{sequence} {}\n", "x".repeat(length));
            append(&store, request(&line)).await.expect("stored");
            let tenant = TenantId::default_tenant();
            let snapshot = store.snapshot(&tenant, Signal::Logs);
            let counted = snapshot.buffered.last().expect("buffered").memory_bytes;
            // The text stands in the body and in three maps; the rest is two dozen columns of one small value.
            let held = 4 * length as u64;
            assert!(
                (held..held + 6_000).contains(&counted),
                "{counted} bytes for {held}"
            );
        }
    });
}

#[test]
fn an_outage_of_the_catalog_moves_rows_to_disk_until_the_quota_is_reached() {
    let mut fixture = Fixture::new();
    fixture.config.disk_bytes = 256 << 10;
    fixture.run(async {
        let store = fixture.open().await;
        fixture.catalog.set_faults(CatalogFaults {
            refused: 1.0,
            reply_lost: 0.0,
        });
        let line = "x".repeat(4_000);
        let mut stored = 0;
        let error = loop {
            match append(&store, request(&format!("{stored} {line}{stored}\n"))).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            let flushed = store.flush_all().await;
            assert_eq!(
                flushed.expect_err("the catalog is away").kind(),
                Kind::Unavailable
            );
        };
        assert_eq!(error.kind(), Kind::Limited);
        assert!(stored > 5, "{stored} requests fit into the quota");
        let health = store.health();
        let parts: Vec<&str> = health.problems.iter().map(|problem| problem.part).collect();
        assert!(!health.accepting && parts.contains(&"disk"), "{parts:?}");
        assert_eq!(
            store.budget().used_bytes(),
            0,
            "rows that are staged take no memory"
        );
        assert_eq!(records(&store, Signal::Logs).await.len(), stored);
        fixture.catalog.set_faults(CatalogFaults::default());
        store.flush_all().await.expect("the catalog is back");
        append(&store, request("9 after\n"))
            .await
            .expect("there is room again");
        assert_eq!(records(&store, Signal::Logs).await.len(), stored + 1);
    });
}

#[test]
fn the_log_shrinks_to_nothing_when_everything_is_flushed() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        for number in 0..100 {
            let line = format!("{number} {}{number}\n", "x".repeat(2_000));
            append(&store, request(&line)).await.expect("stored");
        }
        let logs = fixture
            .simulation
            .world()
            .disk
            .list(Path::new("/data/wal"))
            .expect("listed");
        assert!(logs.len() > 2, "{logs:?}");
        store.close().await.expect("closed");
        let logs = fixture
            .simulation
            .world()
            .disk
            .list(Path::new("/data/wal"))
            .expect("listed");
        // What tells lost files from removed ones stays.
        assert_eq!(logs, ["0000.witness"]);
        let error = append(&store, request("1 late\n"))
            .await
            .expect_err("closed");
        assert_eq!(error.kind(), Kind::Unavailable);
    });
    fixture.run(async {
        let store = fixture.open().await;
        // Sequences go on although no file of the log is left.
        assert_eq!(
            append(&store, request("200 next\n"))
                .await
                .expect("stored")
                .sequence,
            101
        );
        assert_eq!(records(&store, Signal::Logs).await.len(), 101);
    });
}

#[test]
fn a_frame_that_cannot_be_decoded_is_quarantined_once() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, versioned("1 a\n", 2)).await.expect("stored");
        append(&store, request("2 b\n")).await.expect("stored");
    });
    for _ in 0..2 {
        fixture.run(async {
            let store = fixture.open().await;
            assert_eq!(records(&store, Signal::Logs).await, ["b"]);
            let letters = records(&store, Signal::DeadLetters).await;
            assert_eq!(letters, ["version 2 is not known"]);
        });
    }
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(store.health().problems[0].part, "replay");
        store.flush_all().await.expect("flushed");
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 1);
    });
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 1);
        assert_eq!(store.health().problems, []);
    });
}

#[test]
fn refusals_of_admission_are_applied_at_replay_as_they_were() {
    let fixture = Fixture::new();
    let refusal = crate::append::Refusal {
        ordinal: 1,
        reason: Reason::TooOld,
        detail: "from last year".to_string(),
    };
    let check = async |store: &Store| {
        assert_eq!(records(store, Signal::Logs).await, ["a"]);
        assert_eq!(
            records(store, Signal::DeadLetters).await,
            ["from last year"]
        );
    };
    let answer = fixture.run(async {
        let store = fixture.open().await;
        let mut request = request("1 a\n2 b\n");
        request.refusals = vec![refusal];
        refuse::refuse(&mut request.decoded, &request.refusals, Vec::new()).expect("refused");
        let answer = append(&store, request).await.expect("stored").answer;
        check(&store).await;
        answer
    });
    fixture.run(async {
        let store = fixture.open().await;
        check(&store).await;
        assert_eq!(
            append(&store, request("1 a\n2 b\n"))
                .await
                .expect("known")
                .answer,
            answer
        );
    });
}

#[test]
fn dead_letters_stay_within_their_bytes_and_the_oldest_go() {
    let mut fixture = Fixture::new();
    fixture.config.dead_letter_bytes = 40_000;
    fixture.run(async {
        let store = fixture.open().await;
        let tenant = TenantId::default_tenant();
        for number in 0..40 {
            append(&store, request(&format!("{number} bad-{number}\n")))
                .await
                .expect("stored");
            store.flush_all().await.expect("flushed");
        }
        let snapshot = store.snapshot(&tenant, Signal::DeadLetters);
        let bytes: u64 = snapshot
            .segments
            .iter()
            .map(|s| stage::segment_bytes(s))
            .sum();
        assert!(
            bytes <= 40_000 && !snapshot.segments.is_empty(),
            "{bytes} bytes"
        );
        let evicted = fixture.telemetry.dead_letters_evicted(&tenant);
        assert_eq!(evicted + snapshot.segments.len() as u64, 40);
        let shutdown = CancellationToken::new();
        let deleted = async {
            store.world().clock.sleep(Duration::from_secs(700)).await;
            shutdown.cancel();
        };
        futures::join!(store.run(shutdown.clone()), deleted);
    });
    fixture.run(async {
        let world = fixture.simulation.world();
        let verified = verify(&world, &fixture.config, &*fixture.catalog, &*fixture.bucket).await;
        let verified = verified.expect("everything is within reach");
        assert!(
            verified.is_sound() && verified.orphans.is_empty(),
            "{verified:?}"
        );
    });
}

#[test]
fn a_folder_in_use_is_refused_by_name() {
    let fixture = Fixture::new();
    fixture.run(async {
        let _store = fixture.open().await;
        let error = fixture
            .try_open()
            .await
            .err()
            .expect("one process at a time");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("/data"), "{error}");
    });
}

#[test]
fn reported_damage_takes_a_segment_out_and_names_it() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let tenant = TenantId::default_tenant();
        let segment = store.snapshot(&tenant, Signal::Logs).segments[0].meta.id;
        store.report_damage(segment, Table::Logs, "a test says so");
        let snapshot = store.snapshot(&tenant, Signal::Logs);
        assert!(snapshot.segments.is_empty());
        let part = MissingPart::Object {
            segment,
            table: Table::Logs,
        };
        assert_eq!(snapshot.missing[0].part, part);
        assert_eq!(store.health().problems[0].part, "segment");
    });
}

#[test]
fn an_object_that_is_gone_is_noticed_by_its_reader() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
    });
    fixture.run(async {
        let store = fixture.open().await;
        let tenant = TenantId::default_tenant();
        let snapshot = store.snapshot(&tenant, Signal::Logs);
        let file = &snapshot.segments[0].meta.objects[0].file;
        let path = object_store::path::Path::from(file.path.as_str());
        object_store::ObjectStoreExt::delete(&fixture.bucket, &path)
            .await
            .expect("deleted");
        rows(&store, &tenant, Signal::Logs)
            .await
            .expect_err("it is gone");
        let snapshot = store.snapshot(&tenant, Signal::Logs);
        assert_eq!((snapshot.segments.len(), snapshot.missing.len()), (0, 1));
        let world = fixture.simulation.world();
        let verified = verify(&world, &fixture.config, &*fixture.catalog, &*fixture.bucket).await;
        assert!(!verified.expect("within reach").is_sound());
    });
}

#[test]
fn a_catalog_made_anew_from_the_bucket_shows_the_same_rows() {
    let mut fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        for number in 0..30 {
            let text = format!(
                "{} a{number}\n1 bad-{number}\n",
                number * 1_000_000_000_000i64
            );
            append(&store, request(&text)).await.expect("stored");
            if number % 7 == 0 {
                store.flush_all().await.expect("flushed");
            }
        }
    });
    fixture.catalog = Arc::new(MemoryCatalog::new(fixture.simulation.world()));
    fixture.run(async {
        let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
        assert_eq!((&rebuilt.left_out, &rebuilt.problems), (&vec![], &vec![]));
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await.len(), 30);
        assert_eq!(records(&store, Signal::DeadLetters).await.len(), 30);
        assert_eq!(
            append(&store, request("1 next\n"))
                .await
                .expect("stored")
                .sequence,
            31
        );
        store.close().await.expect("closed");
        let world = fixture.simulation.world();
        let verified = verify(&world, &fixture.config, &*fixture.catalog, &*fixture.bucket).await;
        let verified = verified.expect("within reach");
        assert!(verified.is_sound(), "{verified:?}");
    });
}

#[test]
fn small_buffers_wait_and_large_or_old_ones_are_flushed_in_the_background() {
    let mut fixture = Fixture::new();
    // The text of 20 requests of 4 kB, which the decoder puts into four columns.
    fixture.config.flush_bytes = 320 << 10;
    fixture.run(async {
        let store = fixture.open().await;
        let shutdown = CancellationToken::new();
        let clients = async {
            append(&store, request("1 small\n")).await.expect("stored");
            let segments = |signal| {
                store
                    .snapshot(&TenantId::default_tenant(), signal)
                    .segments
                    .len()
            };
            store.world().clock.sleep(Duration::from_secs(600)).await;
            assert_eq!(segments(Signal::Logs), 0, "a small buffer waits");
            for number in 0..20 {
                let line = format!("{number} {}{number}\n", "x".repeat(4_000));
                append(&store, request(&line)).await.expect("stored");
            }
            store.world().clock.sleep(Duration::from_secs(2)).await;
            assert_eq!(segments(Signal::Logs), 1, "a large one does not");
            append(&store, request("2 bad\n")).await.expect("stored");
            store.world().clock.sleep(Duration::from_secs(3_602)).await;
            assert_eq!(segments(Signal::DeadLetters), 1, "nor an old one");
            shutdown.cancel();
        };
        futures::join!(store.run(shutdown.clone()), clients);
        assert_eq!(records(&store, Signal::Logs).await.len(), 21);
    });
}

#[test]
fn pressure_on_memory_flushes_and_clients_go_on() {
    let mut fixture = Fixture::new();
    fixture.config.memory_bytes = 2 << 20;
    fixture.run(async {
        let store = fixture.open().await;
        let shutdown = CancellationToken::new();
        let client = async {
            let mut refused = 0;
            for number in 0..400 {
                let line = format!("{number} {}{number}\n", "x".repeat(20_000));
                while let Err(error) = append(&store, request(&line)).await {
                    assert_eq!(error.kind(), Kind::Limited);
                    refused += 1;
                    store.world().clock.sleep(Duration::from_millis(50)).await;
                }
            }
            shutdown.cancel();
            assert!(
                refused < 400,
                "{refused} refusals: the memory was not given back"
            );
        };
        futures::join!(store.run(shutdown.clone()), client);
        assert_eq!(records(&store, Signal::Logs).await.len(), 400);
    });
}

#[test]
fn a_large_request_that_is_refused_gets_room() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        let shutdown = CancellationToken::new();
        let client = async {
            // Far less than what is flushed for its size or age, or for pressure on the memory.
            append(&store, request("1 a\n")).await.expect("stored");
            let large = store.budget().limit_bytes();
            let refused = store.budget().reserve(large).expect_err("no room");
            assert_eq!(refused.kind(), Kind::Limited);
            store.world().clock.sleep(Duration::from_secs(5)).await;
            store.budget().reserve(large).expect("room by now");
            shutdown.cancel();
        };
        futures::join!(store.run(shutdown.clone()), client);
    });
}

#[test]
fn a_log_longer_than_the_memory_is_replayed() {
    let mut fixture = Fixture::new();
    fixture.config.memory_bytes = 64 << 20;
    fixture.run(async {
        let store = fixture.open().await;
        for number in 0..200 {
            let line = format!("{number} {}{number}\n", "x".repeat(20_000));
            append(&store, request(&line)).await.expect("stored");
        }
    });
    // Less than one file of the log holds.
    (fixture.config.memory_bytes, fixture.config.flush_bytes) = (32 << 10, 16 << 10);
    fixture.run(async {
        let store = fixture.open().await;
        assert_eq!(records(&store, Signal::Logs).await.len(), 200);
        let snapshot = store.snapshot(&TenantId::default_tenant(), Signal::Logs);
        assert!(snapshot.segments.len() > 10, "most of it was staged");
        assert!(store.budget().used_bytes() < 1 << 20);
    });
}

#[test]
fn a_local_bucket_takes_staged_files_by_rename_and_old_views_still_read_them() {
    let mut fixture = Fixture::new();
    fixture.config.bucket = "local".to_string();
    fixture.bucket = Arc::new(LocalStore::new(
        fixture.simulation.world(),
        PathBuf::from("/data/bucket"),
    ));
    fixture.run(async {
        let store = fixture.open().await;
        append(&store, request("1 a\n")).await.expect("stored");
        let key = (TenantId::default_tenant(), Signal::Logs);
        stage::stage(&store.state, &key, "test")
            .await
            .expect("staged");
        let view = store.snapshot(&key.0, key.1);
        assert!(view.segments[0].staged && view.buffered.is_empty());
        store.flush_all().await.expect("flushed");
        let now = store.snapshot(&key.0, key.1);
        assert!(!now.segments[0].staged && now.segments[0].meta == view.segments[0].meta);
        let reader = store
            .reader(&view.segments[0], Table::Logs, Arc::default())
            .expect("reader");
        reader
            .footer()
            .await
            .expect("the file is found where it went");
        assert_eq!(records(&store, Signal::Logs).await, ["a"]);
    });
}
