//! `worker`: runs flow runs of a work pool on this machine.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::Context;
use tidegate_client::Client;
use tidegate_worker::{
    Options,
    kubernetes::{self, SecretKey},
};
use tokio_util::sync::CancellationToken;

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
    /// Kind of infrastructure: process or kubernetes; the pool's if absent
    #[arg(short, long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How many runs at once
    #[arg(short, long)]
    limit: Option<usize>,
    /// How many runs may be on their way to their process or Job at once
    #[arg(long, value_name = "N")]
    submission_limit: Option<u64>,
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
    if let Some(kind) = &arguments.kind {
        Kind::parse(kind)?;
    }
    // A worker outlives its server's restarts: it keeps on trying, unlike a command that somebody waits for.
    let client = Client::new(connection::config(settings))?;
    let pool = arguments.pool.clone();
    let given = arguments.kind.clone();
    let mut options = options(arguments, settings)?;
    let runtime = runtime(Threads::All)?;
    out.note(format!("Worker for pool `{pool}` at {}; Ctrl-C stops it.", client.api_url()))?;
    let outcome = runtime.block_on(async {
        let shutdown = shutdown::on_signals().context("cannot listen for signals")?;
        options.hard_stop = shutdown.hard;
        let kind = match given {
            Some(kind) => Kind::parse(&kind)?,
            None => Kind::of_pool(&client, &options.pool, &shutdown.soft).await?,
        };
        match kind {
            Kind::Process => tidegate_worker::run(options, client, shutdown.soft).await,
            Kind::Kubernetes => {
                tidegate_worker::run_kubernetes(options, kubernetes(settings), client, shutdown.soft).await
            }
        }
    })?;
    out.note(format!(
        "The worker has stopped: {} runs taken, {} ended well, {} did not.",
        outcome.taken, outcome.succeeded, outcome.failed
    ))?;
    Ok(())
}

/// The kinds of workers.
#[derive(Clone, Copy)]
enum Kind {
    Process,
    Kubernetes,
}

impl Kind {
    fn parse(kind: &str) -> anyhow::Result<Self> {
        match kind {
            "process" => Ok(Self::Process),
            "kubernetes" => Ok(Self::Kubernetes),
            other => {
                let failure = Failure::usage(format!("workers of type `{other}` are not part of this version"));
                Err(failure.hint("there are `--type process` and `--type kubernetes`").into())
            }
        }
    }

    /// The pool's own kind; a pool that is not there is made for processes. A server that is away is waited for.
    async fn of_pool(client: &Client, pool: &str, shutdown: &CancellationToken) -> anyhow::Result<Self> {
        loop {
            match client.read_work_pool(pool).await {
                Ok(pool) => return pool.map_or(Ok(Self::Process), |pool| Self::parse(&pool.kind)),
                Err(error) if error.is_transient() && !shutdown.is_cancelled() => {
                    tracing::warn!("the server cannot be reached yet: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What the settings say to a Kubernetes worker.
pub fn kubernetes(settings: &Settings) -> kubernetes::Options {
    use table::kubernetes as key;
    let text = |setting| settings.text(setting).map(str::to_owned).filter(|text| !text.is_empty());
    let secret = |name, key| Some(SecretKey { name: text(name)?, key: text(key)? });
    let namespaces = settings.list(&key::OBSERVER_NAMESPACES);
    let tries = settings.is_set(&key::CREATE_JOB_MAX_RETRIES).then(|| settings.count(&key::CREATE_JOB_MAX_RETRIES));
    kubernetes::Options {
        cluster_uid: text(&key::CLUSTER_UID),
        api_key: secret(&key::API_KEY_SECRET_NAME, &key::API_KEY_SECRET_KEY),
        auth_string: secret(&key::AUTH_STRING_SECRET_NAME, &key::AUTH_STRING_SECRET_KEY),
        all_in_secret: settings.flag(&key::STORE_ENV_AS_SECRET),
        tries: tries.map(|tries| u32::try_from(tries).unwrap_or(u32::MAX)),
        all_namespaces: namespaces.iter().any(|namespace| namespace == "*"),
        namespaces,
        label_filters: text(&key::OBSERVER_LABEL_FILTERS).unwrap_or_default(),
        pod_events: settings.flag(&key::OBSERVER_POD_EVENTS),
        crash_logs: settings.flag(&key::OBSERVER_CRASH_LOGS),
        crash_log_lines: settings.count(&key::OBSERVER_CRASH_LOG_LINES) as usize,
        ..kubernetes::Options::default()
    }
}

fn options(arguments: Start, settings: &Settings) -> anyhow::Result<Options> {
    use table::worker as key;
    let mut options = Options::new(arguments.pool, settings.home());
    options.name = arguments.name;
    options.work_queues = arguments.work_queues;
    options.limit = arguments.limit;
    let submissions = arguments.submission_limit.unwrap_or_else(|| settings.count(&key::SUBMISSION_LIMIT));
    if submissions == 0 {
        return Err(Failure::usage("`--submission-limit` must be at least 1: with 0 no run would ever start").into());
    }
    options.submission_limit = usize::try_from(submissions).unwrap_or(usize::MAX);
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
