//! Where the suite runs, and how it runs programs.

use crate::conformance::Row;
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folders that steps work with.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The repository.
    pub(super) root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the repository.
    pub(super) target: PathBuf,
    /// What steps install, kept between runs and clones beside the target folder: Python environments, tools.
    pub(super) cache: PathBuf,
    /// Where the running step keeps its rows of `docs/conformance.md`, a line each.
    pub(super) rows: PathBuf,
}

impl Place {
    pub(super) fn new(root: &Path) -> Result<Place> {
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        let cache = target.join("suite");
        std::fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
        Ok(Place {
            root: root.to_path_buf(),
            rows: cache.join("conformance/none.txt"),
            target,
            cache,
        })
    }

    /// The same for one step, whose rows start anew.
    pub(super) fn of_step(&self, name: &str) -> Result<Place> {
        let rows = self.rows_of(name);
        let folder = rows.parent().expect("it lies in a folder");
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        std::fs::write(&rows, "").with_context(|| format!("emptying {}", rows.display()))?;
        Ok(Place {
            rows,
            ..self.clone()
        })
    }

    /// Where the step `name` keeps its rows.
    pub(super) fn rows_of(&self, name: &str) -> PathBuf {
        self.cache
            .join("conformance")
            .join(name)
            .with_extension("txt")
    }

    /// Keeps the rows that a line of a step's output holds; a row that cannot be read is an error.
    pub(super) fn keep_rows(&self, line: &str) -> Result<()> {
        let rows = match Row::of_line(line) {
            Some(row) => vec![row?],
            None => Row::of_test(line)?,
        };
        if rows.is_empty() {
            return Ok(());
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.rows)?;
        for row in rows {
            writeln!(file, "{row}")?;
        }
        Ok(())
    }

    /// A program started in the repository.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this very program, so that toolchain overrides hold, with the environment of one that is
    /// started by hand.
    pub(super) fn cargo(&self) -> Command {
        let mut command = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("CARGO_TARGET_DIR", &self.target);
        // What `cargo run` tells this program of itself. Build scripts that watch these (ring's) would run again, and
        // all that stands on them, DataFusion included, would be compiled again.
        for (name, _) in std::env::vars_os() {
            let of_this = ["CARGO_PKG_", "CARGO_MANIFEST_"];
            if of_this
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Runs `command` with its output on the terminal; an error unless it succeeds.
pub(super) fn succeed(command: &mut Command) -> Result<()> {
    let name = describe(command);
    println!("$ {name}");
    let status = command
        .status()
        .with_context(|| format!("starting {name}"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("{name} ended with {status}"),
    }
}

/// Runs `command`, shows each line of its standard output, keeps the rows in it and hands it to `each`; `true` when
/// it succeeded.
pub(super) fn watch(
    place: &Place,
    command: &mut Command,
    mut each: impl FnMut(&str),
) -> Result<bool> {
    let mut kept = Ok(());
    let succeeded = capture(command, |line| {
        println!("{line}");
        if kept.is_ok() {
            kept = place.keep_rows(line);
        }
        each(line);
    })?;
    kept?;
    Ok(succeeded)
}

/// Runs `command` and hands each line of its standard output to `each`; `true` when it succeeded.
pub(super) fn capture(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    let name = describe(command);
    println!("$ {name}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let output = child.stdout.take().expect("standard output is piped");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of {name}"))?;
        let line = String::from_utf8_lossy(&line);
        each(&line);
    }
    Ok(child.wait()?.success())
}

fn describe(command: &Command) -> String {
    let parts = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    parts
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
