//! How much memory there is for this process, and budgets that fit in it where nobody said any.

use super::{Config, Loaded};
use cairn_query::config::SLACK_BYTES;
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;

/// What a busy process takes beside its budgets: code, stacks, requests on their way, segments being encoded, memory
/// that was freed and is kept. Measured at full rate with the default budgets.
const BESIDE_BYTES: u64 = 384 * MIB;

/// Where the memory of the whole process is watched.
const PROCESS: &str = "query.process_memory_bytes";

/// How many queries run at the same time, and what one may take that no budget knows of: values of 1 MiB in every row.
const LANES: &str = "query.lanes";
const LANE_BYTES: u64 = 192 * MIB;

/// Settings that take memory. Who sets one of them is taken to have thought of all.
const BUDGETS: [&str; 8] = [
    "storage.memory_bytes",
    "storage.flush_bytes",
    "storage.cache_memory_bytes",
    "storage.compaction_memory_bytes",
    "query.memory_bytes",
    "query.statement_memory_bytes",
    "query.series_memory_bytes",
    "ingest.max_request_bytes",
];

/// Lowers the default budgets to what fits in `memory_bytes`, and notes why.
pub(super) fn fit(loaded: &mut Loaded, memory_bytes: u64) {
    let origin = format!(
        "{} MiB of memory, which is all there is",
        memory_bytes / MIB
    );
    lower_budgets(loaded, memory_bytes, &origin);
    let Loaded { config, origins } = loaded;
    let most = memory_bytes / 5 * 4;
    let wanted = budgets_bytes(config).saturating_add(SLACK_BYTES);
    if !origins.contains_key(PROCESS) && wanted > most {
        config.query.process_memory_bytes = most;
        origins.insert(PROCESS.to_string(), origin.clone());
    }
    let others = budgets_bytes(config).saturating_sub(config.query.memory_bytes);
    let lanes = usize::try_from(most.saturating_sub(others) / LANE_BYTES).unwrap_or(usize::MAX);
    if !origins.contains_key(LANES) && lanes.max(2) < config.query.lanes {
        config.query.lanes = lanes.max(2);
        origins.insert(LANES.to_string(), origin);
    }
}

fn lower_budgets(loaded: &mut Loaded, memory_bytes: u64, origin: &str) {
    let is_said = BUDGETS
        .iter()
        .any(|name| loaded.origins.contains_key(*name));
    let wanted = budgets_bytes(&loaded.config);
    // Small machines: what is beside the budgets shrinks with them.
    let usable = memory_bytes.saturating_sub(BESIDE_BYTES.min(memory_bytes / 2));
    if is_said || wanted <= usable {
        return;
    }
    for (name, budget, least) in budgets(&mut loaded.config) {
        let share = u128::from(*budget) * u128::from(usable) / u128::from(wanted);
        let share = u64::try_from(share).unwrap_or(u64::MAX) / MIB * MIB;
        *budget = share.max(least).min(*budget);
        loaded.origins.insert(name.to_string(), origin.to_string());
    }
}

/// What the budgets of [`BUDGETS`] may take together: the others are parts of these.
fn budgets_bytes(config: &Config) -> u64 {
    let storage = &config.storage;
    // A local bucket has no cache.
    let cache_bytes = match storage.bucket.as_str() {
        "local" => 0,
        _ => storage.cache_memory_bytes,
    };
    let all = [
        storage.memory_bytes,
        cache_bytes,
        storage.compaction_memory_bytes,
        config.query.memory_bytes,
        config.query.series_memory_bytes,
    ];
    all.into_iter().fold(0, u64::saturating_add)
}

/// [`BUDGETS`], each with the least that a server can work with.
fn budgets(config: &mut Config) -> [(&'static str, &mut u64, u64); 8] {
    let [
        memory,
        flush,
        cache,
        merge,
        query,
        statement,
        series,
        request,
    ] = BUDGETS;
    let storage = &mut config.storage;
    [
        (memory, &mut storage.memory_bytes, 32 * MIB),
        (flush, &mut storage.flush_bytes, 8 * MIB),
        (cache, &mut storage.cache_memory_bytes, 16 * MIB),
        (merge, &mut storage.compaction_memory_bytes, 16 * MIB),
        (query, &mut config.query.memory_bytes, 32 * MIB),
        (
            statement,
            &mut config.query.statement_memory_bytes,
            16 * MIB,
        ),
        (series, &mut config.query.series_memory_bytes, 8 * MIB),
        (request, &mut config.ingest.max_request_bytes, 4 * MIB),
    ]
}

/// The memory that this process may take, in bytes: that of the machine, or what its control group is held to.
///
/// Control groups of both versions (Linux, `cgroups(7)`; `memory.max`, `memory.limit_in_bytes`), those above included.
/// `None` where nobody says.
pub(super) fn memory_bytes(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let of_machine = read(Path::new("/proc/meminfo")).and_then(|text| meminfo_bytes(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let files = groups.lines().flat_map(limit_files);
    let limits = files.filter_map(|path| read(&path)?.trim().parse::<u64>().ok());
    limits.chain(of_machine).min()
}

/// `MemTotal` of `/proc/meminfo`.
fn meminfo_bytes(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1_024)
}

/// The files with the limits of a line of `/proc/self/cgroup` (`number:controllers:path`), from the group to the root.
/// A container often sees its own group as the root, whatever the line says.
fn limit_files(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let above = Path::new(path.trim_start_matches('/')).ancestors();
    above
        .map(|group| Path::new(root).join(group).join(file))
        .collect()
}

#[cfg(test)]
mod tests;
