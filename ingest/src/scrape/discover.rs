//! Where targets are -> the targets of every job.

use super::{
    files::Files,
    job::{Discovery, Group, Job, Plan},
    labels::{ADDRESS, Labels},
    read,
    target::{self, Made, Target},
    yaml,
};
use cairn_storage::world::FileStatus;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The label that says which file a target stands in.
const FILE_LABEL: &str = "__meta_filepath";

/// Targets that rules dropped and that are shown, where a job does not say how many.
const SHOWN_DROPPED: usize = 100;

/// The targets of a job.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) job: Arc<Job>,
    pub(super) targets: Vec<Target>,
    /// As they were discovered; as many as are shown.
    pub(super) dropped: Vec<Labels>,
    pub(super) dropped_count: usize,
    /// How many there would be, where the job's `target_limit` does not allow them.
    pub(super) over_limit: Option<u64>,
}

/// What is kept of files between looks.
#[derive(Default)]
pub(super) struct Discoverer {
    known: HashMap<PathBuf, Known>,
}

/// A file of targets: as it was when it was last good.
struct Known {
    status: Option<FileStatus>,
    read: Duration,
    groups: Vec<Group>,
}

/// What is told of a look: each text once, when it comes up.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) faults: Vec<String>,
    /// Files that could not be read, or made no targets.
    pub(super) bad_files: u64,
}

impl Discoverer {
    /// The targets of all jobs of `plan` at `now` (monotonic). Blocks.
    pub(super) fn look(
        &mut self,
        plan: &Plan,
        files: &Files,
        now: Duration,
        told: &mut Told,
    ) -> Vec<Found> {
        let mut used = HashSet::new();
        let jobs = plan.jobs.iter();
        let found = jobs
            .map(|job| {
                let mut labels = Vec::new();
                for discovery in &job.discovery {
                    match discovery {
                        Discovery::Static(groups) => add(groups, None, &mut labels),
                        Discovery::Files { patterns, refresh } => {
                            for path in patterns.iter().flat_map(|one| files.matching(one)) {
                                let groups = self.groups(&path, files, (now, *refresh), told);
                                add(groups, Some(&path), &mut labels);
                                used.insert(path);
                            }
                        }
                    }
                }
                targets(job, labels, told)
            })
            .collect();
        self.known.retain(|path, _| used.contains(path));
        found
    }

    /// The groups of a file, read again where it changed or `refresh` is over; those from before where it is bad now.
    fn groups(
        &mut self,
        path: &Path,
        files: &Files,
        (now, refresh): (Duration, Duration),
        told: &mut Told,
    ) -> &[Group] {
        let status = files.status(path);
        let known = self.known.entry(path.to_path_buf()).or_insert(Known {
            status: None,
            read: Duration::ZERO,
            groups: Vec::new(),
        });
        let is_new = known.read.is_zero() || known.status != status;
        if !is_new && now.saturating_sub(known.read) < refresh {
            return &known.groups;
        }
        (known.status, known.read) = (status, now.max(Duration::from_nanos(1)));
        let read = || {
            let node = yaml::read(&files.text(path)?).map_err(|wrong| wrong.to_string())?;
            read::groups(node).map_err(|wrong| wrong.to_string())
        };
        match read() {
            Ok(groups) => known.groups = groups,
            Err(detail) => {
                told.bad_files += 1;
                let shown = path.display();
                let fault = format!("{shown}: {detail}; its targets from before are kept");
                told.faults.push(fault);
            }
        }
        &known.groups
    }
}

/// Adds the labels of every target of `groups`.
fn add(groups: &[Group], path: Option<&Path>, labels: &mut Vec<Labels>) {
    for group in groups {
        for target in &group.targets {
            let mut of_target = group.labels.clone();
            of_target.set(ADDRESS, target.as_str());
            if let Some(path) = path {
                of_target.set(FILE_LABEL, path.display().to_string());
            }
            labels.push(of_target);
        }
    }
}

/// Makes targets, each once.
fn targets(job: &Arc<Job>, found: Vec<Labels>, told: &mut Told) -> Found {
    let (mut targets, mut dropped, mut dropped_count) = (Vec::new(), Vec::new(), 0);
    let mut known = HashSet::new();
    let shown = match job.limits.dropped_targets {
        0 => SHOWN_DROPPED,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    for labels in found {
        match target::make(job, labels) {
            Ok(Made::Target(target)) if known.insert(target.id) => targets.push(*target),
            Ok(Made::Target(_)) => {}
            Ok(Made::Dropped(labels)) => {
                dropped_count += 1;
                if dropped.len() < shown {
                    dropped.push(labels);
                }
            }
            Err(detail) => told.faults.push(format!("job {}: {detail}", job.name)),
        }
    }
    let count = targets.len() as u64;
    let limit = job.limits.targets;
    Found {
        job: job.clone(),
        targets,
        dropped,
        dropped_count,
        over_limit: (limit > 0 && count > limit).then_some(count),
    }
}
