//! A bucket in a folder: an object is there whole and durable, or not at all.
//!
//! Every write goes to an unfinished file, is fsynced, renamed, and the directory fsynced; object_store's own
//! local store does none of the last three. Conditional creates are atomic among the users of one process,
//! which is enough because a process locks its data folder.

mod get;
mod list;
mod paths;
mod put;

use crate::{
    error::{Error, Result},
    world::World,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, path::Path as ObjectPath,
};
use parking_lot::Mutex;
use std::{fmt, io, ops::Range, path::PathBuf, sync::Arc};

/// Deletes under way at once for one call.
const PARALLEL_DELETES: usize = 8;

/// An object store over a folder. Tags and attributes are not kept.
#[derive(Clone)]
pub struct LocalStore {
    world: World,
    root: PathBuf,
    /// Held from looking whether an object exists to renaming it into place.
    creating: Arc<Mutex<()>>,
}

impl LocalStore {
    /// The bucket at `root`; nothing is touched before the first call, and folders are made as needed.
    pub fn new(world: World, root: PathBuf) -> LocalStore {
        LocalStore {
            world,
            root,
            creating: Arc::default(),
        }
    }

    /// Removes what writes left that a crash or an error cut short. Only before anything is being written.
    pub async fn clear_unfinished(&self) -> Result<()> {
        let (world, folder) = (self.world.clone(), paths::unfinished(&self.root));
        let cleared = self.world.blocking(move || {
            let names = match world.disk.list(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                names => names?,
            };
            names
                .iter()
                .try_for_each(|name| world.disk.remove(&folder.join(name)))
        });
        cleared.await?.map_err(|source| Error::Disk {
            doing: "clearing unfinished objects",
            path: self.root.clone(),
            source,
        })
    }

    /// Runs `work` on a clone of this store where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(LocalStore) -> object_store::Result<T> + Send + 'static,
    ) -> object_store::Result<T> {
        let store = self.clone();
        self.world
            .blocking(move || work(store))
            .await
            .map_err(generic)?
    }
}

/// An error of ours as one of object_store's, without a better fit.
fn generic(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic {
        store: "local bucket",
        source: Box::new(error),
    }
}

/// An error of the disk at `path`.
fn failed(path: &str) -> impl Fn(io::Error) -> object_store::Error {
    move |error| {
        let path = path.to_string();
        match error.kind() {
            // The parent that is a file, and the path that is a folder, are no objects either.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                object_store::Error::NotFound {
                    path,
                    source: Box::new(error),
                }
            }
            io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists {
                path,
                source: Box::new(error),
            },
            io::ErrorKind::PermissionDenied => object_store::Error::PermissionDenied {
                path,
                source: Box::new(error),
            },
            _ => generic(Error::Disk {
                doing: "using the local bucket",
                path: path.into(),
                source: error,
            }),
        }
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({})", self.root.display())
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let location = location.clone();
        let create = match options.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return Err(not_implemented("update of a version")),
        };
        self.blocking(move |store| store.put_whole(&location, payload, create))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let location = location.clone();
        self.blocking(move |store| Ok(Box::new(store.begin_upload(&location)?) as _))
            .await
    }

    async fn get_opts(
        &self,
        location: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let location = location.clone();
        self.blocking(move |store| store.read_object(&location, &options))
            .await
    }

    async fn get_ranges(
        &self,
        location: &ObjectPath,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        let (location, ranges) = (location.clone(), ranges.to_vec());
        self.blocking(move |store| store.read_ranges(&location, &ranges))
            .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        let store = self.clone();
        let deletes = locations.map(move |location| {
            let store = store.clone();
            async move {
                let location = location?;
                store
                    .blocking(move |store| store.remove(&location).map(|()| location))
                    .await
            }
        });
        deletes.buffered(PARALLEL_DELETES).boxed()
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.walk(prefix.cloned().unwrap_or_default())
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.blocking(move |store| store.list_folder(&prefix)).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        let (from, to) = (from.clone(), to.clone());
        let create = matches!(options.mode, CopyMode::Create);
        self.blocking(move |store| store.copy_object(&from, &to, create))
            .await
    }

    async fn rename_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        let (from, to) = (from.clone(), to.clone());
        let create = matches!(options.target_mode, RenameTargetMode::Create);
        self.blocking(move |store| store.rename_object(&from, &to, create))
            .await
    }
}

fn not_implemented(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_string(),
        implementer: "LocalStore".to_string(),
    }
}

#[cfg(test)]
mod tests;
