//! Days by tenant and signal.

use super::*;

fn tenant(name: &str) -> TenantId {
    name.parse().expect("valid")
}

#[test]
fn a_tenant_has_its_own_days_where_it_says_so_and_those_of_all_elsewhere() {
    let own = OwnRetention {
        logs_days: Some(7),
        spans_days: Some(0),
        ..OwnRetention::default()
    };
    let config = Config {
        retention_of: [(tenant("shop"), own)].into(),
        ..Config::default()
    };
    let days = |name: &str| Signal::ALL.map(|signal| config.retention_days(&tenant(name), signal));
    // Logs, metrics, spans, dead letters.
    assert_eq!(days("shop"), [Some(7), Some(90), None, Some(30)]);
    assert_eq!(days("other"), [Some(30), Some(90), Some(30), Some(30)]);
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(config.retention(&tenant("shop"), Signal::Logs), Some(week));
}

#[test]
fn a_number_that_nobody_means_is_refused_by_name() {
    let own = OwnRetention {
        dead_letters_days: Some(40_000),
        ..OwnRetention::default()
    };
    let config = Config {
        retention_of: [(tenant("shop"), own)].into(),
        ..Config::default()
    };
    let error = config.validate().expect_err("too many").to_string();
    assert!(
        error.contains("retention_of.shop.dead_letters_days"),
        "{error}"
    );
    assert!(error.contains("say 0"), "{error}");
}

#[test]
fn it_reads_as_it_is_written_in_a_settings_file() {
    let text = r#"{"retention": {"logs_days": 3}, "retention_of": {"shop": {"metrics_days": 0}}}"#;
    let config: Config = serde_json::from_str(text).expect("settings");
    assert_eq!(config.retention_days(&tenant("any"), Signal::Logs), Some(3));
    assert_eq!(
        config.retention_days(&tenant("any"), Signal::Spans),
        Some(30)
    );
    assert_eq!(
        config.retention_days(&tenant("shop"), Signal::Metrics),
        None
    );
    let wrong = r#"{"retention_of": {"shop": {"metric_days": 1}}}"#;
    assert!(serde_json::from_str::<Config>(wrong).is_err());
    let no_tenant = r#"{"retention_of": {"Shop!": {"logs_days": 1}}}"#;
    assert!(serde_json::from_str::<Config>(no_tenant).is_err());
}
