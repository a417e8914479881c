//! Whether the wall clock is to be believed, for retention: a clock that jumps years ahead must not remove everything.
//!
//! The monotonic clock says what the wall clock should show while a process runs, and a small file carries that over to
//! the next one. A wall clock that shows more than a day something else is doubted, until it has gone on steadily for a
//! day of running: long enough for somebody to see the problem in health, and no work for anybody where the server was
//! merely off. A clock that is behind removes nothing that should stay, so only one that is ahead is held up.

use crate::{
    error::{Error, Result},
    time::Nanos,
    world::World,
};
use std::{io, path::Path, time::Duration};

/// How far the wall clock may be from what it should show: time zones, a night off.
const TOLERANCE: Duration = Duration::from_secs(86_400);

/// How long a clock has to go on steadily until it is believed.
const PROBATION: Duration = Duration::from_secs(86_400);

/// How often the file is written while nothing happens.
const KEEP_INTERVAL: Duration = Duration::from_secs(600);

/// The file in the data folder.
const FILE: &str = "clock.json";

/// The file has some hundred bytes.
const MAX_FILE_BYTES: usize = 4 << 10;

/// What a pass over what expires leaves for the next one.
#[derive(Default)]
pub(super) struct Passes {
    /// Monotonic time of the next pass.
    pub(super) next: Duration,
    /// What is known of the wall clock, from the first pass on.
    pub(super) trust: Option<Trust>,
}

/// What is known of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    /// A time that was believed, and the monotonic time of then.
    believed: Nanos,
    at: Duration,
    doubt: Option<Doubt>,
    /// Monotonic time from which it is written again; at once where it says something new.
    keep_at: Duration,
}

/// A wall clock that shows something else than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Doubt {
    /// What it showed last, and the monotonic time of then.
    wall: Nanos,
    at: Duration,
    /// How long it has gone on steadily.
    steady: Duration,
}

impl Trust {
    fn new(believed: Nanos, at: Duration) -> Trust {
        Trust {
            believed,
            at,
            doubt: None,
            keep_at: Duration::ZERO,
        }
    }

    /// What the wall clock should show.
    pub(super) fn expected(&self, monotonic: Duration) -> Nanos {
        self.believed.plus(monotonic.saturating_sub(self.at))
    }

    /// Looks at the wall clock: how much longer nothing may be removed by it, where it is ahead and not believed.
    pub(super) fn look(&mut self, now: Nanos, monotonic: Duration) -> Option<Duration> {
        let expected = self.expected(monotonic);
        let steady = match &self.doubt {
            _ if is_near(now, expected) => PROBATION,
            Some(doubt) => {
                let passed = monotonic.saturating_sub(doubt.at);
                match is_near(now, doubt.wall.plus(passed)) {
                    true => doubt.steady + passed,
                    false => Duration::ZERO,
                }
            }
            None => Duration::ZERO,
        };
        if steady >= PROBATION {
            let news = self.doubt.is_some();
            let keep_at = if news { monotonic } else { self.keep_at };
            *self = Trust {
                keep_at,
                ..Trust::new(now, monotonic)
            };
            return None;
        }
        if self.doubt.is_none() {
            self.keep_at = monotonic;
        }
        self.doubt = Some(Doubt {
            wall: now,
            at: monotonic,
            steady,
        });
        (now > expected).then(|| PROBATION - steady)
    }
}

fn is_near(a: Nanos, b: Nanos) -> bool {
    a.since(b).max(b.since(a)) <= TOLERANCE
}

/// The file: what a process tells the next one.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Kept {
    believed: Nanos,
    /// What a clock that is doubted showed.
    doubted: Option<Nanos>,
    steady_seconds: u64,
    /// CRC-32C of the three as text: see [`Kept::checksum`].
    crc: u32,
}

impl Kept {
    fn checksum(&self) -> u32 {
        let Kept {
            believed,
            doubted,
            steady_seconds,
            ..
        } = self;
        let doubted = doubted.map(|Nanos(nanos)| nanos.to_string());
        let text = format!(
            "{} {} {steady_seconds}",
            believed.0,
            doubted.unwrap_or_default()
        );
        crc32c::crc32c(text.as_bytes())
    }
}

/// What the process before this one knew; where it left nothing, `newest` says what time it was at least, and
/// without that the clock is taken at its word.
pub(super) async fn load(world: &World, data_dir: &Path, newest: Option<Nanos>) -> Trust {
    let (inside, path) = (world.clone(), data_dir.join(FILE));
    let read = world.blocking(move || read(&inside, &path)).await;
    let monotonic = world.clock.monotonic();
    let kept = match read.and_then(|read| read) {
        Ok(kept) => kept,
        Err(error) => {
            tracing::warn!(%error, "the newest segment says what time it was");
            None
        }
    };
    let Some(kept) = kept else {
        let now = world.clock.now();
        return Trust::new(newest.unwrap_or(now), monotonic);
    };
    let doubt = kept.doubted.map(|wall| Doubt {
        wall,
        at: monotonic,
        steady: Duration::from_secs(kept.steady_seconds),
    });
    Trust {
        doubt,
        ..Trust::new(kept.believed, monotonic)
    }
}

