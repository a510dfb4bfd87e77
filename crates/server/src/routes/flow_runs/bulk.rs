//! Changes of the flow runs that a filter means, the newest first, at most fifty at once.

use axum::extract::State;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tidegate_api::{
    filters::{FlowRunFilter, RunFilters},
    orchestration::ResultDetails,
};
use tidegate_core::{
    orchestration::Status,
    state::{State as RunState, StateCreate},
};
use tidegate_store::Tx;
use uuid::Uuid;

use super::set_state::not_found;
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db},
    routes::bulk,
};

#[derive(Deserialize)]
pub struct BulkDelete {
    #[serde(default)]
    flow_runs: Option<FlowRunFilter>,
    #[serde(default)]
    limit: Option<i64>,
}

/// Deletes all of the runs or, when something fails, none.
pub async fn delete(Db(store): Db, Body(body): Body<BulkDelete>) -> Result<Json<bulk::Deleted>, ApiError> {
    store
        .write("flow_runs/bulk_delete", async move |tx: &mut Tx| {
            let filters = RunFilters { flow_runs: body.flow_runs.clone(), ..RunFilters::default() };
            let mut deleted = Vec::new();
            for id in tx.list_flow_run_ids(&filters, body.limit.unwrap_or(bulk::MOST)).await? {
                if tx.delete_flow_run(id).await? {
                    deleted.push(id);
                }
            }
            Ok(Json(bulk::Deleted { deleted }))
        })
        .await
}

#[derive(Deserialize)]
pub struct BulkSetState {
    #[serde(default)]
    flow_runs: Option<FlowRunFilter>,
    state: StateCreate,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    limit: Option<i64>,
}

/// What the change of one run led to.
#[derive(Serialize)]
struct RunResult {
    flow_run_id: Uuid,
    status: Status,
    state: Option<RunState>,
    details: ResultDetails,
}

#[derive(Serialize)]
pub struct BulkResult {
    results: Vec<RunResult>,
}

/// Proposes a state for each run by itself: one that is refused or fails does not keep the others back.
pub async fn set_state(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Body(body): Body<BulkSetState>,
) -> Result<Json<BulkResult>, ApiError> {
    let filters = RunFilters { flow_runs: body.flow_runs, ..RunFilters::default() };
    let limit = body.limit.unwrap_or(bulk::MOST);
    let runs = store.read(async move |tx: &mut Tx| tx.list_flow_run_ids(&filters, limit).await).await?;
    let changes = runs.into_iter().map(|id| {
        let (store, proposal, state) = (store.clone(), app.proposal(&caller, id, body.force), body.state.clone());
        async move {
            let changed = store
                .write(id, async move |tx: &mut Tx| {
                    tx.set_flow_run_state(id, state.clone(), &proposal).await?.ok_or_else(|| not_found(id))
                })
                .await;
            match changed {
                Ok(changed) => {
                    let result = changed.result;
                    RunResult { flow_run_id: id, status: result.status, state: result.state, details: result.details }
                }
                Err(error) => failed(id, error),
            }
        }
    });
    // Asked for at once, so that they share a commit.
    Ok(Json(BulkResult { results: join_all(changes).await }))
}

/// A run whose change could not be made is told of like one whose change was refused.
fn failed(flow_run_id: Uuid, error: ApiError) -> RunResult {
    let reason = match error {
        ApiError::Detail(_, text) | ApiError::ObjectNotFound(text) | ApiError::Unavailable(text) => text,
        other => {
            tracing::error!("a change of flow run {flow_run_id} failed: {other:?}");
            "Internal Server Error".to_owned()
        }
    };
    RunResult {
        flow_run_id,
        status: Status::Abort,
        state: None,
        details: ResultDetails::Abort { reason: Some(reason) },
    }
}
