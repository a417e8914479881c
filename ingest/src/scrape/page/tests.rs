//! What is stored of pages, scrape after scrape.

use super::*;
use crate::{decode, otlp::DECODER_VERSION, scrape::read};
use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use cairn_storage::{
    append::Decoded,
    budget::Budget,
    signal::{Encoding, Signal, Table},
};

const BUDGET_BYTES: u64 = 64 << 20;

/// A target of one job, scraped once a second.
struct Scraped {
    place: Place,
    seen: Seen,
    budget: Budget,
    round: i64,
}

impl Scraped {
    /// Of a job with these settings, its target labelled `job="j"`, `instance="h:1"` and what is more in `labels`.
    fn new(settings: &str, labels: &[(&str, &str)]) -> Scraped {
        let text = format!("scrape_configs:\n- {{job_name: j, {settings}}}\n");
        let main = read::main(&text, std::path::Path::new("/")).expect("good settings");
        let budget = Budget::new(BUDGET_BYTES);
        let own = [("job", "j"), ("instance", "h:1")];
        Scraped {
            place: Place {
                job: main.jobs[0].clone(),
                labels: own.iter().chain(labels).copied().collect(),
                external: Labels::default(),
            },
            seen: Seen::new(budget.empty()),
            budget,
            round: 0,
        }
    }

    fn build(&mut self, answer: Result<Page, Fault>) -> Built {
        self.round += 1;
        let mut memory = self.budget.empty();
        let time = Nanos(self.round * 1_000_000_000);
        let from = (answer, time, Duration::from_millis(250));
        let built = build(&self.place, from, &mut self.seen, (8 << 20, &mut memory));
        let built = built.expect("it is small");
        self.seen.stored(built.fault.is_some());
        built
    }

    fn page(&mut self, format: Format, page: &str) -> Built {
        self.build(Ok(Page {
            format,
            bytes: Bytes::copy_from_slice(page.as_bytes()),
        }))
    }

    /// Checks the samples of the next scrape, those of the report apart, and why it failed.
    #[track_caller]
    fn check(&mut self, page: &str, expected: &[&str], fault: &str) {
        let built = self.page(Format::Text0, page);
        let found = built.fault.as_ref().map(ToString::to_string);
        assert_eq!(found.unwrap_or_default(), fault, "{page}");
        assert_eq!(exposed(&samples(&decoded(&built))), expected, "{page}");
    }
}

fn decoded(built: &Built) -> Decoded {
    let payload = Bytes::from(built.payload.clone());
    let of = (Signal::Metrics, Encoding::Samples, DECODER_VERSION);
    let decoded = decode::decode(of, &payload, Nanos(0), &Families::default()).expect("ours");
    assert!(decoded.rejected.is_empty(), "{:?}", decoded.rejected);
    decoded
}

fn batch(decoded: &Decoded, wanted: Table) -> Option<&RecordBatch> {
    let found = decoded.tables.iter().find(|(table, _)| *table == wanted);
    found.map(|(_, batch)| batch)
}

fn cells(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).expect("a column");
    let texts = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
    let texts = texts.expect("everything is text");
    let texts = texts.as_string::<i32>();
    (0..texts.len())
        .map(|row| match texts.is_null(row) {
            true => "stale".to_string(),
            false => texts.value(row).to_string(),
        })
        .collect()
}

/// The samples as `name{labels} value @seconds`.
fn samples(decoded: &Decoded) -> Vec<String> {
    let Some(samples) = batch(decoded, Table::Samples) else {
        return Vec::new();
    };
    let series = batch(decoded, Table::Series).expect("samples have series");
    let ids = cells(series, "series_id");
    let attributes = cells(series, "attributes");
    let of: std::collections::HashMap<&String, &String> = ids.iter().zip(&attributes).collect();
    let times = samples.column_by_name("timestamp").expect("a column");
    let times = times.as_primitive::<arrow::datatypes::TimestampNanosecondType>();
    let (ids, names) = (cells(samples, "series_id"), cells(samples, "metric"));
    let column = samples.column_by_name("value_int").expect("a column");
    let whole = arrow::compute::cast(column, &arrow::datatypes::DataType::Float64);
    let whole = whole.expect("whole numbers are doubles");
    let whole = whole.as_primitive::<arrow::datatypes::Float64Type>();
    let values = cells(samples, "value").into_iter().zip(whole.iter());
    let values: Vec<String> = values
        .map(|(value, whole)| whole.map_or(value, |whole| format!("{whole:?}")))
        .collect();
    (0..samples.num_rows())
        .map(|row| {
            let (name, labels) = (&names[row], of[&ids[row]]);
            let seconds = times.value(row) as f64 / 1e9;
            format!("{name}{labels} {} @{seconds}", values[row])
        })
        .collect()
}

