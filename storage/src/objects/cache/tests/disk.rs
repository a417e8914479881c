//! What is on disk, what a restart makes of it, and what damage does not.

use super::*;

const DISK_BYTES: u64 = 64 * MIB;

/// Reads all of an object through a cache over `folder`, closes it, and returns what was asked of the bucket and how many
/// blocks came from disk.
async fn life(
    folder: &Folder,
    store: &Arc<Scripted>,
    extent: &Extent,
    content: &Bytes,
) -> (Vec<Range<u64>>, u64) {
    let before = store.asked().len();
    let cache = open(store, 16 * MIB, Some((folder, DISK_BYTES))).await;
    let bytes = read(&cache, extent, 0..extent.size()).await;
    assert_eq!(bytes.expect("read"), content);
    cache.close().await;
    let from_disk = cache.telemetry.blocks("disk");
    (store.asked().split_off(before), from_disk)
}

fn files(folder: &Folder) -> Vec<std::path::PathBuf> {
    let disk = real::world().disk;
    let names = disk.list(&folder.join("cache")).expect("listed");
    let files = names.iter().filter(|name| name.as_str() != "layout");
    files.map(|name| folder.join("cache").join(name)).collect()
}

/// Flips a bit in every 512 bytes of every file.
fn damage(folder: &Folder) {
    let disk = real::world().disk;
    for path in files(folder) {
        let file = disk.open(&path).expect("opened");
        let length = file.length().expect("its length");
        let mut bytes = file
            .read_at(0, length as usize)
            .expect("its bytes")
            .to_vec();
        bytes.iter_mut().step_by(512).for_each(|byte| *byte ^= 0x10);
        file.write_at(0, &bytes).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_blocks_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, extent, content) = object(20 * MIB, 4_000).await;
    let (asked, _) = life(folder.path(), &store, &extent, &content).await;
    assert_eq!(asked, [0..16 * MIB, 16 * MIB..20 * MIB]);
    let (asked, from_disk) = life(folder.path(), &store, &extent, &content).await;
    assert_eq!(asked, [], "everything was on disk");
    assert_eq!(from_disk, 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_disk_gives_right_bytes_and_mends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, extent, content) = object(20 * MIB, 4_000).await;
    life(folder.path(), &store, &extent, &content).await;
    damage(folder.path());
    let (asked, _) = life(folder.path(), &store, &extent, &content).await;
    assert!(!asked.is_empty(), "what is damaged comes from the bucket");
    let (asked, _) = life(folder.path(), &store, &extent, &content).await;
    assert_eq!(asked, [], "and is on disk again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_under_an_open_cache_is_a_miss() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, extent, content) = object(20 * MIB, 4_000).await;
    life(folder.path(), &store, &extent, &content).await;
    let cache = open(&store, 16 * MIB, Some((folder.path(), DISK_BYTES))).await;
    damage(folder.path());
    let before = store.asked().len();
    let bytes = read(&cache, &extent, 0..extent.size()).await;
    assert_eq!(bytes.expect("read"), content);
    assert!(store.asked().len() > before);
    for path in files(folder.path()) {
        let file = real::world().disk.open(&path).expect("opened");
        file.set_length(0).expect("cut");
    }
    for number in 0..20 {
        let range = number * MIB..number * MIB + 100;
        let bytes = read(&cache, &extent, range.clone()).await;
        assert_eq!(bytes.expect("read"), part(&content, &range));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_stays_within_its_limit_and_goes_with_the_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = real::world().disk;
    let taken = || -> u64 {
        let lengths = files(folder.path())
            .into_iter()
            .map(|path| disk.status(&path));
        lengths.map(|status| status.expect("there").length).sum()
    };
    for round in 0..3 {
        let content = content(40 * MIB);
        let store = Scripted::with(&format!("tenant=a/{round}"), content.clone()).await;
        let extent = Extent::parquet(&store.path, 40 * MIB, 0);
        life(folder.path(), &store, &extent, &content).await;
        assert!(taken() <= DISK_BYTES, "{}", taken());
    }
    // Other settings: the files of before are gone, and so are their blocks.
    let (store, extent, _) = object(MIB, 0).await;
    drop(open(&store, 16 * MIB, Some((folder.path(), 2 * DISK_BYTES))).await);
    assert!(taken() > DISK_BYTES);
    let cache = open(&store, 16 * MIB, Some((folder.path(), 0))).await;
    assert_eq!(taken(), 0, "and without a disk all of them");
    assert_eq!(cache.limit_bytes(), 16 * MIB);
    read(&cache, &extent, 0..9).await.expect("read");
}

/// Whether a file of the cache holds these bytes.
fn holds(folder: &Folder, bytes: &[u8]) -> bool {
    let disk = real::world().disk;
    files(folder).iter().any(|path| {
        let file = disk.open_read(path).expect("opened");
        let length = file.length().expect("its length") as usize;
        let all = file.read_at(0, length).expect("its bytes");
        memchr::memmem::find(&all, bytes).is_some()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_began_anew_holds_no_byte_of_before_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, extent, content) = object(20 * MIB, 4_000).await;
    let piece = part(&content, &(5 * MIB..5 * MIB + 64));
    let cache = open(&store, 16 * MIB, Some((folder.path(), DISK_BYTES))).await;
    read(&cache, &extent, 0..extent.size()).await.expect("read");
    cache.tiers.written().await;
    while !cache.renew().await.expect("removed") {
        yield_now().await;
    }
    assert_eq!(cache.memory_bytes(), 0);
    assert!(!holds(folder.path(), &piece));
    let before = store.asked().len();
    for _ in 0..2 {
        let bytes = read(&cache, &extent, 5 * MIB..5 * MIB + 64).await;
        assert_eq!(bytes.expect("read"), piece);
    }
    assert_eq!(store.asked().len(), before + 1);
    cache.close().await;
    assert!(holds(folder.path(), &piece), "what is read now is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_usable_folder_the_cache_is_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_the_way = real::world().disk.create(&folder.path().join("cache"));
    drop(in_the_way.expect("a file where the folder should be"));
    let (store, extent, content) = object(3 * MIB, 0).await;
    for _ in 0..2 {
        let (asked, from_disk) = life(folder.path(), &store, &extent, &content).await;
        assert_eq!((asked.len(), from_disk), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forgotten_is_not_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, extent, content) = object(9 * MIB, 0).await;
    life(folder.path(), &store, &extent, &content).await;
    let cache = open(&store, 16 * MIB, Some((folder.path(), DISK_BYTES))).await;
    let keys: Vec<Key> = extent.all().map(|n| Key::of(&extent, n)).collect();
    assert!(keys.iter().all(|key| cache.tiers.contains(key)));
    cache.forget(&extent);
    assert!(!keys.iter().any(|key| cache.tiers.contains(key)));
    let before = store.asked().len();
    read(&cache, &extent, 0..9 * MIB).await.expect("read");
    assert_eq!(store.asked().split_off(before), only(0..9 * MIB));
}
