//! The real binary over real sockets: serve, send over gRPC and HTTP, ask in SQL, restart, two tenants, refusals, clients that
//! go away, dead letters, deletions, the demo.

mod corrupt;
mod dead_letters;
mod deletions;
mod demo;
mod gone;
mod isolation;
mod life;
mod logs;
mod loki;
mod otlp;
mod prometheus;
mod server;
