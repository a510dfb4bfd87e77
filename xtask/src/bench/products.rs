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
        let group = self.group.as_raw_nonzero().to_string();
        let mut kilobytes = 0;
        for entry in std::fs::read_dir("/proc")?.filter_map(Result::ok) {
            // The name of the program may have spaces; after its closing parenthesis come state, parent and group.
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
            if after.split_whitespace().nth(2) == Some(&group) {
                let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
                kilobytes += resident.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
            }
        }
        Ok(kilobytes * 1024)
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
