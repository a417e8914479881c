//! The real binary over a damaged data folder: it starts, answers the rest, names what is missing in every format, and
//! `cairn verify` names the files.
//!
//! `query/tests/it/corrupt.rs` does the same within one process, thousands of times.

#![expect(
    clippy::disallowed_methods,
    reason = "files are damaged behind the back of the product"
)]

use crate::server::{BINARY, Server, logs};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

const BODIES: &str = "SELECT body FROM logs ORDER BY body";

/// The files below `folder` whose names end in `end`, sorted.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().ends_with(end) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a file");
    name.to_string_lossy().into_owned()
}

fn run(arguments: &[&str]) -> (bool, String, String) {
    let mut command = std::process::Command::new(BINARY);
    let output = command.args(arguments).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Two segments and two requests in the log, as a kill leaves them.
async fn fill(folder: &Path) {
    let server = Server::start(folder, &[]).await;
    for (number, body) in ["one", "two", "three", "four"].into_iter().enumerate() {
        let sent = server.send_grpc(logs("a", &[body]), None).await;
        sent.expect("acknowledged");
        if number < 2 {
            let flushed = server.api(Method::POST, "/api/v1/flush", None, "").await;
            assert_eq!(flushed.0, StatusCode::OK);
        }
    }
    server.kill().await;
}

#[tokio::test]
async fn damage_is_named_by_every_format_and_by_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path()).await;
    let object = files(&folder.path().join("bucket"), ".parquet").remove(0);
    let mut bytes = fs::read(&object).expect("readable");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 4;
    fs::write(&object, bytes).expect("writable");
    // A bit of the last frame: nothing comes behind it that says that it was durable, but the witness does.
    let log = files(&folder.path().join("wal"), ".wal").remove(0);
    let mut bytes = fs::read(&log).expect("readable");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("frames");
    bytes[last] ^= 1;
    fs::write(&log, bytes).expect("writable");

    let data_dir = folder.path().to_str().expect("a path");
    let (sound, told, _) = run(&["verify", "--data-dir", data_dir]);
    assert!(!sound, "{told}");
    for path in [&object, &log] {
        assert!(told.contains(&name(path)), "{told}");
    }

    let server = Server::start(folder.path(), &[]).await;
    // The first to touch the damage may be told so; after that it is known.
    let (status, told) = server.api(Method::POST, "/api/v1/sql", None, BODIES).await;
    assert!(
        status == StatusCode::OK || told.contains("corrupt"),
        "{told}"
    );
    let rows = server.sql(BODIES, None).await;
    assert_eq!(rows, json!([["three"], ["two"]]));
    for media in [
        "application/json",
        "application/x-ndjson",
        "application/vnd.apache.arrow.stream",
    ] {
        let (status, answer) = server.sql_as(media, BODIES, None).await;
        assert_eq!(status, StatusCode::OK);
        for path in [&object, &log] {
            assert!(answer.contains(&name(path)), "{media}: {answer}");
        }
    }
    let said = server.completeness("text/csv", BODIES).await;
    assert_eq!(said["complete"], false);
    assert_eq!(said["missing"].as_array().expect("a list").len(), 2);
    for format in ["table", "csv"] {
        let asked = ["query", BODIES, "--url", &server.api, "--format", format];
        let (_, _, notes) = run(&asked);
        for path in [&object, &log] {
            assert!(notes.contains(&name(path)), "{format}: {notes}");
        }
    }
    println!(
        "conformance: 3.5 | every output format names what is missing | the binary: JSON, NDJSON, Arrow, CSV, cairn query | passed"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_old_copy_of_the_catalog_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let mut copies = Vec::new();
    for body in ["one", "two", "three"] {
        let sent = server.send_grpc(logs("a", &[body]), None).await;
        sent.expect("acknowledged");
        let flushed = server.api(Method::POST, "/api/v1/flush", None, "").await;
        assert_eq!(flushed.0, StatusCode::OK);
        if body == "two" {
            let of_catalog = files(folder.path(), "catalog.sqlite")
                .into_iter()
                .chain(files(folder.path(), "catalog.sqlite-wal"));
            copies.extend(of_catalog.map(|path| (fs::read(&path).expect("readable"), path)));
        }
    }
    server.kill().await;
    for path in files(folder.path(), "catalog.sqlite-shm") {
        fs::remove_file(path).expect("removable");
    }
    for (bytes, path) in copies {
        fs::write(path, bytes).expect("writable");
    }
    let data_dir = folder.path().to_str().expect("a path");
    let (sound, told, _) = run(&["verify", "--data-dir", data_dir]);
    assert!(!sound && told.contains("an old copy"), "{told}");
    assert!(!told.contains("no data is lost"), "{told}");
    let server = Server::start(folder.path(), &[]).await;
    let rows = server.sql(BODIES, None).await;
    assert_eq!(rows, json!([["one"], ["three"], ["two"]]));
    println!("conformance: 3.5 | an old copy of the catalog is made anew | the binary | passed");
    server.stop().await;
    let (sound, told, _) = run(&["verify", "--data-dir", data_dir]);
    assert!(sound, "{told}");
}
