//! Reading: whole objects, ranges, heads.

use super::{LocalStore, failed, generic, paths};
use crate::world::{DiskFile, FileStatus};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{
    Attributes, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta,
    path::Path as ObjectPath,
};
use std::{
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Bytes that a stream reads at once.
const CHUNK_BYTES: u64 = 4 << 20;

/// What object_store says of an object with this status.
pub(super) fn object_meta(location: ObjectPath, status: FileStatus) -> ObjectMeta {
    // No object is older than the epoch, unless a clock was far off.
    let since = Duration::from_nanos(status.modified.0.max(0) as u64);
    ObjectMeta {
        location,
        last_modified: (UNIX_EPOCH + since).into(),
        size: status.length,
        e_tag: Some(format!("{:x}-{:x}", status.modified.0, status.length)),
        version: None,
    }
}

impl LocalStore {
    /// Opens an object for reading.
    pub(super) fn open(
        &self,
        location: &ObjectPath,
    ) -> object_store::Result<(Box<dyn DiskFile>, ObjectMeta)> {
        let path = paths::file(&self.root, location)?;
        let failed = failed(location.as_ref());
        let status = self.world.disk.status(&path).map_err(&failed)?;
        if status.directory {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let file = self.world.disk.open_read(&path).map_err(&failed)?;
        Ok((file, object_meta(location.clone(), status)))
    }

    /// Starts to read an object, or a range of it.
    pub(super) fn read_object(
        &self,
        location: &ObjectPath,
        options: &GetOptions,
    ) -> object_store::Result<GetResult> {
        let (file, meta) = self.open(location)?;
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(generic)?,
            None => 0..meta.size,
        };
        let wanted = if options.head { 0..0 } else { range.clone() };
        let stream = self.stream(location.clone(), file.into(), wanted);
        let payload = GetResultPayload::Stream(stream);
        Ok(GetResult {
            payload,
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    /// Reads ranges of an object.
    pub(super) fn read_ranges(
        &self,
        location: &ObjectPath,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        let (file, meta) = self.open(location)?;
        let read = |range: &Range<u64>| {
            let range = GetRange::Bounded(range.clone())
                .as_range(meta.size)
                .map_err(generic)?;
            read_exactly(&*file, range, location)
        };
        ranges.iter().map(read).collect()
    }

    fn stream(
        &self,
        location: ObjectPath,
        file: Arc<dyn DiskFile>,
        range: Range<u64>,
    ) -> stream::BoxStream<'static, object_store::Result<Bytes>> {
        let store = self.clone();
        let starts = stream::iter((range.start..range.end).step_by(CHUNK_BYTES as usize)).map(Ok);
        let chunks = starts.and_then(move |start| {
            let (store, file, location) = (store.clone(), file.clone(), location.clone());
            let chunk = start..range.end.min(start + CHUNK_BYTES);
            async move {
                store
                    .blocking(move |_| read_exactly(&*file, chunk, &location))
                    .await
            }
        });
        chunks.boxed()
    }
}

/// Reads a range that was within the object a moment ago.
fn read_exactly(
    file: &dyn DiskFile,
    range: Range<u64>,
    location: &ObjectPath,
) -> object_store::Result<Bytes> {
    let length = (range.end - range.start) as usize;
    let bytes = file
        .read_at(range.start, length)
        .map_err(failed(location.as_ref()))?;
    if bytes.len() < length {
        let text = format!("{location} became shorter while it was read");
        return Err(generic(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
    }
    Ok(bytes)
}
