//! Why a JSON request did not become protobuf.

use cairn_storage::error::Error as StorageError;

/// A JSON request that is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON, or not that of an OTLP request. Lines and columns count from 1, columns in characters;
    /// `offset` counts bytes from 0.
    #[error("not OTLP/JSON at line {line}, column {column} (byte {offset}): {what}")]
    Malformed {
        line: usize,
        column: usize,
        offset: usize,
        what: String,
    },
    /// Packed numbers take up to four times their text.
    #[error("as protobuf the request is larger than {limit_bytes} bytes: send less at once")]
    TooLarge { limit_bytes: u64 },
    /// No memory for it at the moment.
    #[error(transparent)]
    Memory(StorageError),
}

/// Why reading stopped, where it is found out; boxed, since nearly nothing stops.
#[derive(Debug)]
pub(crate) enum Stop {
    At { offset: usize, what: String },
    TooLarge,
    Memory(StorageError),
}

pub(crate) type Result<T> = std::result::Result<T, Box<Stop>>;

impl Stop {
    /// What is wrong at a byte of the text.
    #[cold]
    pub(crate) fn at(offset: usize, what: impl Into<String>) -> Box<Stop> {
        let what = what.into();
        Box::new(Stop::At { offset, what })
    }

    /// The same for the client.
    pub(crate) fn of(self, json: &[u8], limit_bytes: usize) -> JsonError {
        match self {
            Stop::At { offset, what } => {
                let before = &json[..offset.min(json.len())];
                let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
                let is_start = |byte: &&u8| **byte & 0xc0 != 0x80;
                JsonError::Malformed {
                    line: 1 + memchr::memchr_iter(b'\n', before).count(),
                    column: 1 + before[line_start..].iter().filter(is_start).count(),
                    offset,
                    what,
                }
            }
            Stop::TooLarge => JsonError::TooLarge {
                limit_bytes: limit_bytes as u64,
            },
            Stop::Memory(error) => JsonError::Memory(error),
        }
    }
}
