//! What a piece of work on a lane has: a session of its tenant, and how long it may go on.

use crate::{config::Config, session::TenantSession};
use std::time::Duration;
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
