//! The workers of a pool over HTTP.

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tidegate_api::{filters::WorkerFilter, work_pools::Worker};
use tidegate_store::Tx;

use super::require_pool_id;
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, check, content_type, from_value, no_route, operation_of, read_bytes},
};

#[derive(Clone, Deserialize)]
pub(super) struct Heartbeat {
    name: String,
    heartbeat_interval_seconds: Option<i64>,
}

/// What a worker adds that believes to talk to a hosted server. The contract does not know it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    return_id: bool,
}

/// Answers nothing, or, where the worker asks for it, its id: bare, since that is how it reads a 200.
pub(super) async fn heartbeat(
    State(app): State<App>,
    Path(pool_name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let operation = operation_of(&request).ok_or_else(no_route)?;
    let content_type = content_type(request.headers());
    let bytes = read_bytes(request, &app).await?;
    let body: Heartbeat = from_value(check(operation, content_type.as_deref(), &bytes)?)?;
    let wish: Wish = serde_json::from_slice(&bytes).unwrap_or_default();
    let id = app
        .store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            tx.record_worker_heartbeat(pool, &body.name, body.heartbeat_interval_seconds).await?;
            if wish.return_id { Ok(tx.read_worker_id(pool, &body.name).await?) } else { Ok::<_, ApiError>(None) }
        })
        .await?;
    Ok(match id {
        Some(id) => id.to_string().into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[derive(Clone, Deserialize)]
pub(super) struct Listing {
    workers: Option<WorkerFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

pub(super) async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Path(pool_name): Path<String>,
    Body(body): Body<Listing>,
) -> Result<Json<Vec<Worker>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    store
        .read(async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            Ok(Json(tx.list_workers(pool, body.workers.as_ref(), limit, offset).await?))
        })
        .await
}

pub(super) async fn delete(
    Db(store): Db,
    Path((pool_name, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            let known = tx.delete_worker(pool, &name).await?;
            if known { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("Worker not found.")) }
        })
        .await
}
