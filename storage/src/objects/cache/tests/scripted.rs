//! A store with one object, which does with each request what the script says, and remembers what it was asked for.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    memory::InMemory, path::Path,
};
use parking_lot::Mutex;
use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};
use tokio::sync::Semaphore;

/// More than there are requests.
const OPEN: usize = 10_000;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Answered,
    /// It waits until [`Scripted::release`].
    Held,
    /// It fails then.
    HeldAndRefused,
    /// It never ends.
    Lost,
    Refused,
}

/// A store that follows a script; after its end all is well.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) path: Path,
    inner: InMemory,
    script: Mutex<VecDeque<Step>>,
    asked: Mutex<Vec<Range<u64>>>,
    held: Semaphore,
}

impl Scripted {
    pub(crate) async fn with(path: &str, content: Bytes) -> Arc<Scripted> {
        let (path, inner) = (Path::from(path), InMemory::new());
        inner.put(&path, content.into()).await.expect("put");
        Arc::new(Scripted {
            path,
            inner,
            script: Mutex::default(),
            asked: Mutex::default(),
            held: Semaphore::new(0),
        })
    }

    pub(crate) fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.script.lock().extend(steps);
    }

    /// Lets everything go that is held, and what will be until [`Scripted::hold`].
    pub(crate) fn release(&self) {
        self.held.add_permits(OPEN);
    }

    /// Takes [`Scripted::release`] back.
    pub(crate) fn hold(&self) {
        self.held.forget_permits(OPEN);
    }

    /// The ranges that were asked for, in the order of the requests.
    pub(crate) fn asked(&self) -> Vec<Range<u64>> {
        self.asked.lock().clone()
    }

    pub(crate) async fn delete(&self) {
        self.inner.delete(&self.path).await.expect("deleted");
    }
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scripted")
    }
}

#[async_trait]
impl ObjectStore for Scripted {
    async fn put_opts(&self, at: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, o).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(GetRange::Bounded(range)) = &options.range {
            self.asked.lock().push(range.clone());
        }
        let step = self.script.lock().pop_front();
        let step = step.unwrap_or(Step::Answered);
        if matches!(step, Step::Held | Step::HeldAndRefused) {
            drop(self.held.acquire().await.expect("open"));
        }
        match step {
            Step::Answered | Step::Held => {}
            Step::Lost => std::future::pending().await,
            Step::Refused | Step::HeldAndRefused => {
                return Err(Error::Generic {
                    store: "scripted",
                    source: "refused".into(),
                });
            }
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
