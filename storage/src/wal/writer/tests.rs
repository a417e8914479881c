//! Order, rotation, failing disks, power cuts and kills.

use super::*;
use crate::{
    signal::Encoding,
    time::Nanos,
    wal::replay::{Damage, DamageKind, Replayed, replay},
    world::simulated::{Ended, Faults, Simulation, Stop},
};
use std::path::Path;

fn directory() -> &'static Path {
    Path::new("/wal")
}

fn settings(file_bytes: u64) -> Settings {
    Settings {
        zero_fill_bytes: 2_048,
        ..Settings::new(directory().into(), file_bytes)
    }
}

fn request(index: u64) -> Request {
    let payload = vec![index as u8; (index as usize * 37) % 900];
    Request {
        tenant: format!("tenant-{}", index % 3).parse().expect("valid"),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 1,
        received: Nanos(index as i64),
        digest: u128::from(index),
        refusals: Vec::new(),
        payload: payload.into(),
    }
}

fn replayed(simulation: &Simulation) -> (Vec<Frame>, Replayed) {
    let mut frames = Vec::new();
    let found = replay(&simulation.world(), directory(), 0, &mut |frame| {
        frames.push(frame);
        Ok(())
    });
    (frames, found.expect("readable"))
}

/// Sequences with what went along with them.
type Told = Arc<Mutex<Vec<(u64, u64)>>>;

/// A log with its writer running, and the sequences that became durable, in the order it was told.
fn start(simulation: &Simulation, epoch: u64) -> (Wal<u64>, Told) {
    let (_, found) = replayed(simulation);
    start_after(simulation, epoch, found)
}

fn start_after(simulation: &Simulation, epoch: u64, found: Replayed) -> (Wal<u64>, Told) {
    let start = Start {
        epoch,
        next_sequence: found.last_sequence + 1,
        files: found.files,
    };
    let told = Told::default();
    let telling = told.clone();
    let (wal, writer) = Wal::new(simulation.world(), settings(8_192), start, move |batch| {
        let requests = batch.requests.iter();
        telling
            .lock()
            .extend(requests.map(|durable| (durable.sequence, durable.cargo)));
    });
    tokio::spawn(writer.run());
    (wal, told)
}

#[test]
fn appends_come_back_in_order_and_files_rotate() {
    let simulation = Simulation::new(3);
    let ended = simulation.run(async {
        let (wal, told) = start(&simulation, 1);
        let appends = (0..100).map(|index| wal.append(request(index), index));
        let sequences: Vec<u64> = futures::future::try_join_all(appends)
            .await
            .expect("the disk works");
        assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
        let expected: Vec<(u64, u64)> = (1..=100).zip(0..100).collect();
        assert_eq!(*told.lock(), expected);
        for index in 100..130 {
            wal.append(request(index), index)
                .await
                .expect("the disk works");
        }
        wal.close().await;
        assert!(
            wal.append(request(0), 0).await.is_err(),
            "a closed log takes nothing"
        );
        wal.files()
    });
    let Ended::Finished(files) = ended else {
        panic!("nobody stopped it")
    };
    assert!(files.len() > 2 && files.iter().all(|file| !file.open));
    let (frames, found) = replayed(&simulation);
    assert_eq!(found.damage, []);
    assert_eq!(found.files, files);
    assert_eq!(found.last_sequence, 130);
    for (index, frame) in (0..).zip(&frames) {
        assert_eq!((frame.epoch, frame.sequence), (1, index + 1));
        assert_eq!(frame.request, request(index));
    }
}

#[test]
fn removed_files_stay_removed_and_damaged_ones_are_set_aside() {
    let simulation = Simulation::new(4);
    simulation.run(async {
        let (wal, _) = start(&simulation, 1);
        for index in 0..60 {
            wal.append(request(index), index)
                .await
                .expect("the disk works");
        }
        assert_eq!(wal.retire(|_, _| 0).await.expect("the disk works"), []);
        let retired = wal.retire(|_, _| 20).await.expect("the disk works");
        let left = wal.files();
        assert!(!retired.is_empty() && retired.iter().all(|id| *id < left[0].id));
        assert!(
            left.iter()
                .any(|file| !file.open && file.last.values().any(|last| *last > 20))
        );
        wal.close().await;
    });
    let (_, before) = replayed(&simulation);
    simulation.flip(&directory().join(&before.files[1].name), 300, 0x10);
    simulation.run(async {
        let (wal, _) = start(&simulation, 2);
        let files = wal.files();
        assert_eq!(files.iter().filter(|file| file.damaged).count(), 1);
        let retired = wal.retire(|_, _| 60).await.expect("the disk works");
        assert_eq!(
            retired,
            files.iter().map(|file| file.id).collect::<Vec<_>>()
        );
        assert_eq!(wal.bytes(), 0);
    });
    simulation.cut_power();
    let (frames, found) = replayed(&simulation);
    assert_eq!((frames.len(), found.files.len()), (0, 0));
    let aside = simulation.world().disk.list(&directory().join("damaged"));
    assert_eq!(aside.expect("made"), [before.files[1].name.clone()]);
}

