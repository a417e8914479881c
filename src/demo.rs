//! A shop that sends telemetry.

use cairn_storage::world::World;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;

/// The shop.
pub(crate) struct Demo {
    world: World,
    target: SocketAddr,
}

impl Demo {
    /// A shop that sends to the OTLP/gRPC port `target`.
    pub(crate) fn new(world: World, target: SocketAddr) -> Demo {
        Demo { world, target }
    }

    /// Sends until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let _ = (self.world, self.target);
        stop.cancelled().await;
    }
}
