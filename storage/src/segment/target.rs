//! Where and how the files of a segment are written.

use crate::{signal::Table, world::World};
use std::{collections::HashMap, path::PathBuf};

/// Where and how the files are written.
#[derive(Clone)]
pub struct Target {
    pub world: World,
    /// The folder under which files get the paths that they have in the bucket.
    pub root: PathBuf,
    /// Rows that one row group holds at most.
    pub row_group_rows: usize,
    /// Of zstd.
    pub compression_level: i32,
}

/// The field ids of promoted columns, by table and column name.
pub type FieldIds = HashMap<(Table, String), i32>;
