//! The workers of background tasks that are connected to this server.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;

use crate::{App, answer::Json, extract::Body, router::Routes};

pub fn routes(routes: Routes) -> Routes {
    routes.post("/task_workers/filter", filter)
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    task_worker_filter: Option<Filter>,
}

#[derive(Deserialize)]
struct Filter {
    task_keys: Vec<String>,
}

#[derive(Serialize)]
struct TaskWorkerResponse {
    identifier: String,
    task_keys: BTreeSet<String>,
    /// When it was last known to be there.
    timestamp: Timestamp,
}

async fn filter(State(app): State<App>, Body(body): Body<Request>) -> Json<Vec<TaskWorkerResponse>> {
    let keys = body.task_worker_filter.map(|filter| filter.task_keys).unwrap_or_default();
    let timestamp = app.store.now();
    let workers = app.task_workers.serving(&keys).into_iter().map(|worker| TaskWorkerResponse {
        identifier: worker.identifier,
        task_keys: worker.task_keys,
        timestamp,
    });
    Json(workers.collect())
}
