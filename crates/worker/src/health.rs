//! Whether the worker still reaches its server, and the answer over HTTP for whoever restarts workers that do not
//! (`GET /health`). It knows nothing of runs.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::info;

use crate::lock::lock;

/// Polls that may be missed, as at the reference's workers.
const MISSED_POLLS: u32 = 30;

/// When the server last answered a question for runs; from the start on, so that a worker gets its time to begin.
#[derive(Clone)]
pub(crate) struct Health {
    last: Arc<Mutex<Instant>>,
    window: Duration,
}

impl Health {
    pub(crate) fn new(query: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), window: query * MISSED_POLLS }
    }

    /// The server has answered.
    pub(crate) fn note(&self) {
        *lock(&self.last) = Instant::now();
    }

    fn is_good(&self) -> bool {
        lock(&self.last).elapsed() <= self.window
    }
}

/// Answers as long as it lives.
pub(crate) struct HealthCheck {
    _task: AbortOnDropHandle<()>,
}

impl HealthCheck {
    pub(crate) async fn start(address: SocketAddr, health: Health) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("the health check cannot listen at {address}; `worker.webserver.port` names another port")
        })?;
        let bound = listener.local_addr().unwrap_or(address);
        info!(address = %bound, "the health check answers at http://{bound}/health");
        let router = Router::new().route("/health", get(answer)).with_state(health);
        let task = TaskTracker::new().spawn(async move {
            // It ends only with its handle; `axum::serve` retries failed accepts by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { _task: AbortOnDropHandle::new(task) })
    }
}

async fn answer(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    if health.is_good() {
        (StatusCode::OK, Json(json!({ "message": "OK" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "message": "Worker may be unresponsive at this time" })))
    }
}
