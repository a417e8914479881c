//! The settings of storage: plain data with defaults and a check.

mod retention;

pub use retention::{OwnRetention, Retention};

use crate::{
    error::{Error, Result},
    id::TenantId,
};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// The settings of storage.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the write-ahead log, the catalog, staged files and the local bucket.
    pub data_dir: PathBuf,
    /// Where segments go: `local` (a folder `bucket` in `data_dir`) or `s3://bucket/prefix`.
    pub bucket: String,
    /// Options of the object store as `object_store` names them (`aws_endpoint`, `aws_region`, …). Secrets
    /// belong into the environment (`AWS_ACCESS_KEY_ID`, …), where options are read from, too: `cairn config check`
    /// names those that are.
    pub bucket_options: BTreeMap<String, String>,
    /// Variables of the environment that the object store knows, read by whoever reads the environment. Options of
    /// the same meaning win.
    #[serde(skip)]
    pub bucket_variables: Variables,
    /// Bytes that requests in flight and buffers of all tenants may take together.
    pub memory_bytes: u64,
    /// A tenant's signal is flushed when its buffer holds this many bytes.
    pub flush_bytes: u64,
    /// A tenant's signal is flushed when its oldest row is this old, if a segment of `small_segment_bytes` comes of it.
    pub flush_age_seconds: u64,
    /// What would make a smaller segment than this waits up to `small_flush_age_seconds`.
    pub small_segment_bytes: u64,
    /// See `small_segment_bytes`.
    pub small_flush_age_seconds: u64,
    /// Size of one file of the write-ahead log.
    pub wal_file_bytes: u64,
    /// Bytes that the write-ahead log and staged files may take together, for example while the bucket is out of
    /// reach. Over it requests are refused.
    pub disk_bytes: u64,
    /// Bytes of memory for blocks of segments in a bucket on S3 or Azure, beside `memory_bytes`. 0: no cache, every read
    /// is a request. A local bucket has none.
    pub cache_memory_bytes: u64,
    /// Bytes of disk for such blocks, in the folder `cache` in `data_dir`, which may be removed while the server is
    /// down. 0: in memory only.
    pub cache_disk_bytes: u64,
    /// How long a byte-identical request is taken for a retry.
    pub retry_window_seconds: u64,
    /// Rows that one row group holds at most.
    pub row_group_rows: usize,
    /// Bytes of `dead_letters` kept for each tenant; the oldest go first, counted.
    pub dead_letter_bytes: u64,
    /// Segments are merged until they have about this many bytes. 0: they stay as flushes made them.
    pub compaction_target_bytes: u64,
    /// So many segments of about the same size make a merge worth its while before their hour is over.
    pub compaction_segments: usize,
    /// Bytes of memory that a merge may take, beside `memory_bytes`.
    pub compaction_memory_bytes: u64,
    /// Days that rows are kept, by signal: from their own time or from their arrival, whichever is later. 0 keeps them
    /// for ever.
    pub retention: Retention,
    /// What a tenant has otherwise, as `retention_of.<tenant>.logs_days` and so on; what it does not say is as in
    /// `retention`.
    pub retention_of: BTreeMap<TenantId, OwnRetention>,
    /// From one copy of the catalog in the bucket to the next, where something was committed in between; one more is made
    /// at a clean shutdown. 0: none is made.
    pub catalog_backup_seconds: u64,
    /// Copies of the catalog that stay in the bucket; the oldest go.
    pub catalog_backups: usize,
    /// Time that the last flush gets at a shutdown. What does not reach the bucket in it stays in the write-ahead log
    /// and is replayed at the next start. With `listen.drain_seconds` it should be less than the supervisor waits:
    /// systemd 90 s, Kubernetes 30 s, Docker 10 s.
    pub close_seconds: u64,
}

/// Variables by name. They may hold secrets: what is printed of them is their names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: "./cairn-data".into(),
            bucket: "local".into(),
            bucket_options: BTreeMap::new(),
            bucket_variables: Variables::default(),
            memory_bytes: 384 << 20,
            flush_bytes: 96 << 20,
            flush_age_seconds: 60,
            small_segment_bytes: 1 << 20,
            small_flush_age_seconds: 3_600,
            wal_file_bytes: 64 << 20,
            disk_bytes: 16 << 30,
            cache_memory_bytes: 128 << 20,
            cache_disk_bytes: 4 << 30,
            retry_window_seconds: 900,
            row_group_rows: 128 * 1024,
            dead_letter_bytes: 256 << 20,
            compaction_target_bytes: 192 << 20,
            compaction_segments: 8,
            compaction_memory_bytes: 192 << 20,
            retention: Retention::default(),
            retention_of: BTreeMap::new(),
            catalog_backup_seconds: 300,
            catalog_backups: 12,
            close_seconds: 30,
        }
    }
}

impl Config {
    /// Refuses settings that cannot work, naming the setting and what to do.
    pub fn validate(&self) -> Result<()> {
        let refuse = |detail: String| {
            Err(Error::Invalid {
                what: "storage settings",
                detail,
            })
        };
        if self.memory_bytes < self.flush_bytes.saturating_mul(2) {
            return refuse(format!(
                "memory_bytes ({}) must be at least twice flush_bytes ({}): raise the first or lower the second",
                self.memory_bytes, self.flush_bytes
            ));
        }
        if self.wal_file_bytes < 64 << 10 {
            return refuse("wal_file_bytes must be at least 65536".to_string());
        }
        if self.disk_bytes < self.wal_file_bytes.saturating_mul(4) {
            return refuse(format!(
                "disk_bytes ({}) must be at least four times wal_file_bytes ({}): raise the first or lower the second",
                self.disk_bytes, self.wal_file_bytes
            ));
        }
        for (name, bytes, least) in [
            ("cache_memory_bytes", self.cache_memory_bytes, 16 << 20),
            ("cache_disk_bytes", self.cache_disk_bytes, 256 << 20),
        ] {
            if bytes > 0 && bytes < least {
                return refuse(format!("{name} must be at least {least}, or 0 for none"));
            }
        }
        if self.row_group_rows < 8_192 {
            return refuse("row_group_rows must be at least 8192".to_string());
        }
        if self.catalog_backups < 2 {
            return refuse(
                "catalog_backups must be at least 2, so that there is one when the newest is damaged".to_string(),
            );
        }
        if self.compaction_segments < 2 {
            return refuse("compaction_segments must be at least 2".to_string());
        }
        if self.compaction_target_bytes > 0 && self.compaction_memory_bytes < 16 << 20 {
            return refuse(
                "compaction_memory_bytes must be at least 16777216: raise it, or set compaction_target_bytes to 0"
                    .to_string(),
            );
        }
        if self.bucket != "local" && !self.bucket.contains("://") {
            return refuse(format!("bucket {} is neither local nor a URL", self.bucket));
        }
        self.validate_retention()
    }
}
