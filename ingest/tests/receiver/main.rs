//! The receivers as a client sees them: real sockets, real store, every protocol.

mod client;
mod columns;
mod crash;
mod elasticsearch;
mod foreign;
mod grpc;
mod http;
mod influx;
mod json;
mod ledger;
mod limits;
mod lines;
mod loki;
mod outcomes;
mod prometheus;
mod replay;
mod requests;
mod scrape;
mod senders;
mod server;
mod syslog;
