//! A file of a segment on its way to the disk: bytes are kept until they have been summed, then written.

use crate::{
    error::{Error, Result},
    world::{DiskFile, World},
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A new file that is written from its start to its end.
pub(crate) struct Sink {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Where `waiting` begins in the file.
    written: u64,
    waiting: Vec<u8>,
}

impl Sink {
    /// Makes the file and the folders that it lies in.
    pub(crate) fn create(world: &World, path: PathBuf) -> Result<Sink> {
        let failed = |doing| {
            let path = path.clone();
            move |source| Error::Disk {
                doing,
                path,
                source,
            }
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        world
            .disk
            .create_directories(folder)
            .map_err(failed("making the folder of"))?;
        let file = world.disk.create(&path).map_err(failed("creating"))?;
        Ok(Sink {
            file,
            path,
            written: 0,
            waiting: Vec::new(),
        })
    }

    /// The bytes that are not in the file yet, and where they begin.
    pub(crate) fn waiting(&self) -> (&[u8], u64) {
        (&self.waiting, self.written)
    }

    /// Writes what waits.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let failed = |source| Error::Disk {
            doing: "writing",
            path: self.path.clone(),
            source,
        };
        self.file
            .write_at(self.written, &self.waiting)
            .map_err(failed)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Writes what waits and makes the file and its entry durable; returns its size.
    pub(crate) fn finish(&mut self, world: &World) -> Result<u64> {
        self.drain()?;
        let failed = |doing| {
            let path = self.path.clone();
            move |source| Error::Disk {
                doing,
                path,
                source,
            }
        };
        self.file.sync().map_err(failed("syncing"))?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        world
            .disk
            .sync_directory(folder)
            .map_err(failed("syncing the folder of"))?;
        Ok(self.written)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
