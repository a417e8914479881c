//! An object store that is only read: whoever has it cannot change what is behind it.

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{BoxStream, once},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    path::Path,
};
use std::{fmt, sync::Arc};

/// A store whose every change is refused.
#[derive(Debug)]
pub(crate) struct SealedStore {
    inner: Arc<dyn ObjectStore>,
}

impl SealedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> SealedStore {
        SealedStore { inner }
    }
}

fn refused() -> Error {
    Error::NotSupported {
        source: "the bucket is only read here".into(),
    }
}

impl fmt::Display for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

#[async_trait]
impl ObjectStore for SealedStore {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(refused())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        once(async { Err(refused()) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused())
    }

    async fn rename_opts(&self, _: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::{ObjectStoreExt, memory::InMemory};

    #[tokio::test]
    async fn it_is_read_and_never_changed() {
        let inner = Arc::new(InMemory::new());
        let (path, other) = (Path::from("a"), Path::from("b"));
        inner.put(&path, "one".into()).await.expect("put");
        let sealed = SealedStore::new(inner.clone());
        sealed.put(&other, "two".into()).await.expect_err("a put");
        sealed.delete(&path).await.expect_err("a deletion");
        sealed.copy(&path, &other).await.expect_err("a copy");
        sealed.rename(&path, &other).await.expect_err("a rename");
        let upload = sealed.put_multipart(&other).await;
        upload.map(drop).expect_err("an upload");
        let found = sealed.get(&path).await.expect("it is there");
        assert_eq!(&found.bytes().await.expect("readable")[..], b"one");
        assert_eq!(sealed.list(None).count().await, 1);
        assert_eq!(inner.list(None).count().await, 1);
    }
}
