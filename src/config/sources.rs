//! File, environment and flags -> one `Config`, remembering which value came from where.

use super::{Config, Error, machine};
use cairn_storage::{config::Variables, objects::variables_in_force};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The file that is read when nobody names one and it exists.
const DEFAULT_FILE: &str = "cairn.toml";

/// What every variable of ours starts with.
const PREFIX: &str = "CAIRN_";

/// Settings given on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Flags {
    /// The settings file; without it `./cairn.toml`, if there is one
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Any setting, for example `storage.flush_bytes=33554432`; may stand several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// The folder of all data [default: ./cairn-data]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of OTLP/gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_grpc: Option<String>,
    /// Address of OTLP/HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_http: Option<String>,
    /// Address of the API [default: 127.0.0.1:4319]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_api: Option<String>,
    /// Listen where others can reach although no keys are configured
    #[arg(long)]
    pub(crate) allow_unauthenticated: bool,
}

/// Settings that were read and fit together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Where each value that is no default came from, by name.
    pub(crate) origins: BTreeMap<String, String>,
}

/// Reads the settings: the file, then this process's environment, then `flags`. Budgets of memory that none of them
/// names are held to the memory there is.
pub(crate) fn load(flags: &Flags) -> Result<Loaded, Error> {
    let named = flags.config.clone();
    let path = named.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let text = match read_file(&path) {
        Ok(text) => Some(text),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::File { path, source }),
    };
    let file = text.as_deref().map(|text| (path.as_path(), text));
    let mut loaded = merge(file, environment(), flags)?;
    if let Some(memory_bytes) = machine::memory_bytes(|path| read_file(path).ok()) {
        machine::fit(&mut loaded, memory_bytes);
    }
    let folder = &mut loaded.config.storage.data_dir;
    // Storage wants a path that means the same wherever the process goes.
    *folder = std::path::absolute(&*folder).map_err(|source| Error::File {
        path: folder.clone(),
        source,
    })?;
    Ok(loaded)
}

