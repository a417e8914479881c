//! Files of settings and of targets: which there are, what they say, whether they changed.

use cairn_storage::world::{Disk, FileStatus};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a file of settings or targets.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Files that one pattern may name.
const MAX_FILES: usize = 10_000;

/// A file as it was last looked at; nothing where it is not there.
pub(super) type Print = Vec<(PathBuf, Option<FileStatus>)>;

/// The files of the disk. All calls block.
#[derive(Clone)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Files {
        Files { disk }
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &Path) -> Result<String, String> {
        let read = || {
            let file = self.disk.open_read(path)?;
            let length = file.length()?;
            if length > MAX_FILE_BYTES {
                let detail = format!("it has more than {MAX_FILE_BYTES} bytes");
                return Err(io::Error::other(detail));
            }
            file.read_at(0, usize::try_from(length).unwrap_or(usize::MAX))
        };
        let bytes = read().map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_string())?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_string())
    }

    /// The files that `pattern` names, sorted: itself, or those that its `*`, in its last part, leads to.
    pub(super) fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let name = pattern.file_name().and_then(|name| name.to_str());
        let Some((before, behind)) = name.and_then(|name| name.split_once('*')) else {
            return vec![pattern.to_path_buf()];
        };
        let folder = folder_of(pattern);
        let names = self.disk.list(&folder).unwrap_or_default();
        let named = names.into_iter().filter(|name| {
            let fits = name.len() >= before.len() + behind.len();
            fits && name.starts_with(before) && name.ends_with(behind)
        });
        named
            .take(MAX_FILES)
            .map(|name| folder.join(name))
            .collect()
    }

    pub(super) fn status(&self, path: &Path) -> Option<FileStatus> {
        self.disk.status(path).ok()
    }

    /// How the files that `patterns` name are now.
    pub(super) fn print(&self, patterns: &[PathBuf]) -> Print {
        let files = patterns.iter().flat_map(|pattern| self.matching(pattern));
        files
            .map(|path| (path.clone(), self.status(&path)))
            .collect()
    }
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
