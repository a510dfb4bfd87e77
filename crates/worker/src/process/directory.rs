//! The journal: one folder per attempt, written before its process starts and removed after its end was reported. It
//! is what lets a restarted worker find its children. The supervisor holds a lock on it for as long as it lives, so
//! whether a child is alive is asked of the kernel and never guessed from process ids.
//!
//! `run.json` (worker, before the start) · `lock` (supervisor, while alive) · `started.json` (supervisor) ·
//! `stop.json` (worker, to ask for the end) · `exit.json` (supervisor, last) · `abandoned` (worker, if never started)

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::identity::Identity;
use crate::infrastructure::{Attempt, Line, Stop};

/// `started.json`: who runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) supervisor: u32,
    pub(crate) process: Identity,
}

/// `stop.json`: how to end it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct StopRequest {
    pub(crate) stop: Stop,
    pub(crate) grace_seconds: f64,
}

impl StopRequest {
    pub(crate) fn grace(self) -> Duration {
        Duration::try_from_secs_f64(self.grace_seconds).unwrap_or(Duration::MAX)
    }
}

/// `exit.json`: how it ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ExitRecord {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// The command could not be started; the operating system's error number and words.
    pub(crate) start_error: Option<(i32, String)>,
    pub(crate) stop: Option<Stop>,
    pub(crate) is_concluded: bool,
    /// The kernel counted an out-of-memory kill in our control group meanwhile.
    pub(crate) saw_oom_kill: bool,
    pub(crate) tail: Vec<Line>,
}

/// The folder of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// The folder's place under the worker's folder, whether it exists or not.
    pub(crate) fn of(worker: &Path, attempt: &Attempt) -> Self {
        Self { path: worker.join(format!("{}.{}", attempt.flow_run_id, attempt.token.unwrap_or(attempt.attempt))) }
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder and writes down what is about to start.
    pub(crate) fn create(&self, attempt: &Attempt) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        self.write("run.json", attempt)
    }

    pub(crate) fn attempt(&self) -> io::Result<Option<Attempt>> {
        self.read("run.json")
    }

    pub(crate) fn set_started(&self, started: &Started) -> io::Result<()> {
        self.write("started.json", started)
    }

    pub(crate) fn started(&self) -> io::Result<Option<Started>> {
        self.read("started.json")
    }

    pub(crate) fn request_stop(&self, request: StopRequest) -> io::Result<()> {
        self.write("stop.json", &request)
    }

    pub(crate) fn stop_request(&self) -> io::Result<Option<StopRequest>> {
        self.read("stop.json")
    }

    pub(crate) fn set_exit(&self, exit: &ExitRecord) -> io::Result<()> {
        self.write("exit.json", exit)
    }

    pub(crate) fn exit(&self) -> io::Result<Option<ExitRecord>> {
        self.read("exit.json")
    }

    /// Tells a supervisor that comes late not to start anything. Call it while holding the lock.
    pub(crate) fn abandon(&self) -> io::Result<()> {
        File::create(self.path.join("abandoned")).map(drop)
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.path.join("abandoned").exists()
    }

    /// Takes the supervisor's lock; `None` while a supervisor lives. It is freed by the kernel, at the latest.
    pub(crate) fn try_lock(&self) -> io::Result<Option<File>> {
        try_lock(&self.path.join("lock"))
    }

    /// A working directory for runs that name none.
    pub(crate) fn make_scratch(&self) -> io::Result<PathBuf> {
        let path = self.path.join("work");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(path)
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Written beside and renamed: a reader sees the whole file or none. Not synced to the disk, which would only cost time
    /// at each start: what the journal tells of are processes, and those do not survive a machine's fall either.
    fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(value)?;
        let temporary = self.path.join(format!(".{name}"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&text)?;
        fs::rename(&temporary, self.path.join(name))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path.join(name)) {
            // After such a fall a file may be there without its content; it tells as much as none.
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Takes an exclusive lock on a file, made if missing; `None` if another process holds it.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn directory(home: &tempfile::TempDir) -> (RunDirectory, Attempt) {
        let attempt =
            Attempt { flow_run_id: Uuid::now_v7(), flow_run_name: "a".into(), attempt: 1, token: Some(7), owner: None };
        let directory = RunDirectory::of(home.path(), &attempt);
        directory.create(&attempt).unwrap();
        (directory, attempt)
    }

    #[test]
    fn what_was_written_is_read_back() {
        let home = tempfile::tempdir().unwrap();
        let (directory, attempt) = directory(&home);
        assert_eq!(directory.attempt().unwrap(), Some(attempt));
        assert!(directory.exit().unwrap().is_none());
        directory.set_exit(&ExitRecord { code: Some(3), ..ExitRecord::default() }).unwrap();
        assert_eq!(directory.exit().unwrap().unwrap().code, Some(3));
        directory.remove().unwrap();
        directory.remove().unwrap();
        assert!(!directory.path().exists());
    }

    #[test]
    fn a_file_without_its_content_is_as_good_as_none() {
        let home = tempfile::tempdir().unwrap();
        let (directory, _) = directory(&home);
        fs::write(directory.path().join("run.json"), "").unwrap();
        assert_eq!(directory.attempt().unwrap(), None);
    }

    #[test]
    fn only_one_holds_the_lock() {
        let home = tempfile::tempdir().unwrap();
        let (directory, _) = directory(&home);
        let held = directory.try_lock().unwrap();
        assert!(held.is_some() && directory.try_lock().unwrap().is_none());
        drop(held);
        assert!(directory.try_lock().unwrap().is_some());
    }
}