/// The key that `cairn query` sends, from `CAIRN_KEY`, where no flag says one.
pub(crate) fn client_key() -> Option<String> {
    environment()
        .into_iter()
        .find(|(name, _)| name == "CAIRN_KEY")
        .map(|(_, key)| key)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn environment() -> Vec<(String, String)> {
    // Not `vars`: a variable of others that is no UTF-8 is none of our business.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX) || is_of_bucket(name))
        .collect()
}

/// Whether a variable may say how a bucket is reached, by the names that its vendors give.
fn is_of_bucket(name: &str) -> bool {
    name.starts_with("AWS_") || name.starts_with("AZURE_") || name == "MSI_ENDPOINT"
}

/// Gives storage the variables of its bucket that count, and notes where they came from.
fn take_bucket_variables(
    environment: &[(String, String)],
    config: &mut Config,
    origins: &mut BTreeMap<String, String>,
) {
    let named = environment.iter().filter(|(name, _)| is_of_bucket(name));
    let variables = Variables(named.cloned().collect());
    let variables = variables_in_force(&config.storage, variables);
    for name in variables.0.keys() {
        let setting = format!("storage.bucket_options.{}", name.to_ascii_lowercase());
        origins.insert(setting, format!("the variable {name}"));
    }
    config.storage.bucket_variables = variables;
}

fn read_file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// Joins the three sources. Pure, so that tests can say what the environment is.
pub(super) fn merge(
    file: Option<(&Path, &str)>,
    environment: Vec<(String, String)>,
    flags: &Flags,
) -> Result<Loaded, Error> {
    let mut table = Table::new();
    let mut origins = BTreeMap::new();
    if let Some((path, text)) = file {
        let refuse = |detail: String| Error::Toml {
            path: path.to_path_buf(),
            detail,
        };
        // Read once into the types for an error with line and column, and once for the merge.
        toml::from_str::<Config>(text).map_err(|error| refuse(error.to_string()))?;
        table = text
            .parse()
            .map_err(|error: toml::de::Error| refuse(error.to_string()))?;
        note_origins(&table, "", &path.display().to_string(), &mut origins);
    }
    let variables = environment.iter().filter_map(|(name, value)| {
        Some(Assignment {
            name: variable_setting(name)?,
            value: value.clone(),
            origin: format!("the variable {name}"),
        })
    });
    for assignment in variables.chain(flag_settings(flags)?) {
        let value = assignment.read()?;
        put(&mut table, &assignment.name, value);
        origins.insert(assignment.name, assignment.origin);
    }
    let mut config = Config::deserialize(Value::Table(table)).map_err(|error| Error::Together {
        detail: error.to_string(),
        origins: describe_origins(&origins, ""),
    })?;
    take_bucket_variables(&environment, &mut config, &mut origins);
    match config.fault() {
        None => Ok(Loaded { config, origins }),
        Some((section, detail)) => Err(Error::Together {
            detail,
            origins: describe_origins(&origins, section),
        }),
    }
}

/// The setting that a variable names: `CAIRN_STORAGE__FLUSH_BYTES` is `storage.flush_bytes`. A variable without
/// two underscores is a setting only where a setting of that name exists: others (`CAIRN_KEY`) mean other things.
fn variable_setting(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?.to_ascii_lowercase();
    match name.contains("__") {
        true => Some(name.replace("__", ".")),
        false => (name == "allow_unauthenticated").then_some(name),
    }
}

/// The settings that flags give; `--set` last, in its order.
fn flag_settings(flags: &Flags) -> Result<Vec<Assignment>, Error> {
    let data_dir = flags
        .data_dir
        .as_ref()
        .map(|folder| folder.display().to_string());
    let named = [
        ("storage.data_dir", "--data-dir", data_dir),
        ("listen.grpc", "--listen-grpc", flags.listen_grpc.clone()),
        ("listen.http", "--listen-http", flags.listen_http.clone()),
        ("listen.api", "--listen-api", flags.listen_api.clone()),
        (
            "allow_unauthenticated",
            "--allow-unauthenticated",
            flags.allow_unauthenticated.then(|| "true".to_string()),
        ),
    ];
    let mut assignments: Vec<Assignment> = named
        .into_iter()
        .filter_map(|(name, flag, value)| {
            Some(Assignment {
                name: name.to_string(),
                value: value?,
                origin: flag.to_string(),
            })
        })
        .collect();
    for text in &flags.set {
        let (name, value) = text.split_once('=').ok_or_else(|| Error::Setting {
            setting: text.clone(),
            origin: "--set".to_string(),
            detail: "write --set name=value".to_string(),
        })?;
        let name = name.trim().to_string();
        assignments.push(Assignment {
            name,
            value: value.trim().to_string(),
            origin: "--set".to_string(),
        });
    }
    Ok(assignments)
}

/// One setting as text, from the environment or a flag.
struct Assignment {
    name: String,
    value: String,
    origin: String,
}

impl Assignment {
    /// The value in the type that the setting has: as TOML where that fits, else the text itself.
    fn read(&self) -> Result<Value, Error> {
        let literal = format!("value = {}", self.value).parse::<Table>().ok();
        let literal = literal
            .filter(|table| table.len() == 1)
            .and_then(|mut table| table.remove("value"));
        let text = Value::String(self.value.clone());
        let mut refusal = String::new();
        for value in literal.into_iter().chain([text]) {
            let mut alone = Table::new();
            put(&mut alone, &self.name, value.clone());
            match Config::deserialize(Value::Table(alone)) {
                Ok(_) => return Ok(value),
                Err(error) if refusal.is_empty() => refusal = error.message().to_string(),
                Err(_) => {}
            }
        }
        Err(Error::Setting {
            setting: self.name.clone(),
            origin: self.origin.clone(),
            detail: refusal,
        })
    }
}

/// Puts `value` at a dotted name, making tables on the way.
fn put(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            table.insert(name.to_string(), value);
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn note_origins(table: &Table, prefix: &str, origin: &str, origins: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => note_origins(inner, &format!("{name}."), origin, origins),
            _ => {
                origins.insert(name, origin.to_string());
            }
        }
    }
}

/// Where the settings of `section` came from, for the end of a message.
fn describe_origins(origins: &BTreeMap<String, String>, section: &str) -> String {
    let of_section =
        |name: &&String| name.starts_with(section) || section == "listen" && !name.contains('.');
    let named: Vec<String> = origins
        .iter()
        .filter(|(name, _)| of_section(name))
        .map(|(name, origin)| format!("{name} from {origin}"))
        .collect();
    match named.is_empty() {
        true => " (all of them are defaults)".to_string(),
        false => format!(" ({})", named.join(", ")),
    }
}
