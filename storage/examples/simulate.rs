//! Runs seeds of the simulation of storage: `simulate --seeds N [--from SEED]`. Ends with an error at the first that fails.

use cairn_storage::simulate;
use std::{error::Error, io::Write};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut seeds, mut from) = (200u64, 0u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} wants a number"))?
            .parse()?;
        match name.as_str() {
            "--seeds" => seeds = value,
            "--from" => from = value,
            _ => return Err(format!("unknown argument {name}: use --seeds and --from").into()),
        }
    }
    let mut out = std::io::stdout();
    let (mut crashes, mut requests, mut calls) = (0, 0, 0);
    for seed in from..from + seeds {
        match simulate::run(seed, None) {
            Ok(report) => {
                crashes += report.crashes;
                requests += report.requests;
                calls += report.calls;
            }
            Err(failure) => {
                for call in &failure.calls {
                    writeln!(out, "  {call}")?;
                }
                return Err(failure);
            }
        }
    }
    writeln!(
        out,
        "{seeds} seeds from {from} passed: {requests} requests, {crashes} crashes, {calls} calls to the disk"
    )?;
    Ok(())
}
