//! A process id with the moment its process began, so that a reused id is never taken for the process it once was.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
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

    /// Sends a signal to this process, if it still is that very one.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid as i32).filter(|_| self.is_alive()) {
            // It may have ended since; that is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal to every process of the group that this process leads.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.pid as i32) {
            // The only errors are "no such group" and "not yours": both mean there is nothing left for us to stop.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// When a process that has not ended began.
fn began(pid: u32) -> Option<u64> {
    Stat::read(pid).filter(|stat| !stat.is_zombie).map(|stat| stat.began)
}

/// What `/proc/<pid>/stat` tells of a process.
pub(crate) struct Stat {
    /// It has ended, and nobody has taken note yet.
    pub(crate) is_zombie: bool,
    pub(crate) parent: u32,
    began: u64,
}

impl Stat {
    /// `None` when there is no such process, or no `/proc`.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in field 2 may hold anything, so fields count from the last parenthesis: 3 is the state, 4 the
        // parent, and 22 the start.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let is_zombie = fields.next()? == "Z";
        let parent = fields.next()?.parse().ok()?;
        Some(Self { is_zombie, parent, began: fields.nth(17)?.parse().ok()? })
    }
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
