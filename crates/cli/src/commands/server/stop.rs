//! `server stop`: asks the running server to finish what it has in hand and end, and waits for that.

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::state::{self, ServerFile};
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::{Settings, server};

pub(super) fn run(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let file = ServerFile::of(settings);
    let Some(running) = file.read_running() else {
        file.remove()?;
        out.note("No server of yours is running.")?;
        return Ok(());
    };
    let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw).context("the server's file names no process")?;
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
    file.remove()?;
    out.note(format!("The server at {} has stopped.", running.api_url))?;
    Ok(())
}
