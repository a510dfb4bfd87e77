//! Settings of the binary: found in many places, declared in one table, handed out typed and by section.
//! `Settings::load` reads everything once; nothing else in the binary reads the environment or a settings file.

pub mod database;
pub mod document;
pub mod environment;
pub mod profiles;
pub mod server;
pub mod sources;
pub mod table;
pub mod toml_file;
pub mod value;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use environment::Environment;
use profiles::ProfilesFile;
use sources::{Layer, Source, Unknown};
use table::{Fallback, Setting};

/// A value that the command line gives to a setting.
pub type Override = (&'static Setting, String);

#[derive(Clone, Debug)]
struct Found {
    text: String,
    source: Source,
}

/// A value that cannot be read as its setting's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub key: &'static str,
    pub text: String,
}

pub struct Settings {
    environment: Environment,
    found: HashMap<&'static str, Found>,
    /// The profile in use, and the file that has it (none yet for a profile that is only named).
    pub profile: String,
    pub profile_path: Option<PathBuf>,
    pub problems: Vec<Problem>,
    pub unknown: Vec<Unknown>,
}

/// The name of the profile when nothing names one.
pub const DEFAULT_PROFILE: &str = "default";

impl Settings {
    pub fn load(environment: Environment, overrides: Vec<Override>) -> anyhow::Result<Self> {
        let mut settings = Self {
            environment,
            found: HashMap::new(),
            profile: DEFAULT_PROFILE.to_owned(),
            profile_path: None,
            problems: Vec::new(),
            unknown: Vec::new(),
        };
        for (setting, text) in overrides {
            settings.take(setting, text, Source::CommandLine);
        }
        settings.add(sources::environment(&settings.environment));
        settings.add(sources::dotenv(&settings.environment));
        settings.add(sources::files(&settings.environment)?);
        settings.add_profile()?;
        Ok(settings)
    }

    fn add(&mut self, layer: Layer) {
        for named in layer.named {
            self.take(named.setting, named.text, named.source);
        }
        self.unknown.extend(layer.unknown);
    }

    /// The first source that names a setting has it.
    fn take(&mut self, setting: &'static Setting, text: String, source: Source) {
        if self.found.contains_key(setting.key) {
            return;
        }
        if let Err(unreadable) = value::check(setting.kind, &text) {
            let shown =
                if setting.is_secret() { "its value cannot be read".to_owned() } else { unreadable.to_string() };
            self.problems
                .push(Problem { key: setting.key, text: format!("setting `{}` ({source}): {shown}", setting.key) });
        }
        self.found.insert(setting.key, Found { text, source });
    }

    /// Our profiles file speaks before the reference's; a profile may have settings in both.
    fn add_profile(&mut self) -> anyhow::Result<()> {
        let files = self.profiles_files()?;
        let chosen = self.text(&table::client::PROFILE).map(ToOwned::to_owned);
        let active = || files.iter().find_map(|file| file.active().map(ToOwned::to_owned));
        let known = |name: &str| files.iter().any(|file| file.has(name));
        if let Some(name) = chosen {
            if !known(&name) && name != DEFAULT_PROFILE {
                let key = table::client::PROFILE.key;
                self.problems.push(Problem { key, text: format!("profile `{name}` does not exist") });
            }
            self.profile = name;
        } else if let Some(name) = active() {
            self.profile = name;
        }
        for file in &files {
            if file.has(&self.profile) {
                self.profile_path.get_or_insert_with(|| file.path.clone());
                self.add(sources::profile(file, &self.profile));
            }
        }
        Ok(())
    }

    /// The settings of one profile and nothing else, wherever it is found.
    pub fn of_profile(&self, name: &str) -> anyhow::Result<Self> {
        use table::client as key;
        let mut settings = Self {
            environment: self.environment.clone(),
            found: HashMap::new(),
            profile: name.to_owned(),
            profile_path: None,
            problems: Vec::new(),
            unknown: Vec::new(),
        };
        let places = [&key::HOME, &key::PREFECT_HOME, &key::PROFILES_PATH, &key::PREFECT_PROFILES_PATH];
        for place in places {
            if let Some(found) = self.found.get(place.key) {
                settings.take(place, found.text.clone(), found.source.clone());
            }
        }
        settings.take(&key::PROFILE, name.to_owned(), Source::CommandLine);
        settings.add_profile()?;
        Ok(settings)
    }

