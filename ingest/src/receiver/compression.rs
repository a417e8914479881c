//! Decompression in small steps, so that the caller can count what comes out before it keeps it.

use crate::error::{Error, Result};
use cairn_storage::budget::Reservation;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// What the server takes, as `grpc-accept-encoding` lists it.
pub(super) const ACCEPTED: &str = "identity,gzip,zstd";

/// Largest zstd window, the 8 MiB that RFC 8878 asks every decoder to support: the decoder allocates it from
/// a number in the header.
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// The same as a power of two, for the decoder itself.
const MAX_WINDOW_LOG: u32 = 23;

/// What a gzip decoder takes: a window of 32 KiB and its tables.
const GZIP_BYTES: u64 = 64 << 10;

/// What a zstd decoder takes beside its window and its two block buffers.
const ZSTD_BYTES: u64 = 192 << 10;

/// Largest block of zstd.
const ZSTD_BLOCK_BYTES: u64 = 128 << 10;

/// Members or frames of one body. Real ones have one; each may be empty, and costs time all the same.
const MAX_PARTS: u64 = 4096;

/// The first bytes of a zstd frame.
const ZSTD_MAGIC: u32 = 0xFD2F_B528;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Identity,
    Gzip,
    Zstd,
}

/// A decompressor of one body.
pub(super) enum Inflater {
    Gzip(Gzip),
    Zstd(Zstd),
}

/// Gzip with any number of members (RFC 1952, 2.2). Anything else after a member is an error.
pub(super) struct Gzip {
    stream: Decompress,
    /// Whether a member has begun and not ended.
    inside: bool,
    members: u64,
}

/// Zstd with any number of frames (RFC 8878, 3.1).
pub(super) struct Zstd {
    decoder: Decoder<'static>,
    /// Whether a frame has begun and not ended.
    inside: bool,
    frames: u64,
    /// The start of a frame until its window is known.
    head: Vec<u8>,
    /// The memory reserved up to now.
    reserved_bytes: u64,
}

impl Compression {
    /// The value of a `content-encoding` or `grpc-encoding` header, absent or empty meaning none.
    pub(crate) fn parse(header: Option<&str>) -> Result<Compression> {
        let name = header.unwrap_or("").trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("identity") || is("none") {
            Ok(Compression::Identity)
        } else if is("gzip") || is("x-gzip") {
            Ok(Compression::Gzip)
        } else if is("zstd") {
            Ok(Compression::Zstd)
        } else {
            let found = name[..name.floor_char_boundary(64)].to_string();
            Err(Error::Compression { found })
        }
    }

    /// A decompressor, its memory taken from `memory`; none for [`Compression::Identity`].
    pub(super) fn inflater(self, memory: &mut Reservation) -> Result<Option<Inflater>> {
        match self {
            Compression::Identity => Ok(None),
            Compression::Gzip => {
                memory.grow(GZIP_BYTES)?;
                let stream = Decompress::new_gzip(15);
                Ok(Some(Inflater::Gzip(Gzip {
                    stream,
                    inside: true,
                    members: 0,
                })))
            }
            Compression::Zstd => {
                memory.grow(ZSTD_BYTES)?;
                let broken = |error: std::io::Error| broken_zstd(&error);
                let mut decoder = Decoder::new().map_err(broken)?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))
                    .map_err(broken)?;
                Ok(Some(Inflater::Zstd(Zstd {
                    decoder,
                    inside: false,
                    frames: 0,
                    head: Vec::with_capacity(MAX_HEAD_BYTES),
                    reserved_bytes: 0,
                })))
            }
        }
    }
}

impl Inflater {
    /// Decompresses from the front of `input`, which moves on, into `output`, and returns how many bytes of it
    /// were filled. There may be more to come as long as `input` is not empty or `output` was filled whole.
    pub(super) fn step(
        &mut self,
        input: &mut &[u8],
        output: &mut [u8],
        memory: &mut Reservation,
    ) -> Result<usize> {
        match self {
            Inflater::Gzip(gzip) => gzip.step(input, output),
            Inflater::Zstd(zstd) => zstd.step(input, output, memory),
        }
    }

    /// Fails when the compressed data broke off, or there was none.
    pub(super) fn finish(&self) -> Result<()> {
        let (compression, whole) = match self {
            Inflater::Gzip(gzip) => ("gzip", !gzip.inside && gzip.members > 0),
            Inflater::Zstd(zstd) => (
                "zstd",
                !zstd.inside && zstd.head.is_empty() && zstd.frames > 0,
            ),
        };
        if whole {
            return Ok(());
        }
        Err(Error::BrokenCompression {
            compression,
            detail: "it ends early".to_string(),
        })
    }
}

