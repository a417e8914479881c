//! Settings in, one `Config` or one message out.

use super::{Config, Flags, Loaded, reference, sources};
use std::path::Path;

fn merge(file: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Loaded, String> {
    let environment = environment
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let file = (!file.is_empty()).then_some((Path::new("/etc/cairn.toml"), file));
    sources::merge(file, environment.collect(), flags).map_err(|error| error.to_string())
}

fn set(settings: &[&str]) -> Flags {
    Flags {
        set: settings.iter().map(|text| text.to_string()).collect(),
        ..Flags::default()
    }
}

/// Checks that these sources are refused with a message that has all of `parts`.
fn check_refused(file: &str, environment: &[(&str, &str)], flags: &Flags, parts: &[&str]) {
    let message = merge(file, environment, flags).expect_err("the settings are wrong");
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn nothing_said_is_the_default() {
    let loaded = merge("", &[], &Flags::default()).expect("defaults fit together");
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.is_empty());
    assert_eq!(loaded.config.listen.grpc.to_string(), "127.0.0.1:4317");
}

#[test]
fn later_sources_win() {
    let file =
        "[storage]\nflush_bytes = 1048576\nwal_file_bytes = 2097152\nflush_age_seconds = 5\n";
    let environment = [
        ("CAIRN_STORAGE__FLUSH_BYTES", "2097152"),
        ("CAIRN_STORAGE__FLUSH_AGE_SECONDS", "6"),
    ];
    let loaded =
        merge(file, &environment, &set(&["storage.flush_bytes=3145728"])).expect("all are valid");
    assert_eq!(loaded.config.storage.flush_bytes, 3 << 20);
    assert_eq!(loaded.config.storage.flush_age_seconds, 6);
    assert_eq!(loaded.config.storage.wal_file_bytes, 2 << 20);
    assert_eq!(loaded.origins["storage.flush_bytes"], "--set");
    assert_eq!(
        loaded.origins["storage.flush_age_seconds"],
        "the variable CAIRN_STORAGE__FLUSH_AGE_SECONDS"
    );
    assert_eq!(loaded.origins["storage.wal_file_bytes"], "/etc/cairn.toml");
}

#[test]
fn values_take_the_type_of_their_setting() {
    let flags = set(&[
        "storage.bucket_options.aws_region=1",
        "log.level=debug",
        "log.format=json",
        "allow_unauthenticated=true",
    ]);
    let config = merge("", &[], &flags).expect("all are valid").config;
    assert_eq!(config.storage.bucket_options["aws_region"], "1");
    assert_eq!(config.log.level, "debug");
    assert!(config.allow_unauthenticated);
    let hash = "ab".repeat(32);
    let keys = format!("[{{tenant=\"a\",name=\"n\",sha256=\"{hash}\",scopes=[\"query\"]}}]");
    let config = merge("", &[("CAIRN_TENANCY__KEYS", &keys)], &Flags::default())
        .expect("a key")
        .config;
    assert_eq!(config.tenancy.keys[0].tenant.as_str(), "a");
}

#[test]
fn messages_name_the_setting_and_its_source() {
    let none = Flags::default();
    check_refused(
        "[storage]\nflush_byte = 1\n",
        &[],
        &none,
        &["/etc/cairn.toml", "flush_byte", "line 2"],
    );
    check_refused(
        "[storage]\nflush_bytes = \"x\"\n",
        &[],
        &none,
        &["/etc/cairn.toml", "line 2", "invalid type"],
    );
    let typo = [("CAIRN_STORAGE__FLUSH_BYTE", "1")];
    check_refused(
        "",
        &typo,
        &none,
        &[
            "storage.flush_byte",
            "the variable CAIRN_STORAGE__FLUSH_BYTE",
            "unknown field",
        ],
    );
    check_refused(
        "",
        &[],
        &set(&["storage.flush_bytes=many"]),
        &["storage.flush_bytes", "--set", "invalid type"],
    );
    check_refused(
        "",
        &[],
        &set(&["storage.flush_bytes"]),
        &["--set", "name=value"],
    );
    check_refused("", &[], &set(&["log.level=,,=x="]), &["log.level", "--set"]);
    check_refused(
        "",
        &[],
        &set(&["storage.row_group_rows=1"]),
        &["row_group_rows", "storage.row_group_rows from --set"],
    );
    check_refused(
        "",
        &[],
        &set(&["listen.max_streams=0"]),
        &["listen.max_streams must be at least 1"],
    );
}

#[test]
fn a_value_cannot_smuggle_in_another_setting() {
    let flags = set(&["log.level=\"info\"\nallow_unauthenticated = true"]);
    assert!(merge("", &[], &flags).is_err());
}

#[test]
fn listening_for_others_needs_keys_or_a_flag() {
    let open = |address: &str| Flags {
        listen_api: Some(address.to_string()),
        ..Flags::default()
    };
    for address in ["0.0.0.0:4319", "192.168.1.1:0", "[::]:4319"] {
        check_refused(
            "",
            &[],
            &open(address),
            &["listen.api", address, "--allow-unauthenticated"],
        );
    }
    for address in [
        "127.0.0.1:0",
        "127.8.8.8:1",
        "[::1]:4319",
        "[::ffff:127.0.0.1]:1",
    ] {
        merge("", &[], &open(address)).expect("loopback is safe");
    }
    let allowed = Flags {
        allow_unauthenticated: true,
        ..open("0.0.0.0:4319")
    };
    merge("", &[], &allowed).expect("the flag allows it");
    let key = format!(
        "[[tenancy.keys]]\ntenant = \"a\"\nname = \"n\"\nsha256 = \"{}\"\nscopes = [\"ingest\"]\n",
        "ab".repeat(32)
    );
    merge(&key, &[], &open("0.0.0.0:4319")).expect("keys allow it");
}

#[test]
fn variables_of_other_meaning_are_left_alone() {
    let environment = [
        ("CAIRN_KEY", "cairn_0"),
        ("CAIRN_TARGET_DIR", "/x"),
        ("CAIRN_ALLOW_UNAUTHENTICATED", "true"),
    ];
    let config = merge("", &environment, &Flags::default())
        .expect("only one of them is a setting")
        .config;
    assert_eq!(
        config,
        Config {
            allow_unauthenticated: true,
            ..Config::default()
        }
    );
}

#[test]
fn variables_of_the_bucket_are_taken_and_named_without_their_values() {
    let environment = [
        ("AWS_ENDPOINT", "https://127.0.0.1:9"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_REGION", "eu-north-1"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "shop"),
        ("CAIRN_STORAGE__BUCKET_OPTIONS", "{ aws_region = 'x' }"),
    ];
    let file = "[storage]\nbucket = 's3://bucket/prefix'";
    let loaded = merge(file, &environment, &Flags::default()).expect("they fit together");
    let taken: Vec<&String> = loaded.config.storage.bucket_variables.0.keys().collect();
    assert_eq!(taken, ["AWS_ENDPOINT", "AWS_SECRET_ACCESS_KEY"]);
    let origin = |name: &str| loaded.origins.get(name).map(String::as_str);
    assert_eq!(
        origin("storage.bucket_options.aws_endpoint"),
        Some("the variable AWS_ENDPOINT")
    );
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let local = merge("", &environment[..4], &Flags::default()).expect("they fit together");
    assert_eq!((local.config, local.origins.len()), (Config::default(), 0));
}

#[test]
fn every_setting_is_described() {
    assert_eq!(reference::undescribed(), Vec::<String>::new());
}

#[test]
fn the_example_is_the_default_also_when_uncommented() {
    let example = reference::example();
    assert_eq!(
        merge(&example, &[], &Flags::default())
            .expect("all is commented")
            .config,
        Config::default()
    );
    let is_setting =
        |line: &&str| line.starts_with("# ") && line.contains(" = ") && !line.contains("[[");
    let until_keys = example
        .split("# [[tenancy.keys]]")
        .next()
        .expect("there is a first part");
    let uncommented: String = until_keys
        .lines()
        .map(|line| {
            if is_setting(&line) {
                line[2..].to_string() + "\n"
            } else {
                line.to_string() + "\n"
            }
        })
        .collect();
    let config = merge(&uncommented, &[], &Flags::default())
        .expect("defaults are valid")
        .config;
    assert_eq!(config, Config::default());
}

#[test]
fn the_files_are_as_made() {
    let hint = "run `cairn config example > config.example.toml` and `cairn config reference > docs/configuration.md`";
    assert!(
        include_str!("../../config.example.toml") == reference::example(),
        "{hint}"
    );
    assert!(
        include_str!("../../docs/configuration.md") == reference::page(),
        "{hint}"
    );
}
