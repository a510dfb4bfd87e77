//! The small process between a worker and a run's process. It outlives the worker: it keeps the run's output flowing
//! when nobody reads it any more, waits for the end, and writes down how it ended. It does not know the API.
//!
//! Started as `… --directory D --working-dir W -- COMMAND…` with the run's environment. It prints frames
//! (`capture::frame`) on its output. SIGUSR1 means "see stop.json"; SIGTERM means "stop, with the default grace".

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Stdout},
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    capture::{Splitter, Tail, frame},
    control::Control,
    descendants,
    directory::{ExitRecord, RunDirectory, Started, StopRequest},
    identity::Identity,
};
use crate::infrastructure::{Line, Stop, Stream};

/// Grace for a SIGTERM that comes from elsewhere than the worker.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);
/// How long output is awaited after the process has ended: its children may hold the pipes for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the supervisor is told on its command line.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    directory: PathBuf,
    working_directory: PathBuf,
    command: Vec<OsString>,
}

impl Arguments {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut arguments = arguments.into_iter();
        let (mut directory, mut working_directory) = (None, None);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().map(PathBuf::from).context("an option lacks its value");
            match argument.to_str() {
                Some("--directory") => directory = Some(value()?),
                Some("--working-dir") => working_directory = Some(value()?),
                Some("--") => break,
                _ => bail!("`{}` is not an option of the supervisor", argument.display()),
            }
        }
        let command: Vec<_> = arguments.collect();
        if command.is_empty() {
            bail!("there is no command after `--`");
        }
        Ok(Self {
            directory: directory.context("`--directory` is missing")?,
            working_directory: working_directory.context("`--working-dir` is missing")?,
            command,
        })
    }
}

