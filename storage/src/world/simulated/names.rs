//! The directory entries of the simulated disk: as a process sees them, and as a power cut leaves them.
//!
//! A change of an entry survives a power cut for certain only after an fsync of its directory; before that it
//! survives or not. A rename is one change while neither directory was fsynced, and two changes afterwards.

use super::{dice::Dice, inode::Inode};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a name leads to.
#[derive(Clone)]
pub(super) enum Entry {
    Directory,
    File(Arc<Mutex<Inode>>),
}

/// All names of the disk; the root directory is always there.
#[derive(Default)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    /// Since the last fsync of their directory, in order.
    pending: Vec<Change>,
    next_group: u64,
}

struct Change {
    path: PathBuf,
    /// `None`: removed.
    entry: Option<Entry>,
    /// Changes of one group survive together.
    group: u64,
}

impl Names {
    /// What `path` leads to.
    pub(super) fn get(&self, path: &Path) -> io::Result<Entry> {
        if path.parent().is_none() {
            return Ok(Entry::Directory);
        }
        self.seen.get(path).cloned().ok_or_else(|| not_found(path))
    }

    /// The file that `path` leads to.
    pub(super) fn file(&self, path: &Path) -> io::Result<Arc<Mutex<Inode>>> {
        match self.get(path)? {
            Entry::File(inode) => Ok(inode),
            Entry::Directory => Err(failed(io::ErrorKind::IsADirectory, path)),
        }
    }

    /// Makes a new entry.
    pub(super) fn add(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        if self.get(path).is_ok() {
            return Err(failed(io::ErrorKind::AlreadyExists, path));
        }
        self.check_parent(path)?;
        self.change(vec![(path.to_path_buf(), Some(entry))]);
        Ok(())
    }

    /// Removes a file's entry.
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change(vec![(path.to_path_buf(), None)]);
        Ok(())
    }

    /// Removes the entry of a directory, which is empty.
    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(failed(io::ErrorKind::DirectoryNotEmpty, path));
        }
        self.change(vec![(path.to_path_buf(), None)]);
        Ok(())
    }

    /// Moves a file's entry, replacing another file's.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.check_parent(to)?;
        if let Ok(Entry::Directory) = self.get(to) {
            return Err(failed(io::ErrorKind::IsADirectory, to));
        }
        if from != to {
            let moved = (to.to_path_buf(), Some(Entry::File(inode)));
            self.change(vec![(from.to_path_buf(), None), moved]);
        }
        Ok(())
    }

    /// The names in a directory, sorted; directories end in `/`.
    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let Entry::Directory = self.get(path)? else {
            return Err(failed(io::ErrorKind::NotADirectory, path));
        };
        let mut names: Vec<String> = self
            .seen
            .iter()
            .filter(|(child, _)| child.parent() == Some(path))
            .filter_map(|(child, entry)| {
                let name = child.file_name()?.to_str()?;
                let slash = if matches!(entry, Entry::Directory) {
                    "/"
                } else {
                    ""
                };
                Some(format!("{name}{slash}"))
            })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The changes so far of entries of this directory survive from now on.
    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        let Entry::Directory = self.get(path)? else {
            return Err(failed(io::ErrorKind::NotADirectory, path));
        };
        let (synced, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|change: &Change| change.path.parent() == Some(path));
        self.pending = rest;
        for change in synced {
            apply(&mut self.durable, change);
        }
        Ok(())
    }

    /// A power cut: each change since the fsync of its directory survives or not, and so do the files' writes.
    pub(super) fn cut_power(&mut self, dice: &Dice) {
        let mut fates: HashMap<u64, bool> = HashMap::new();
        for change in std::mem::take(&mut self.pending) {
            if *fates
                .entry(change.group)
                .or_insert_with(|| dice.chance(0.5))
            {
                apply(&mut self.durable, change);
            }
        }
        self.drop_orphans();
        for entry in self.durable.values() {
            if let Entry::File(inode) = entry {
                inode.lock().cut_power(dice);
            }
        }
        self.seen = self.durable.clone();
    }

    /// An entry whose directory did not survive is gone with it.
    fn drop_orphans(&mut self) {
        let durable = &mut self.durable;
        let paths: Vec<PathBuf> = durable.keys().cloned().collect();
        // Sorted, so a directory is looked at before what lies in it.
        for path in paths {
            let parent = path.parent().filter(|parent| parent.parent().is_some());
            if parent.is_some_and(|p| !matches!(durable.get(p), Some(Entry::Directory))) {
                durable.remove(&path);
            }
        }
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        match self.get(path.parent().ok_or_else(|| not_found(path))?)? {
            Entry::Directory => Ok(()),
            Entry::File(_) => Err(failed(io::ErrorKind::NotADirectory, path)),
        }
    }

    fn change(&mut self, changes: Vec<(PathBuf, Option<Entry>)>) {
        let group = self.next_group;
        self.next_group += 1;
        for (path, entry) in changes {
            let change = Change { path, entry, group };
            apply(
                &mut self.seen,
                Change {
                    path: change.path.clone(),
                    entry: change.entry.clone(),
                    group,
                },
            );
            self.pending.push(change);
        }
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Entry>, change: Change) {
    match change.entry {
        Some(entry) => names.insert(change.path, entry),
        None => names.remove(&change.path),
    };
}

fn not_found(path: &Path) -> io::Error {
    failed(io::ErrorKind::NotFound, path)
}

fn failed(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, path.display().to_string())
}
