//! Settings that are read, and those that are refused with their place.

use super::*;
use crate::scrape::job::{Credentials, Secret, TlsVersion};

fn folder() -> &'static Path {
    Path::new("/etc/cairn")
}

#[track_caller]
fn good(text: &str) -> Main {
    match main(text, folder()) {
        Ok(main) => main,
        Err(wrong) => panic!("{wrong}"),
    }
}

/// Checks that a field of a job is refused with `expected`, where the field stands in line 3.
#[track_caller]
fn refused(field: &str, expected: &str) {
    let text = format!("scrape_configs:\n- job_name: j\n  {field}\n");
    let wrong = main(&text, folder()).expect_err("it is wrong").to_string();
    assert_eq!(wrong, expected, "{field}");
}

#[test]
fn what_is_usual() {
    let main = good("scrape_configs: [{job_name: j}]");
    let job = &main.jobs[0];
    assert_eq!((job.interval, job.timeout), (USUAL_INTERVAL, USUAL_TIMEOUT));
    assert_eq!(
        (job.scheme.as_str(), job.metrics_path.as_str()),
        ("http", "/metrics")
    );
    assert!(!job.honor_labels && job.honor_timestamps && !job.track_timestamps_staleness);
    assert!(job.formats.compression && !job.formats.native_histograms);
    assert_eq!(job.formats.protocols, usual_protocols(false));
    assert!(job.http.follow_redirects);
    assert!(main.unused.is_empty() && main.more.is_empty());
    assert_eq!(good("").jobs.len(), 0);
}

#[test]
fn a_whole_file() {
    let main = good(
        r"
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {region: eu, replica: 1}
  sample_limit: 100
  body_size_limit: 10MB
rule_files: [rules.yml]
alerting: {alertmanagers: []}
scrape_config_files: ['more/*.yml', /abs.yml]
scrape_configs:
- job_name: node
  scrape_interval: 5s
  scrape_protocols: [PrometheusText0.0.4]
  fallback_scrape_protocol: PrometheusText0.0.4
  honor_labels: true
  sample_limit: 7
  target_limit: 3
  basic_auth: {username: u, password_file: secret}
  tls_config: {ca_file: ca.pem, server_name: s, min_version: TLS13}
  static_configs:
  - targets: ['a:1', 'b:2']
    labels: {env: prod, shard: 4}
  file_sd_configs:
  - files: ['targets/*.json', /etc/t.yml]
    refresh_interval: 1m
  metric_relabel_configs:
  - {source_labels: [__name__], regex: go_.*, action: drop}
",
    );
    assert_eq!(main.unused, ["rule_files", "alerting"]);
    assert_eq!(
        main.more,
        [
            PathBuf::from("/etc/cairn/more/*.yml"),
            PathBuf::from("/abs.yml")
        ]
    );
    assert_eq!(main.global.external_labels.get("replica"), "1");
    let job = &main.jobs[0];
    assert_eq!(
        (job.interval, job.timeout),
        (Duration::from_secs(5), Duration::from_secs(5))
    );
    assert_eq!(
        (
            job.limits.samples,
            job.limits.targets,
            job.limits.body_bytes
        ),
        (7, 3, 10 << 20)
    );
    assert_eq!(job.formats.fallback, Some(Format::Text0));
    assert_eq!(job.http.tls.oldest, Some(TlsVersion::Tls13));
    let Credentials::Basic { username, password } = &job.http.credentials else {
        panic!("{:?}", job.http.credentials);
    };
    assert_eq!(username, &Secret::Text("u".to_string()));
    assert_eq!(password, &Secret::File("/etc/cairn/secret".into()));
    assert_eq!(job.metric_relabel.len(), 1);
    let [
        Discovery::Static(groups),
        Discovery::Files { patterns, refresh },
    ] = &job.discovery[..]
    else {
        panic!("{:?}", job.discovery);
    };
    assert_eq!(groups[0].targets, ["a:1", "b:2"]);
    assert_eq!(groups[0].labels.get("shard"), "4");
    assert_eq!(patterns[0], PathBuf::from("/etc/cairn/targets/*.json"));
    assert_eq!(*refresh, Duration::from_secs(60));
}

