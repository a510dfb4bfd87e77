//! A process id with the moment its process began, so that a reused id is never taken for the process it once was.

use std::fs;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

/// A process, told apart from later ones with the same id. Only Linux says when a process began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks from boot to the process's start.
    began: Option<u64>,
    boot: Option<String>,
}

impl Identity {
    /// Describes a process that runs now.
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid, began: began(pid), boot: boot() }
    }

    /// Whether that very process still exists (a zombie does not count).
    pub(crate) fn is_alive(&self) -> bool {
        self.began.is_some() && self.boot == boot() && began(self.pid) == self.began
    }

    /// Sends a signal to every process of the group that this process leads.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.pid as i32) {
            // The only errors are "no such group" and "not yours": both mean there is nothing left for us to stop.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Field 22 of `/proc/<pid>/stat`; the name in field 2 may hold anything, so fields count from the last parenthesis.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_id() {
        let ours = Identity::of(std::process::id());
        assert!(ours.is_alive());
        assert!(!Identity { began: ours.began.map(|ticks| ticks + 1), ..ours.clone() }.is_alive());
        assert!(!Identity { boot: Some("another".into()), ..ours }.is_alive());
    }
}
