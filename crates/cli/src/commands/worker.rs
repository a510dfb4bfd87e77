//! `worker`: runs flow runs of a work pool on this machine.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::Context;
use tidegate_client::Client;
use tidegate_worker::Options;

use super::{Threads, runtime, values};
use crate::connection;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::{Settings, table};
use crate::shutdown;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Start a worker
    Start(Box<Start>),
}

#[derive(clap::Args)]
pub struct Start {
    /// Work pool to take runs of
    #[arg(short, long)]
    pool: String,
    /// Name of the worker; made from the machine's when absent
    #[arg(short, long)]
    name: Option<String>,
    /// Only runs of this queue; may be repeated
    #[arg(short = 'q', long = "work-queue", value_name = "NAME")]
    work_queues: Vec<String>,
    /// Kind of infrastructure
    #[arg(short, long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How many runs at once
    #[arg(short, long)]
    limit: Option<usize>,
    /// Take what is due now, wait until it has ended, and stop
    #[arg(long)]
    run_once: bool,
    /// How many seconds ahead of its time a run is fetched
    #[arg(long, value_name = "SECONDS")]
    prefetch_seconds: Option<f64>,
    /// File with the job template of a pool that is created, as JSON
    #[arg(long, value_name = "FILE")]
    base_job_template: Option<PathBuf>,
    /// Fail if the work pool does not exist
    #[arg(long)]
    no_create_pool_if_not_found: bool,
    #[arg(long, hide = true, conflicts_with = "no_create_pool_if_not_found")]
    create_pool_if_not_found: bool,
    /// Python, or a virtual environment, of runs that name none
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Answer `GET /health` at `worker.webserver.host` and `worker.webserver.port`
    #[arg(long)]
    with_healthcheck: bool,
    /// Accepted for scripts made for the reference: nothing is ever installed
    #[arg(long, hide = true)]
    install_policy: Option<String>,
}

pub fn run(command: Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let Command::Start(arguments) = command;
    start(*arguments, settings, out)
}

fn start(arguments: Start, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    if let Some(kind) = arguments.kind.as_deref().filter(|kind| *kind != "process") {
        let failure = Failure::usage(format!("workers of type `{kind}` are not part of this version"));
        return Err(failure.hint("`--type process` runs flow runs as processes of this machine").into());
    }
    // A worker outlives its server's restarts: it keeps on trying, unlike a command that somebody waits for.
    let client = Client::new(connection::config(settings))?;
    let pool = arguments.pool.clone();
    let mut options = options(arguments, settings)?;
    let runtime = runtime(Threads::All)?;
    out.note(format!("Worker for pool `{pool}` at {}; Ctrl-C stops it.", client.api_url()))?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::on_signals().context("cannot listen for signals")?;
        options.hard_stop = shutdown.hard;
        tidegate_worker::run(options, client, shutdown.soft).await
    })?;
    out.note(format!(
        "The worker has stopped: {} runs taken, {} ended well, {} did not.",
        outcome.taken, outcome.succeeded, outcome.failed
    ))?;
    Ok(())
}

fn options(arguments: Start, settings: &Settings) -> anyhow::Result<Options> {
    use table::worker as key;
    let mut options = Options::new(arguments.pool, settings.home());
    options.name = arguments.name;
    options.work_queues = arguments.work_queues;
    options.limit = arguments.limit;
    options.create_pool_if_not_found = !arguments.no_create_pool_if_not_found;
    options.base_job_template = arguments.base_job_template.map(|path| values::object_in_file(&path)).transpose()?;
    options.run_once = arguments.run_once;
    options.health_check = arguments.with_healthcheck.then(|| health_check(settings)).transpose()?;
    options.environment = settings.environment().variables.clone();
    options.environment.extend(settings.for_python());
    options.python = arguments.python.or_else(|| settings.path(&key::PYTHON));
    options.heartbeat = settings.duration(&key::HEARTBEAT_SECONDS);
    options.query = settings.duration(&key::QUERY_SECONDS);
    options.prefetch = match arguments.prefetch_seconds {
        Some(seconds) => std::time::Duration::try_from_secs_f64(seconds)
            .map_err(|_| Failure::usage("`--prefetch-seconds` must not be negative"))?,
        None => settings.duration(&key::PREFETCH_SECONDS),
    };
    options.lease = settings.duration(&key::LEASE_SECONDS);
    options.process_grace = settings.duration(&key::PROCESS_GRACE_SECONDS);
    options.drain_grace = settings.duration(&key::DRAIN_SECONDS);
    Ok(options)
}

fn health_check(settings: &Settings) -> anyhow::Result<SocketAddr> {
    let text = |setting| settings.text(setting).unwrap_or_default();
    let place = format!("{}:{}", text(&table::worker::WEBSERVER_HOST), text(&table::worker::WEBSERVER_PORT));
    let resolved = place.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    resolved.ok_or_else(|| {
        let failure = Failure::usage(format!("`{place}` is no address that a health check could listen at"));
        failure.hint("`worker.webserver.host` and `worker.webserver.port` name it").into()
    })
}
