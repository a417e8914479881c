//! `config.example.toml` and `docs/configuration.md`, made from the types: names and defaults from serde, texts
//! from the doc comments of the fields. A test compares both files with what this makes.

use super::Config;
use toml::{Table, Value};

/// A section of the settings and where its doc comments stand.
struct Section {
    /// The name of the table; empty for the top level.
    name: &'static str,
    about: &'static str,
    source: &'static str,
    structure: &'static str,
}

const SECTIONS: [Section; 9] = [
    Section {
        name: "",
        about: "The server as a whole.",
        source: include_str!("../config.rs"),
        structure: "Config",
    },
    Section {
        name: "listen",
        about: "The sockets and their limits.",
        source: include_str!("../config.rs"),
        structure: "Listen",
    },
    Section {
        name: "log",
        about: "Our own logs, on standard error.",
        source: include_str!("../config.rs"),
        structure: "Log",
    },
    Section {
        name: "storage",
        about: "Write-ahead log, buffers, segments, catalog.",
        source: include_str!("../../storage/src/config.rs"),
        structure: "Config",
    },
    Section {
        name: "ingest",
        about: "What a request and a record may be.",
        source: include_str!("../../ingest/src/config.rs"),
        structure: "Config",
    },
    Section {
        name: "syslog",
        about: "Where syslog is taken, if anywhere.",
        source: include_str!("../../ingest/src/config.rs"),
        structure: "Syslog",
    },
    Section {
        name: "scrape",
        about: "What is scraped, if anything, as Prometheus does.",
        source: include_str!("../../ingest/src/config.rs"),
        structure: "Scrape",
    },
    Section {
        name: "tenancy",
        about: "Who may do what.",
        source: include_str!("../../tenancy/src/config.rs"),
        structure: "Config",
    },
    Section {
        name: "query",
        about: "What a query may take.",
        source: include_str!("../../query/src/config.rs"),
        structure: "Config",
    },
];

/// How a key is written, since its default is an empty list.
const KEY_EXAMPLE: &str = "\
# [[tenancy.keys]]
# tenant = \"shop\"
# name = \"shop collector\"
# sha256 = \"…\"                  # from `cairn key new`
# scopes = [\"ingest\", \"query\"]
";

/// One setting, described.
struct Setting {
    name: String,
    default: String,
    about: String,
}

/// The settings file with every setting at its default, commented out.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# Every setting of Cairn with its default. Uncomment what you change.\n\
         # Made by `cairn config example`; docs/configuration.md has the same as a table.\n",
    );
    for section in &SECTIONS {
        text.push('\n');
        if !section.name.is_empty() {
            text.push_str(&format!("# {}\n[{}]\n", section.about, section.name));
        }
        for setting in settings(section) {
            text.push_str(&wrapped(&setting.about));
            text.push_str(&format!("# {} = {}\n\n", setting.name, setting.default));
        }
        if section.name == "tenancy" {
            text.push_str(KEY_EXAMPLE);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// The page about all settings.
pub(crate) fn page() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Settings come from a TOML file (`--config FILE`, or `./cairn.toml` where it exists), then from the\n\
         environment, then from flags; what comes later wins. A setting `section.name` is the variable\n\
         `CAIRN_SECTION__NAME` and the flag `--set section.name=value`. An unknown name is an error. `cairn config\n\
         check` reads all three and says what is wrong; `cairn config example` prints a file to start from.\n\n\
         Where the machine, or the control group of a container, has less memory than the default budgets take together\n\
         (`memory_bytes` of storage and query, `compaction_memory_bytes`, `cache_memory_bytes`, and 384 MiB beside them), they,\n\
         the sizes that depend on them and the queries that run at the same time are lowered to fit; `cairn config check`\n\
         shows it. Who sets one of them has all of them as they are set.\n\n\
         This page is made by `cairn config reference`.\n",
    );
    for section in &SECTIONS {
        let title = if section.name.is_empty() {
            "top level"
        } else {
            section.name
        };
        text.push_str(&format!("\n## {title}\n\n{}\n\n", section.about));
        text.push_str("| setting | default | meaning |\n|---|---|---|\n");
        for setting in settings(section) {
            let about = setting.about.replace('|', "\\|");
            text.push_str(&format!(
                "| `{}` | `{}` | {about} |\n",
                setting.name, setting.default
            ));
        }
    }
    text.push_str("\nA key is a table of its own (`cairn key new` makes one and prints its hash):\n\n```toml\n");
    text.push_str(
        &KEY_EXAMPLE
            .replace("# ", "")
            .replace("  from `cairn", "  # from `cairn"),
    );
    text.push_str("```\n");
    text
}

/// The settings of a section in the order of their declaration.
fn settings(section: &Section) -> Vec<Setting> {
    let all = Table::try_from(Config::default()).expect("the default settings are a table");
    let table = match section.name {
        "" => all,
        name => match all.get(name) {
            Some(Value::Table(table)) => table.clone(),
            _ => Table::new(),
        },
    };
    let texts = doc_comments(section.source, section.structure);
    let described = texts.iter().filter_map(|(name, about)| {
        let default = match table.get(name)? {
            // Sections of the top level have a chapter of their own.
            Value::Table(_) if section.name.is_empty() => return None,
            value => value.to_string(),
        };
        Some(Setting {
            name: name.clone(),
            default,
            about: about.clone(),
        })
    });
    described.collect()
}

/// The fields of `structure` in `source` with their doc comments, in order.
fn doc_comments(source: &str, structure: &str) -> Vec<(String, String)> {
    let head = format!("struct {structure} {{");
    let lines = source
        .lines()
        .skip_while(|line| !line.contains(&head))
        .skip(1);
    let (mut fields, mut about) = (Vec::new(), String::new());
    for line in lines.map(str::trim).take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("///") {
            about = format!("{about} {}", text.trim()).trim().to_string();
            continue;
        }
        let declared = line
            .strip_prefix("pub(crate) ")
            .or_else(|| line.strip_prefix("pub "));
        if let Some((name, _)) = declared.and_then(|rest| rest.split_once(':')) {
            fields.push((name.to_string(), std::mem::take(&mut about)));
        }
    }
    fields
}

/// The names of all settings that have no text, for the test that there are none.
#[cfg(test)]
pub(super) fn undescribed() -> Vec<String> {
    let all = Table::try_from(Config::default()).expect("the default settings are a table");
    let mut missing = Vec::new();
    for section in &SECTIONS {
        let described: std::collections::BTreeMap<String, String> =
            doc_comments(section.source, section.structure)
                .into_iter()
                .collect();
        let table = match section.name {
            "" => Some(&all),
            name => all.get(name).and_then(Value::as_table),
        };
        for (name, value) in table.into_iter().flatten() {
            let is_section = section.name.is_empty() && value.is_table();
            let is_known = SECTIONS.iter().any(|section| section.name == name);
            let has_text = described.get(name).is_some_and(|about| !about.is_empty());
            if (is_section && !is_known) || (!is_section && !has_text) {
                missing.push(format!("{}.{name}", section.name));
            }
        }
    }
    missing
}

/// `text` as comment lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.len() + 1 + word.len() > 100 {
            lines.push(format!("# {word}"));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}