#[test]
fn the_requests_of_a_failed_write_are_refused_and_never_come_back() {
    for seed in 0..40 {
        let simulation = Simulation::new(seed);
        let ended = simulation.run(async {
            let (wal, _) = start(&simulation, 1);
            let mut kept = Vec::new();
            let mut refused = 0;
            for index in 0..60 {
                let rate = if (20..40).contains(&index) { 0.2 } else { 0.0 };
                simulation.set_faults(Faults {
                    write: rate,
                    sync: rate,
                    full: rate,
                    ..Default::default()
                });
                match wal.append(request(index), index).await {
                    Ok(sequence) => kept.push((sequence, index)),
                    Err(_) => refused += 1,
                }
            }
            simulation.set_faults(Faults::default());
            simulation.world().clock.sleep(LONGEST_WAIT).await;
            let last = wal
                .append(request(60), 60)
                .await
                .expect("the disk works again");
            kept.push((last, 60));
            assert!(wal.files().iter().filter(|file| file.open).count() == 1);
            wal.close().await;
            (kept, refused)
        });
        let Ended::Finished((kept, refused)) = ended else {
            panic!("nobody stopped it")
        };
        assert!(refused > 0, "seed {seed}: the faults hit nothing");
        simulation.cut_power();
        let (frames, found) = replayed(&simulation);
        let back: Vec<(u64, u64)> = frames
            .iter()
            .map(|frame| (frame.sequence, frame.request.digest as u64))
            .collect();
        assert_eq!(back, kept, "seed {seed}");
        let corrupt = found
            .damage
            .iter()
            .filter(|d| d.kind == DamageKind::Corrupt)
            .count();
        assert_eq!(corrupt, 0, "seed {seed}: {:?}", found.damage);
    }
}

#[test]
fn a_disk_that_stays_full_is_not_filled_with_attempts() {
    let simulation = Simulation::new(2);
    simulation.run(async {
        let (wal, _) = start(&simulation, 1);
        wal.append(request(1), 1).await.expect("the disk works");
        simulation.set_faults(Faults {
            full: 1.0,
            ..Default::default()
        });
        let clock = simulation.world().clock;
        let minute = clock.monotonic() + Duration::from_secs(60);
        let mut refused = 0;
        while clock.monotonic() < minute {
            wal.append(request(2), 2)
                .await
                .expect_err("the disk is full");
            clock.sleep(Duration::from_millis(5)).await;
            refused += 1;
        }
        // Most attempts are probes, which leave no file.
        let files = wal.files().len();
        assert!(
            refused > 1_000 && (1..40).contains(&files),
            "{files} files, {refused} refused"
        );
        assert!(wal.fault().is_some());
        simulation.set_faults(Faults::default());
        clock.sleep(LONGEST_WAIT).await;
        // Nobody had to send anything.
        assert_eq!(wal.fault(), None);
        wal.append(request(2), 2)
            .await
            .expect("there is room again");
        wal.retire(|_, _| u64::MAX).await.expect("the disk works");
        assert_eq!(wal.files().len(), 1);
    });
}

#[test]
fn a_disk_that_works_again_is_noticed_without_a_request() {
    let simulation = Simulation::new(3);
    simulation.run(async {
        let (wal, told) = start(&simulation, 1);
        let clock = simulation.world().clock;
        simulation.set_faults(Faults {
            sync: 1.0,
            ..Default::default()
        });
        let began = simulation.now();
        wal.append(request(1), 1).await.expect_err("no fsync works");
        let fault = wal.fault().expect("known when the caller is told");
        assert!(fault.since >= began && fault.detail.contains("write-ahead log"));
        // Ten minutes of it leave one file, the one whose write failed.
        clock.sleep(Duration::from_secs(600)).await;
        assert_eq!(wal.fault().map(|fault| fault.since), Some(fault.since));
        assert_eq!(wal.files().len(), 1);
        simulation.set_faults(Faults::default());
        clock.sleep(LONGEST_WAIT).await;
        assert_eq!(wal.fault(), None);
        let left = simulation.world().disk.list(directory()).expect("listed");
        assert_eq!(left.len(), 1, "{left:?}");
        let sequence = wal.append(request(2), 2).await.expect("it works");
        assert_eq!(*told.lock(), [(sequence, 2)]);
        wal.close().await;
    });
    simulation.cut_power();
    let (frames, found) = replayed(&simulation);
    assert_eq!(frames.len(), 1);
    let given_up = |damage: &Damage| damage.kind == DamageKind::GivenUp;
    assert!(found.damage.iter().all(given_up), "{:?}", found.damage);
}

