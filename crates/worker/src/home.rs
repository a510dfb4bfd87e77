//! A worker's name and its folder on this machine. One process at a time has a name; whoever gets it back later finds the
//! runs that the one before left behind.

use std::{
    fs::{self, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::process::try_lock;

/// Workers of one pool on one machine that get along without names of their own.
const UNNAMED: usize = 1000;

/// A worker that was killed while it started a process may leave its lock to that one until it has become another program.
const LINGERS: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_millis(20);

/// A name that is ours while this lives.
pub(crate) struct Home {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    _lock: File,
}

impl Home {
    /// Takes the given name, or the first free one of this host.
    pub(crate) fn take(home: &Path, pool: &str, kind: &str, name: Option<&str>) -> anyhow::Result<Self> {
        if let Some(name) = name {
            return match Self::take_patiently(home, pool, name)? {
                Some(taken) => Ok(taken),
                None => bail!("a worker named `{name}` already serves the pool `{pool}` on this machine"),
            };
        }
        let host = host();
        let names = (1..UNNAMED).map(|number| match number {
            1 => format!("{kind}-{host}"),
            _ => format!("{kind}-{host}-{number}"),
        });
        for (number, name) in names.enumerate() {
            // The first is most likely that of the worker before, and its runs are found by it.
            let take = if number == 0 { Self::take_patiently } else { Self::try_take };
            if let Some(taken) = take(home, pool, &name)? {
                return Ok(taken);
            }
        }
        bail!("there are too many workers of the pool `{pool}` on this machine; give this one a name")
    }

    fn take_patiently(home: &Path, pool: &str, name: &str) -> anyhow::Result<Option<Self>> {
        let began = Instant::now();
        loop {
            match Self::try_take(home, pool, name)? {
                None if began.elapsed() < LINGERS => sleep(AGAIN),
                answer => return Ok(answer),
            }
        }
    }

    fn try_take(home: &Path, pool: &str, name: &str) -> anyhow::Result<Option<Self>> {
        let directory = home.join("workers").join(format!("{}.{}", file_name(pool), file_name(name)));
        let make = || fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        make().with_context(|| format!("making `{}`", directory.display()))?;
        let lock = try_lock(&directory.join("lock")).with_context(|| format!("locking `{}`", directory.display()))?;
        Ok(lock.map(|lock| Self { name: name.to_owned(), directory, _lock: lock }))
    }
}

/// A name as part of a file name: no separators, nothing hidden, and different names stay different.
fn file_name(name: &str) -> String {
    let escape = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c.to_string(),
        other => format!("%{:x}", u32::from(other)),
    };
    name.chars().map(escape).collect()
}

fn host() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("worker").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_one_worker_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = Home::take(home.path(), "p", "process", Some("w")).unwrap();
        assert!(Home::take(home.path(), "p", "process", Some("w")).is_err());
        assert!(Home::take(home.path(), "other", "process", Some("w")).is_ok());
        let directory = first.directory.clone();
        drop(first);
        assert_eq!(Home::take(home.path(), "p", "process", Some("w")).unwrap().directory, directory);
    }

    #[test]
    fn a_lock_that_lingers_for_a_moment_is_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let before = Home::take(home.path(), "p", "process", Some("w")).unwrap();
        let going = std::thread::spawn(move || {
            sleep(LINGERS / 5);
            drop(before);
        });
        assert!(Home::take(home.path(), "p", "process", Some("w")).is_ok());
        going.join().unwrap();
    }

    #[test]
    fn workers_without_a_name_get_different_ones_and_the_same_ones_again() {
        let home = tempfile::tempdir().unwrap();
        let first = Home::take(home.path(), "p", "process", None).unwrap();
        let second = Home::take(home.path(), "p", "process", None).unwrap();
        assert!(first.name.starts_with("process-") && second.name == format!("{}-2", first.name));
        let name = first.name.clone();
        drop(first);
        assert_eq!(Home::take(home.path(), "p", "process", None).unwrap().name, name);
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        assert_eq!(file_name("../a b"), "%2e%2e%2fa%20b");
    }
}
