//! Each rule is shown a tree that breaks it, and the same tree put right.

use super::{
    Finding, architecture, edges, modules, names, size, statics,
    tree::{Manifest, Source, Tree},
};
use std::path::Path;

/// Paths and texts of a tree.
type Files = &'static [(&'static str, &'static str)];

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.paths.insert(path.to_string());
        if path.ends_with("Cargo.toml") {
            let table = text.parse().expect("a test writes valid TOML");
            tree.manifests.push(Manifest {
                path: path.to_string(),
                table,
            });
        } else if *path == "docs/ARCHITECTURE.md" {
            tree.architecture = Some(text.to_string());
        } else {
            tree.sources.push(Source {
                path: path.to_string(),
                text: text.to_string(),
            });
        }
    }
    tree
}

/// Checks that `rule` finds in `files` exactly the places whose messages contain `expected`.
fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let found: Vec<String> = rule(&tree(files)).iter().map(Finding::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{files:?} gave {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "{found} does not contain {expected}"
        );
    }
}

#[test]
fn the_tree_is_tidy() {
    // Cargo starts tests in the folder of their package.
    let findings = super::findings(Path::new("..")).expect("the tree can be read");
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn edges_between_crates() {
    let manifest = |dependency: &str| {
        format!("[package]\nname = \"x\"\n[dependencies]\n{dependency} = \"1\"\n")
    };
    let bad = [
        (
            "query/Cargo.toml",
            "cairn-ingest",
            "query/Cargo.toml: the edge to ingest",
        ),
        ("storage/Cargo.toml", "cairn-tenancy", "the edge to tenancy"),
        (
            "ingest/Cargo.toml",
            "datafusion",
            "datafusion belongs to query",
        ),
        ("query/Cargo.toml", "sqlx", "sqlx belongs to storage"),
        ("Cargo.toml", "parquet", "parquet belongs to storage, query"),
        (
            "storage/Cargo.toml",
            "axum",
            "axum belongs to ingest, the root crate",
        ),
        ("ingest/Cargo.toml", "anyhow", "anyhow belongs"),
        (
            "extra/Cargo.toml",
            "bytes",
            "a crate that xtask/src/tidy/edges.rs does not know",
        ),
    ];
    for (path, dependency, message) in bad {
        check(edges::check, &[(path, &manifest(dependency))], &[message]);
    }
    let good = [
        ("ingest/Cargo.toml", "cairn-storage"),
        ("query/Cargo.toml", "datafusion"),
    ];
    for (path, dependency) in good {
        check(edges::check, &[(path, &manifest(dependency))], &[]);
    }
    let in_tests = "[package]\nname = \"x\"\n[dev-dependencies]\ncairn-query.workspace = true\n";
    check(
        edges::check,
        &[("storage/Cargo.toml", in_tests)],
        &["the edge to query"],
    );
    let outside = "[package]\nname = \"fuzz\"\n[workspace]\n[dependencies]\ncairn-query = \"1\"\n";
    check(edges::check, &[("fuzz/Cargo.toml", outside)], &[]);
}

#[test]
fn the_server_crates_stay_in_the_receiver() {
    let text = "//! X.\nuse axum::Router;\n";
    check(
        edges::check,
        &[("ingest/src/otlp.rs", text)],
        &["ingest/src/otlp.rs:2: axum belongs"],
    );
    check(edges::check, &[("ingest/src/receiver/http.rs", text)], &[]);
}

#[test]
fn modules_that_use_each_other() {
    let cases: [(Files, &[&str]); 7] = [
        (
            &[
                ("q/src/a.rs", "use crate::b::B;"),
                ("q/src/b.rs", "use crate::a::A;"),
            ],
            &[
                "q/src/a.rs:1: module cycle: a -> b -> a",
                "q/src/b.rs:1: module cycle: b -> a -> b",
            ],
        ),
        (
            &[("q/src/a.rs", "use crate::b::B;"), ("q/src/b.rs", "")],
            &[],
        ),
        // A ring of three, one edge in a use tree, one in a path within a function.
        (
            &[
                ("q/src/a.rs", "use crate::{b::{self, B}, Error};"),
                ("q/src/b.rs", "fn f() { crate::c::g() }"),
                ("q/src/c.rs", "use super::a;"),
            ],
            &["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"],
        ),
        // A parent and its child may use each other; the path of the child leads no further.
        (
            &[
                ("q/src/a.rs", "use self::x::X; mod x;"),
                ("q/src/a/x.rs", "use super::A;"),
            ],
            &[],
        ),
        // Subtrees: a child of one uses the other, which uses the one.
        (
            &[
                ("q/src/a.rs", ""),
                ("q/src/a/x.rs", "use crate::b::B;"),
                ("q/src/b.rs", "use crate::a;"),
            ],
            &["module cycle: a -> b -> a", "module cycle: b -> a -> b"],
        ),
        // Siblings below one parent.
        (
            &[
                ("q/src/a.rs", ""),
                ("q/src/a/x.rs", "use super::y;"),
                ("q/src/a/y.rs", "use super::x::X;"),
            ],
            &["module cycle: x -> y -> x", "module cycle: y -> x -> y"],
        ),
        // Tests, comments and strings lead nowhere.
        (
            &[
                ("q/src/a.rs", "use crate::b::B;"),
                (
                    "q/src/b.rs",
                    "// crate::a::A\n#[cfg(test)]\nmod tests { use crate::a::A; }\nconst X: &str = \"crate::a\";",
                ),
                ("q/src/b/tests.rs", "use crate::a::A;"),
            ],
            &[],
        ),
    ];
    for (files, expected) in cases {
        check(modules::check, files, expected);
    }
}

#[test]
fn the_same_module_name_in_two_crates_is_no_cycle() {
    let files = [
        ("q/src/a.rs", "use crate::b::B;"),
        ("r/src/a.rs", ""),
        ("r/src/b.rs", "use crate::a;"),
    ];
    check(modules::check, &files, &[]);
    check(
        modules::check,
        &[("src/a.rs", "use crate::b;"), ("src/b.rs", "use crate::a;")],
        &["a -> b", "b -> a"],
    );
}

#[test]
fn files_without_a_header() {
    check(
        size::check,
        &[("q/src/a.rs", "use x;\n")],
        &["a file begins with `//!`"],
    );
    check(size::check, &[("q/src/a.rs", "//! A.\n")], &[]);
}

#[test]
fn long_files() {
    let code = |lines: usize| format!("//! A.\n{}", "use x;\n".repeat(lines - 1));
    let tests = "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";
    check(size::check, &[("q/src/a.rs", &code(600))], &[]);
    check(size::check, &[("q/src/a.rs", &(code(600) + tests))], &[]);
    check(
        size::check,
        &[("q/src/a.rs", &code(601))],
        &["601 lines without tests, 600 allowed"],
    );
    check(size::check, &[("q/src/a/tests.rs", &code(601))], &[]);
    let long_tests = format!(
        "//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        "    fn f() {}\n".repeat(80)
    );
    check(
        size::check,
        &[("q/src/a.rs", &long_tests)],
        &["lines of tests in the file"],
    );
}

#[test]
fn long_functions() {
    let function = |lines: usize| {
        let body = "    // Why.\n\n    f();\n".repeat(lines);
        format!("//! A.\nfn long(of: [u8; 2]) -> impl Fn() {{\n{body}}}\n")
    };
    check(size::check, &[("q/src/a.rs", &function(70))], &[]);
    check(
        size::check,
        &[("q/src/a.rs", &function(71))],
        &["q/src/a.rs:2: long: 71 lines of code"],
    );
    let in_tests = format!("#[test]\n{}", function(71).trim_start_matches("//! A.\n"));
    check(
        size::check,
        &[("q/src/a/tests.rs", &format!("//! A.\n{in_tests}"))],
        &[],
    );
}

#[test]
fn names_that_say_nothing() {
    check(
        names::check,
        &[("q/src/utils.rs", "//! A.")],
        &["`utils` says nothing"],
    );
    check(
        names::check,
        &[("q/src/core/x.rs", "//! A.")],
        &["`core` says nothing"],
    );
    check(
        names::check,
        &[("q/src/a.rs", "//! A.\nmod helpers { }")],
        &["q/src/a.rs:2: `helpers`"],
    );
    check(
        names::check,
        &[("q/src/a/mod.rs", "//! A.")],
        &["not mod.rs"],
    );
    check(
        names::check,
        &[("q/src/encore.rs", "//! A.\nuse core::fmt;")],
        &[],
    );
}

#[test]
fn statics_of_any_kind() {
    check(
        statics::check,
        &[("src/a.rs", "static X: u8 = 1;")],
        &["src/a.rs:1: a static"],
    );
    let once = "fn f() {\n static X: OnceLock<u8> = OnceLock::new();\n}";
    check(
        statics::check,
        &[("src/a.rs", once)],
        &["src/a.rs:2: a static"],
    );
    check(
        statics::check,
        &[("src/a.rs", "lazy_static! { }")],
        &["a static"],
    );
    let allowed =
        "#[global_allocator]\nstatic ALLOCATOR: MiMalloc = MiMalloc;\nfn f(x: &'static str) {}";
    check(statics::check, &[("src/a.rs", allowed)], &[]);
}

#[test]
fn the_architecture_page() {
    let page = |text: &'static str| {
        [
            ("docs/ARCHITECTURE.md", text),
            ("storage/src/wal.rs", "//! A."),
        ]
    };
    check(architecture::check, &[], &["does not exist"]);
    check(
        architecture::check,
        &page("see `storage/src/wal.rs` and `cargo x`, `/api/v1/sql`, `tenant=<id>/x`"),
        &[],
    );
    check(
        architecture::check,
        &page("a\nsee `storage/src/gone.rs`"),
        &["docs/ARCHITECTURE.md:2: `storage/src/gone.rs`"],
    );
    check(
        architecture::check,
        &page("see [it](formats/wal.md#x)"),
        &["`formats/wal.md` does not exist"],
    );
    let long = "line\n".repeat(251);
    check(
        architecture::check,
        &[("docs/ARCHITECTURE.md", &long)],
        &["251 lines, 250 allowed"],
    );
}
