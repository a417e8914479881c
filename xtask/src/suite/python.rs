//! A Python environment with pinned packages, made once and kept in the suite's cache.

use super::shell::{self, Place};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// What resolves and installs the rest.
const UV: &str = "uv==0.13.9";

/// The Python of an environment that holds what `requirements` (a path from the root) pins.
///
/// Made anew when the requirements change. With uv where it can be had, since pip backtracks for minutes over
/// what uv resolves in seconds.
pub(super) fn environment(place: &Place, requirements: &str) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(place.root.join(requirements))
        .with_context(|| format!("reading {requirements}"))?;
    let folder = place
        .cache
        .join("python")
        .join(requirements.replace(['/', '.'], "-"));
    let python = folder.join("bin/python");
    let mark = folder.join("installed.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("removing {}", folder.display()))?;
    }
    shell::succeed(place.command("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    shell::succeed(place.command(&python).args(pip).arg(UV))?;
    let mut install = place.command(folder.join("bin/uv"));
    install
        .args([
            "pip",
            "install",
            "--quiet",
            "--prerelease=allow",
            "--python",
        ])
        .arg(&python);
    shell::succeed(install.args(["-r", requirements]))?;
    std::fs::write(&mark, wanted).with_context(|| format!("writing {}", mark.display()))?;
    Ok(python)
}
