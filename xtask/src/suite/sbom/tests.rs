//! A list that lacks something, or has too much, is found.

use super::*;
use serde_json::json;

/// A binary of two packages, as cargo-sbom lists it.
fn sbom() -> Value {
    let component = |name: &str| {
        json!({ "name": name, "version": "1.0.0", "bom-ref": format!("ref-{name}"),
            "licenses": [{ "expression": "MIT" }] })
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:1",
        "metadata": {
            "timestamp": "2026-01-01T00:00:00Z",
            "authors": [{ "name": "me" }],
            "component": { "components": [component("cairn")] },
        },
        "components": [component("b"), component("a")],
        "dependencies": [{ "ref": "ref-cairn", "dependsOn": ["ref-b", "ref-a"] }],
    })
}

fn packages(names: &[&str]) -> BTreeSet<Package> {
    let package = |name: &&str| (name.to_string(), "1.0.0".to_string());
    names.iter().map(package).collect()
}

#[test]
fn a_whole_list_has_no_complaints() {
    let all = packages(&["cairn", "a", "b"]);
    assert_eq!(form(&sbom()), [""; 0]);
    assert_eq!(lacking(&sbom(), &all), [""; 0]);
    assert_eq!(surplus(&sbom(), &all), [""; 0]);
}

#[test]
fn what_is_wrong_is_named() {
    let mut other = sbom();
    other["specVersion"] = json!("1.4");
    other["components"][0]["bom-ref"] = json!("ref-a");
    let complaints = form(&other);
    assert_eq!(complaints.len(), 3, "{complaints:?}");

    let mut bare = sbom();
    bare["components"][0]["licenses"] = json!([]);
    bare["components"][1]["version"] = json!("2.0.0");
    assert_eq!(
        lacking(&bare, &packages(&["cairn", "a", "b"])),
        ["a 1.0.0 is missing", "b 1.0.0 has no licence"]
    );
    assert_eq!(
        surplus(&bare, &packages(&["cairn", "b"])),
        ["a 2.0.0 is not in Cargo.lock"]
    );
}

#[test]
fn the_same_packages_give_the_same_list() {
    let mut one = sbom();
    let mut other = sbom();
    other["serialNumber"] = json!("urn:uuid:2");
    other["metadata"]["timestamp"] = json!("2027-01-01T00:00:00Z");
    other["metadata"]["authors"] = json!([{ "name": "you" }]);
    let reverse = |list: &mut Value| list.as_array_mut().expect("a list").reverse();
    reverse(&mut other["components"]);
    reverse(&mut other["dependencies"][0]["dependsOn"]);
    steady(&mut one);
    steady(&mut other);
    assert_eq!(one, other);
    assert!(one.get("serialNumber").is_none());
}

#[test]
fn packages_of_trees_and_locks() {
    let package = |name: &str, version: &str| (name.to_string(), version.to_string());
    assert_eq!(of_tree("serde v1.0.2 (*)"), Some(package("serde", "1.0.2")));
    assert_eq!(
        of_tree("cairn v0.1.0 (/somewhere)"),
        Some(package("cairn", "0.1.0"))
    );
    assert_eq!(of_tree(""), None);
    let lock = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
    assert_eq!(locked_packages(lock).ok(), Some(packages(&["a"])));
    assert!(locked_packages("version = 4\n").is_err());
}
