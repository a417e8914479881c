//! Statements share the total and keep to their own limit; the spill folder is emptied and sealed.

use super::Memory;
use crate::config::Config;
use cairn_storage::world::real;
use datafusion::execution::{memory_pool::MemoryConsumer, object_store::ObjectStoreUrl};

fn memory(total: u64, each: u64) -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        memory_bytes: total,
        statement_memory_bytes: each,
        ..Config::default()
    };
    let memory = Memory::new(&config, &folder.path().join("spill"), &real::world());
    (folder, memory.expect("the folder can be made"))
}

#[test]
fn a_statement_keeps_to_its_limit() {
    let (_folder, memory) = memory(1_000, 600);
    let statement = memory.statement().expect("a runtime");
    let consumer = MemoryConsumer::new("sort").register(&statement.memory_pool);
    consumer.try_grow(600).expect("within the limit");
    let refused = consumer
        .try_grow(1)
        .expect_err("over the limit")
        .to_string();
    assert!(refused.contains("sort"), "{refused}");
    assert_eq!(memory.used_bytes(), 600);
    drop(consumer);
    assert_eq!(memory.used_bytes(), 0);
}

#[test]
fn statements_share_the_total() {
    let (_folder, memory) = memory(1_000, 600);
    let (first, second) = (
        memory.statement().expect("one"),
        memory.statement().expect("two"),
    );
    let a = MemoryConsumer::new("a").register(&first.memory_pool);
    let b = MemoryConsumer::new("b").register(&second.memory_pool);
    a.try_grow(600).expect("within the limit");
    let refused = b.try_grow(500).expect_err("over the total").to_string();
    assert!(refused.contains("all statements together"), "{refused}");
    b.try_grow(400).expect("the rest");
    assert_eq!(memory.used_bytes(), 1_000);
    a.free();
    b.try_grow(200).expect("freed by the other");
    assert_eq!(second.memory_pool.reserved(), 600);
    // Growth that cannot be refused is counted too.
    b.grow(100);
    b.shrink(700);
    assert_eq!((memory.used_bytes(), second.memory_pool.reserved()), (0, 0));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test looks at real files")]
fn the_spill_folder_starts_empty_and_no_file_is_in_reach() {
    let folder = tempfile::tempdir().expect("a folder");
    let spill = folder.path().join("spill");
    std::fs::create_dir_all(spill.join("datafusion-old")).expect("a folder");
    std::fs::write(spill.join("datafusion-old/left"), "x").expect("a file");
    std::fs::write(spill.join("left"), "x").expect("a file");
    let memory = Memory::new(&Config::default(), &spill, &real::world()).expect("a folder");
    assert!(!spill.join("datafusion-old/left").exists());
    assert!(!spill.join("left").exists());
    let statement = memory.statement().expect("a runtime");
    assert!(
        statement
            .object_store(ObjectStoreUrl::local_filesystem())
            .is_err()
    );
    let spilled = statement
        .disk_manager
        .create_tmp_file("a test")
        .expect("a file");
    assert!(spilled.path().expect("it is a file").starts_with(&spill));
}