/// Runs one supervisor with the arguments after its name, and returns when the run's process is gone.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = Arguments::parse(arguments).and_then(|arguments| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?
            .block_on(supervise(arguments))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The worker shows what comes on this stream when no exit was written down.
            let _ = io::Write::write_all(&mut io::stderr(), format!("{error:#}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn supervise(arguments: Arguments) -> anyhow::Result<()> {
    let directory = RunDirectory::at(arguments.directory.clone());
    let Some(_lock) = directory.try_lock().context("locking the run's folder")? else {
        bail!("another supervisor already runs this attempt");
    };
    if directory.is_abandoned() || directory.exit()?.is_some() {
        bail!("this attempt is over");
    }
    // Listening before the start, so that no signal finds the default handler.
    let (mut asked, mut terminated) = (signal(SignalKind::user_defined1())?, signal(SignalKind::terminate())?);
    let mut a_child_ended = signal(SignalKind::child())?;
    descendants::adopt_orphans();
    let oom_kills = oom_kills();
    let control = Control::open().await.context("opening the control channel")?;

    let mut child = match spawn(&arguments, &control) {
        Ok(child) => child,
        Err(error) => {
            let start_error = Some((error.raw_os_error().unwrap_or(0), error.to_string()));
            return Ok(directory.set_exit(&ExitRecord { start_error, ..ExitRecord::default() })?);
        }
    };
    let pid = child.id().context("the process ended before it began")?;
    let process = Identity::of(pid);
    directory.set_started(&Started { supervisor: std::process::id(), process: process.clone() })?;

    let output = Arc::new(Mutex::new(Output::new()));
    output.lock().await.send(format!("p {pid}\n").as_bytes()).await;
    let readers = [
        child.stdout.take().map(|pipe| tokio::spawn(copy(pipe, Stream::Out, Arc::clone(&output)))),
        child.stderr.take().map(|pipe| tokio::spawn(copy(pipe, Stream::Err, Arc::clone(&output)))),
    ];

    let mut stopping = Stopping { process, stop: None, kill_at: None };
    let status = loop {
        let request = tokio::select! {
            status = child.wait() => break status?,
            _ = asked.recv() => directory.stop_request()?,
            _ = a_child_ended.recv() => {
                descendants::reap_orphans(pid);
                None
            }
            _ = terminated.recv() => {
                Some(StopRequest { stop: Stop::Shutdown, grace_seconds: DEFAULT_GRACE.as_secs_f64() })
            }
            () = stopping.grace_is_over() => {
                stopping.kill();
                None
            }
        };
        if let Some(request) = request {
            stopping.begin(request, &control).await;
        }
    };
    if stopping.stop.is_some() {
        // Cancelled means gone: what the process left behind goes with it, in its group and out of it.
        stopping.process.signal_group(Signal::KILL);
        descendants::kill_below(std::process::id());
    }
    hear_last_words(readers).await;
    let exit = exit_record(status, &stopping, control.is_concluded(), oom_kills, output.lock().await.tail.lines());
    Ok(directory.set_exit(&exit)?)
}

fn spawn(arguments: &Arguments, control: &Control) -> io::Result<Child> {
    Command::new(&arguments.command[0])
        .args(&arguments.command[1..])
        .current_dir(&arguments.working_directory)
        .envs(control.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

fn exit_record(
    status: ExitStatus,
    stopping: &Stopping,
    is_concluded: bool,
    oom_kills: Option<u64>,
    tail: Vec<Line>,
) -> ExitRecord {
    use std::os::unix::process::ExitStatusExt;
    ExitRecord {
        code: status.code(),
        signal: status.signal(),
        start_error: None,
        stop: stopping.stop,
        is_concluded,
        saw_oom_kill: oom_kills.zip(self::oom_kills()).is_some_and(|(before, after)| after > before),
        tail,
    }
}

/// The end that was asked for, if it was.
struct Stopping {
    process: Identity,
    stop: Option<Stop>,
    kill_at: Option<Instant>,
}

impl Stopping {
    async fn begin(&mut self, request: StopRequest, control: &Control) {
        let is_first = self.stop.is_none();
        self.stop.get_or_insert(request.stop);
        if request.grace().is_zero() {
            // No signal before this one: it would let the process speak.
            self.kill();
            return;
        }
        if is_first {
            if request.stop == Stop::Cancel {
                control.announce_cancel().await;
            }
            self.process.signal_group(Signal::TERM);
        }
        // A later request can only bring the end nearer.
        let kill_at = Instant::now().checked_add(request.grace());
        self.kill_at = [self.kill_at, kill_at].into_iter().flatten().min();
    }

    async fn grace_is_over(&self) {
        match self.kill_at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn kill(&mut self) {
        self.process.signal_group(Signal::KILL);
        self.kill_at = None;
    }
}

/// The pipe to the worker, and the end of the output for when there is no worker.
struct Output {
    /// `None` once the worker is gone.
    worker: Option<Stdout>,
    tail: Tail,
}

impl Output {
    fn new() -> Self {
        Self { worker: Some(tokio::io::stdout()), tail: Tail::default() }
    }

    /// A worker that reads slowly slows the process down, as any pipe does; a worker that is gone does not.
    async fn send(&mut self, frames: &[u8]) {
        if let Some(worker) = &mut self.worker
            && (worker.write_all(frames).await.is_err() || worker.flush().await.is_err())
        {
            self.worker = None;
        }
    }
}

/// Copies one stream of the process, line by line.
async fn copy(mut pipe: impl AsyncRead + Unpin, stream: Stream, output: Arc<Mutex<Output>>) {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; 32 * 1024];
    loop {
        let length = pipe.read(&mut chunk).await.unwrap_or(0);
        let (mut lines, mut frames) = (Vec::new(), Vec::new());
        let mut emit = |line: &[u8]| {
            lines.push(Line { stream, text: String::from_utf8_lossy(line).into_owned() });
            frames.extend(frame(stream, line));
        };
        if length == 0 {
            splitter.finish(&mut emit);
        } else {
            splitter.push(&chunk[..length], &mut emit);
        }
        let mut output = output.lock().await;
        for line in lines {
            output.tail.push(line);
        }
        output.send(&frames).await;
        if length == 0 {
            return;
        }
    }
}

async fn hear_last_words(readers: [Option<JoinHandle<()>>; 2]) {
    let deadline = Instant::now() + LAST_WORDS;
    for mut reader in readers.into_iter().flatten() {
        if timeout(deadline.saturating_duration_since(Instant::now()), &mut reader).await.is_err() {
            reader.abort();
            // Until it is gone it may hold the output's lock.
            let _ = reader.await;
        }
    }
}

/// How often the kernel has killed for memory in our control group; `None` where that is not known.
fn oom_kills() -> Option<u64> {
    let group = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = group.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let events = fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// The command that runs this module in a process of its own: this very program, even if its file was replaced since.
pub(crate) fn own_command() -> Vec<OsString> {
    let linux = Path::new("/proc/self/exe");
    let program = if linux.exists() { linux.to_owned() } else { env::current_exe().unwrap_or_default() };
    vec![program.into(), "worker".into(), "run-process".into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Arguments> {
        Arguments::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_end_where_the_command_begins() {
        let arguments = parse(&["--directory", "d", "--working-dir", "w", "--", "sh", "--directory"]).unwrap();
        assert_eq!(arguments.command, ["sh", "--directory"]);
        assert_eq!((arguments.directory.to_str(), arguments.working_directory.to_str()), (Some("d"), Some("w")));
    }

    #[test]
    fn arguments_that_lack_something_are_refused() {
        for (arguments, complaint) in [
            (&["--directory", "d", "--", "sh"][..], "`--working-dir` is missing"),
            (&["--directory", "d", "--working-dir", "w"], "no command"),
            (&["--directory"], "lacks its value"),
            (&["sh"], "not an option"),
        ] {
            assert!(parse(arguments).unwrap_err().to_string().contains(complaint), "{arguments:?}");
        }
    }
}
