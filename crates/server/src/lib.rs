//! The server: routes and background services around the store and the rules. No SQL, no rules of its own.

pub mod access;
mod answer;
pub mod app;
mod automations;
pub mod blocks;
mod bounded_output;
mod csrf;
pub mod error;
pub mod extract;
pub mod ingest;
pub mod job_template;
mod metrics;
pub mod middleware;
pub mod orchestration;
pub mod parameters;
pub mod router;
pub mod routes;
pub mod services;
pub mod settings;
pub mod sockets;
pub mod task_workers;
pub mod web;
pub mod webhooks;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{ServiceExt, extract::Request};
use tidegate_core::time::Timestamp;
use tidegate_store::{Options, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer;

use access::Access;
use ingest::Ingest;
use services::{
    Board, automation_actions::AutomationActions, cancellation::CancellationCleanup, foreman::Foreman,
    late_runs::LateRuns, leases::Leases, log_search::LogSearch, pauses::PauseExpirations, retention::Retention,
    scheduler::Scheduler, triggers::Triggers,
};
use sockets::hubs::{EventHub, LogHub};
use task_workers::TaskWorkers;
use web::Web;

/// How long services may take to finish a pass at the end.
const LAST_PASSES: Duration = Duration::from_secs(2);

pub use app::App;
pub use router::{router, undescribed, unserved};
pub use settings::{Events, Loop, Services, Settings, Ui, Webhooks};

/// What tells a server the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The only place that asks the machine what time it is.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
pub fn system_clock() -> Clock {
    Arc::new(|| chrono::Utc::now().into())
}

/// Opens the database, bringing its schema up to date where the settings say so.
pub async fn open_store(settings: &Settings, clock: Clock) -> anyhow::Result<Store> {
    let options = Options {
        url: settings.database_url.clone(),
        readers: 2,
        writers: 4,
        migrate: settings.migrate_on_start,
        clock,
    };
    Ok(Store::open(options).await?)
}

/// A server that listens but does not serve yet, so that its address can be told first.
pub struct Server {
    app: App,
    listener: TcpListener,
}

impl Server {
    /// Opens the database and takes the port. Everything that has to do with time goes by `clock`.
    pub async fn bind(mut settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        metrics::install();
        let store = open_store(&settings, clock).await?;
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!(
                "cannot listen on {}; is another server running there? Choose another port with --port",
                settings.listen
            )
        })?;
        // A port that the machine chose is known from now on.
        settings.listen = listener.local_addr()?;
        Ok(Self { app: open(settings, store).await?, listener })
    }

    pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `soft` is cancelled, then lets requests and sockets finish within the grace period; `hard` ends it at once.
    pub async fn serve(self, soft: CancellationToken, hard: CancellationToken) -> anyhow::Result<()> {
        let Self { app, listener } = self;
        let grace = Duration::from_secs_f64(app.settings.shutdown_grace_seconds.max(0.0));
        let base_path = app.settings.base_path.clone();
        let strip =
            tower::util::MapRequestLayer::new(move |request: Request| middleware::strip_prefixes(&base_path, request));
        let service = strip.layer(router(app.clone()));
        let stopping = app.stopping.clone();
        let serve = axum::serve(listener, ServiceExt::<Request>::into_make_service(service))
            .with_graceful_shutdown(stopping.clone().cancelled_owned());
        let serve = tokio::spawn(serve.into_future());
        let tasks = TaskTracker::new();
        if app.settings.services_enabled {
            start_services(&tasks, &app);
        }
        soft.cancelled().await;
        stopping.cancel();
        tokio::select! {
            ended = serve => ended.context("the HTTP server ended unexpectedly")??,
            () = hard.cancelled() => tracing::warn!("stopped at once; requests in hand were cut off"),
            () = tokio::time::sleep(grace) => tracing::warn!("stopped after {grace:?}; requests in hand were cut off"),
        }
        tasks.close();
        let _ = tokio::time::timeout(LAST_PASSES, tasks.wait()).await;
        Ok(())
    }
}

/// The background services without an API, beside servers that run none.
pub struct Standalone {
    app: App,
}

impl Standalone {
    /// Opens the database.
    pub async fn open(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        let store = open_store(&settings, clock).await?;
        Ok(Self { app: open(settings, store).await? })
    }

    /// Runs until `stop` is cancelled and what is in hand is done.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        start_services(&tasks, &self.app);
        stop.cancelled().await;
        self.app.stopping.cancel();
        tasks.close();
        if tokio::time::timeout(LAST_PASSES, tasks.wait()).await.is_err() {
            tracing::warn!("services were stopped in the middle of a pass; what they had not committed is undone");
        }
    }
}

async fn open(settings: Settings, store: Store) -> anyhow::Result<App> {
    let stopping = CancellationToken::new();
    let log_hub = LogHub::start(&store, &stopping);
    let secrets = blocks::open(&store, &settings).await?;
    Ok(App::new(app::Shared {
        ingest: Ingest::start(&store, &log_hub, settings.heartbeat_lease_seconds),
        event_hub: EventHub::start(&store, &stopping),
        log_hub,
        store,
        secrets,
        access: Access::of_settings(&settings).map(Arc::new),
        web: Web::open(&settings)?,
        settings: Arc::new(settings),
        services: Board::default(),
        task_workers: TaskWorkers::default(),
        worker_channels: sockets::worker_channel::registry::WorkerChannels::default(),
        slot_line: routes::concurrency_limits::waiting::Line::default(),
        webhook_limits: webhooks::limits::Limits::default(),
        stopping,
    }))
}

fn start_services(tasks: &TaskTracker, app: &App) {
    let settings = &app.settings.services;
    services::spawn(tasks, app, settings.automation_actions, AutomationActions::default());
    services::spawn(tasks, app, settings.cancellation_cleanup, CancellationCleanup);
    services::spawn(tasks, app, settings.foreman, Foreman);
    services::spawn(tasks, app, settings.late_runs, LateRuns);
    services::spawn(tasks, app, settings.leases, Leases);
    services::spawn(tasks, app, settings.log_search, LogSearch);
    services::spawn(tasks, app, settings.pause_expirations, PauseExpirations);
    services::spawn(tasks, app, settings.retention, Retention);
    services::spawn(tasks, app, settings.scheduler, Scheduler);
    services::spawn(tasks, app, settings.triggers, Triggers::default());
    services::reports::spawn(tasks, app);
}
