//! State changes of flow runs over HTTP, and the histories they leave.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use tidegate_api::orchestration::SetState;
use tidegate_core::state::State as RunState;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db, Id, Params},
    orchestration::respond,
};

pub async fn set_state(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<SetState>,
) -> Result<Response, ApiError> {
    let started = store.now();
    let proposal = app.proposal(&caller, id, body.force);
    let changed = store
        .write(id, async move |tx: &mut Tx| {
            tx.set_flow_run_state(id, body.state.clone(), &proposal).await?.ok_or_else(|| not_found(id))
        })
        .await?;
    Ok(respond(changed.result, started))
}

pub(crate) fn not_found(id: Uuid) -> ApiError {
    ApiError::ObjectNotFound(format!("Flow run with id {id} not found"))
}

#[derive(Deserialize)]
pub struct OfRun {
    flow_run_id: Uuid,
}

pub async fn list_states(Db(store): Db, Params(query): Params<OfRun>) -> Result<Json<Vec<RunState>>, ApiError> {
    let states = store.read(async move |tx: &mut Tx| tx.list_flow_run_states(query.flow_run_id).await).await?;
    Ok(Json(states))
}

pub async fn read_state(Db(store): Db, Id(id): Id) -> Result<Json<RunState>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            tx.read_flow_run_state(id).await?.map(Json).ok_or_else(|| ApiError::not_found("Flow run state not found"))
        })
        .await
}
