//! Syslog over TCP and UDP: sockets that take messages until the shutdown.
//!
//! Messages are gathered up to a batch or for 200 ms, whichever is first, and become one request. Over TCP nothing is
//! read while a batch is stored, so that the sender waits; what was read is tried again until it is stored. Over UDP
//! nobody waits: what finds no room is dropped and counted.

mod batch;
mod framing;
mod inlet;
mod tcp;
mod udp;

use self::inlet::Inlet;
use super::intake::Intake;
use crate::{
    config::Syslog as Config,
    error::{Error, Result},
};
use cairn_storage::id::TenantId;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

/// The syslog listeners of a server, bound.
pub struct Syslog {
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
    inlet: Arc<Inlet>,
    max_connections: usize,
    idle_timeout: Duration,
}

impl Syslog {
    pub(super) async fn bind(intake: Arc<Intake>, config: &Config) -> Result<Option<Syslog>> {
        config.validate()?;
        let [tcp, udp] = config.addresses()?;
        if tcp.is_none() && udp.is_none() {
            return Ok(None);
        }
        let tenant = match config.named_tenant()? {
            Some(tenant) => tenant,
            None if intake.keys.is_open() => TenantId::default_tenant(),
            None => {
                let detail = "syslog.tenant must be named on a server with keys".to_string();
                return Err(Error::Settings { detail });
            }
        };
        let zone = config.zone()?;
        let max_message_bytes = usize::try_from(config.max_message_bytes).unwrap_or(usize::MAX);
        let tcp = match tcp {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .map_err(taken("tcp", address))?,
            ),
            None => None,
        };
        let udp = match udp {
            Some(address) => Some(
                UdpSocket::bind(address)
                    .await
                    .map_err(taken("udp", address))?,
            ),
            None => None,
        };
        Ok(Some(Syslog {
            tcp,
            udp,
            inlet: Arc::new(Inlet::new(intake, tenant, zone, max_message_bytes)),
            max_connections: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
            idle_timeout: config.idle_timeout(),
        }))
    }

    /// The address that TCP is taken at.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp
            .as_ref()
            .and_then(|socket| socket.local_addr().ok())
    }

    /// The address that UDP is taken at.
    pub fn udp_address(&self) -> Option<SocketAddr> {
        self.udp
            .as_ref()
            .and_then(|socket| socket.local_addr().ok())
    }

    /// Takes messages until `shutdown`, and returns when what was read is stored.
    pub async fn run(self, shutdown: CancellationToken) {
        let Syslog {
            tcp, udp, inlet, ..
        } = self;
        let limits = (self.max_connections, self.idle_timeout);
        let over_tcp = async {
            if let Some(listener) = tcp {
                tcp::run(listener, &inlet, limits, &shutdown).await;
            }
        };
        let over_udp = async {
            if let Some(socket) = &udp {
                udp::run(socket, &inlet, &shutdown).await;
            }
        };
        tokio::join!(over_tcp, over_udp);
    }
}

fn taken(transport: &'static str, address: SocketAddr) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Settings {
        detail: format!("syslog.listen_{transport} {address} cannot be bound: {error}"),
    }
}
