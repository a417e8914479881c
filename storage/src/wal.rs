//! The write-ahead log: requests as received, checksummed and fsynced before anybody gets an OK.
//!
//! One append-only, zero-filled log for each shard, cut into files. `frame` is the bytes of one request, `file`
//! one file of the log, `writer` the group commit, `probe` a try of a disk that failed, `retire` the end of a file,
//! `replay` the way back after a start, `witness` what tells lost bytes from such that were never acknowledged. The bytes are described in `docs/formats/wal.md`.

pub mod file;
pub mod frame;
pub mod probe;
pub mod replay;
mod retire;
mod witness;
pub mod writer;
