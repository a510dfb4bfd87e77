//! What the process was given: variables, working directory, home folder. The only place that reads them; everything
//! else takes an `Environment`, so that a test can make one up.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
    pub working_directory: PathBuf,
    pub user_home: PathBuf,
}

impl Environment {
    /// Reads the process's environment. Variables that are not text are left out: no setting can be read from them.
    pub fn of_process() -> io::Result<Self> {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let user_home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        Ok(Self { variables, working_directory: std::env::current_dir()?, user_home })
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Expands a leading `~` and makes the path absolute.
    pub fn absolute(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.user_home.join(rest),
            None if path == "~" => self.user_home.clone(),
            None => self.working_directory.join(Path::new(path)),
        }
    }
}
