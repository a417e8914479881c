//! What a process took: processor time, memory, disk.

use anyhow::{Context, Result};
use cairn_storage::world::World;
use std::path::Path;

/// Ticks of `/proc/*/stat` in a second: USER_HZ, which is 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Seconds on the processor, user and system, of a running process.
pub(crate) fn processor_seconds(process: u32) -> Result<f64> {
    ticks(&format!("/proc/{process}/stat"), 14)
}

/// The same of all ended and awaited children of this process.
pub(crate) fn children_seconds() -> Result<f64> {
    ticks("/proc/self/stat", 16)
}

/// The sum of two neighbouring fields, numbered from 1 as in proc(5), in seconds.
fn ticks(path: &str, first: usize) -> Result<f64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    // The second field is a name in brackets that may have spaces.
    let (_, rest) = text.rsplit_once(") ").context("a stat without a name")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let field = |number: usize| -> Result<f64> { Ok(fields[number - 3].parse()?) };
    Ok((field(first)? + field(first + 1)?) / TICKS)
}

/// The most bytes that a process had resident up to now; `None` when it has ended.
pub(crate) fn peak_bytes(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The bytes of all files in a folder; 0 where there is none.
pub(crate) fn folder_bytes(world: &World, folder: &Path) -> Result<u64> {
    let mut sum = 0;
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(names) = world.disk.list(&folder) else {
            continue;
        };
        for name in names {
            let path = folder.join(&name);
            match name.ends_with('/') {
                true => open.push(path),
                // A file may go while we look: the log is trimmed all the time.
                false => sum += world.disk.status(&path).map_or(0, |status| status.length),
            }
        }
    }
    Ok(sum)
}
