//! A client that goes away ends its statement: seen in the server's own metrics, not in how long something takes.

use crate::server::{PATIENCE, Server, logs};
use hyper::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Rows of the table that the statements multiply by itself.
const ROWS: usize = 2_000;

/// Works for hours without a first row, in little memory: what a join collects is one table.
const ENDLESS_WORK: &str = "SELECT count(*) FROM logs a CROSS JOIN \
     (SELECT b.row_ordinal AS n FROM logs b CROSS JOIN \
     (SELECT c.row_ordinal AS n FROM logs c CROSS JOIN logs d) e) f \
     WHERE a.row_ordinal + f.n < -1";

/// Has more rows than fit into the sockets of a client that does not read them.
const ENDLESS_ROWS: &str = "SELECT a.body, b.body FROM logs a CROSS JOIN logs b";

#[tokio::test]
async fn a_client_that_goes_away_ends_its_statement() {
    let folder = tempfile::tempdir().expect("a folder");
    // The deadline is far away, so that it is not what ends the statements.
    let settings = [
        "--set",
        "query.timeout_seconds=600",
        "--set",
        "query.answer_rows=100000000",
        "--set",
        "query.answer_bytes=100000000000",
    ];
    let server = Server::start(folder.path(), &settings).await;
    let body = "x".repeat(200);
    let bodies: Vec<&str> = (0..ROWS).map(|_| body.as_str()).collect();
    server
        .send_grpc(logs("a", &bodies), None)
        .await
        .expect("acknowledged");

    let waiting = ask(&server, ENDLESS_WORK).await;
    wait_for(&server, "query_running_statements", 1).await;
    // The statement lives as long as its client does.
    for _ in 0..20 {
        assert_eq!(metric(&server, "query_running_statements").await, 1);
    }
    drop(waiting);
    wait_for_end(&server, 1).await;

    let mut reading = ask(&server, ENDLESS_ROWS).await;
    let mut first = [0; 4096];
    reading
        .read_exact(&mut first)
        .await
        .expect("the answer begins");
    assert!(first.starts_with(b"HTTP/1.1 200"), "it is under way");
    assert_eq!(metric(&server, "query_running_statements").await, 1);
    drop(reading);
    wait_for_end(&server, 2).await;

    let again = server.sql("SELECT count(*) FROM logs", None).await;
    assert_eq!(again, serde_json::json!([[ROWS]]), "the server goes on");
}

/// A connection on which `statement` was asked and nothing was read.
async fn ask(server: &Server, statement: &str) -> TcpStream {
    let address = server.api.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "POST /api/v1/sql HTTP/1.1\r\nhost: {address}\r\ncontent-type: text/plain\r\naccept: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n{statement}",
        statement.len()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it takes requests");
    stream
}

/// Nothing runs any more, its threads are gone, its memory is given back, and `cancelled` statements are counted as such.
async fn wait_for_end(server: &Server, cancelled: i64) {
    wait_for(server, "query_running_statements", 0).await;
    wait_for(server, "query_ending_lanes", 0).await;
    wait_for(server, "query_memory_bytes", 0).await;
    let outcome = "query_statements_total{tenant=\"default\",outcome=\"cancelled\"}";
    wait_for(server, outcome, cancelled).await;
}

/// Waits until a metric has the value `wanted`.
async fn wait_for(server: &Server, name: &str, wanted: i64) {
    let reached = async { while metric(server, name).await != wanted {} };
    let in_time = tokio::time::timeout(PATIENCE, reached).await;
    assert!(in_time.is_ok(), "{name} never was {wanted}");
}

/// The value of a metric now; 0 where it was never counted.
async fn metric(server: &Server, name: &str) -> i64 {
    let (_, text) = server.api(Method::GET, "/metrics", None, "").await;
    let row = text.lines().find_map(|line| {
        let (row, value) = line.rsplit_once(' ')?;
        (row == name).then_some(value)
    });
    row.map_or(0, |value| value.parse().expect("a whole number"))
}
