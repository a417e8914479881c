//! An object store that fails as remote ones do: outages, refused calls, lost replies, repeated requests.
//!
//! For the simulator, over any store. A lost reply is the case that matters: the put is done and its caller is
//! told that it failed. A repeated request is what a client's own retry makes of a lost reply: a conditional
//! create that was done is then told that the object exists.

use crate::world::World;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, path::Path,
};
use parking_lot::Mutex;
use std::{fmt, ops::Range, sync::Arc, time::Duration};

/// A call takes up to this long, so that others come between.
const LONGEST_CALL_MICROS: u64 = 20_000;

/// How a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ObjectFaults {
    /// Every call fails until this is taken back.
    pub outage: bool,
    /// Probability, from 0 to 1, that a call fails and nothing happens.
    pub refused: f64,
    /// Probability that all happens and the reply gets lost. Calls that read are refused instead.
    pub reply_lost: f64,
    /// Probability that a put, copy or rename is done twice and the second reply is the one that counts.
    pub repeated: f64,
}

/// A store that fails.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    world: World,
    faults: Arc<Mutex<ObjectFaults>>,
}

/// What will become of a call.
enum Fate {
    Fine,
    Refused,
    ReplyLost,
    Repeated,
}

impl FaultyStore {
    /// `inner` with calls that take a little of the world's time, and no faults yet.
    pub fn new(inner: Arc<dyn ObjectStore>, world: World) -> FaultyStore {
        FaultyStore {
            inner,
            world,
            faults: Arc::default(),
        }
    }

    /// How calls fail from now on.
    pub fn set_faults(&self, faults: ObjectFaults) {
        *self.faults.lock() = faults;
    }

    async fn fate(&self) -> Fate {
        let micros = self.world.random.next() % LONGEST_CALL_MICROS;
        self.world.clock.sleep(Duration::from_micros(micros)).await;
        // One draw in any case, so that other draws stay where they are.
        let luck = (self.world.random.next() >> 11) as f64 / (1u64 << 53) as f64;
        let faults = *self.faults.lock();
        let reply_lost = faults.refused + faults.reply_lost;
        if faults.outage || luck < faults.refused {
            Fate::Refused
        } else if luck < reply_lost {
            Fate::ReplyLost
        } else if luck < reply_lost + faults.repeated {
            Fate::Repeated
        } else {
            Fate::Fine
        }
    }

    /// A call that only reads.
    async fn reading(&self) -> Result<()> {
        match self.fate().await {
            Fate::Fine | Fate::Repeated => Ok(()),
            Fate::Refused | Fate::ReplyLost => Err(broken("the call failed")),
        }
    }

    /// A call that changes something; `change` may run twice.
    async fn changing<'a, T>(
        &self,
        change: impl Fn() -> BoxFuture<'a, Result<T>> + Send + Sync,
    ) -> Result<T> {
        match self.fate().await {
            Fate::Fine => change().await,
            Fate::Refused => Err(broken("the call failed")),
            Fate::ReplyLost => {
                // Whatever came of it, nobody learns.
                let _ = change().await;
                Err(broken("the reply was lost"))
            }
            Fate::Repeated => {
                let _ = change().await;
                change().await
            }
        }
    }
}

fn broken(text: &'static str) -> object_store::Error {
    object_store::Error::Generic {
        store: "faulty store",
        source: text.into(),
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = || {
            self.inner
                .put_opts(location, payload.clone(), options.clone())
        };
        self.changing(put).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.reading().await?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reading().await?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reading().await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deletes = locations.then(move |location| {
            let store = store.clone();
            async move {
                let location = location?;
                let delete = || delete_one(&*store.inner, location.clone()).boxed();
                store.changing(delete).await
            }
        });
        deletes.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = futures::stream::once(async move {
            store.reading().await?;
            Ok::<_, object_store::Error>(store.inner.list(prefix.as_ref()))
        });
        listed.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reading().await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.changing(|| self.inner.copy_opts(from, to, options.clone()))
            .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.changing(|| self.inner.rename_opts(from, to, options.clone()))
            .await
    }
}

async fn delete_one(store: &dyn ObjectStore, location: Path) -> Result<Path> {
    let one = futures::stream::once(async move { Ok(location) }).boxed();
    let mut deleted = store.delete_stream(one);
    deleted
        .next()
        .await
        .unwrap_or_else(|| Err(broken("the delete said nothing")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::simulated::{Ended, Simulation};
    use object_store::{ObjectStoreExt, PutMode, memory::InMemory};

    fn check(faults: ObjectFaults, verify: impl AsyncFn(&FaultyStore, &Path)) {
        let simulation = Simulation::new(1);
        let store = FaultyStore::new(Arc::new(InMemory::new()), simulation.world());
        let ended = simulation.run(async {
            store.set_faults(faults);
            verify(&store, &Path::from("a")).await;
        });
        assert_eq!(ended, Ended::Finished(()));
    }

    #[test]
    fn each_fault_does_what_it_says() {
        check(
            ObjectFaults {
                outage: true,
                ..Default::default()
            },
            async |store, path| {
                store.put(path, "x".into()).await.expect_err("out");
                store.set_faults(ObjectFaults::default());
                store.head(path).await.expect_err("nothing happened");
            },
        );
        check(
            ObjectFaults {
                reply_lost: 1.0,
                ..Default::default()
            },
            async |store, path| {
                store.put(path, "x".into()).await.expect_err("lost");
                store.set_faults(ObjectFaults::default());
                store.head(path).await.expect("all happened");
            },
        );
        check(
            ObjectFaults {
                repeated: 1.0,
                ..Default::default()
            },
            async |store, path| {
                store.put(path, "x".into()).await.expect("twice is fine");
                let other = Path::from("b");
                let create = store.put_opts(&other, "x".into(), PutMode::Create.into());
                let error = create.await.expect_err("its own object exists");
                assert!(
                    matches!(error, object_store::Error::AlreadyExists { .. }),
                    "{error}"
                );
                store
                    .delete(path)
                    .await
                    .expect("an in-memory delete is never missing");
            },
        );
    }
}
