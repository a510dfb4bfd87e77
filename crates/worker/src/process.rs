//! Flow runs as processes of this machine, each under a supervisor that outlives the worker. The backend keeps one folder
//! per attempt (`directory`), which is also how a restarted worker finds its children again.

mod capture;
mod command;
mod control;
mod descendants;
mod directory;
mod exit;
mod identity;
pub mod supervisor;

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs, io,
    io::Write,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidegate_api::work_pools::WorkPool;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::sleep,
};
use tracing::warn;

pub(crate) use command::split;
pub(crate) use directory::ExitRecord;
pub(crate) use directory::try_lock;
pub(crate) use exit::failure as failure_of;

use self::{
    capture::{Frame, LINE_LIMIT, parse_frame},
    command::Surroundings,
    directory::{RunDirectory, StopRequest},
};
use crate::{
    infrastructure::{
        Attempt, Exit, Failure, FailureClass, Found, Identifier, Infrastructure, Line, News, Stop, Stream,
    },
    job::Job,
    lock::lock,
};

/// How often an adopted supervisor is asked for: it is not our child, so nobody tells us that it has ended.
const ADOPTED_POLL: Duration = Duration::from_millis(100);
/// Lines waiting to be printed; what does not fit is dropped and counted.
const ECHO_QUEUE: usize = 10_000;

/// The process backend.
#[derive(Debug)]
pub struct Process {
    /// Where the folders of this worker's attempts are.
    directory: PathBuf,
    /// An interpreter, or a virtual environment.
    python: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    /// The command before the supervisor's arguments.
    supervisor: Vec<OsString>,
    live: Mutex<HashMap<Identifier, Arc<Live>>>,
    echo: SyncSender<Line>,
}

/// One attempt whose end has not been reported.
#[derive(Debug)]
struct Live {
    directory: RunDirectory,
    /// The supervisor if it is our own child; taken by the watch.
    supervisor: Mutex<Option<Child>>,
}

/// A prepared process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    words: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    /// `None`: a folder of its own, which goes when the run is over.
    working_directory: Option<PathBuf>,
    stream_output: bool,
}

impl Process {
    pub fn new(
        directory: PathBuf,
        python: Option<PathBuf>,
        environment: BTreeMap<String, String>,
        supervisor: Option<Vec<OsString>>,
    ) -> Self {
        let supervisor = supervisor.unwrap_or_else(supervisor::own_command);
        Self { directory, python, environment, supervisor, live: Mutex::default(), echo: spawn_echo() }
    }

    fn spawn(&self, directory: &RunDirectory, spec: &Spec) -> io::Result<Child> {
        let working_directory = match &spec.working_directory {
            Some(given) => given.clone(),
            None => directory.make_scratch()?,
        };
        let mut words = self.supervisor.iter();
        Command::new(words.next().cloned().unwrap_or_default())
            .args(words)
            .arg("--directory")
            .arg(directory.path())
            .arg("--working-dir")
            .arg(working_directory)
            .arg("--")
            .args(&spec.words)
            .envs(&self.environment)
            .envs(spec.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Ctrl-C at the worker's terminal is for the worker, which decides what becomes of its runs.
            .process_group(0)
            .spawn()
    }

    fn remember(&self, identifier: &Identifier, directory: RunDirectory, supervisor: Option<Child>) {
        let live = Arc::new(Live { directory, supervisor: Mutex::new(supervisor) });
        lock(&self.live).insert(identifier.clone(), live);
    }

    fn live(&self, identifier: &Identifier) -> Option<Arc<Live>> {
        lock(&self.live).get(identifier).cloned()
    }
}

impl Infrastructure for Process {
    type Spec = Spec;

    const TYPE: &'static str = "process";

    fn base_job_template() -> Value {
        serde_json::from_str(include_str!("process/base_job_template.json")).expect("the file in the source is JSON")
    }