#[test]
fn what_is_refused() {
    refused(
        "scrap_interval: 1s",
        "line 3, column 3: scrap_interval is no field of a scrape configuration that is known",
    );
    refused(
        "kubernetes_sd_configs: [{role: pod}]",
        "line 3, column 3: kubernetes_sd_configs: service discovery by kubernetes is not built in; write its targets to a \
         file and name that in file_sd_configs",
    );
    refused(
        "oauth2: {client_id: x}",
        "line 3, column 3: oauth2: these credentials are not built in",
    );
    refused(
        "proxy_url: http://p",
        "line 3, column 3: proxy_url: proxies are not built in",
    );
    refused(
        "scrape_timeout: 2m",
        "line 2, column 3: scrape_timeout is longer than scrape_interval",
    );
    refused(
        "scrape_interval: 15",
        "line 3, column 20: \"15\" is no duration of 100ms to 1y: write a number with a unit, as 15s or 1m30s",
    );
    refused(
        "scheme: ftp",
        "line 3, column 11: the scheme \"ftp\" is neither http nor https",
    );
    refused(
        "honor_labels: maybe",
        "line 3, column 17: honor_labels: true or false is wanted here",
    );
    refused(
        "sample_limit: -1",
        "line 3, column 17: sample_limit: a number, 0 or more, is wanted here",
    );
    refused(
        "static_configs: [{targets: ['http://a/b']}]",
        "line 3, column 31: \"http://a/b\" is no address of a target: write host and port; the path is metrics_path",
    );
    refused(
        "static_configs: [{target: ['a']}]",
        "line 3, column 21: target is no field of a group of targets that is known",
    );
}

#[test]
fn what_is_refused_in_rules_and_connections() {
    refused(
        "relabel_configs: [{target_label: x, regex: '('}]",
        "line 3, column 46: regex: regex parse error:\n    (\n    ^\nerror: unclosed group",
    );
    refused(
        "relabel_configs: [{action: hashmod, target_label: x}]",
        "line 3, column 21: the action hashmod needs a modulus of at least 1",
    );
    refused(
        "relabel_configs: [{action: keepequal, target_label: x, regex: y}]",
        "line 3, column 21: the action keepequal takes source_labels and target_label only",
    );
    refused(
        "relabel_configs: [{action: labeldrop, target_label: x}]",
        "line 3, column 21: the action labeldrop takes a regex only",
    );
    refused(
        "relabel_configs: [{}]",
        "line 3, column 21: the action replace needs a target_label",
    );
    refused(
        "relabel_configs: [{action: throw}]",
        "line 3, column 30: the action \"throw\" is not known",
    );
    refused(
        "bearer_token: x\n  basic_auth: {username: u}",
        "line 2, column 3: only one of basic_auth, authorization, bearer_token and bearer_token_file may be said",
    );
    refused(
        "file_sd_configs: [{files: [x.txt]}]",
        "line 3, column 30: \"x.txt\" must end in .json, .yml or .yaml, and may have one * in its last part",
    );
    refused(
        "tls_config: {min_version: TLS10}",
        "line 3, column 29: \"TLS10\" is not spoken: TLS12 and TLS13 are",
    );
    refused(
        "scrape_protocols: [Text]",
        "line 3, column 22: \"Text\" is no protocol that is known: PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0, OpenMetricsText0.0.1, OpenMetricsText1.0.0",
    );
}

#[test]
fn names_of_jobs_are_there_once() {
    let wrong = main("scrape_configs: [{metrics_path: /m}]", folder()).expect_err("it has no name");
    assert_eq!(
        wrong.to_string(),
        "line 1, column 18: a scrape configuration has no job_name"
    );
    let jobs = good("scrape_configs: [{job_name: a}, {job_name: a}]").jobs;
    assert_eq!(
        fault(&jobs).as_deref(),
        Some("two scrape_configs have the job_name \"a\"")
    );
    let global = Global::default();
    let more = further("scrape_configs: [{job_name: b}]", folder(), &global).expect("a good file");
    assert_eq!(more[0].name, "b");
    assert!(further("global: {}", folder(), &global).is_err());
}

#[test]
fn secrets_are_shown_nowhere() {
    let text = "scrape_configs: [{job_name: a, basic_auth: {username: me, password: hush}, http_headers: {X-Key: {secrets: [quiet]}}}]";
    let shown = format!("{:?}", good(text).jobs);
    assert!(
        !shown.contains("hush") && !shown.contains("quiet"),
        "{shown}"
    );
}
