//! Distributes files over the groups that are read one after another, keeping each group in order.

use datafusion::datasource::{listing::PartitionedFile, physical_plan::FileGroup};

/// A file and the instants that it spans (nanoseconds).
#[derive(Clone)]
pub(super) struct Timed {
    pub(super) file: PartitionedFile,
    pub(super) min: i64,
    pub(super) max: i64,
}

/// More groups than this many times the partitions cost more than a sort saves.
const GROUPS_PER_PARTITION: usize = 4;

/// Groups of about the same size, each newest first and without two files that overlap in time; `None` when
/// that takes too many of them. `files` is newest first by `max`.
pub(super) fn in_order(files: &[Timed], partitions: usize) -> Option<Vec<FileGroup>> {
    let mut groups: Vec<Group> = Vec::new();
    for timed in files {
        let group = match lightest(&groups, |group| timed.max < group.oldest) {
            // While there are partitions without work, a new group is the lightest.
            Some(group) if groups.len() >= partitions => group,
            _ => {
                groups.push(Group::default());
                groups.len() - 1
            }
        };
        groups[group].push(timed);
    }
    (groups.len() <= partitions * GROUPS_PER_PARTITION).then(|| finish(groups))
}

/// Groups of about the same size, newest first, for tables and scans without an order.
pub(super) fn balanced(files: &[Timed], partitions: usize) -> Vec<FileGroup> {
    let mut groups: Vec<Group> = Vec::new();
    for timed in files {
        let group = match lightest(&groups, |_| true) {
            Some(group) if groups.len() >= partitions => group,
            _ => {
                groups.push(Group::default());
                groups.len() - 1
            }
        };
        groups[group].push(timed);
    }
    finish(groups)
}

fn lightest(groups: &[Group], fits: impl Fn(&Group) -> bool) -> Option<usize> {
    let fitting = groups.iter().enumerate().filter(|(_, group)| fits(group));
    fitting
        .min_by_key(|(_, group)| group.bytes)
        .map(|(position, _)| position)
}

fn finish(groups: Vec<Group>) -> Vec<FileGroup> {
    groups
        .into_iter()
        .map(|group| FileGroup::new(group.files))
        .collect()
}

#[derive(Default)]
struct Group {
    files: Vec<PartitionedFile>,
    bytes: u64,
    /// The first instant of the last file.
    oldest: i64,
}

impl Group {
    fn push(&mut self, timed: &Timed) {
        self.bytes += timed.file.object_meta.size;
        self.oldest = timed.min;
        self.files.push(timed.file.clone());
    }
}