    fn prepare(&self, attempt: &Attempt, job: &Job) -> Result<Spec, Failure> {
        let working_directory = match job.configuration.get("working_dir").and_then(Value::as_str).map(PathBuf::from) {
            Some(path) if path.is_dir() => Some(fs::canonicalize(&path).unwrap_or(path)),
            Some(path) => {
                let message = format!("The working directory `{}` does not exist on this worker.", path.display());
                let failure = Failure::new(FailureClass::ConfigError, message);
                return Err(failure.with_hint("create it, or change the job variable `working_dir`"));
            }
            None => None,
        };
        if let Some(name) = job.environment_sources.iter().find_map(|entry| entry.get("name")) {
            let message = format!("The variable {name} names a source (`valueFrom`), which only Kubernetes has.");
            return Err(Failure::new(FailureClass::ConfigError, message).with_hint("give it a value in `env`"));
        }
        let scratch = RunDirectory::of(&self.directory, attempt);
        let environment: BTreeMap<String, String> = job.environment.clone().into_iter().collect();
        let around = Surroundings {
            job: &environment,
            python: self.python.as_deref(),
            worker: &self.environment,
            working_directory: working_directory.as_deref().unwrap_or(scratch.path()),
        };
        let invocation = command::choose(job.command.as_deref(), &around)?;
        let mut environment: Vec<_> = job.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        environment.push(("PATH".into(), invocation.path));
        let stream_output = job.configuration.get("stream_output").and_then(Value::as_bool).unwrap_or(true);
        Ok(Spec { words: invocation.words, environment, working_directory, stream_output })
    }

    async fn start(&self, attempt: &Attempt, spec: &Spec, news: mpsc::Sender<News>) -> Result<Identifier, Failure> {
        let directory = RunDirectory::of(&self.directory, attempt);
        let failed = |error: io::Error| {
            Failure::new(FailureClass::StartFailed, format!("The run's process could not be started: {error}."))
        };
        directory.create(attempt).map_err(failed)?;
        let mut supervisor = self.spawn(&directory, spec).map_err(failed)?;
        let Some(pipe) = supervisor.stdout.take() else { return Err(failed(io::Error::other("no output pipe"))) };
        let mut frames = Frames::new(pipe);
        let Some(pid) = frames.started().await else {
            // It ended before it started anything; what it wrote down says why.
            let _ = supervisor.wait().await;
            let failure = directory.exit().ok().flatten().and_then(|record| Exit::from(record).failure);
            let unexplained = || failed(io::Error::other("its supervisor ended at once"));
            return Err(failure.unwrap_or_else(unexplained));
        };
        let identifier = Identifier(pid.to_string());
        self.remember(&identifier, directory, Some(supervisor));
        tokio::spawn(frames.forward(news, spec.stream_output.then(|| self.echo.clone())));
        Ok(identifier)
    }

    async fn watch(&self, identifier: &Identifier, _news: mpsc::Sender<News>) -> Exit {
        let Some(live) = self.live(identifier) else { return exit::unseen() };
        let child = lock(&live.supervisor).take();
        match child {
            Some(mut supervisor) => drop(supervisor.wait().await),
            None => {
                while matches!(live.directory.try_lock(), Ok(None)) {
                    sleep(ADOPTED_POLL).await;
                }
            }
        }
        lock(&self.live).remove(identifier);
        if let Ok(Some(record)) = live.directory.exit() {
            record.into()
        } else {
            // The supervisor was killed. Its process may live on, with nobody to report its end.
            if let Ok(Some(started)) = live.directory.started()
                && started.process.is_alive()
            {
                descendants::kill_below(started.process.pid);
                started.process.signal_group(Signal::KILL);
            }
            exit::unseen()
        }
    }

