//! The file of settings and those that it names -> the plan.

use super::{
    files::{Files, folder_of},
    job::{Http, Plan, Secret},
    read::{self, Main},
};
use std::path::{Path, PathBuf};

/// What was read, and the files that it depends on, by patterns; also where it cannot be used.
pub(super) struct Loaded {
    pub(super) plan: Result<Plan, String>,
    pub(super) depends_on: Vec<PathBuf>,
}

/// Reads the settings in `path`. Blocks.
pub(super) fn load(files: &Files, path: &Path) -> Loaded {
    let mut depends_on = vec![path.to_path_buf()];
    let plan = plan(files, path, &mut depends_on);
    Loaded { plan, depends_on }
}

fn plan(files: &Files, path: &Path, depends_on: &mut Vec<PathBuf>) -> Result<Plan, String> {
    let main = read_file(files, path, read::main)?;
    let Main {
        global,
        mut jobs,
        more,
        unused,
    } = main;
    for pattern in more {
        for file in files.matching(&pattern) {
            let read = |text: &str, folder: &Path| read::further(text, folder, &global);
            jobs.extend(read_file(files, &file, read)?);
        }
        depends_on.push(pattern);
    }
    if let Some(fault) = read::fault(&jobs) {
        return Err(format!("{}: {fault}", path.display()));
    }
    for job in &jobs {
        depends_on.extend(files_of(&job.http));
    }
    depends_on.sort();
    depends_on.dedup();
    Ok(Plan {
        jobs,
        external_labels: global.external_labels,
        unused,
    })
}

fn read_file<T>(
    files: &Files,
    path: &Path,
    read: impl FnOnce(&str, &Path) -> Result<T, super::yaml::Wrong>,
) -> Result<T, String> {
    let shown = path.display();
    let text = files
        .text(path)
        .map_err(|detail| format!("reading {shown}: {detail}"))?;
    read(&text, &folder_of(path)).map_err(|wrong| format!("{shown}: {wrong}"))
}

/// The files that connections are made with: others are read for each scrape.
fn files_of(http: &Http) -> impl Iterator<Item = PathBuf> {
    let tls = &http.tls;
    let secrets = [&tls.ca, &tls.certificate, &tls.key];
    secrets
        .into_iter()
        .flatten()
        .filter_map(|secret| match secret {
            Secret::File(path) => Some(path.clone()),
            Secret::Text(_) => None,
        })
}
