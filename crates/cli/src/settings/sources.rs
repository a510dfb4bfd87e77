//! Gathers settings from every place that may name them, nearest first, and remembers where each came from.
//! Refuses to judge values: that is done once they are all known.

use std::fmt;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::profiles::ProfilesFile;
use super::table::{self, Family, Setting};
use super::toml_file;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    CommandLine,
    Environment(String),
    File(PathBuf),
    Profile { name: String, path: PathBuf },
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => formatter.write_str("command line"),
            Self::Environment(name) => write!(formatter, "env {name}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Profile { name, path } => write!(formatter, "profile {name} in {}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

pub struct Named {
    pub setting: &'static Setting,
    pub text: String,
    pub source: Source,
}

/// A name that looks like a setting of ours and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    pub source: Source,
}

#[derive(Default)]
pub struct Layer {
    pub named: Vec<Named>,
    pub unknown: Vec<Unknown>,
}

/// Variables of ours that are no settings: tools and tests read them.
const NOT_SETTINGS: [&str; 3] = ["TIDEGATE_BIN", "TIDEGATE_CACHE", "TIDEGATE_TEST_POSTGRES_URL"];

pub fn environment(environment: &Environment) -> Layer {
    let source = |name: &str| Source::Environment(name.to_owned());
    let variables = environment.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    from_variables(variables, source)
}

/// `.env` in the working directory: `NAME=value`, quotes and `export` allowed, no substitution.
pub fn dotenv(environment: &Environment) -> Layer {
    let path = environment.working_directory.join(".env");
    let Ok(text) = std::fs::read_to_string(&path) else { return Layer::default() };
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let unquoted = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q));
        (!line.starts_with('#')).then(|| (name.trim(), unquoted.unwrap_or(value)))
    });
    from_variables(lines, |_| Source::File(path.clone()))
}

fn from_variables<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>, source: impl Fn(&str) -> Source) -> Layer {
    let mut layer = Layer::default();
    let mut found: Vec<(&'static Setting, usize, &str, &str)> = Vec::new();
    for (name, value) in variables {
        let upper = name.to_uppercase();
        let is_ours = upper.starts_with("TIDEGATE_");
        if value.is_empty() || !(is_ours || upper.starts_with("PREFECT_")) || NOT_SETTINGS.contains(&upper.as_str()) {
            continue;
        }
        match table::find(&upper) {
            Some(setting) => {
                let rank = setting.names().iter().position(|known| *known == upper).unwrap_or(usize::MAX);
                found.push((setting, rank, name, value));
            }
            None => layer.unknown.push(Unknown { name: name.to_owned(), source: source(name) }),
        }
    }
    // `TIDEGATE_*` before `PREFECT_*` before aliases, whatever their order in the environment.
    found.sort_by_key(|(_, rank, _, _)| *rank);
    layer.named = found
        .into_iter()
        .map(|(setting, _, name, value)| Named { setting, text: value.to_owned(), source: source(name) })
        .collect();
    layer
}

/// The TOML files of the working directory, ours before the reference's.
pub fn files(environment: &Environment) -> anyhow::Result<Layer> {
    let folder = &environment.working_directory;
    let mut layer = Layer::default();
    for (file, table, ours) in [
        ("tidegate.toml", [].as_slice(), true),
        ("prefect.toml", [].as_slice(), false),
        ("pyproject.toml", ["tool", "tidegate"].as_slice(), true),
        ("pyproject.toml", ["tool", "prefect"].as_slice(), false),
    ] {
        let path = folder.join(file);
        for (key, text) in toml_file::read(&path, table)? {
            let source = Source::File(path.clone());
            match table::find(&key).filter(|setting| ours || setting.family == Family::Both) {
                Some(setting) => layer.named.push(Named { setting, text, source }),
                None if ours => layer.unknown.push(Unknown { name: key, source }),
                None => {}
            }
        }
    }
    Ok(layer)
}

/// A profile's settings in one profiles file.
pub fn profile(file: &ProfilesFile, name: &str) -> Layer {
    let mut layer = Layer::default();
    let source = || Source::Profile { name: name.to_owned(), path: file.path.clone() };
    for (setting_name, text) in file.settings(name) {
        match table::find(&setting_name) {
            Some(setting) => layer.named.push(Named { setting, text, source: source() }),
            None => layer.unknown.push(Unknown { name: setting_name, source: source() }),
        }
    }
    layer
}

/// The default places of the two profiles files.
pub fn profiles_path(home: &Path) -> PathBuf {
    home.join("profiles.toml")
}