    async fn kill(&self, identifier: &Identifier, stop: Stop, grace: Duration) {
        let Some(live) = self.live(identifier) else { return };
        let request = StopRequest { stop, grace_seconds: grace.as_secs_f64() };
        let supervisor = live.directory.request_stop(request).and_then(|()| live.directory.started());
        match supervisor {
            // While the lock is held the supervisor lives, so its process id cannot belong to another process.
            Ok(Some(started)) if matches!(live.directory.try_lock(), Ok(None)) => {
                if let Some(pid) = Pid::from_raw(started.supervisor as i32) {
                    let _ = kill_process(pid, Signal::USR1);
                }
            }
            Ok(_) => {}
            Err(error) => warn!(infrastructure = %identifier, "cannot ask process {identifier} to stop: {error}"),
        }
    }

    async fn forget(&self, attempt: &Attempt) {
        let directory = RunDirectory::of(&self.directory, attempt);
        if let Err(error) = directory.remove() {
            warn!("cannot remove `{}`: {error}", directory.path().display());
        }
    }

    async fn find(&self, _pool: &WorkPool) -> anyhow::Result<Vec<Found>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let directory = RunDirectory::at(entry.path());
            match directory.attempt()? {
                Some(attempt) => found.push(self.find_one(attempt, directory).await?),
                // The worker, or the machine, fell before the attempt was written down: nothing runs.
                None => directory.remove()?,
            }
        }
        Ok(found)
    }
}

impl Process {
    async fn find_one(&self, attempt: Attempt, directory: RunDirectory) -> anyhow::Result<Found> {
        loop {
            if let Some(started) = directory.started()? {
                let identifier = Identifier(started.process.pid.to_string());
                self.remember(&identifier, directory, None);
                return Ok(Found::Started(attempt, identifier));
            }
            // Nothing runs yet. With the lock in our hand, nothing will; without it, a supervisor is just starting.
            if let Some(_lock) = directory.try_lock()? {
                if directory.started()?.is_none() {
                    directory.abandon()?;
                    return Ok(Found::NeverStarted(attempt));
                }
            } else {
                sleep(ADOPTED_POLL).await;
            }
        }
    }
}

/// The supervisor's output, frame by frame.
struct Frames {
    pipe: BufReader<ChildStdout>,
    buffer: Vec<u8>,
}

impl Frames {
    fn new(pipe: ChildStdout) -> Self {
        Self { pipe: BufReader::with_capacity(64 * 1024, pipe), buffer: Vec::new() }
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut self.pipe).take(LINE_LIMIT as u64 + 8);
            if limited.read_until(b'\n', &mut self.buffer).await.ok()? == 0 {
                return None;
            }
            if let Some(frame) = parse_frame(self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer)) {
                return Some(frame);
            }
        }
    }

    /// The id of the process; `None` if the output ended without one.
    async fn started(&mut self) -> Option<u32> {
        loop {
            match self.next().await? {
                Frame::Started(pid) => return Some(pid),
                Frame::Line(_) => {}
            }
        }
    }

    /// Hands every line on. Whoever does not take them is not waited for: the process must not stand still for it.
    async fn forward(mut self, news: mpsc::Sender<News>, echo: Option<SyncSender<Line>>) {
        while let Some(frame) = self.next().await {
            let Frame::Line(line) = frame else { continue };
            let is_echoed = echo.as_ref().is_none_or(|echo| echo.try_send(line.clone()).is_ok());
            // Nobody listens any more once the run speaks for itself; that is no loss.
            let is_taken = !matches!(news.try_send(News::Line(line)), Err(mpsc::error::TrySendError::Full(_)));
            if !is_echoed || !is_taken {
                metrics::counter!(crate::metrics::LINES_DROPPED).increment(1);
            }
        }
    }
}

/// Prints lines where the worker prints, on a thread of its own: a paused terminal must not hold up the worker.
fn spawn_echo() -> SyncSender<Line> {
    let (sender, lines) = sync_channel::<Line>(ECHO_QUEUE);
    thread::spawn(move || {
        for line in lines {
            let _ = match line.stream {
                Stream::Out => writeln!(io::stdout().lock(), "{}", line.text),
                Stream::Err => writeln!(io::stderr().lock(), "{}", line.text),
            };
        }
    });
    sender
}