    /// Tidegate's profiles file, then the reference's.
    pub fn profiles_files(&self) -> anyhow::Result<[ProfilesFile; 2]> {
        let reference_home = self.path(&table::client::PREFECT_HOME).unwrap_or_else(|| self.absolute("~/.prefect"));
        let ours = self.path(&table::client::PROFILES_PATH);
        let theirs = self.path(&table::client::PREFECT_PROFILES_PATH);
        Ok([
            ProfilesFile::read(&ours.unwrap_or_else(|| sources::profiles_path(&self.home())))?,
            ProfilesFile::read(&theirs.unwrap_or_else(|| sources::profiles_path(&reference_home)))?,
        ])
    }

    /// Tidegate's own folder.
    pub fn home(&self) -> PathBuf {
        self.path(&table::client::HOME).unwrap_or_else(|| self.absolute("~/.tidegate"))
    }

    pub fn absolute(&self, path: &str) -> PathBuf {
        self.environment.absolute(path)
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where the value of a setting comes from.
    pub fn source(&self, setting: &Setting) -> Source {
        self.found.get(setting.key).map_or(Source::Default, |found| found.source.clone())
    }

    pub fn is_set(&self, setting: &Setting) -> bool {
        self.found.contains_key(setting.key)
    }

    /// The text of a setting, its default included.
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        match (self.found.get(setting.key), setting.fallback) {
            (Some(found), _) => Some(&found.text),
            (None, Fallback::Is(text)) => Some(text),
            (None, Fallback::Unset | Fallback::Derived(_)) => None,
        }
    }

    /// A value that cannot be read has been reported as a problem; its default stands in for it meanwhile.
    fn read<'a, T>(&'a self, setting: &'a Setting, parse: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        let found = self.found.get(setting.key).and_then(|found| parse(&found.text));
        found.or_else(|| match setting.fallback {
            Fallback::Is(text) => parse(text),
            Fallback::Unset | Fallback::Derived(_) => None,
        })
    }

    pub fn flag(&self, setting: &Setting) -> bool {
        self.read(setting, value::flag).unwrap_or_default()
    }

    pub fn flag_if_set(&self, setting: &Setting) -> Option<bool> {
        self.read(setting, value::flag)
    }

    /// A count; zero stands for nonsense below zero.
    pub fn count(&self, setting: &Setting) -> u64 {
        self.read(setting, value::integer).map(|number| u64::try_from(number).unwrap_or(0)).unwrap_or_default()
    }

    pub fn number(&self, setting: &Setting) -> f64 {
        self.read(setting, value::number).unwrap_or_default()
    }

    pub fn duration(&self, setting: &Setting) -> Duration {
        self.read(setting, value::duration).unwrap_or_default()
    }

    pub fn list(&self, setting: &Setting) -> Vec<String> {
        self.text(setting).map(value::list).unwrap_or_default()
    }

    pub fn map(&self, setting: &Setting) -> Vec<(String, String)> {
        self.read(setting, value::map).unwrap_or_default()
    }

    pub fn path(&self, setting: &Setting) -> Option<PathBuf> {
        self.text(setting).map(|text| {
            let expanded = self.expand_homes(text);
            self.absolute(&expanded)
        })
    }

    /// `$TIDEGATE_HOME` and `$PREFECT_HOME` in paths, which profiles of the reference use.
    fn expand_homes(&self, text: &str) -> String {
        let mut expanded = text.to_owned();
        for (variable, setting) in
            [("$TIDEGATE_HOME", &table::client::HOME), ("$PREFECT_HOME", &table::client::PREFECT_HOME)]
        {
            if expanded.contains(variable) {
                let folder = self.text(setting).unwrap_or(if variable == "$TIDEGATE_HOME" {
                    "~/.tidegate"
                } else {
                    "~/.prefect"
                });
                expanded = expanded.replace(variable, folder);
            }
        }
        expanded
    }

    pub fn level(&self, setting: &Setting) -> &'static str {
        self.read(setting, value::level).unwrap_or("INFO")
    }

    /// Everything that was set and that the Python SDK may want, under the reference's names: what a worker hands to
    /// the runs it starts.
    pub fn for_python(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = table::all()
            .filter(|setting| matches!(setting.reader, table::Reader::Sdk | table::Reader::Client))
            .filter(|setting| setting.family == table::Family::Both && setting.key != "profile")
            .filter_map(|setting| Some((setting.prefect_name()?, self.found.get(setting.key)?.text.clone())))
            .collect();
        variables.sort();
        variables
    }

    /// Settings of the reference that were set and that nobody here acts on.
    pub fn without_effect(&self) -> Vec<String> {
        let mut names: Vec<String> = table::all()
            .filter(|setting| !setting.reader.is_ours() && self.is_set(setting))
            .filter_map(Setting::prefect_name)
            .collect();
        names.sort();
        names
    }

    pub fn profiles_path_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.environment.user_home)
            .map_or_else(|_| path.display().to_string(), |rest| format!("~/{}", rest.display()))
    }
}
