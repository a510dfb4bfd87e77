//! The two servers under measurement: how each is started on a folder of its own, watched and stopped.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{
    http::{Connection, Refusal},
    load::PATIENCE,
};

/// The longest wait for what a load left to do.
pub const DEADLINE: Duration = Duration::from_mins(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Product {
    Reference,
    Tidegate,
}

impl Product {
    pub const ALL: [Self; 2] = [Self::Reference, Self::Tidegate];

    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Tidegate => "tidegate",
        }
    }
}

/// Where the programs are.
pub struct Programs {
    pub tidegate: PathBuf,
    /// The reference's `prefect`.
    pub prefect: PathBuf,
}

impl Programs {
    /// The product's command line, told to keep everything in `home`.
    pub fn command(&self, product: Product, home: &Path) -> Command {
        let mut command = match product {
            Product::Reference => Command::new(&self.prefect),
            Product::Tidegate => Command::new(&self.tidegate),
        };
        let inherited = std::env::vars_os().filter(|(name, _)| {
            ["PREFECT_", "TIDEGATE_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
        });
        for (name, _) in inherited {
            command.env_remove(name);
        }
        command
            .env("TIDEGATE_HOME", home)
            .env("PREFECT_HOME", home)
            .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            .env("PREFECT_UI_ENABLED", "false")
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }
}

/// A process and all that it starts; ended when dropped.
pub struct Running {
    child: Child,
    group: Pid,
}

impl Running {
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let group = Pid::from_child(&child);
        Ok(Self { child, group })
    }

    /// Resident memory of the process group, in bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let mut kilobytes = 0;
        for process in self.processes()? {
            let status = std::fs::read_to_string(process.folder.join("status")).unwrap_or_default();
            let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            kilobytes += resident.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        }
        Ok(kilobytes * 1024)
    }

    /// Seconds that the processes of the group, and those of their children that ended, took of the processors.
    pub fn processor_time(&self) -> anyhow::Result<f64> {
        let mut ticks = 0;
        for process in self.processes()? {
            // utime, stime, cutime and cstime of proc(5), counted from the state.
            ticks += process.stat[11..15].iter().filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn processes(&self) -> anyhow::Result<Vec<Process>> {
        let group = self.group.as_raw_nonzero().to_string();
        let processes =
            std::fs::read_dir("/proc")?.filter_map(Result::ok).filter_map(|entry| Process::read(entry.path()));
        Ok(processes.filter(|process| process.stat[2] == group).collect())
    }
}

/// A process as the kernel tells of it.
struct Process {
    folder: PathBuf,
    /// The fields of `stat` from the state on: state, parent, group and more.
    stat: Vec<String>,
}

impl Process {
    fn read(folder: PathBuf) -> Option<Self> {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name of the program may have spaces; the fields go on behind its closing parenthesis.
        let (_, after) = stat.rsplit_once(')')?;
        let stat: Vec<String> = after.split_whitespace().map(str::to_owned).collect();
        (stat.len() > 15).then_some(Self { folder, stat })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A server that answers.
pub struct Server {
    pub product: Product,
    pub port: u16,
    /// From the start of the process to the first answer.
    pub cold_start: Duration,
    pub running: Running,
    pub home: TempDir,
}

impl Server {
    pub async fn start(product: Product, programs: &Programs) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("tidegate-bench-").tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = programs.command(product, home.path());
        command.args(["server", "start", "--host", "127.0.0.1", "--port", &port.to_string()]);
        let started = Instant::now();
        let mut running = Running::start(command)?;
        while !answers(port).await {
            if let Some(status) = running.child.try_wait()? {
                bail!("the {} server ended at its start ({status})", product.name());
            }
            if started.elapsed() > Duration::from_mins(2) {
                bail!("the {} server does not answer", product.name());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Self { product, port, cold_start: started.elapsed(), running, home })
    }

    /// Asks again for as long as the server, busy with the load before, refuses.
    pub async fn insist<T>(&self, ask: impl AsyncFn(&mut Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            let mut connection = self.connect().await?;
            match ask(&mut connection).await {
                Err(error) if error.is::<Refusal>() && started.elapsed() < DEADLINE => {
                    tokio::time::sleep(PATIENCE).await;
                }
                ended => return ended,
            }
        }
    }

    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.port).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api", self.port)
    }
}

async fn answers(port: u16) -> bool {
    let asked = async { anyhow::Ok(Connection::open(port).await?.get("/api/health").await?.status) };
    matches!(asked.await, Ok(200))
}
