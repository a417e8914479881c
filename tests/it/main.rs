//! The real binary over real sockets: serve, send over gRPC and HTTP, ask in SQL, restart, two tenants, refusals, clients that
//! go away, the demo.

mod demo;
mod gone;
mod isolation;
mod life;
mod otlp;
mod server;