/// Writes down what the next process should know, where it is time to.
pub(super) async fn keep(world: &World, data_dir: &Path, trust: &mut Trust) -> Result<()> {
    let monotonic = world.clock.monotonic();
    if monotonic < trust.keep_at {
        return Ok(());
    }
    trust.keep_at = monotonic + KEEP_INTERVAL;
    let doubt = trust.doubt.as_ref();
    let mut kept = Kept {
        believed: trust.believed,
        doubted: doubt.map(|doubt| doubt.wall),
        steady_seconds: doubt.map_or(0, |doubt| doubt.steady.as_secs()),
        crc: 0,
    };
    kept.crc = kept.checksum();
    let (inside, path) = (world.clone(), data_dir.join(FILE));
    world.blocking(move || write(&inside, &path, &kept)).await?
}

/// `None` where there is none, or it is damaged.
fn read(world: &World, path: &Path) -> Result<Option<Kept>> {
    let failed = |source| Error::Disk {
        doing: "reading what time it was",
        path: path.into(),
        source,
    };
    let bytes = match world.disk.open_read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened
            .and_then(|file| file.read_at(0, MAX_FILE_BYTES))
            .map_err(failed)?,
    };
    let kept: Option<Kept> = serde_json::from_slice(&bytes).ok();
    Ok(kept.filter(|kept| kept.crc == kept.checksum()))
}

/// Writes the file beside its place and renames it: it is whole or not there.
fn write(world: &World, path: &Path, kept: &Kept) -> Result<()> {
    let written = || {
        let unfinished = path.with_extension("json.new");
        match world.disk.remove(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let text = serde_json::to_vec(kept).map_err(io::Error::other)?;
        let file = world.disk.create(&unfinished)?;
        file.write_at(0, &text)?;
        file.sync()?;
        world.disk.rename(&unfinished, path)?;
        world.disk.sync_directory(path.parent().unwrap_or(path))
    };
    written().map_err(|source| Error::Disk {
        doing: "writing down what time it is",
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    const BEGIN: Nanos = Nanos(1_767_225_600_000_000_000);

    /// Looks once an hour for `hours` hours at a clock that is `ahead` of the true time; the last answer.
    fn run(
        trust: &mut Trust,
        begin: u32,
        hours: u32,
        wall: impl Fn(Nanos) -> Nanos,
    ) -> Option<Duration> {
        let looks = (begin..begin + hours).map(|hour| {
            let monotonic = HOUR * hour;
            trust.look(wall(BEGIN.plus(monotonic)), monotonic)
        });
        looks.last().flatten()
    }

    #[test]
    fn a_clock_that_goes_as_it_should_is_believed_and_so_are_hours_of_error() {
        let mut trust = Trust::new(BEGIN, Duration::ZERO);
        assert_eq!(run(&mut trust, 0, 1_000, |now| now), None);
        assert_eq!(run(&mut trust, 1_000, 10, |now| now.plus(HOUR * 23)), None);
        assert_eq!(run(&mut trust, 1_010, 10, |now| now.minus(HOUR)), None);
    }

    #[test]
    fn a_jump_ahead_is_believed_after_a_day_in_which_nothing_else_happened() {
        let mut trust = Trust::new(BEGIN, Duration::ZERO);
        let ahead = |now: Nanos| now.plus(YEAR);
        assert_eq!(run(&mut trust, 0, 1, ahead), Some(HOUR * 24));
        assert_eq!(run(&mut trust, 1, 23, ahead), Some(HOUR));
        // Set again, and so again: it was no steady clock.
        assert_eq!(
            run(&mut trust, 24, 1, |now| now.plus(YEAR * 2)),
            Some(HOUR * 24)
        );
        // Set right: nothing to wait for.
        assert_eq!(run(&mut trust, 25, 1, |now| now), None);
        assert_eq!(run(&mut trust, 26, 24, ahead), Some(HOUR));
        assert_eq!(run(&mut trust, 50, 1, ahead), None);
        assert_eq!(run(&mut trust, 51, 1, ahead), None);
    }

    #[test]
    fn a_clock_that_is_behind_holds_nothing_up_and_is_no_reason_to_doubt_the_right_one() {
        let mut trust = Trust::new(BEGIN, Duration::ZERO);
        // A machine without a battery, until it has asked for the time.
        assert_eq!(run(&mut trust, 0, 2, |_| Nanos(0)), None);
        assert_eq!(run(&mut trust, 2, 2, |now| now), None);
        // A clock that was wrong when it was believed, and is set right at last.
        let mut trust = Trust::new(BEGIN.plus(YEAR), Duration::ZERO);
        assert_eq!(run(&mut trust, 0, 25, |now| now), None);
        assert_eq!(
            run(&mut trust, 25, 1, |now| now.plus(YEAR)),
            Some(HOUR * 24)
        );
    }
}
