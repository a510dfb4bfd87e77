//! Runs that ended at another server (`tidegate import-from --history`).

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tidegate_api::{
    flow_runs::FlowRun,
    imports::{History, Imported},
};
use tidegate_store::Tx;

use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
    router::Routes,
};

/// What one request may hold of each; all of it is one transaction.
const MOST: usize = 1_000;

pub fn routes(routes: Routes) -> Routes {
    routes.post("/imports/runs", import)
}

async fn import(Db(store): Db, Body(body): Body<Value>) -> Result<(StatusCode, Json<Imported>), ApiError> {
    let history = History::deserialize(&body).map_err(|error| ApiError::unprocessable(error.to_string()))?;
    check(&history)?;
    let imported = store
        .write("imports", async move |tx: &mut Tx| tx.import_history(&history).await.map_err(ApiError::from))
        .await?;
    Ok((StatusCode::CREATED, Json(imported)))
}

fn check(history: &History) -> Result<(), ApiError> {
    let counts = [history.flow_runs.len(), history.task_runs.len(), history.artifacts.len(), history.logs.len()];
    if counts.iter().any(|count| *count > MOST) {
        return Err(ApiError::unprocessable(format!("a request may hold {MOST} of each kind")));
    }
    let has_ended = |run: &FlowRun| run.state.as_ref().is_some_and(|state| state.kind.is_terminal());
    match history.flow_runs.iter().find(|past| !has_ended(&past.flow_run)) {
        Some(past) => Err(ApiError::unprocessable(format!("flow run {} has not ended", past.flow_run.id))),
        None => Ok(()),
    }
}
