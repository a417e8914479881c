//! What staged segments are read through: the staging folder first, then the bucket, where their files go next.
//!
//! So a query that took its snapshot before the commit still finds the files after they have moved.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
};
use std::{fmt, ops::Range, sync::Arc};

/// A read-only view of two stores; the first one that has the object answers.
#[derive(Debug)]
pub(super) struct StagedStore {
    staging: Arc<dyn ObjectStore>,
    bucket: Arc<dyn ObjectStore>,
}

impl StagedStore {
    pub(super) fn new(staging: Arc<dyn ObjectStore>, bucket: Arc<dyn ObjectStore>) -> StagedStore {
        StagedStore { staging, bucket }
    }
}

impl fmt::Display for StagedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, then {}", self.staging, self.bucket)
    }
}

fn read_only(operation: &str) -> Error {
    let implementer = "StagedStore".to_string();
    Error::NotImplemented {
        operation: operation.to_string(),
        implementer,
    }
}

#[async_trait]
impl ObjectStore for StagedStore {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only("put_multipart"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.staging.get_opts(location, options.clone()).await {
            Err(Error::NotFound { .. }) => self.bucket.get_opts(location, options).await,
            other => other,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.staging.get_ranges(location, ranges).await {
            Err(Error::NotFound { .. }) => self.bucket.get_ranges(location, ranges).await,
            other => other,
        }
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        futures::stream::once(async { Err(read_only("delete")) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.staging.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.staging.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only("copy"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::{ObjectStoreExt, memory::InMemory};

    #[tokio::test]
    async fn a_file_is_found_wherever_it_is_and_nothing_is_written() {
        let (staging, bucket) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
        let store = StagedStore::new(staging.clone(), bucket.clone());
        let path = Path::from("tenant=a/x.parquet");
        assert!(matches!(
            store.get(&path).await,
            Err(Error::NotFound { .. })
        ));
        staging
            .put(&path, PutPayload::from_static(b"rows"))
            .await
            .unwrap();
        assert_eq!(
            store.get(&path).await.unwrap().bytes().await.unwrap(),
            "rows"
        );
        bucket
            .put(&path, PutPayload::from_static(b"rows"))
            .await
            .unwrap();
        staging.delete(&path).await.unwrap();
        assert_eq!(store.get_range(&path, 1..3).await.unwrap(), "ow");
        assert!(
            store
                .put(&path, PutPayload::from_static(b""))
                .await
                .is_err()
        );
        assert!(store.delete(&path).await.is_err());
    }
}
