//! What the seeded world keeps and loses, and that a seed is a run.

use super::*;
use std::{collections::BTreeSet, path::PathBuf};

const SEEDS: u64 = 64;

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

fn write_file(world: &World, name: &Path, bytes: &[u8], sync: bool) {
    let file = world.disk.create(name).expect("create");
    file.write_at(0, bytes).expect("write");
    if sync {
        file.sync().expect("sync");
    }
}

fn read_file(world: &World, name: &Path) -> Option<Vec<u8>> {
    let file = world.disk.open_read(name).ok()?;
    Some(file.read_at(0, usize::MAX).expect("read").to_vec())
}

/// Writes with the given protections, cuts the power and returns what is left, for many seeds.
fn left_after_power_cut(sync_file: bool, sync_directory: bool) -> BTreeSet<Option<Vec<u8>>> {
    let left = |seed| {
        let simulation = Simulation::new(seed);
        let world = simulation.world();
        world
            .disk
            .create_directories(&path("/data"))
            .expect("make directory");
        write_file(&world, &path("/data/a"), &[7; 2000], sync_file);
        if sync_directory {
            world
                .disk
                .sync_directory(&path("/data"))
                .expect("sync directory");
        }
        simulation.cut_power();
        read_file(&world, &path("/data/a"))
    };
    (0..SEEDS).map(left).collect()
}

#[test]
fn only_what_was_fsynced_is_certain() {
    let whole = Some(vec![7; 2000]);
    assert_eq!(
        left_after_power_cut(true, true),
        BTreeSet::from([whole.clone()])
    );
    // Without the directory's fsync the file is there or not, but never half.
    assert_eq!(
        left_after_power_cut(true, false),
        BTreeSet::from([None, whole.clone()])
    );
    // Without its own fsync it is there, empty, whole or torn.
    let left = left_after_power_cut(false, true);
    assert!(left.contains(&whole) && left.contains(&Some(Vec::new())) && !left.contains(&None));
    assert!(left.len() > 4, "torn in few ways only: {}", left.len());
}

#[test]
fn renames_and_removes_need_the_directory() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let simulation = Simulation::new(seed);
        let world = simulation.world();
        for name in ["/old", "/gone"] {
            write_file(&world, &path(name), name.as_bytes(), true);
        }
        world
            .disk
            .sync_directory(&path("/"))
            .expect("sync directory");
        world
            .disk
            .rename(&path("/old"), &path("/new"))
            .expect("rename");
        world.disk.remove(&path("/gone")).expect("remove");
        simulation.cut_power();
        seen.insert(world.disk.list(&path("/")).expect("list"));
    }
    let expected: BTreeSet<Vec<String>> = [
        vec!["gone", "new"],
        vec!["gone", "old"],
        vec!["new"],
        vec!["old"],
    ]
    .into_iter()
    .map(|names| names.into_iter().map(String::from).collect())
    .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_directory_that_a_killed_process_left_is_made_durable_by_the_next() {
    for seed in 0..SEEDS {
        let simulation = Simulation::new(seed);
        let world = simulation.world();
        // The kill comes between making and fsyncing.
        simulation.stop_after(2, Stop::Kill);
        let ended = simulation.run(async {
            world
                .disk
                .create_directories(&path("/data"))
                .expect_err("killed");
            std::future::pending::<()>().await;
        });
        assert_eq!(ended, Ended::Stopped(Stop::Kill));
        world
            .disk
            .create_directories(&path("/data"))
            .expect("there already");
        simulation.cut_power();
        assert_eq!(world.disk.list(&path("/")).expect("list"), ["data/"]);
    }
}

#[test]
fn a_failed_fsync_is_not_made_good_by_a_second() {
    let lost = (0..SEEDS).filter(|seed| {
        let simulation = Simulation::new(*seed);
        let world = simulation.world();
        let file = world.disk.create(&path("/a")).expect("create");
        world
            .disk
            .sync_directory(&path("/"))
            .expect("sync directory");
        file.write_at(0, b"bytes").expect("write");
        simulation.set_faults(Faults {
            sync: 1.0,
            ..Faults::default()
        });
        file.sync().expect_err("the fsync fails");
        simulation.set_faults(Faults::default());
        file.sync().expect("the second fsync says OK");
        assert_eq!(read_file(&world, &path("/a")).expect("readable"), b"bytes");
        simulation.cut_power();
        read_file(&world, &path("/a"))
            .expect("entry was synced")
            .is_empty()
    });
    assert!(lost.count() > 5);
}