/// Those that the target exposes, without the labels of every target.
fn exposed(samples: &[String]) -> Vec<String> {
    let own = samples.iter().filter(|sample| {
        let name = sample.split('{').next().unwrap_or("");
        !REPORTS.iter().any(|report| report.0 == name)
    });
    let mut own: Vec<String> = own
        .map(|sample| {
            let of_target = [r#""instance":"h:1""#, r#""job":"j""#];
            of_target.iter().fold(sample.clone(), |text, label| {
                let (before, behind) = (format!(",{label}"), format!("{label},"));
                let text = text.replace(&before, "").replace(&behind, "");
                text.replace(label, "")
            })
        })
        .collect();
    own.sort();
    own
}

#[test]
fn a_page_with_its_report() {
    let mut scraped = Scraped::new("honor_labels: false", &[]);
    let built = scraped.page(Format::Text0, "# TYPE a counter\na{x=\"1\"} 2\nb 3 1500\n");
    let expected = Counts {
        scraped: 2,
        added: 2,
        series_added: 2,
        duplicates: 0,
    };
    assert_eq!(built.counts, expected);
    let of = r#"{"instance":"h:1","job":"j"}"#;
    assert_eq!(
        samples(&decoded(&built)),
        [
            r#"a{"instance":"h:1","job":"j","x":"1"} 2.0 @1"#.to_string(),
            format!("b{of} 3.0 @1.5"),
            format!("up{of} 1.0 @1"),
            format!("scrape_duration_seconds{of} 0.25 @1"),
            format!("scrape_samples_scraped{of} 2.0 @1"),
            format!("scrape_samples_post_metric_relabeling{of} 2.0 @1"),
            format!("scrape_series_added{of} 2.0 @1"),
        ]
    );
    let said: Vec<&[u8]> = built.families.iter().map(|(name, _)| name).collect();
    assert_eq!(said, [b"a"]);
}

#[test]
fn series_that_end_get_markers() {
    let mut scraped = Scraped::new("", &[]);
    scraped.check(
        "a 1\nb 1\nc 1 500\n",
        &["a{} 1.0 @1", "b{} 1.0 @1", "c{} 1.0 @0.5"],
        "",
    );
    // What came with times of its own ends by itself.
    scraped.check("b 2\n", &["a{} stale @2", "b{} 2.0 @2"], "");
    scraped.check(
        "b 3\nnot a sample\n",
        &["b{} stale @3"],
        "line 2: its value is no number",
    );
    scraped.check("b 4\n", &["b{} 4.0 @4"], "");
    let failed = scraped.build(Err(Fault::Timeout { millis: 10_000 }));
    let stored = samples(&decoded(&failed));
    assert_eq!(exposed(&stored), ["b{} stale @5"]);
    assert!(
        stored.contains(&r#"up{"instance":"h:1","job":"j"} 0.0 @5"#.to_string()),
        "{stored:?}"
    );
    let mut memory = scraped.budget.empty();
    scraped.page(Format::Text0, "b 6\n");
    let ended = end(
        &scraped.place,
        Nanos(7_000_000_000),
        &mut scraped.seen,
        (1 << 20, &mut memory),
    );
    let built = Built {
        payload: ended.expect("it is small"),
        counts: Counts::default(),
        fault: None,
        families: Arc::default(),
    };
    let stored = samples(&decoded(&built));
    assert_eq!(exposed(&stored), ["b{} stale @7"]);
    assert_eq!(stored.len(), 1 + REPORTS.len());
    assert!(
        stored.iter().all(|sample| sample.contains(" stale ")),
        "{stored:?}"
    );
}

#[test]
fn labels_of_the_target_and_of_the_sample() {
    let page = "a{job=\"own\",env=\"x\"} 1\nb{exported_env=\"y\",env=\"x\"} 1\n";
    let mut scraped = Scraped::new("", &[("env", "prod")]);
    scraped.check(
        page,
        &[
            r#"a{"env":"prod","exported_env":"x","exported_job":"own"} 1.0 @1"#,
            r#"b{"env":"prod","exported_env":"y","exported_exported_env":"x"} 1.0 @1"#,
        ],
        "",
    );
    let mut scraped = Scraped::new("honor_labels: true", &[("env", "prod")]);
    scraped.place.external = [("region", "eu"), ("job", "never")].into_iter().collect();
    scraped.check(
        page,
        &[
            r#"a{"env":"x","job":"own","region":"eu"} 1.0 @1"#,
            r#"b{"env":"x","exported_env":"y","region":"eu"} 1.0 @1"#,
        ],
        "",
    );
}

#[test]
fn relabeling_and_limits() {
    let rules = "metric_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}, {regex: x, action: labeldrop}]";
    let mut scraped = Scraped::new(rules, &[]);
    scraped.check(
        "go_a 1\nb{x=\"1\",y=\"2\"} 1\n",
        &[r#"b{"y":"2"} 1.0 @1"#],
        "",
    );
    // Two that become one series: the first is stored.
    let built = scraped.page(Format::Text0, "b{x=\"1\"} 1\nb{x=\"2\"} 2\ngo_b 1\n");
    let (counts, stored) = (built.counts, samples(&decoded(&built)));
    assert_eq!((counts.scraped, counts.added, counts.duplicates), (3, 1, 1));
    assert_eq!(exposed(&stored), [r#"b{"y":"2"} stale @2"#, "b{} 1.0 @2"]);

    let mut scraped = Scraped::new("sample_limit: 2", &[]);
    scraped.check("a 1\nb 1\n", &["a{} 1.0 @1", "b{} 1.0 @1"], "");
    let fault = "the number of samples is 3, and sample_limit is 2";
    scraped.check("a 1\nb 1\nc 1\n", &["a{} stale @2", "b{} stale @2"], fault);
    let mut scraped = Scraped::new("label_limit: 3", &[]);
    scraped.check(
        "a{x=\"1\"} 1\n",
        &[],
        "the number of labels of a series is 4, and label_limit is 3",
    );
    let mut scraped = Scraped::new("label_value_length_limit: 4", &[]);
    let fault = "the length of a label value is 5, and label_value_length_limit is 4";
    scraped.check("a{x=\"12345\"} 1\n", &[], fault);
    let mut scraped = Scraped::new(
        "metric_relabel_configs: [{regex: __name__, action: labeldrop}]",
        &[],
    );
    scraped.check(
        "a 1\n",
        &[],
        "a series has no name after metric_relabel_configs",
    );
}

#[test]
fn times_of_the_target() {
    let mut scraped = Scraped::new("honor_timestamps: false", &[]);
    scraped.check("a 1 500\n", &["a{} 1.0 @1"], "");
    scraped.check("", &["a{} stale @2"], "");
    let mut scraped = Scraped::new("track_timestamps_staleness: true", &[]);
    scraped.check("a 1 500\na 2 600\n", &["a{} 1.0 @0.5", "a{} 2.0 @0.6"], "");
    scraped.check("", &["a{} stale @2"], "");
}

#[test]
fn openmetrics() {
    let mut scraped = Scraped::new("", &[]);
    let page = "# TYPE a counter\na_total 5 # {trace_id=\"t\"} 1 0.5\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n";
    let built = scraped.page(Format::OpenMetrics1, page);
    assert!(
        matches!(built.fault, Some(Fault::Incomplete)),
        "{:?}",
        built.fault
    );
    let built = scraped.page(Format::OpenMetrics1, &format!("{page}# EOF\n"));
    let decoded = decoded(&built);
    // Bounds have one way of writing.
    assert_eq!(
        exposed(&samples(&decoded)),
        ["a_total{} 5.0 @2", r#"h_bucket{"le":"1.0"} 2.0 @2"#]
    );
    assert_eq!(
        batch(&decoded, Table::Exemplars).map(RecordBatch::num_rows),
        Some(1)
    );
}

#[test]
fn memory_is_given_back_and_bounded() {
    let mut scraped = Scraped::new("", &[]);
    let page: String = (0..1_000)
        .map(|at| format!("a{{x=\"{at}\"}} 1\n"))
        .collect();
    scraped.page(Format::Text0, &page);
    let used = scraped.budget.used_bytes();
    assert!((100_000..1 << 20).contains(&used), "{used}");
    scraped.page(Format::Text0, "");
    assert_eq!(scraped.budget.used_bytes(), 0);
    let rest = scraped.budget.reserve(BUDGET_BYTES - 50_000);
    let built = scraped.page(Format::Text0, &page);
    assert!(
        matches!(built.fault, Some(Fault::Refused(_))),
        "{:?}",
        built.fault
    );
    drop(rest);
}
