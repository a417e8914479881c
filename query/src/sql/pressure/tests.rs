//! Which statement is stopped, and that the memory of the process is known.

use super::*;

#[test]
fn the_last_that_grew_goes_first() {
    const MIB: u64 = 1 << 20;
    let state = State {
        running: vec![(1, 100 * MIB), (2, 200 * MIB), (3, 990 * MIB)],
        ..State::default()
    };
    assert_eq!(state.last_grown(1_000 * MIB), Some(2), "3 only just came");
    assert_eq!(state.last_grown(1_054 * MIB), Some(3));
    assert_eq!(
        state.last_grown(150 * MIB),
        None,
        "what was there before is nobody's"
    );
}

#[test]
fn others_are_stopped_while_the_memory_grows_or_after_a_while() {
    const MIB: u64 = 1 << 20;
    let mut state = State {
        running: vec![(1, 0), (2, 0), (3, 0), (4, 0)],
        ..State::default()
    };
    let at = Duration::from_millis;
    assert!(!state.stops(3, 1_000 * MIB, at(0)), "4 came last");
    assert!(state.stops(4, 1_000 * MIB, at(0)));
    assert!(!state.stops(3, 1_050 * MIB, at(20)), "4 gives back");
    assert!(state.stops(3, 1_064 * MIB, at(40)), "4 was not alone");
    assert!(!state.stops(2, 1_100 * MIB, at(60)));
    assert!(
        state.stops(2, 1_100 * MIB, at(290)),
        "4 and 3 had their time"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_this_process_is_known_and_a_statement_over_it_is_stopped() {
    let pressure = Pressure::new(cairn_storage::world::real::world(), 1 << 40);
    let resident_bytes = pressure.resident_bytes().expect("Linux says it");
    assert!(resident_bytes > 1 << 20, "{resident_bytes}");
    let watched = pressure.watch();
    assert!(!pressure.is_over(watched.number), "there is a lot of room");
    let pressure = Arc::new(Pressure {
        world: cairn_storage::world::real::world(),
        limit_bytes: 1,
        state: Mutex::new(State {
            running: vec![(7, 0)],
            ..State::default()
        }),
    });
    let grown = vec![1_u8; GROWTH_BYTES as usize];
    assert!(
        pressure.is_over(7),
        "{} bytes over a limit of 1",
        grown.len()
    );
}

#[test]
fn pages_of_statm() {
    assert_eq!(pages(b"5000 1234 900 1 0 800 0\n"), Some(1234));
    assert_eq!(pages(b""), None);
}