impl Gzip {
    fn step(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<usize> {
        let broken = |detail: String| Error::BrokenCompression {
            compression: "gzip",
            detail,
        };
        if !self.inside {
            if input.is_empty() {
                return Ok(0);
            }
            within_parts("gzip", self.members)?;
            // A reset would forget that it is gzip.
            self.stream = Decompress::new_gzip(15);
            self.inside = true;
        }
        let (read, written) = (self.stream.total_in(), self.stream.total_out());
        let status = self
            .stream
            .decompress(input, output, FlushDecompress::None)
            .map_err(|error| broken(error.to_string()))?;
        let read = (self.stream.total_in() - read) as usize;
        let written = (self.stream.total_out() - written) as usize;
        if status == Status::StreamEnd {
            self.inside = false;
            self.members += 1;
        } else if read == 0 && written == 0 && !input.is_empty() {
            return Err(broken("it does not go on".to_string()));
        }
        *input = &input[read..];
        Ok(written)
    }
}

impl Zstd {
    fn step(
        &mut self,
        input: &mut &[u8],
        output: &mut [u8],
        memory: &mut Reservation,
    ) -> Result<usize> {
        if !self.inside {
            if !self.begin_frame(input, memory)? {
                return Ok(0);
            }
            within_parts("zstd", self.frames)?;
            self.inside = true;
        }
        if !self.head.is_empty() {
            let head = std::mem::take(&mut self.head);
            let (read, written) = self.run(&head, output)?;
            self.head = head;
            self.head.drain(..read);
            return Ok(written);
        }
        let (read, written) = self.run(input, output)?;
        *input = &input[read..];
        Ok(written)
    }

    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize)> {
        let status = self
            .decoder
            .run_on_buffers(input, output)
            .map_err(|e| broken_zstd(&e))?;
        let stuck = status.bytes_read == 0 && status.bytes_written == 0 && !input.is_empty();
        if status.remaining == 0 {
            self.inside = false;
            self.frames += 1;
        } else if stuck {
            return Err(broken_zstd(&std::io::Error::other("it does not go on")));
        }
        Ok((status.bytes_read, status.bytes_written))
    }

    /// Takes the head of a frame off `input` and reserves the memory that its window will need; false while
    /// there is too little of it.
    fn begin_frame(&mut self, input: &mut &[u8], memory: &mut Reservation) -> Result<bool> {
        loop {
            if let Some(window_bytes) = window(&self.head)? {
                if window_bytes > MAX_WINDOW_BYTES {
                    return Err(Error::Window {
                        window_bytes,
                        limit_bytes: MAX_WINDOW_BYTES,
                    });
                }
                let needed = window_bytes + 2 * window_bytes.min(ZSTD_BLOCK_BYTES);
                memory.grow(needed.saturating_sub(self.reserved_bytes))?;
                self.reserved_bytes = self.reserved_bytes.max(needed);
                return Ok(true);
            }
            let Some((first, rest)) = input.split_first() else {
                return Ok(false);
            };
            self.head.push(*first);
            *input = rest;
        }
    }
}

/// Longest head of a frame: magic, descriptor, window, dictionary id, content size.
const MAX_HEAD_BYTES: usize = 4 + 1 + 1 + 4 + 8;

/// The window that the frame beginning with `head` needs, in bytes; `None` while `head` is too short to tell.
///
/// RFC 8878, 3.1.1.1 and 3.1.2.
fn window(head: &[u8]) -> Result<Option<u64>> {
    let Some((magic, rest)) = head.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let magic = u32::from_le_bytes(*magic);
    if magic & 0xFFFF_FFF0 == 0x184D_2A50 {
        // A skippable frame has no content.
        return Ok(Some(0));
    }
    if magic != ZSTD_MAGIC {
        return Err(broken_zstd(&std::io::Error::other("no frame begins here")));
    }
    let Some((&descriptor, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        return Ok(rest.first().map(|window| {
            let base = 1u64 << (10 + (window >> 3));
            base + base / 8 * u64::from(window & 7)
        }));
    }
    // The window is the whole content, whose size stands after the dictionary id.
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let Some(size) = rest.get(dictionary_bytes..dictionary_bytes + size_bytes) else {
        return Ok(None);
    };
    let mut padded = [0; 8];
    padded[..size_bytes].copy_from_slice(size);
    let size = u64::from_le_bytes(padded);
    Ok(Some(if size_bytes == 2 { size + 256 } else { size }))
}

fn within_parts(compression: &'static str, parts: u64) -> Result<()> {
    if parts < MAX_PARTS {
        return Ok(());
    }
    let detail = format!("it has more than {MAX_PARTS} parts");
    Err(Error::BrokenCompression {
        compression,
        detail,
    })
}

fn broken_zstd(error: &std::io::Error) -> Error {
    Error::BrokenCompression {
        compression: "zstd",
        detail: error.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests;
