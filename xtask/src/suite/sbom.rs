//! `cargo xtask sbom`: what the binary is made of, as CycloneDX, and the step that checks it.
//!
//! cargo-sbom reads the resolved packages of `cairn` for every platform, as normal dependencies: build scripts and tests
//! bring nothing into the binary. What differs from run to run is taken out, so that the same Cargo.lock gives the same
//! bytes.

use super::{
    Counts, harness,
    shell::{self, Place},
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What makes the list.
const PROGRAM: &str = "cargo-sbom";
const VERSION: &str = "0.10.0";

/// The package whose binary is shipped.
const PACKAGE: &str = "cairn";

/// The format of the list, for cargo-sbom and as it calls itself.
const FORMAT: &str = "cyclone_dx_json_1_6";
const SPEC_VERSION: &str = "1.6";

/// Where the list is unless somebody says otherwise, from the target folder.
const FILE: &str = "sbom/cairn.cdx.json";

/// The name and version of a package.
type Package = (String, String);

/// Writes the list to `path`, or to its place in the target folder.
pub(super) fn make(place: &Place, path: Option<&str>) -> Result<()> {
    let path = match path {
        Some(path) => place.root.join(path),
        None => place.target.join(FILE),
    };
    write(&path, &text(place, &program(place)?)?)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// The list is complete, names nothing else, and is the same when it is made again.
pub(super) fn check(place: &Place) -> Result<Counts> {
    let program = program(place)?;
    let linked = linked(place)?;
    let locked = fs::read_to_string(place.root.join("Cargo.lock")).context("reading Cargo.lock")?;
    let locked = locked_packages(&locked)?;
    let text = text(place, &program)?;
    let file = place.target.join(FILE);
    write(&file, &text)?;
    let sbom: Value = serde_json::from_str(&text)?;
    let is_same = text == self::text(place, &program)?;
    let again = (!is_same).then(|| "a second run wrote other bytes".to_string());
    let rows = [
        (
            "the SBOM is CycloneDX 1.6, and its parts fit together",
            form(&sbom),
        ),
        (
            "the SBOM has every linked package with version and licence",
            lacking(&sbom, &linked),
        ),
        (
            "the SBOM names nothing that is not in Cargo.lock",
            surplus(&sbom, &locked),
        ),
        (
            "the SBOM is the same when it is made again",
            again.into_iter().collect(),
        ),
    ];
    let mut counts = harness::sbom(place, &file)?;
    for (what, complaints) in rows {
        counts.passed += u64::from(complaints.is_empty());
        counts.failed += u64::from(!complaints.is_empty());
        for complaint in &complaints {
            println!("WRONG {what}: {complaint}");
        }
        let outcome = match complaints.first() {
            None => "passed".to_string(),
            Some(complaint) => format!("failed | {complaint}"),
        };
        let row = format!("conformance: 3.7 | {what} | {PROGRAM} | {outcome}");
        println!("{row}");
        place.keep_rows(&row)?;
    }
    println!("{} packages", components(&sbom).count());
    Ok(counts)
}

/// cargo-sbom, built once and kept in the suite's cache: no registry has it as a program.
fn program(place: &Place) -> Result<PathBuf> {
    let folder = place
        .cache
        .join("tools")
        .join(format!("{PROGRAM}-{VERSION}"));
    let program = folder.join("bin").join(PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    let mut command = place.cargo();
    command
        // Unoptimized, since it runs for a second and is built for minutes.
        .args(["install", "--quiet", "--debug", "--locked", PROGRAM])
        .args(["--version", VERSION, "--root"])
        .arg(&folder)
        // A folder of its own, which cargo removes.
        .env_remove("CARGO_TARGET_DIR");
    shell::succeed(&mut command)?;
    Ok(program)
}

/// The list as text.
fn text(place: &Place, program: &Path) -> Result<String> {
    let mut command = place.command(program);
    let package = ["sbom", "--cargo-package", PACKAGE, "--output-format"];
    let mut said = String::new();
    let succeeded = shell::capture(command.args(package).arg(FORMAT), |line| {
        said.push_str(line);
        said.push('\n');
    })?;
    if !succeeded {
        bail!("{PROGRAM} failed: see above");
    }
    let mut sbom: Value =
        serde_json::from_str(&said).with_context(|| format!("reading {PROGRAM}"))?;
    steady(&mut sbom);
    Ok(format!("{sbom:#}\n"))
}

/// Takes out when and by whom it was made, and sorts what has no order.
fn steady(sbom: &mut Value) {
    remove(sbom, "serialNumber");
    if let Some(metadata) = sbom.get_mut("metadata") {
        remove(metadata, "timestamp");
        remove(metadata, "authors");
    }
    sort(sbom.get_mut("components"), "bom-ref");
    sort(sbom.get_mut("dependencies"), "ref");
    let dependencies = sbom.get_mut("dependencies").and_then(Value::as_array_mut);
    for dependency in dependencies.into_iter().flatten() {
        if let Some(Value::Array(names)) = dependency.get_mut("dependsOn") {
            names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
}

fn remove(object: &mut Value, member: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(member);
    }
}

/// Sorts the objects of a list by a member.
fn sort(list: Option<&mut Value>, member: &str) {
    if let Some(Value::Array(list)) = list {
        list.sort_by(|a, b| a[member].as_str().cmp(&b[member].as_str()));
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("the path names no file")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// What is linked into the binary on some platform, procedural macros included.
fn linked(place: &Place) -> Result<BTreeSet<Package>> {
    let mut command = place.cargo();
    command
        .args(["tree", "--locked", "--package", PACKAGE, "--target", "all"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let mut packages = BTreeSet::new();
    let succeeded = shell::capture(&mut command, |line| packages.extend(of_tree(line)))?;
    if !succeeded || packages.is_empty() {
        bail!("cargo tree failed: see above");
    }
    Ok(packages)
}

/// The package of a line `serde v1.0.229 (*)`.
fn of_tree(line: &str) -> Option<Package> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_string(), version.to_string()))
}

fn locked_packages(lock: &str) -> Result<BTreeSet<Package>> {
    let table: toml::Table = lock.parse().context("reading Cargo.lock")?;
    let packages = table.get("package").and_then(toml::Value::as_array);
    let word = |package: &toml::Value, member: &str| {
        let word = package.get(member).and_then(toml::Value::as_str);
        word.map(str::to_string)
    };
    let named = packages
        .into_iter()
        .flatten()
        .filter_map(|package| Some((word(package, "name")?, word(package, "version")?)));
    let named: BTreeSet<Package> = named.collect();
    if named.is_empty() {
        bail!("Cargo.lock names no package");
    }
    Ok(named)
}

/// Every component, the binary's own first.
fn components(sbom: &Value) -> impl Iterator<Item = &Value> {
    let own = sbom.pointer("/metadata/component/components");
    [own, sbom.get("components")]
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
}

fn package(component: &Value) -> Package {
    let word = |member: &str| component[member].as_str().unwrap_or_default().to_string();
    (word("name"), word("version"))
}

/// What is wrong with the list as a list, whatever it lists.
fn form(sbom: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let facts = [("bomFormat", "CycloneDX"), ("specVersion", SPEC_VERSION)];
    for (member, wanted) in facts {
        if sbom[member] != wanted {
            complaints.push(format!("{member} is {}, not {wanted}", sbom[member]));
        }
    }
    let mut names = BTreeSet::new();
    for component in components(sbom) {
        let name = component["bom-ref"].as_str().unwrap_or_default();
        if name.is_empty() || !names.insert(name) {
            complaints.push(format!(
                "{:?} has no bom-ref of its own",
                package(component)
            ));
        }
    }
    let dependencies = sbom["dependencies"].as_array().into_iter().flatten();
    for dependency in dependencies {
        let on = dependency["dependsOn"].as_array().into_iter().flatten();
        for name in on.chain([&dependency["ref"]]) {
            if !names.contains(name.as_str().unwrap_or_default()) {
                complaints.push(format!("no component is {name}"));
            }
        }
    }
    complaints
}

/// Packages of the binary that the list has not, or without a licence.
fn lacking(sbom: &Value, linked: &BTreeSet<Package>) -> Vec<String> {
    let is_told = |component: &&Value| {
        let licences = component["licenses"].as_array().into_iter().flatten();
        let words = |licence: &Value| {
            let word = licence["expression"].as_str();
            word.or(licence["license"]["id"].as_str())
                .is_some_and(|word| !word.is_empty())
        };
        licences.into_iter().any(words)
    };
    let listed: BTreeSet<Package> = components(sbom).map(package).collect();
    let with_licence: BTreeSet<Package> = components(sbom).filter(is_told).map(package).collect();
    let complaint = |package: &Package| {
        let (name, version) = package;
        match (listed.contains(package), with_licence.contains(package)) {
            (false, _) => Some(format!("{name} {version} is missing")),
            (true, false) => Some(format!("{name} {version} has no licence")),
            (true, true) => None,
        }
    };
    linked.iter().filter_map(complaint).collect()
}

/// Components that Cargo.lock does not know.
fn surplus(sbom: &Value, locked: &BTreeSet<Package>) -> Vec<String> {
    let listed: BTreeSet<Package> = components(sbom).map(package).collect();
    let unknown = listed.difference(locked);
    unknown
        .map(|(name, version)| format!("{name} {version} is not in Cargo.lock"))
        .collect()
}

#[cfg(test)]
mod tests;
