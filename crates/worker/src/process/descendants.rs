//! The processes that come from one process, whatever session or group they made for themselves. What leaves its group
//! leaves the reach of a signal to it, and what loses its parent goes to the next process above that adopts orphans.
//! Linux only: elsewhere nothing is found, and the group is all there is.

use std::{collections::HashMap, fs};

use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::identity::{Identity, Stat};

/// Makes this process the one that orphans below it go to, so that none gets out of sight. They have to be taken note of
/// when they end: see [`reap_orphans`].
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!("processes that a run leaves behind cannot be followed: {error}");
    }
}

/// Takes note of the end of this process's children, but for the one that somebody waits for.
pub(crate) fn reap_orphans(but_for: u32) {
    let own = std::process::id();
    let ended = processes().filter(|(pid, stat)| stat.is_zombie && stat.parent == own && *pid != but_for);
    for (pid, _) in ended {
        let _ = waitpid(Pid::from_raw(pid as i32), WaitOptions::NOHANG);
    }
}

/// Kills everything that comes from `root`, and not `root` itself.
pub(crate) fn kill_below(root: u32) {
    let mut killed: Vec<Identity> = Vec::new();
    // Who was killed starts nothing any more, but may have done so a moment before: until there is nobody new.
    loop {
        let new: Vec<Identity> = below(root).into_iter().filter(|found| !killed.contains(found)).collect();
        if new.is_empty() {
            return;
        }
        for process in &new {
            process.signal(Signal::KILL);
        }
        killed.extend(new);
    }
}

fn below(root: u32) -> Vec<Identity> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, stat) in processes().filter(|(_, stat)| !stat.is_zombie) {
        children.entry(stat.parent).or_default().push(pid);
    }
    let (mut found, mut open) = (Vec::new(), vec![root]);
    while let Some(parent) = open.pop() {
        let own = children.remove(&parent).unwrap_or_default();
        found.extend(own.iter().copied().map(Identity::of));
        open.extend(own);
    }
    found
}

fn processes() -> impl Iterator<Item = (u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, Stat::read(pid)?)))
}
