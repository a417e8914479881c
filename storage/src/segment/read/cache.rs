//! What all readers share: footers, open indexes, and which column chunks were found whole. Bounded in bytes.

use crate::{
    error::{Error, Result},
    id::SegmentId,
    objects::cache::{BlockCache, Extent},
    segment::{
        FileMeta, SegmentMeta,
        fetch::Source,
        footer::{self, Chunk},
        index::Index,
        live::LiveSegment,
    },
    signal::Table,
};
use object_store::path::Path;
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;
use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Damage that a reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub segment: SegmentId,
    /// The table whose object it is in.
    pub table: Table,
    /// The path of the object.
    pub what: String,
    /// What is wrong, with the column where one is concerned.
    pub detail: String,
}

/// Called with each damage that a reader finds.
pub type DamageHook = Arc<dyn Fn(&Damage) + Send + Sync>;

/// Footers, open indexes, and which column chunks were found whole. The longest unused go when it is full.
pub struct ReadCache {
    entries: Mutex<Entries>,
    limit_bytes: u64,
    damage: DamageHook,
    /// What committed segments are read through, where the bucket is far away.
    blocks: Option<Arc<BlockCache>>,
}

#[derive(Default)]
struct Entries {
    by_path: HashMap<String, Entry>,
    bytes: u64,
    /// Counts uses, so that the longest unused entry is known.
    clock: u64,
}

struct Entry {
    value: Value,
    bytes: u64,
    used: u64,
}

#[derive(Clone)]
enum Value {
    Object(Arc<Opened>),
    Index(Arc<Index>),
}

/// An object whose footer is read.
pub(super) struct Opened {
    pub(super) metadata: Arc<ParquetMetaData>,
    /// In the order of the file.
    pub(super) chunks: Vec<Chunk>,
    /// A bit for each chunk that was found whole: in the staged file, and in the bucket.
    checked: [Vec<AtomicU64>; 2],
}

impl Opened {
    fn new(what: &str, metadata: Arc<ParquetMetaData>) -> Result<Opened> {
        let chunks = footer::chunks(what, &metadata)?;
        let words = || {
            (0..chunks.len().div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect()
        };
        let checked = [words(), words()];
        Ok(Opened {
            metadata,
            chunks,
            checked,
        })
    }

    /// The chunk that `range` lies in.
    pub(super) fn chunk_of(&self, range: &Range<u64>) -> Option<usize> {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.range.start <= range.start);
        let chunk = after.checked_sub(1)?;
        (range.start <= range.end && range.end <= self.chunks[chunk].range.end).then_some(chunk)
    }

    pub(super) fn is_checked(&self, staged: bool, chunk: usize) -> bool {
        let word = self.checked[usize::from(staged)][chunk / 64].load(Ordering::Relaxed);
        word & (1 << (chunk % 64)) != 0
    }

    pub(super) fn set_checked(&self, staged: bool, chunk: usize) {
        let word = &self.checked[usize::from(staged)][chunk / 64];
        word.fetch_or(1 << (chunk % 64), Ordering::Relaxed);
    }

    fn memory_bytes(&self) -> u64 {
        let chunks = self.chunks.len() * size_of::<Chunk>();
        (self.metadata.memory_size() + chunks + self.chunks.len() / 4) as u64
    }
}

impl ReadCache {
    /// A cache whose footers and indexes take at most `limit_bytes` of memory.
    pub fn new(limit_bytes: u64, damage: DamageHook) -> ReadCache {
        ReadCache {
            entries: Mutex::default(),
            limit_bytes,
            damage,
            blocks: None,
        }
    }

    /// The same, reading committed segments through `blocks`.
    pub(crate) fn with_blocks(self, blocks: Option<Arc<BlockCache>>) -> ReadCache {
        ReadCache { blocks, ..self }
    }

    /// What committed segments are read through.
    pub(crate) fn blocks(&self) -> Option<&Arc<BlockCache>> {
        self.blocks.as_ref()
    }

