//! The worker: takes runs from a server, runs each on its infrastructure, and gives account of how it ended. It makes
//! sure of three things: no run is started twice, none is left without an end, and none is lost when the worker dies.
//!
//! [`run`] is the whole of it for a caller. Infrastructure is behind [`infrastructure::Infrastructure`]; processes of this
//! machine are the first kind.

mod clock;
mod events;
mod health;
mod home;
pub mod infrastructure;
pub mod job;
pub mod kubernetes;
mod lock;
mod logs;
pub mod metrics;
mod options;
mod outbox;
mod output;
pub mod process;
mod report;
mod runs;
mod worker;

use std::sync::Arc;

use anyhow::Context;
use tidegate_client::Client;
use tokio_util::sync::CancellationToken;

pub use options::{Options, Outcome};

use crate::{
    health::{Health, HealthCheck},
    home::Home,
    kubernetes::Kubernetes,
    process::Process,
    worker::Worker,
};

/// Runs a process worker until `shutdown` is cancelled and its runs have ended (see [`Options::drain_grace`] and
/// [`Options::hard_stop`]). An error means that the worker could not begin: a name in use, a pool of another type, a
/// server that refuses; a server that is merely away is waited for.
pub async fn run(options: Options, client: Client, shutdown: CancellationToken) -> anyhow::Result<Outcome> {
    let health = Health::new(options.query);
    // Asked for by whoever restarts workers, so it answers before anything else may take time.
    let _health_check = match options.health_check {
        Some(address) => Some(HealthCheck::start(address, health.clone()).await?),
        None => None,
    };
    let home = Home::take(&options.home, &options.pool, "process", options.name.as_deref());
    let home = home.context("taking a worker's name")?;
    let process = Process::new(
        home.directory.clone(),
        options.python.clone(),
        options.environment.clone(),
        options.supervisor.clone(),
    );
    Arc::new(Worker::new(options, &home, client, process, health, shutdown)).run().await
}

/// Runs a Kubernetes worker until `shutdown` is cancelled; its runs go on without it. Errors are those of [`run`].
pub async fn run_kubernetes(
    options: Options,
    kubernetes: kubernetes::Options,
    client: Client,
    shutdown: CancellationToken,
) -> anyhow::Result<Outcome> {
    let health = Health::new(options.query);
    let _health_check = match options.health_check {
        Some(address) => Some(HealthCheck::start(address, health.clone()).await?),
        None => None,
    };
    let home = Home::take(&options.home, &options.pool, "kubernetes", options.name.as_deref());
    let home = home.context("taking a worker's name")?;
    let backend = Kubernetes::new(kubernetes, home.name.clone());
    Arc::new(Worker::new(options, &home, client, backend, health, shutdown)).run().await
}
