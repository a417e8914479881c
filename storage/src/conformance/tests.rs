//! The suite on the buckets that need no server.

use super::*;
use crate::{config::Config, objects::open_bucket, world::real};
use object_store::memory::InMemory;

async fn run(config: Config, bucket: Bucket) {
    let place = Place {
        world: real::world(),
        config,
        bucket,
    };
    for (name, case) in cases(&place) {
        println!("{name}");
        case.await;
    }
}

fn config(folder: &tempfile::TempDir, bucket: &str) -> Config {
    Config {
        data_dir: folder.path().join("data"),
        bucket: bucket.to_string(),
        ..Config::default()
    }
}

#[tokio::test]
async fn a_local_folder_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&folder, "local");
    let bucket = open_bucket(&config, &real::world()).await.expect("opened");
    run(config, bucket).await;
}

#[tokio::test]
async fn memory_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    run(config(&folder, "memory://far"), Arc::new(InMemory::new())).await;
}
