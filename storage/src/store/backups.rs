//! Backups of the catalog in the bucket: their names, and how they are written, found, read and removed.
//!
//! A name is given once: the put fails where the object exists. What is newest has the highest number.

mod format;

pub(super) use format::Head;

use crate::{
    catalog::Contents,
    error::{Error, Kind, Result},
};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, path::Path};

/// The folder of all backups.
const FOLDER: &str = "catalog";

/// Names that others may take while one is written.
const MAX_ATTEMPTS: usize = 8;

/// Backups that are tried, from the newest on, before it is said that there is none.
const MAX_TRIED: usize = 64;

fn name(sequence: u64) -> String {
    format!("{FOLDER}/{sequence:020}.backup")
}

fn path(sequence: u64) -> Path {
    Path::from(name(sequence))
}

/// The number of the backup at `path`; `None` where it is none.
pub(super) fn sequence_of(path: &str) -> Option<u64> {
    let digits = path.strip_prefix("catalog/")?.strip_suffix(".backup")?;
    let sequence: u64 = digits.parse().ok()?;
    (name(sequence) == path).then_some(sequence)
}

/// The numbers of all backups, the oldest first.
pub(super) async fn list(bucket: &dyn ObjectStore) -> Result<Vec<u64>> {
    let listed = bucket.list(Some(&Path::from(FOLDER)));
    let listed = listed.try_filter_map(async |object: object_store::ObjectMeta| {
        Ok(sequence_of(object.location.as_ref()))
    });
    let mut sequences: Vec<u64> = listed.try_collect().await.map_err(listing)?;
    sequences.sort_unstable();
    Ok(sequences)
}

/// Writes a backup under the next free number, which `head` gets; returns its bytes.
pub(super) async fn write(bucket: &dyn ObjectStore, head: &mut Head, body: &[u8]) -> Result<u64> {
    let known = list(bucket).await?;
    head.sequence = 1 + known.last().copied().unwrap_or(0);
    for _ in 0..MAX_ATTEMPTS {
        let bytes = format::join(head, body);
        let length = bytes.len() as u64;
        let path = path(head.sequence);
        let payload = PutPayload::from(bytes);
        let put = bucket.put_opts(&path, payload.clone(), PutMode::Create.into());
        let written = match put.await {
            // The listing said that it is free, and a bucket has one owner.
            Err(object_store::Error::NotImplemented { .. }) => bucket.put(&path, payload).await,
            other => other,
        };
        match written {
            Ok(_) => return Ok(length),
            // An attempt of ours whose reply got lost, or somebody else.
            Err(object_store::Error::AlreadyExists { .. }) => head.sequence += 1,
            Err(source) => {
                return Err(Error::Objects {
                    doing: "writing a backup of the catalog",
                    source,
                });
            }
        }
    }
    Err(Error::Conflict {
        what: "the folder of backups",
        detail: format!("{MAX_ATTEMPTS} numbers were taken by somebody else"),
    })
}

/// See [`format::pack`].
pub(super) fn pack(contents: &Contents) -> (Vec<u8>, u64) {
    format::pack(contents)
}

/// Removes all backups but the newest `keep`; returns how many.
pub(super) async fn prune(bucket: &dyn ObjectStore, keep: usize) -> Result<usize> {
    let known = list(bucket).await?;
    let old = &known[..known.len().saturating_sub(keep)];
    for sequence in old {
        match bucket.delete(&path(*sequence)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(Error::Objects {
                    doing: "deleting an old backup of the catalog",
                    source,
                });
            }
        }
    }
    Ok(old.len())
}

/// The newest backup that is whole, and what is wrong with those before it.
#[derive(Debug, Default)]
pub(super) struct Newest {
    pub(super) backup: Option<(Head, Contents)>,
    pub(super) unusable: Vec<String>,
}

/// Finds the newest backup that can be read. One that is damaged, or that a newer build wrote, is named and passed over.
///
/// `Unavailable` when the bucket cannot be asked.
pub(super) async fn newest(bucket: &dyn ObjectStore) -> Result<Newest> {
    let known = list(bucket).await?;
    let mut newest = Newest::default();
    for sequence in known.into_iter().rev().take(MAX_TRIED) {
        match read(bucket, sequence).await {
            Ok(backup) => {
                newest.backup = Some(backup);
                break;
            }
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => newest.unusable.push(error.to_string()),
        }
    }
    Ok(newest)
}

/// What is wrong with the backups, all of which are read.
pub(super) async fn faults(bucket: &dyn ObjectStore) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for sequence in list(bucket).await? {
        match read(bucket, sequence).await {
            Ok(_) => {}
            // The server removes old ones while they are read.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => faults.push(error.to_string()),
        }
    }
    Ok(faults)
}

async fn read(bucket: &dyn ObjectStore, sequence: u64) -> Result<(Head, Contents)> {
    let reading = |source| Error::Objects {
        doing: "reading a backup of the catalog",
        source,
    };
    let found = bucket.get(&path(sequence)).await.map_err(reading)?;
    let bytes = found.bytes().await.map_err(reading)?;
    let (head, contents) = format::split(&name(sequence), &bytes)?;
    if head.sequence != sequence {
        return Err(Error::Corrupt {
            what: name(sequence),
            detail: format!("it was written as number {}", head.sequence),
        });
    }
    Ok((head, contents))
}

fn listing(source: object_store::Error) -> Error {
    Error::Objects {
        doing: "listing the backups of the catalog",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_backups() {
        assert_eq!(sequence_of(&name(7)), Some(7));
        assert_eq!(sequence_of(&name(u64::MAX)), Some(u64::MAX));
        for other in [
            "catalog/7.backup",
            "catalog/00000000000000000007.backup.tmp",
            "catalog/0000000000000000000x.backup",
            "backup/00000000000000000007.backup",
            "catalog/deeper/00000000000000000007.backup",
        ] {
            assert_eq!(sequence_of(other), None, "{other}");
        }
    }
}
