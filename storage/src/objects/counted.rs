//! An object store that counts what it is asked for, by tenant and kind.
//!
//! What the client of a bucket repeats by itself after an error, and the pages of a listing, are within one request here.

use crate::telemetry::{BucketTelemetry, ObjectLabels};
use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, path::Path,
};
use std::{fmt, sync::Arc};

/// A store that counts requests and bytes. Ranges that lie close together are fetched by one `get`, as remote stores do.
pub(crate) struct CountedStore {
    inner: Arc<dyn ObjectStore>,
    telemetry: BucketTelemetry,
}

impl CountedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, telemetry: BucketTelemetry) -> CountedStore {
        CountedStore { inner, telemetry }
    }

    fn count(&self, location: Option<&Path>, kind: &'static str, bytes: u64) {
        let labels = labels(location, kind);
        self.telemetry.requests.get_or_create(&labels).inc();
        if bytes > 0 {
            self.telemetry.bytes.get_or_create(&labels).inc_by(bytes);
        }
    }
}

/// The tenant is the first folder of every object of a segment; other objects are nobody's.
fn labels(location: Option<&Path>, kind: &'static str) -> ObjectLabels {
    let first = location.and_then(|location| location.parts().next());
    let tenant = first.and_then(|part| Some(part.as_ref().strip_prefix("tenant=")?.to_string()));
    ObjectLabels {
        tenant: tenant.unwrap_or_default(),
        kind,
    }
}

impl fmt::Display for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl fmt::Debug for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CountedStore({:?})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.count(Some(location), "put", payload.content_length() as u64);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.count(Some(location), "put", 0);
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { "head" } else { "get" };
        self.count(Some(location), kind, 0);
        let got = self.inner.get_opts(location, options).await?;
        if kind == "get" {
            let labels = labels(Some(location), kind);
            let bytes = got.range.end - got.range.start;
            self.telemetry.bytes.get_or_create(&labels).inc_by(bytes);
        }
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let requests = self.telemetry.requests.clone();
        let counted = locations.inspect(move |location| {
            if let Ok(location) = location {
                let labels = labels(Some(location), "delete");
                requests.get_or_create(&labels).inc();
            }
        });
        self.inner.delete_stream(counted.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(prefix, "list", 0);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(prefix, "list", 0);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.count(prefix, "list", 0);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.count(Some(to), "put", 0);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.count(Some(to), "put", 0);
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::{ObjectStoreExt, memory::InMemory};

    #[tokio::test]
    async fn each_kind_is_counted_for_its_tenant() {
        let telemetry = BucketTelemetry::default();
        let store = CountedStore::new(Arc::new(InMemory::new()), telemetry.clone());
        let path = Path::from("tenant=shop/signal=logs/a.parquet");
        store.put(&path, vec![7; 100].into()).await.expect("put");
        store
            .put(&Path::from("cairn.json"), "{}".into())
            .await
            .expect("put");
        store.get_range(&path, 10..30).await.expect("get");
        // Close together: one request, and what lies between comes along.
        store
            .get_ranges(&path, &[0..1, 90..100])
            .await
            .expect("get");
        store.head(&path).await.expect("head");
        let prefix = Path::from("tenant=shop");
        assert_eq!(store.list(Some(&prefix)).count().await, 1);
        store.delete(&path).await.expect("delete");
        store.get(&path).await.expect_err("gone");
        let counts = |tenant: &str, kind| {
            let tenant = tenant.to_string();
            telemetry.counts(&ObjectLabels { tenant, kind })
        };
        assert_eq!(counts("shop", "put"), (1, 100));
        assert_eq!(counts("", "put"), (1, 2));
        assert_eq!(counts("shop", "get"), (3, 120));
        assert_eq!(counts("shop", "head"), (1, 0));
        assert_eq!(counts("shop", "list"), (1, 0));
        assert_eq!(counts("shop", "delete"), (1, 0));
    }
}
