//! The real binary over real sockets: serve, send over gRPC and HTTP, ask in SQL, restart, two tenants, refusals.

mod isolation;
mod life;
mod server;
