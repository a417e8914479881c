//! Writing: an unfinished file first, then into place, then durable.

use super::{LocalStore, failed, generic, get::object_meta, paths};
use crate::world::DiskFile;
use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, UploadPart, path::Path as ObjectPath};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes that a copy holds at once.
const COPY_BYTES: usize = 4 << 20;

impl LocalStore {
    /// Writes a whole object.
    pub(super) fn put_whole(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        create: bool,
    ) -> object_store::Result<PutResult> {
        self.write(location, create, |file| {
            let mut offset = 0;
            for bytes in &payload {
                file.write_at(offset, bytes)?;
                offset += bytes.len() as u64;
            }
            Ok(())
        })
    }

    /// Copies an object.
    pub(super) fn copy_object(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        create: bool,
    ) -> object_store::Result<()> {
        let (source, _) = self.open(from)?;
        let copy = |file: &dyn DiskFile| {
            let mut offset = 0;
            loop {
                let bytes = source.read_at(offset, COPY_BYTES)?;
                if bytes.is_empty() {
                    return Ok(());
                }
                file.write_at(offset, &bytes)?;
                offset += bytes.len() as u64;
            }
        };
        self.write(to, create, copy).map(drop)
    }

    /// Moves an object; durable in both folders.
    pub(super) fn rename_object(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        create: bool,
    ) -> object_store::Result<()> {
        self.open(from)?;
        let source = paths::file(&self.root, from)?;
        self.place(&source, to, create)?;
        self.world
            .disk
            .sync_directory(parent(&source))
            .map_err(failed(from.as_ref()))
    }

    /// Removes an object; durable when it returns.
    pub(super) fn remove(&self, location: &ObjectPath) -> object_store::Result<()> {
        self.open(location)?;
        let path = paths::file(&self.root, location)?;
        let disk = &self.world.disk;
        let removed = disk
            .remove(&path)
            .and_then(|()| disk.sync_directory(parent(&path)));
        removed.map_err(failed(location.as_ref()))
    }

    /// Starts an upload in parts.
    pub(super) fn begin_upload(&self, location: &ObjectPath) -> object_store::Result<LocalUpload> {
        paths::file(&self.root, location)?;
        let (path, file) = self.unfinished(location)?;
        Ok(LocalUpload {
            store: self.clone(),
            location: location.clone(),
            unfinished: Some((path, Arc::from(file))),
            handed_out: 0,
            written: Arc::default(),
        })
    }

    fn write(
        &self,
        location: &ObjectPath,
        create: bool,
        fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
    ) -> object_store::Result<PutResult> {
        // Refused before anything is written.
        paths::file(&self.root, location)?;
        let (path, file) = self.unfinished(location)?;
        let filled = fill(&*file)
            .and_then(|()| file.sync())
            .map_err(failed(location.as_ref()));
        let placed = filled.and_then(|()| self.place(&path, location, create));
        if placed.is_err() {
            // The error that matters is the first; what stays is cleared at the next start.
            let _ = self.world.disk.remove(&path);
        }
        placed?;
        self.put_result(location)
    }

    /// An empty file with a random name.
    fn unfinished(
        &self,
        location: &ObjectPath,
    ) -> object_store::Result<(PathBuf, Box<dyn DiskFile>)> {
        let folder = paths::unfinished(&self.root);
        let path = folder.join(format!("{:016x}", self.world.random.next()));
        let disk = &self.world.disk;
        let file = disk
            .create_directories(&folder)
            .and_then(|()| disk.create(&path));
        Ok((path, file.map_err(failed(location.as_ref()))?))
    }

    /// Renames a durable file to where the object belongs, and makes that durable.
    fn place(&self, from: &Path, to: &ObjectPath, create: bool) -> object_store::Result<()> {
        let failed = failed(to.as_ref());
        let target = paths::file(&self.root, to)?;
        let disk = &self.world.disk;
        disk.create_directories(parent(&target)).map_err(&failed)?;
        let exists = {
            let _creating = self.creating.lock();
            let exists = create && disk.status(&target).is_ok();
            if !exists {
                disk.rename(from, &target).map_err(&failed)?;
            }
            exists
        };
        // Also where the object exists already: who put it may have failed to do this, and the caller may take
        // its existence for success.
        disk.sync_directory(parent(&target)).map_err(&failed)?;
        if exists {
            Err(failed(io::ErrorKind::AlreadyExists.into()))
        } else {
            Ok(())
        }
    }

    fn put_result(&self, location: &ObjectPath) -> object_store::Result<PutResult> {
        let path = paths::file(&self.root, location)?;
        let status = self
            .world
            .disk
            .status(&path)
            .map_err(failed(location.as_ref()))?;
        Ok(PutResult {
            e_tag: object_meta(location.clone(), status).e_tag,
            version: None,
        })
    }
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .expect("a file in the bucket lies in a folder")
}

/// An upload in parts, which go straight to the unfinished file.
pub(super) struct LocalUpload {
    store: LocalStore,
    location: ObjectPath,
    /// `None` once completed or aborted.
    unfinished: Option<(PathBuf, Arc<dyn DiskFile>)>,
    /// Bytes of all parts so far: the offset of the next.
    handed_out: u64,
    /// Bytes of the parts that were written.
    written: Arc<AtomicU64>,
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut offset = self.handed_out;
        self.handed_out += data.content_length() as u64;
        let (store, location) = (self.store.clone(), self.location.clone());
        let (file, written) = (self.unfinished.clone(), self.written.clone());
        Box::pin(async move {
            let (_, file) = file.ok_or_else(over)?;
            let write = move |_| {
                for bytes in &data {
                    file.write_at(offset, bytes)
                        .map_err(failed(location.as_ref()))?;
                    offset += bytes.len() as u64;
                }
                written.fetch_add(data.content_length() as u64, Ordering::Relaxed);
                Ok(())
            };
            store.blocking(write).await
        })
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let missing = self.handed_out - self.written.load(Ordering::Relaxed);
        if missing > 0 {
            let text = format!("{missing} bytes of the parts were not written");
            return Err(generic(io::Error::other(text)));
        }
        let (path, file) = self.unfinished.clone().ok_or_else(over)?;
        let location = self.location.clone();
        let work = move |store: LocalStore| {
            file.sync().map_err(failed(location.as_ref()))?;
            store.place(&path, &location, false)?;
            store.put_result(&location)
        };
        let result = self.store.blocking(work).await?;
        self.unfinished = None;
        Ok(result)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let Some((path, _)) = self.unfinished.take() else {
            return Ok(());
        };
        let location = self.location.clone();
        let remove = move |store: LocalStore| {
            store
                .world
                .disk
                .remove(&path)
                .map_err(failed(location.as_ref()))
        };
        self.store.blocking(remove).await
    }
}

fn over() -> object_store::Error {
    generic(io::Error::other(
        "the upload is completed or aborted already",
    ))
}

impl fmt::Debug for LocalUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalUpload({})", self.location)
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if let Some((path, _)) = self.unfinished.take() {
            let world = self.store.world.clone();
            // Nobody waits for this; what stays is cleared at the next start.
            self.store
                .world
                .blocking
                .run(Box::new(move || drop(world.disk.remove(&path))));
        }
    }
}
