//! The receivers as a client sees them: real sockets, real store, every protocol.

mod client;
mod grpc;
mod http;
mod json;
mod ledger;
mod limits;
mod outcomes;
mod replay;
mod requests;
mod senders;
mod server;
