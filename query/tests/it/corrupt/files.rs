//! A data folder as bytes: read once, written anew for every case.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness damages files behind the back of the product"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A folder that goes with the value, in memory where there is such a place: the cases write and sync a lot.
pub(super) fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    }
    .expect("a temporary folder")
}

/// The files of a data folder by their paths in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(pub(super) BTreeMap<String, Vec<u8>>);

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Wal,
    Segment,
    Sidecar,
    Catalog,
    /// SQLite's own log of the catalog.
    CatalogLog,
    /// `cairn.json`, `owner.json`, and the witnesses of the log and of the catalog.
    Marker,
}

impl Part {
    pub(super) const ALL: [Part; 6] = [
        Part::Wal,
        Part::Segment,
        Part::Sidecar,
        Part::Catalog,
        Part::CatalogLog,
        Part::Marker,
    ];

    /// What the file at `path` is; `None` for what holds nothing (locks, SQLite's shared memory).
    fn of(path: &str) -> Option<Part> {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name {
            "catalog.sqlite" => Some(Part::Catalog),
            "catalog.sqlite-wal" => Some(Part::CatalogLog),
            "cairn.json" | "owner.json" | "0000.witness" | "catalog.commits" => Some(Part::Marker),
            _ if name.ends_with(".wal") => Some(Part::Wal),
            _ if name.ends_with(".parquet") => Some(Part::Segment),
            _ if name.ends_with(".idx") => Some(Part::Sidecar),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Wal => "write-ahead log",
            Part::Segment => "segment object",
            Part::Sidecar => "index sidecar",
            Part::Catalog => "catalog",
            Part::CatalogLog => "catalog's log",
            Part::Marker => "marker",
        }
    }
}

impl Files {
    /// Reads `folder`, without what holds nothing.
    pub(super) fn read(folder: &Path) -> Files {
        let mut files = Files::default();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(&inner).expect("a folder of ours") {
                let path: PathBuf = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(folder).expect("it is below");
                let name = name.to_str().expect("our names are ASCII").to_string();
                if Part::of(&name).is_some() {
                    files.0.insert(name, fs::read(&path).expect("readable"));
                }
            }
        }
        files
    }

    /// Writes all files below `folder`.
    pub(super) fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            fs::write(&path, bytes).expect("writable");
        }
    }

    /// The names of the files of one kind.
    pub(super) fn of(&self, part: Part) -> Vec<&String> {
        let names = self.0.keys();
        names.filter(|name| Part::of(name) == Some(part)).collect()
    }
}
