//! From object paths to paths on disk, and nowhere outside of the bucket.

use object_store::path::Path as ObjectPath;
use std::path::{Path, PathBuf};

/// The folder of unfinished files in a bucket; no object's path begins with it.
pub(super) const UNFINISHED: &str = ".unfinished";

/// The folder of unfinished files of the bucket at `root`.
pub(super) fn unfinished(root: &Path) -> PathBuf {
    root.join(UNFINISHED)
}

/// The file of an object.
///
/// object_store's paths can't hold empty, `.` or `..` parts or control characters when they are parsed, but
/// they can be deserialized unchecked, so all is checked here.
pub(super) fn file(root: &Path, location: &ObjectPath) -> object_store::Result<PathBuf> {
    let folder = folder(root, location)?;
    if folder == root {
        return Err(refused(location));
    }
    Ok(folder)
}

/// The folder of a prefix; the bucket itself for the empty one.
pub(super) fn folder(root: &Path, prefix: &ObjectPath) -> object_store::Result<PathBuf> {
    let mut path = root.to_path_buf();
    if prefix.as_ref().is_empty() {
        return Ok(path);
    }
    for (index, part) in prefix.as_ref().split('/').enumerate() {
        let outside = part.is_empty() || part == "." || part == ".." || part.contains('\0');
        if outside || (index == 0 && part == UNFINISHED) {
            return Err(refused(prefix));
        }
        path.push(part);
    }
    Ok(path)
}

/// The path of the object or prefix `name` below `prefix`.
pub(super) fn below(prefix: &ObjectPath, name: &str) -> object_store::Result<ObjectPath> {
    let text = match prefix.as_ref() {
        "" => name.to_string(),
        prefix => format!("{prefix}/{name}"),
    };
    Ok(ObjectPath::parse(text)?)
}

fn refused(path: &ObjectPath) -> object_store::Error {
    object_store::Error::Generic {
        store: "local bucket",
        source: format!("{path:?} can't be the path of an object").into(),
    }
}