#[test]
fn sabotage_takes_the_protection_out() {
    let survived = |sabotage| {
        let kept = |seed: &u64| {
            let simulation = Simulation::new(*seed);
            simulation.set_sabotage(sabotage);
            let world = simulation.world();
            write_file(&world, &path("/a"), b"bytes", true);
            world
                .disk
                .sync_directory(&path("/"))
                .expect("sync directory");
            simulation.cut_power();
            read_file(&world, &path("/a")).is_some_and(|bytes| bytes == b"bytes")
        };
        (0..SEEDS).filter(kept).count() as u64
    };
    assert_eq!(survived(Sabotage::default()), SEEDS);
    let without_file = Sabotage {
        skip_file_sync: true,
        ..Sabotage::default()
    };
    let without_directory = Sabotage {
        skip_directory_sync: true,
        ..Sabotage::default()
    };
    assert!(survived(without_file) < SEEDS && survived(without_directory) < SEEDS);
}

#[test]
fn full_disks_and_damage_show() {
    let simulation = Simulation::new(1);
    let world = simulation.world();
    write_file(&world, &path("/a"), b"abc", true);
    simulation.flip(&path("/a"), 1, 0x01);
    assert_eq!(read_file(&world, &path("/a")).expect("readable"), b"acc");
    simulation.set_faults(Faults {
        full: 1.0,
        ..Faults::default()
    });
    let error = world
        .disk
        .create(&path("/b"))
        .err()
        .expect("the disk is full");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(world.disk.list(&path("/")).expect("list"), ["a"]);
}

async fn busy_life(world: World) -> Vec<(u64, Duration)> {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for task in 0..20 {
        let (world, sender) = (world.clone(), sender.clone());
        tokio::spawn(async move {
            world
                .clock
                .sleep(Duration::from_micros(world.random.next() % 5000))
                .await;
            let disk = world.disk.clone();
            let name = path(&format!("/{task}"));
            world
                .blocking(move || disk.create(&name).and_then(|file| file.sync()))
                .await
                .expect("work runs")
                .expect("disk works");
            sender
                .send((task, world.clock.monotonic()))
                .expect("the life listens");
        });
    }
    drop(sender);
    let mut order = Vec::new();
    while let Some(done) = receiver.recv().await {
        order.push(done);
    }
    order
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| {
        let simulation = Simulation::new(seed);
        let order = simulation.run(busy_life(simulation.world()));
        (order, simulation.trace(), simulation.calls())
    };
    let (first, again, other) = (run(5), run(5), run(6));
    assert_eq!(first, again);
    assert_ne!(first.1, other.1);
    let Ended::Finished(order) = first.0 else {
        panic!("nobody stopped it")
    };
    assert_eq!(order.len(), 20);
    assert!(
        !order.is_sorted_by_key(|(task, _)| *task),
        "tasks should interleave"
    );
}

#[test]
fn time_jumps_and_dropped_sleeps_leave_nothing() {
    let simulation = Simulation::new(1);
    let world = simulation.world();
    let day = Duration::from_secs(86_400);
    let ended = simulation.run(async {
        let start = world.clock.now();
        tokio::select! {
            biased;
            () = world.clock.sleep(day * 365) => panic!("the shorter sleep ends first"),
            () = world.clock.sleep(day) => {}
        }
        world.clock.now().since(start)
    });
    assert_eq!(ended, Ended::Finished(day));
    let before = simulation.now();
    simulation.step_wall_clock(-1_000);
    assert_eq!(simulation.now().0, before.0 - 1_000);
}

#[test]
fn stops_end_a_life_and_locks_are_free_in_the_next() {
    for stop in [Stop::Kill, Stop::PowerCut] {
        let simulation = Simulation::new(9);
        let world = simulation.world();
        simulation.stop_after(40, stop);
        let ended = simulation.run(async {
            let lock = world.disk.lock(&path("/lock")).expect("lock");
            world
                .disk
                .sync_directory(&path("/"))
                .expect("sync directory");
            let file = world.disk.create(&path("/file")).expect("create");
            for index in 0.. {
                let failed = file.write_at(index, &[1]).is_err();
                // After a stop nothing works any more, but the process may still run a little.
                world.clock.sleep(Duration::from_millis(1)).await;
                assert!(!failed, "a stopped life went on");
            }
            drop(lock);
        });
        assert_eq!(ended, Ended::Stopped(stop));
        let again = world.disk.lock(&path("/lock"));
        assert!(again.is_ok(), "the lock of a dead process is free");
        if stop == Stop::Kill {
            let length = read_file(&world, &path("/file"))
                .expect("a kill loses nothing")
                .len();
            assert_eq!(length, 36);
        }
    }
}

#[test]
#[should_panic(expected = "nothing is left to happen")]
fn a_deadlock_is_loud() {
    Simulation::new(1).run(std::future::pending::<()>());
}
