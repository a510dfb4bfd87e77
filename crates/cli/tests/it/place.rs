//! A place to run the binary in: a home and a working directory of its own, and no settings from outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Place {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Stdout of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// Stderr of a command that must have failed with this code and without a word on stdout.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a failure is no data");
        self.stderr
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "user"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // A port where nothing listens, so that a test never meets a server of somebody else.
        let nobody = "http://127.0.0.1:9/api".to_owned();
        Self { folder, variables: BTreeMap::from([("TIDEGATE_API_URL".to_owned(), nobody)]) }
    }

    /// Without an API URL: the one of the server in this place's home is found.
    pub(crate) fn with_own_server() -> Self {
        let mut place = Self::new();
        place.variables.clear();
        place
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program, as a script of the shell.
    pub(crate) fn write_program(&self, path: &str, script: &str) -> String {
        self.write(path, &format!("#!/bin/sh\n{script}\n"));
        let path = self.path(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).env_clear().envs(&self.variables).env("HOME", self.path("user"));
        command.current_dir(self.path("work")).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(self.folder.path().to_str().unwrap(), "[PLACE]")
        };
        Done { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Running(child)
    }

    /// Starts a server on a free port and waits until it answers.
    pub(crate) fn start_server(&self) -> Running {
        let running = self.start(&["server", "start", "--port", "0"]);
        let status = self.run(&["server", "status", "--wait", "--timeout", "300"]);
        assert_eq!(status.code, 0, "{}\n{}", status.stderr, self.read("log"));
        running
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        Path::new(&self.path(path)).exists()
    }
}

/// A process that ends with the test, however that ends.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub(crate) fn wait(mut self) -> i32 {
        let code = eventually("the process to end", || self.0.try_wait().unwrap());
        code.code().expect("the process ended by itself, not by a signal")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks again and again until there is something; gives up when no machine is so slow any more.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_mins(5), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
