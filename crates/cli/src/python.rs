//! A Python of the user's, where the SDK is installed: which one, with which settings. What it is made to run is the
//! commands' business.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use tidegate_client::Client;

use crate::failure::Failure;
use crate::settings::Settings;

/// The interpreter, with the settings of this command and the API that it talks to.
pub struct Python {
    program: PathBuf,
    variables: Vec<(String, String)>,
}

impl Python {
    /// `chosen`, else the active virtual environment's interpreter, else the one on the path.
    pub fn new(chosen: Option<&Path>, client: &Client, settings: &Settings) -> Self {
        let active = || {
            let folder = settings.environment().variable("VIRTUAL_ENV")?;
            Some(Path::new(folder).join("bin/python")).filter(|python| python.exists())
        };
        let program = chosen.map(Path::to_owned).or_else(active).unwrap_or_else(|| PathBuf::from("python3"));
        let mut variables: Vec<(String, String)> = settings.for_python().into_iter().collect();
        variables.push(("PREFECT_API_URL".to_owned(), client.api_url().to_owned()));
        Self { program, variables }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A process of it, not yet started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a script with arguments to its end, and answers what it printed. Its complaints go where ours do.
    pub fn run(&self, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.command();
        command.arg("-c").arg(script).args(arguments).stderr(std::process::Stdio::inherit());
        let done = command.output().with_context(|| self.cannot_start())?;
        if !done.status.success() {
            return Err(Failure::new(format!("Python `{}` ended with {}", self.program.display(), done.status)).into());
        }
        String::from_utf8(done.stdout).context("Python did not print text")
    }

    /// Becomes the script: signals and exit codes are its own from here on. Returns only when it cannot be started.
    pub fn become_script(&self, script: &str, arguments: &[&str]) -> anyhow::Error {
        let error = self.command().arg("-c").arg(script).args(arguments).exec();
        anyhow::Error::from(error).context(self.cannot_start())
    }

    fn cannot_start(&self) -> String {
        format!("cannot start Python `{}`", self.program.display())
    }
}