#[test]
fn files_behind_an_abandoned_one_outlive_it() {
    let simulation = Simulation::new(8);
    simulation.run(async {
        let (wal, _) = start(&simulation, 1);
        wal.append(request(1), 1).await.expect("the disk works");
        simulation.set_faults(Faults {
            sync: 1.0,
            ..Default::default()
        });
        wal.append(request(2), 2)
            .await
            .expect_err("the fsync fails");
        simulation.set_faults(Faults::default());
        wal.append(request(2), 2).await.expect("a new file works");
        wal.close().await;
        let second_only = |of: &TenantId, _| if *of == request(2).tenant { 9 } else { 0 };
        assert_eq!(wal.retire(second_only).await.expect("the disk works"), []);
        assert_eq!(wal.files().len(), 2);
    });
    let (_, found) = replayed(&simulation);
    assert!(found.files[0].abandoned && !found.files[1].abandoned);
    simulation.run(async {
        let (wal, _) = start(&simulation, 2);
        let second_only = |of: &TenantId, _| if *of == request(2).tenant { 9 } else { 0 };
        assert_eq!(wal.retire(second_only).await.expect("the disk works"), []);
        assert_eq!(
            wal.retire(|_, _| u64::MAX)
                .await
                .expect("the disk works")
                .len(),
            2
        );
    });
}

/// Appends until stopped; what was acknowledged is noted outside of the life.
async fn appending(
    simulation: &Simulation,
    epoch: u64,
    found: Replayed,
    acknowledged: &Mutex<Vec<(u64, u64)>>,
) {
    let (wal, _) = start_after(simulation, epoch, found);
    let wal = Arc::new(wal);
    let clients = (0..8).map(|client| {
        let wal = wal.clone();
        async move {
            for step in 0.. {
                let index = epoch * 100_000 + client * 1_000 + step;
                if let Ok(sequence) = wal.append(request(index), index).await {
                    acknowledged.lock().push((sequence, index));
                }
                simulation
                    .world()
                    .clock
                    .sleep(Duration::from_millis(index % 7))
                    .await;
            }
        }
    });
    futures::future::join_all(clients).await;
}

#[test]
fn power_cuts_and_kills_lose_nothing_that_was_acknowledged() {
    for seed in 0..60 {
        let simulation = Simulation::new(seed);
        let acknowledged = Mutex::new(Vec::new());
        for epoch in 1..=4 {
            let stop = if seed % 2 == 0 {
                Stop::PowerCut
            } else {
                Stop::Kill
            };
            let (_, found) = replayed(&simulation);
            simulation.stop_after(10 + simulation.below(400), stop);
            simulation.set_faults(Faults {
                write: 0.01,
                sync: 0.01,
                ..Default::default()
            });
            let ended = simulation.run(appending(&simulation, epoch, found, &acknowledged));
            assert_eq!(ended, Ended::Stopped(stop));
            simulation.set_faults(Faults::default());
            let (frames, found) = replayed(&simulation);
            let sequences: Vec<u64> = frames.iter().map(|frame| frame.sequence).collect();
            assert!(
                sequences.is_sorted_by(|a, b| a < b),
                "seed {seed}: order or doubles"
            );
            for (sequence, index) in acknowledged.lock().iter() {
                let frame = frames
                    .binary_search_by_key(sequence, |frame| frame.sequence)
                    .map(|at| &frames[at])
                    .unwrap_or_else(|_| panic!("seed {seed}: lost {sequence}: {found:?}"));
                assert_eq!(frame.request, request(*index), "seed {seed}");
            }
            let corrupt = found
                .damage
                .iter()
                .filter(|d| d.kind == DamageKind::Corrupt)
                .count();
            assert_eq!(corrupt, 0, "seed {seed}: {:?}", found.damage);
        }
        assert!(
            acknowledged.lock().len() > 20,
            "seed {seed}: hardly anything happened"
        );
    }
}

#[test]
fn an_absurd_request_is_refused_before_it_is_queued() {
    let simulation = Simulation::new(1);
    simulation.run(async {
        let (wal, _) = start(&simulation, 1);
        let detail = "x".repeat(1 << 20);
        let refusal = crate::append::Refusal {
            ordinal: 0,
            reason: crate::append::Reason::TooOld,
            detail,
        };
        let refusals = vec![refusal; 1_024];
        let error = wal
            .append(
                Request {
                    refusals,
                    ..request(1)
                },
                1,
            )
            .await
            .expect_err("too large");
        assert_eq!(error.kind(), crate::error::Kind::Invalid);
    });
}
