//! Listing: one folder, or everything below one, folder by folder.

use super::{LocalStore, failed, get::object_meta, paths};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ListResult, ObjectMeta, path::Path as ObjectPath};
use std::io;

impl LocalStore {
    /// The objects and folders right below `prefix`; a folder is named even when it holds no object.
    pub(super) fn list_folder(&self, prefix: &ObjectPath) -> object_store::Result<ListResult> {
        let folder = paths::folder(&self.root, prefix)?;
        let failed = failed(prefix.as_ref());
        let mut found = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
        };
        let names = match self.world.disk.list(&folder) {
            Err(error) if is_missing(&error) => return Ok(found),
            names => names.map_err(&failed)?,
        };
        // What is told of is there for good: a process that was killed may have left a rename that only memory knows of, and
        // a catalog is made from what is found.
        self.world.disk.sync_directory(&folder).map_err(&failed)?;
        for name in names {
            match name.strip_suffix('/') {
                Some(paths::UNFINISHED) if folder == self.root => {}
                Some(name) => found.common_prefixes.push(paths::below(prefix, name)?),
                None => match self.world.disk.status(&folder.join(&name)) {
                    // Deleted in between.
                    Err(error) if is_missing(&error) => {}
                    status => {
                        let location = paths::below(prefix, &name)?;
                        found
                            .objects
                            .push(object_meta(location, status.map_err(&failed)?));
                    }
                },
            }
        }
        Ok(found)
    }

    /// Everything below `prefix`, in no order.
    pub(super) fn walk(
        &self,
        prefix: ObjectPath,
    ) -> stream::BoxStream<'static, object_store::Result<ObjectMeta>> {
        let store = self.clone();
        let folders = stream::try_unfold(vec![prefix], move |mut waiting| {
            let store = store.clone();
            async move {
                let Some(next) = waiting.pop() else {
                    return Ok(None);
                };
                let found = store
                    .blocking(move |store| store.list_folder(&next))
                    .await?;
                waiting.extend(found.common_prefixes);
                let objects = stream::iter(found.objects.into_iter().map(Ok));
                Ok::<_, object_store::Error>(Some((objects, waiting)))
            }
        });
        folders.try_flatten().boxed()
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
