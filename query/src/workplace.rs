//! What a piece of work on a lane has: a session of its tenant, and how long it may go on.

use crate::{
    config::Config,
    error::{Error, Result},
    session::TenantSession,
};
use std::{future::Future, time::Duration};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// What a piece of work on a lane has. It runs on a thread on which it may wait with `handle`.
pub(crate) struct Workplace {
    pub(crate) session: TenantSession,
    pub(crate) config: Config,
    pub(crate) handle: Handle,
    /// Nobody waits for the work any more.
    pub(crate) stop: CancellationToken,
    pub(crate) timeout: Duration,
}

impl Workplace {
    /// Waits for `future` until nobody waits for the answer.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.handle.block_on(async {
            tokio::select! {
                done = future => done,
                () = self.stop.cancelled() => Err(Error::TimedOut(self.timeout)),
            }
        })
    }
}