    /// Where a file of `segment` is read; `footer_bytes` of it are read apart from the rest, `None` for an index.
    pub(super) fn source(
        &self,
        segment: &LiveSegment,
        file: &FileMeta,
        footer_bytes: Option<u64>,
    ) -> Result<Source> {
        let path = parse(&file.path)?;
        // Staged files are on the local disk.
        let blocks = self.blocks.as_ref().filter(|_| !segment.staged);
        let extent = extent(&path, file, footer_bytes);
        let cached = blocks.map(|blocks| (blocks.clone(), extent));
        Ok(Source::new(segment.store.clone(), path, cached))
    }

    /// Keeps a footer that was just written.
    pub fn insert_footer(&self, path: &str, footer: Arc<ParquetMetaData>) {
        if let Err(error) = self.insert(path, footer) {
            // The reader will read it anew and report what is wrong with it.
            tracing::warn!(path, %error, "a footer was not kept");
        }
    }

    /// Forgets everything about the file at `path`, which is damaged or was deleted.
    pub fn forget(&self, path: &str) {
        let mut entries = self.entries.lock();
        for key in [
            path.to_string(),
            index_key(path, true),
            index_key(path, false),
        ] {
            entries.remove(&key);
        }
    }

    /// Forgets everything about a segment whose files were deleted.
    pub(crate) fn forget_segment(&self, meta: &SegmentMeta) {
        let objects = meta.objects.iter();
        let objects = objects.map(|object| (&object.file, Some(object.footer_bytes)));
        for (file, footer_bytes) in objects.chain(meta.index.iter().map(|file| (file, None))) {
            self.forget(&file.path);
            if let (Some(blocks), Ok(path)) = (&self.blocks, parse(&file.path)) {
                blocks.forget(&extent(&path, file, footer_bytes));
            }
        }
    }

    pub(super) fn tell(&self, damage: &Damage) {
        (self.damage)(damage);
    }

    pub(super) fn get(&self, path: &str) -> Option<Arc<Opened>> {
        match self.entries.lock().get(path)? {
            Value::Object(opened) => Some(opened),
            Value::Index(_) => None,
        }
    }

    pub(super) fn insert(&self, path: &str, metadata: Arc<ParquetMetaData>) -> Result<Arc<Opened>> {
        let opened = Arc::new(Opened::new(path, metadata)?);
        let bytes = opened.memory_bytes();
        self.put(path.to_string(), Value::Object(opened.clone()), bytes);
        Ok(opened)
    }

    pub(super) fn get_index(&self, path: &str, staged: bool) -> Option<Arc<Index>> {
        match self.entries.lock().get(&index_key(path, staged))? {
            Value::Index(index) => Some(index),
            Value::Object(_) => None,
        }
    }

    pub(super) fn insert_index(&self, path: &str, staged: bool, index: Arc<Index>) {
        let bytes = index.memory_bytes();
        self.put(index_key(path, staged), Value::Index(index), bytes);
    }

    fn put(&self, key: String, value: Value, bytes: u64) {
        let mut entries = self.entries.lock();
        entries.remove(&key);
        entries.bytes += bytes;
        entries.clock += 1;
        let used = entries.clock;
        entries.by_path.insert(key, Entry { value, bytes, used });
        while entries.bytes > self.limit_bytes && entries.by_path.len() > 1 {
            // A few hundred entries: looking at all of them costs less than keeping a list in order.
            let oldest = entries.by_path.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            entries.remove(&oldest);
        }
    }
}

impl Entries {
    fn get(&mut self, key: &str) -> Option<Value> {
        self.clock += 1;
        let entry = self.by_path.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.by_path.remove(key) {
            self.bytes -= entry.bytes;
        }
    }
}

fn parse(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|error| Error::Corrupt {
        what: path.to_string(),
        detail: error.to_string(),
    })
}

fn extent(path: &Path, file: &FileMeta, footer_bytes: Option<u64>) -> Extent {
    match footer_bytes {
        Some(footer_bytes) => Extent::parquet(path, file.size_bytes, footer_bytes),
        None => Extent::index(path, file.size_bytes),
    }
}

/// An open index reads from the store it was opened on, so that copies in different stores are kept apart.
fn index_key(path: &str, staged: bool) -> String {
    format!("{path}#{}", if staged { "staged" } else { "bucket" })
}
