//! Runs the conformance suite of buckets against a real server: `s3 --endpoint URL --bucket s3://NAME` (or `az://NAME`), with
//! the bucket there and credentials in the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`;
//! `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`). Ends with `N passed, M failed`.
//!
//! `tests/s3/s3.py` starts a server and runs this; `cargo xtask test s3 azure` does both.

use cairn_storage::{
    config::{Config, Variables},
    conformance::{Place, cases},
    objects::open_bucket,
    world::real,
};
use std::{collections::BTreeMap, error::Error, io::Write, process::ExitCode};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments: BTreeMap<String, String> = BTreeMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{name} wants a value"))?;
        arguments.insert(name, value);
    }
    let mut argument = |name: &str| {
        let value = arguments.remove(name);
        value.ok_or_else(|| format!("{name} is missing: use --endpoint URL --bucket URL"))
    };
    let (endpoint, bucket) = (argument("--endpoint")?, argument("--bucket")?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let failed = runtime.block_on(run(&endpoint, &bucket))?;
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

async fn run(endpoint: &str, bucket: &str) -> Result<usize, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let world = real::world();
    let s3 = [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
    ];
    let azure = [
        ("azure_storage_endpoint", endpoint),
        ("azure_allow_http", "true"),
    ];
    let options = match bucket.starts_with("az://") {
        true => &azure[..],
        false => &s3[..],
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "an example reads its own environment"
    )]
    let variables = std::env::vars();
    let credentials =
        variables.filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("AZURE_"));
    let config = Config {
        data_dir: folder.path().join("data"),
        bucket: format!("{bucket}/conformance"),
        bucket_options: options
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
        bucket_variables: Variables(credentials.collect()),
        ..Config::default()
    };
    let bucket = open_bucket(&config, &world).await?;
    let place = Place {
        world,
        config,
        bucket,
    };
    let (mut passed, mut failed) = (0, 0);
    let mut out = std::io::stdout();
    for (name, case) in cases(&place) {
        // A panic is told on standard error, with what was wrong.
        let ok = tokio::spawn(case).await.is_ok();
        writeln!(out, "{}: {name}", if ok { "ok" } else { "WRONG" })?;
        *(if ok { &mut passed } else { &mut failed }) += 1;
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(failed)
}
