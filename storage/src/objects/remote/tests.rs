//! Tests of `remote`.

use super::*;
use crate::error::Kind;

fn config(url: &str, options: &[(&str, &str)], variables: &[(&str, &str)]) -> Config {
    let owned = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect()
    };
    Config {
        bucket: url.to_string(),
        bucket_options: owned(options),
        bucket_variables: Variables(owned(variables)),
        ..Config::default()
    }
}

fn opened(url: &str, options: &[(&str, &str)]) -> Result<Arc<dyn ObjectStore>> {
    open(&config(url, options, &[]))
}

#[test]
fn variables_count_where_no_option_says_the_same_and_their_values_are_not_shown() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_ENDPOINT", "https://127.0.0.1:9"),
        ("AWS_REGION", "eu-north-1"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_PROFILE", "object_store knows no such option"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "shop"),
        ("MSI_ENDPOINT", "http://127.0.0.1:8"),
    ];
    let names = |url: &str, options: &[(&str, &str)]| -> Vec<String> {
        let config = config(url, options, &variables);
        open(&config).expect("it can be built");
        let Variables(found) = in_force(&config, config.bucket_variables.clone());
        found.into_keys().collect()
    };
    let all = [
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
    ];
    assert_eq!(names("s3://bucket", &[("aws_bucket", "b")]), all);
    // The same option has several names.
    let options = [("endpoint_url", "https://127.0.0.1:7"), ("Region", "x")];
    assert_eq!(names("s3://bucket", &options), [all[0], all[3]]);
    assert_eq!(
        names("az://container", &[]),
        ["AZURE_STORAGE_ACCOUNT_NAME", "MSI_ENDPOINT"]
    );
    let local = config("local", &[], &variables);
    assert_eq!(
        in_force(&local, local.bucket_variables.clone()),
        Variables::default()
    );
    let shown = format!("{local:?}");
    assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"));
}

#[test]
fn urls_and_options_make_stores() {
    let options = [
        ("aws_region", "eu-north-1"),
        ("AWS_ENDPOINT", "https://127.0.0.1:9"),
    ];
    let store = opened("s3://bucket/some/prefix", &options).expect("well-formed");
    assert!(store.to_string().contains("some/prefix"), "{store}");
    let store = opened("s3://bucket", &options).expect("well-formed");
    assert!(!store.to_string().contains("Prefix"), "{store}");
    opened("az://container", &[("account_name", "shop")]).expect("well-formed");
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let cases = [
        ("no url", ("", ""), "not a URL"),
        ("ftp://host/x", ("", ""), "ftp"),
        (
            "s3://bucket",
            ("aws_colour", "red"),
            "aws_colour is not known",
        ),
        (
            "s3://bucket",
            ("aws_secret_access_key", "x"),
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("s3://bucket", ("token", "x"), "a secret"),
        (
            "az://container",
            ("azure_storage_account_key", "x"),
            "a secret",
        ),
    ];
    for (url, option, expected) in cases {
        let options = if option.0.is_empty() {
            vec![]
        } else {
            vec![option]
        };
        let error = opened(url, &options).expect_err("refused");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(
            error.to_string().contains(expected),
            "{error} lacks {expected}"
        );
    }
}
