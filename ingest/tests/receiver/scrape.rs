//! The scraper against a little target, through the real pipeline: what is asked, what is stored, what changes.

use crate::{
    client::gzip,
    server::{Server, until},
};
use arrow::array::AsArray;
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Response, StatusCode},
    routing::get,
};
use cairn_ingest::{
    config::{Config, Scrape},
    pipeline::Pipeline,
    scrape::{Health, Scraper, Targets},
};
use cairn_storage::{
    signal::{Signal, Table},
    world::real,
};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A target that answers as it is told.
#[derive(Clone, Default)]
struct Target {
    /// Status and page; the page is sent compressed.
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Target {
    async fn start(page: &str) -> (Target, SocketAddr) {
        let target = Target::default();
        target.set(200, page);
        let router = Router::new()
            .route("/metrics", get(answer))
            .with_state(target.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (target, address)
    }

    fn set(&self, status: u16, page: &str) {
        *self.answer.lock() = (status, page.to_string());
    }
}

async fn answer(State(target): State<Target>, headers: HeaderMap) -> Response<Body> {
    target.asked.lock().push(headers);
    let (status, page) = target.answer.lock().clone();
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", "text/plain; version=0.0.4")
        .header("content-encoding", "gzip")
        .body(Body::from(gzip(page.as_bytes())))
        .expect("a response")
}

/// A scraper that runs, and the folder of its settings.
struct Running {
    folder: TempDir,
    targets: Arc<Targets>,
    registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(server: &Server, settings: &str) -> Running {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("scrape.yml");
        write(&folder, "scrape.yml", settings);
        let config = Scrape {
            config_file: path.display().to_string(),
            ..Scrape::default()
        };
        let limits = Config::default();
        let pipeline = Arc::new(Pipeline::new(server.store.clone(), &limits));
        let mut registry = Registry::default();
        let scraper = Scraper::new(pipeline, (&config, &limits, true), &mut registry);
        let scraper = scraper
            .expect("settings that work")
            .expect("there is a file");
        let shutdown = CancellationToken::new();
        Running {
            folder,
            targets: scraper.targets(),
            registry,
            task: tokio::spawn(scraper.run(shutdown.clone())),
            shutdown,
        }
    }

    fn metric(&self, line: &str) -> bool {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to memory");
        text.lines().any(|found| found == line)
    }

    fn health(&self) -> Vec<Health> {
        let active = self.targets.active(None);
        active.iter().map(|target| target.health).collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        ended.expect("in time").expect("no panic");
    }
}

fn write(folder: &TempDir, name: &str, text: &str) {
    // In one step, as tools that write targets do.
    let path = folder.path().join(name);
    let beside = folder.path().join(format!("{name}.new"));
    let disk = real::world().disk;
    let file = disk.create(&beside).expect("a new file");
    file.write_at(0, text.as_bytes()).expect("it is written");
    disk.rename(&beside, &path).expect("it takes its place");
}

/// The values of all samples by metric; `None` is a marker.
fn samples(server: &Server) -> BTreeMap<String, Vec<Option<f64>>> {
    let tenant = "default".parse().expect("an id");
    let snapshot = server.store.snapshot(&tenant, Signal::Metrics);
    let mut samples: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    let requests = snapshot.buffered.iter();
    for batch in requests.filter_map(|request| request.batch(Table::Samples)) {
        let column = |name| batch.column_by_name(name).expect("a column");
        let names = arrow::compute::cast(column("metric"), &arrow::datatypes::DataType::Utf8);
        let names = names.expect("text is text");
        let values = column("value").as_primitive::<arrow::datatypes::Float64Type>();
        let whole = column("value_int").as_primitive::<arrow::datatypes::Int64Type>();
        let values = values.iter().zip(whole.iter());
        let values = values.map(|(value, whole)| value.or(whole.map(|whole| whole as f64)));
        for (name, value) in names.as_string::<i32>().iter().zip(values) {
            let of = samples.entry(name.unwrap_or_default().to_string());
            of.or_default().push(value);
        }
    }
    samples
}

fn last(server: &Server, metric: &str) -> Option<Option<f64>> {
    samples(server).get(metric)?.last().copied()
}

#[tokio::test]
async fn a_target_is_asked_and_its_samples_are_stored() {
    let server = Server::start().await;
    let (target, address) = Target::start("# TYPE a counter\na{x=\"1\"} 2\n").await;
    let settings = format!(
        "global: {{scrape_interval: 100ms}}\nscrape_configs:\n- job_name: shop\n  authorization: {{credentials_file: key}}\n  static_configs: [{{targets: ['{address}']}}]\n"
    );
    let running = Running::start(&server, &settings);
    write(&running.folder, "key", "hush\n");
    until("it is scraped twice", || {
        last(&server, "up") == Some(Some(1.0))
    })
    .await;
    let asked = target.asked.lock().pop().expect("it was asked");
    assert_eq!(asked["authorization"], "Bearer hush");
    assert_eq!(asked["accept-encoding"], "gzip");
    assert_eq!(asked["x-prometheus-scrape-timeout-seconds"], "0.1");
    let accept = asked["accept"].to_str().expect("ASCII");
    assert!(
        accept.starts_with("application/openmetrics-text;version=1.0.0"),
        "{accept}"
    );
    assert_eq!(last(&server, "a"), Some(Some(2.0)));
    let active = running.targets.active(Some("shop"));
    assert_eq!(active[0].url, format!("http://{address}/metrics"));
    assert_eq!(active[0].metadata(Some("a"))[0].of, "counter");
    assert!(running.targets.active(Some("other")).is_empty());

    target.set(503, "");
    until("it fails", || last(&server, "up") == Some(Some(0.0))).await;
    assert_eq!(last(&server, "a"), Some(None), "its series has a marker");
    until("that is shown", || running.health() == [Health::Down]).await;
    let error = &running.targets.active(None)[0].last_error;
    assert_eq!(
        error,
        "the target answered with the status 503 Service Unavailable"
    );
    target.set(200, "a{x=\"1\"} 3\n");
    until("it is back", || last(&server, "a") == Some(Some(3.0))).await;
    running.stop().await;
    let stored = samples(&server);
    assert_eq!(stored["up"].len(), stored["scrape_duration_seconds"].len());
    assert!(server.dead_letters().is_empty());
}

#[tokio::test]
async fn files_are_read_again_and_bad_ones_change_nothing() {
    let server = Server::start().await;
    let (_, first) = Target::start("a 1\n").await;
    let (_, second) = Target::start("b 1\n").await;
    let settings = "scrape_configs:\n- job_name: files\n  scrape_interval: 100ms\n  file_sd_configs: [{files: ['t*.json']}]\n";
    let running = Running::start(&server, settings);
    let group = |address| format!(r#"[{{"targets": ["{address}"], "labels": {{"of": "file"}}}}]"#);
    write(&running.folder, "t1.json", &group(first));
    until("the first is scraped", || {
        last(&server, "a") == Some(Some(1.0))
    })
    .await;
    assert!(running.metric("ingest_scrape_config_ok 1"));

    write(&running.folder, "t1.json", "[{\"targets\": ");
    until("the bad file is told", || {
        running.metric("ingest_scrape_bad_files_total 1")
    })
    .await;
    assert_eq!(running.targets.active(None).len(), 1, "its target is kept");
    write(&running.folder, "t1.json", &group(second));
    until("the second is scraped", || {
        last(&server, "b") == Some(Some(1.0))
    })
    .await;
    until("the first has ended", || last(&server, "a") == Some(None)).await;

    write(&running.folder, "scrape.yml", "scrape_configs: [{job: x}]");
    until("bad settings are told", || {
        running.metric("ingest_scrape_config_ok 0")
    })
    .await;
    assert_eq!(running.targets.pools(), ["files"]);
    let more = format!(
        "{settings}- job_name: more\n  scrape_interval: 100ms\n  static_configs: [{{targets: ['{first}', '{second}']}}]\n  relabel_configs: [{{source_labels: [__address__], regex: '{second}', action: drop}}]\n"
    );
    write(&running.folder, "scrape.yml", &more);
    until("both jobs are scraped", || {
        running.health() == [Health::Up, Health::Up]
    })
    .await;
    let dropped = running.targets.dropped(Some("more"));
    assert_eq!((dropped[0].count, dropped[0].discovered.len()), (1, 1));
    // The target that is in both settings goes on: its series did not end.
    assert_eq!(
        samples(&server)["b"]
            .iter()
            .filter(|value| value.is_none())
            .count(),
        0
    );
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let server = Server::start().await;
    let limits = Config::default();
    let new = |config: &Scrape, is_open| {
        let pipeline = Arc::new(Pipeline::new(server.store.clone(), &limits));
        let made = Scraper::new(
            pipeline,
            (config, &limits, is_open),
            &mut Registry::default(),
        );
        made.map(|made| made.is_some())
            .map_err(|error| error.to_string())
    };
    let mut config = Scrape::default();
    assert_eq!(new(&config, false), Ok(false));
    config.config_file = "x.yml".to_string();
    assert_eq!(new(&config, true), Ok(true));
    let refused = new(&config, false).expect_err("there is no tenant");
    assert!(refused.contains("scrape.tenant must be named"), "{refused}");
    config.tenant = "shop".to_string();
    assert_eq!(new(&config, false), Ok(true));
    config.max_targets = 0;
    assert!(new(&config, false).is_err());
}
