//! What a worker can be told.

use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Settings of one worker; start from [`Options::new`]. The names in brackets are the settings they come from.
#[derive(Clone, Debug)]
pub struct Options {
    /// The pool to serve (`--pool`).
    pub pool: String,
    /// `None`: `process-<host>`, with a number when several workers of this machine serve the pool. The name is what a
    /// restarted worker finds its runs by.
    pub name: Option<String>,
    /// Only runs of these queues; all if empty (`--work-queue`).
    pub work_queues: Vec<String>,
    /// Runs at a time; no limit if `None` (`--limit`).
    pub limit: Option<usize>,
    /// Runs that may be on their way to their infrastructure at a time, of those that the limit above allows
    /// (`--submission-limit`, TIDEGATE_WORKER_SUBMISSION_LIMIT).
    pub submission_limit: usize,
    /// Make the pool if it is missing (`--create-pool-if-not-found`).
    pub create_pool_if_not_found: bool,
    /// For a pool that is made, or that has none (`--base-job-template`).
    pub base_job_template: Option<Value>,
    /// Take what is due now, wait for it to end, and return (`--run-once`).
    pub run_once: bool,
    /// Where the journal lives: `<home>/workers/…` (TIDEGATE_HOME).
    pub home: PathBuf,
    /// The environment that runs start from (beside what this process has), that `{{ $NAME }}` in templates means, and in
    /// which an interpreter is looked for.
    pub environment: BTreeMap<String, String>,
    /// An interpreter or a virtual environment for runs that name none (TIDEGATE_WORKER_PYTHON).
    pub python: Option<PathBuf>,
    /// PREFECT_WORKER_HEARTBEAT_SECONDS
    pub heartbeat: Duration,
    /// Between queries, at servers that must be polled (PREFECT_WORKER_QUERY_SECONDS).
    pub query: Duration,
    /// How long before its time a run is fetched, at servers that must be polled (PREFECT_WORKER_PREFETCH_SECONDS).
    pub prefetch: Duration,
    /// How long a claim may hang at the server before it is made again.
    pub claim_wait: Duration,
    /// How long the server waits for a sign of life before it gives a run up; renewed at a third of it.
    pub lease: Duration,
    /// Between SIGTERM and SIGKILL for a run that is cancelled or shut down (TIDEGATE_WORKER_PROCESS_GRACE_SECONDS).
    pub process_grace: Duration,
    /// How long runs may go on after the shutdown token was cancelled (TIDEGATE_WORKER_DRAIN_SECONDS).
    pub drain_grace: Duration,
    /// Where `GET /health` is answered, if anywhere (`--with-healthcheck`).
    pub health_check: Option<SocketAddr>,
    /// Cancelled on the second signal: runs are killed at once.
    pub hard_stop: CancellationToken,
    /// The command that runs [`crate::process::supervisor::main`] with the arguments that follow; `None` means this very
    /// program with `worker run-process`.
    pub supervisor: Option<Vec<OsString>>,
}

impl Options {
    pub fn new(pool: impl Into<String>, home: impl Into<PathBuf>) -> Self {
        Self {
            pool: pool.into(),
            name: None,
            work_queues: Vec::new(),
            limit: None,
            submission_limit: 100,
            create_pool_if_not_found: true,
            base_job_template: None,
            run_once: false,
            home: home.into(),
            environment: BTreeMap::new(),
            python: None,
            heartbeat: Duration::from_secs(30),
            query: Duration::from_secs(10),
            prefetch: Duration::from_secs(10),
            claim_wait: Duration::from_secs(30),
            lease: Duration::from_secs(30),
            process_grace: Duration::from_secs(30),
            drain_grace: Duration::from_mins(1),
            health_check: None,
            hard_stop: CancellationToken::new(),
            supervisor: None,
        }
    }
}

/// What a worker did between its start and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Runs taken from the server.
    pub taken: u64,
    /// Runs found alive at the start.
    pub adopted: u64,
    /// Runs whose infrastructure ended well.
    pub succeeded: u64,
    /// Runs whose infrastructure failed, was cancelled, or could not be started.
    pub failed: u64,
}
