//! A program of ours in the background: starts this program again, detached, and waits until it says that it is ready;
//! ends one again.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::state::{self, Running, ServerFile};
use crate::failure::Failure;
use crate::settings::{Settings, server};

/// How long it may take until it is ready; a large migration may need it.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// Starts this program with its own arguments, less the one that brought it here. `what` is what it is called.
pub(super) fn start(
    what: &str,
    file: &ServerFile,
    log_path: &Path,
    is_ready: impl Fn(&Running) -> anyhow::Result<bool>,
) -> anyhow::Result<Running> {
    file.remove()?;
    if let Some(home) = log_path.parent() {
        std::fs::create_dir_all(home).with_context(|| format!("cannot make `{}`", home.display()))?;
    }
    let log = File::options().create(true).append(true).open(log_path);
    let log = log.with_context(|| format!("cannot write `{}`", log_path.display()))?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--background" && argument != "-b");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A group of its own: Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {what}"))?;
    let started = Instant::now();
    while started.elapsed() < READY_WITHIN {
        if let Some(ended) = child.try_wait()? {
            return Err(Failure::new(format!("{what} did not start ({ended})")).hint(last_words(log_path)).into());
        }
        if let Some(running) = file.read_running().filter(|running| running.pid == child.id())
            && is_ready(&running)?
        {
            return Ok(running);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::new(format!("{what} is not ready")).hint(last_words(log_path)).into())
}

/// Asks a process to finish what it has in hand, and waits until it is gone.
pub(super) fn stop(running: &Running, settings: &Settings) -> anyhow::Result<()> {
    let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw).context("the file names no process")?;
    kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop process {}", running.pid))?;
    let deadline = Instant::now() + server::grace(settings) + Duration::from_secs(5);
    while state::start_ticks(running.pid) == Some(running.started_ticks) {
        if Instant::now() > deadline {
            let failure = Failure::new(format!("process {} does not end", running.pid));
            return Err(failure
                .hint(format!("`kill -9 {}` ends it; nothing that was answered is lost", running.pid))
                .into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    let said = lines.into_iter().rev().collect::<Vec<_>>().join("\n      ");
    format!("the end of {}:\n      {said}", log.display())
}
