//! Everything that runs in the background, in one list. (Connections are tasks of their listener.)

use crate::{demo::Demo, listen::Listener};
use cairn_ingest::{receiver::Syslog, scrape::Scraper};
use cairn_query::engine::Engine;
use cairn_storage::store::Store;
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background tasks of a server.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    /// Tells the tasks to end.
    stop: CancellationToken,
    /// Cancelled when a task ended before it was told to: the server cannot do its work without it.
    pub(crate) failed: CancellationToken,
}

impl Tasks {
    /// Accepts connections until the listener's drain.
    pub(crate) fn listen(&self, listener: Listener) {
        let (name, drain) = (listener.name, listener.shared.drain.clone());
        self.spawn(name, drain, listener.run());
    }

    /// Flushes by size, age and memory pressure.
    pub(crate) fn flush(&self, store: Arc<Store>) {
        let stop = self.stop.clone();
        self.spawn("flush", stop.clone(), async move { store.run(stop).await });
    }

    /// Warms the query engine up, once; whoever asks meanwhile does not wait for it.
    pub(crate) fn warm_up(&self, engine: Arc<Engine>) {
        let stop = self.stop.clone();
        self.spawn("warm_up", stop.clone(), async move {
            tokio::select! {
                () = engine.warm_up() => stop.cancelled().await,
                () = stop.cancelled() => {}
            }
        });
    }

    /// Sends the telemetry of the demo shop until the drain, so that it does not hold it up.
    pub(crate) fn demo(&self, demo: Demo, drain: CancellationToken) {
        self.spawn("demo", drain.clone(), demo.run(drain));
    }

    /// Takes syslog until the drain.
    pub(crate) fn syslog(&self, syslog: Syslog, drain: CancellationToken) {
        self.spawn("syslog", drain.clone(), syslog.run(drain));
    }

    /// Scrapes targets until the drain.
    pub(crate) fn scrape(&self, scraper: Scraper, drain: CancellationToken) {
        self.spawn("scrape", drain.clone(), scraper.run(drain));
    }

    /// Tells all tasks to end and waits for them. Listeners and the demo must have been told already.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn spawn(
        &self,
        name: &'static str,
        stop: CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let failed = self.failed.clone();
        self.tracker.spawn(async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if panicked || !stop.is_cancelled() {
                tracing::error!(
                    task = name,
                    panicked,
                    "a background task ended before its time"
                );
                failed.cancel();
            }
        });
    }
}
