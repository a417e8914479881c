//! Which targets come of what was discovered.

use super::*;
use crate::scrape::read;

fn job(settings: &str) -> Arc<Job> {
    let indented: String = settings.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("scrape_configs:\n- job_name: j\n{indented}");
    let main = read::main(&text, std::path::Path::new("/etc")).expect("good settings");
    main.jobs[0].clone()
}

fn text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

/// Checks the address and the labels of the target that `settings` make of `address`, or what they say instead.
#[track_caller]
fn check(settings: &str, address: &str, expected: (&str, &str)) {
    let found: Labels = [(ADDRESS, address), ("__meta_x", "m")]
        .into_iter()
        .collect();
    let made = match make(&job(settings), found) {
        Ok(Made::Target(target)) => (target.url.clone(), text(&target.labels)),
        Ok(Made::Dropped(_)) => ("dropped".to_string(), String::new()),
        Err(detail) => ("no target".to_string(), detail),
    };
    assert_eq!((made.0.as_str(), made.1.as_str()), expected);
}

#[test]
fn addresses_and_labels() {
    check("", "h:1", ("http://h:1/metrics", "instance=h:1 job=j"));
    check(
        "scheme: https\nmetrics_path: /m\nparams: {b: [1, 2], a: ['x y']}",
        "h:1",
        ("https://h:1/m?a=x+y&b=1&b=2", "instance=h:1 job=j"),
    );
    check(
        "params: {module: [http]}\nrelabel_configs:\n- {source_labels: [__address__], target_label: __param_target}\n- {target_label: __address__, replacement: 'probe:9'}\n- {source_labels: [__param_target], target_label: instance}\n- {source_labels: [__meta_x], target_label: x}\n- {target_label: job, replacement: other}",
        "h:1",
        (
            "http://probe:9/metrics?module=http&target=h%3A1",
            "instance=h:1 job=other x=m",
        ),
    );
    check("relabel_configs: [{action: drop}]", "h:1", ("dropped", ""));
    check(
        "relabel_configs: [{target_label: __address__, regex: .*, replacement: ''}]",
        "h:1",
        ("no target", "a target has no address after relabel_configs"),
    );
    check(
        "relabel_configs: [{target_label: __scrape_interval__, replacement: 1s}]",
        "h:1",
        (
            "no target",
            "the timeout of h:1 is longer than its interval",
        ),
    );
}
