//! Memory in, budgets out.

use super::{BUDGETS, MIB, budgets_bytes, fit, memory_bytes};
use crate::config::{Flags, sources};
use std::path::Path;

fn check_memory(files: &[(&str, &str)], expected: Option<u64>) {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.to_string())
    };
    assert_eq!(memory_bytes(read), expected);
}

#[test]
fn the_smallest_limit_counts() {
    let machine = (
        "/proc/meminfo",
        "MemTotal:       2097152 kB\nMemFree: 5 kB\n",
    );
    check_memory(&[], None);
    check_memory(&[machine], Some(2_048 * MIB));
    let second = ("/proc/self/cgroup", "0::/a/b\n");
    let outer = ("/sys/fs/cgroup/a/memory.max", "1073741824\n");
    let inner = ("/sys/fs/cgroup/a/b/memory.max", "max\n");
    check_memory(&[machine, second, outer, inner], Some(1_024 * MIB));
    let first = (
        "/proc/self/cgroup",
        "5:cpu,cpuacct:/x\n4:memory:/docker/77\n",
    );
    let own = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912");
    check_memory(&[machine, first, own], Some(512 * MIB));
}

#[test]
fn default_budgets_fit_and_said_ones_stay() {
    let load = |set: &[&str]| {
        let flags = Flags {
            set: set.iter().map(|text| text.to_string()).collect(),
            ..Flags::default()
        };
        sources::merge(None, Vec::new(), &flags).expect("they fit together")
    };
    for memory in [256, 512, 1_024, 1_500] {
        let mut loaded = load(&[]);
        fit(&mut loaded, memory * MIB);
        assert!(
            budgets_bytes(&loaded.config) < memory * MIB * 3 / 4,
            "{memory}"
        );
        assert!(
            BUDGETS
                .iter()
                .all(|name| loaded.origins.contains_key(*name))
        );
        assert_eq!(loaded.config.fault(), None, "{memory}");
        let process = loaded.config.query.process_memory_bytes;
        assert!(process == 0 || process < memory * MIB, "{memory}");
        assert!((2..6).contains(&loaded.config.query.lanes), "{memory}");
        let storage = loaded.config.storage.memory_bytes;
        assert!(loaded.config.ingest.max_request_bytes <= storage / 4);
    }
    let (mut roomy, mut said) = (load(&[]), load(&["query.memory_bytes=536870912"]));
    fit(&mut roomy, 8_192 * MIB);
    assert_eq!(roomy, load(&[]));
    fit(&mut said, 512 * MIB);
    assert_eq!(said.config.storage, load(&[]).config.storage);
    assert_eq!(said.config.query.process_memory_bytes, 512 * MIB / 5 * 4);
}
