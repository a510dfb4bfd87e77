//! Background services: reconcilers that read the world and move it one step. One driver runs them all: a period with
//! jitter, nudges in between, one pass at a time, and the last report of each for operators.

pub mod automation_actions;
pub mod cancellation;
pub mod foreman;
pub mod late_runs;
pub mod leases;
pub mod log_search;
pub mod pauses;
pub mod reports;
pub mod retention;
pub mod scheduler;
pub mod triggers;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use tidegate_store::Wake;
use tokio_util::task::TaskTracker;

use crate::{App, settings::Loop};

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// How many things were changed.
    pub items: u64,
    /// Whether there is more to do now: the driver comes back at once.
    pub more: bool,
}

impl Report {
    pub fn items(items: u64) -> Self {
        Self { items, more: false }
    }
}

/// A reconciler: no input, safe to run twice, anywhere.
pub trait Service: Send + Sync + 'static {
    const NAME: &'static str;

    /// Whether a change of this kind is a reason to look before the period is over.
    fn wakes_on(&self, _: Wake) -> bool {
        false
    }

    fn activate(&mut self, app: &App) -> impl Future<Output = anyhow::Result<Report>> + Send;
}

/// What operators see of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceStatus {
    pub last_run: Option<Timestamp>,
    pub duration_seconds: f64,
    pub items: u64,
    pub total_items: u64,
    pub passes: u64,
    pub failures: u64,
    pub last_error: Option<String>,
}

/// The last report of each service, by name.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<&'static str, ServiceStatus>>>);

impl Board {
    pub fn snapshot(&self) -> BTreeMap<&'static str, ServiceStatus> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn note(&self, name: &'static str, change: impl FnOnce(&mut ServiceStatus)) {
        let mut board = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(board.entry(name).or_insert_with(|| ServiceStatus {
            last_run: None,
            duration_seconds: 0.0,
            items: 0,
            total_items: 0,
            passes: 0,
            failures: 0,
            last_error: None,
        }));
    }
}

/// Starts a service's loop, unless it is switched off.
pub fn spawn<S: Service>(tasks: &TaskTracker, app: &App, every: Loop, mut service: S) {
    if !every.enabled {
        return;
    }
    app.services.note(S::NAME, |_| {});
    let app = app.clone();
    let period = Duration::from_secs_f64(every.seconds.max(0.001));
    tasks.spawn(async move {
        let mut wakes = app.store.wakes();
        loop {
            let more = pass(&app, &mut service).await;
            if more && !app.stopping.is_cancelled() {
                continue;
            }
            // Up to a tenth longer, so that many servers do not move in step.
            let pause = period.mul_f64(1.0 + rand::random::<f64>() / 10.0);
            tokio::select! {
                () = app.stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = nudge(&mut wakes, &service) => {}
            }
        }
    });
}

async fn nudge<S: Service>(wakes: &mut tokio::sync::broadcast::Receiver<Wake>, service: &S) {
    loop {
        match wakes.recv().await {
            Ok(wake) if service.wakes_on(wake) => return,
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// One pass; answers whether to come back at once. A failure waits for the next period: there are no retries within.
async fn pass<S: Service>(app: &App, service: &mut S) -> bool {
    let started = Instant::now();
    let result = service.activate(app).await;
    let seconds = started.elapsed().as_secs_f64();
    metrics::histogram!("tidegate_service_pass_seconds", "service" => S::NAME).record(seconds);
    metrics::gauge!("tidegate_service_last_run_timestamp_seconds", "service" => S::NAME)
        .set(app.store.now().micros() as f64 / 1e6);
    app.services.note(S::NAME, |status| {
        status.last_run = Some(app.store.now());
        status.duration_seconds = seconds;
        status.passes += 1;
        match &result {
            Ok(report) => {
                status.items = report.items;
                status.total_items += report.items;
                status.last_error = None;
            }
            Err(error) => {
                status.failures += 1;
                status.last_error = Some(format!("{error:#}"));
            }
        }
    });
    match result {
        Ok(report) => {
            metrics::counter!("tidegate_service_items_total", "service" => S::NAME).increment(report.items);
            report.more
        }
        Err(error) => {
            metrics::counter!("tidegate_service_failures_total", "service" => S::NAME).increment(1);
            tracing::error!(service = S::NAME, "the service {} failed: {error:#}", S::NAME);
            false
        }
    }
}
