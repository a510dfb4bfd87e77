//! The file that says which server of this user is running: `$TIDEGATE_HOME/server.json`. A server writes it when it
//! listens and removes it when it ends; a process that is gone makes it worthless.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::settings::Settings;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    /// Empty for services without an API.
    pub api_url: String,
    /// Told apart from another process that later has the same id.
    pub started_ticks: u64,
}

pub struct ServerFile {
    pub path: PathBuf,
}

impl ServerFile {
    pub fn of(settings: &Settings) -> Self {
        Self { path: settings.home().join("server.json") }
    }

    /// The same for services that run without an API: `$TIDEGATE_HOME/services.json`.
    pub fn of_services(settings: &Settings) -> Self {
        Self { path: settings.home().join("services.json") }
    }

    /// The server in the file, if its process is alive.
    pub fn read_running(&self) -> Option<Running> {
        let running: Running = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        (start_ticks(running.pid) == Some(running.started_ticks)).then_some(running)
    }

    pub fn write(&self, api_url: String) -> anyhow::Result<()> {
        let pid = std::process::id();
        let running = Running { pid, api_url, started_ticks: start_ticks(pid).unwrap_or_default() };
        let text = serde_json::to_vec_pretty(&running)?;
        files::write_private(&self.path, &text).with_context(|| format!("cannot write `{}`", self.path.display()))
    }

    /// Removes the file if it is this process's own.
    pub fn remove_own(&self) -> anyhow::Result<()> {
        if self.read_running().is_some_and(|running| running.pid == std::process::id()) {
            self.remove()?;
        }
        Ok(())
    }

    pub fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{}`", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// When a living process started, in clock ticks since boot; with its id this names one process for ever. Zero where
/// the system has no `/proc` but the process is there.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start time.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    // A zombie is a process that has ended and that nobody has asked about.
    if rest.next()? == "Z" {
        return None;
    }
    rest.nth(18)?.parse().ok()
}
