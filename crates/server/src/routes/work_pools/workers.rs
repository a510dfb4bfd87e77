//! The workers of a pool over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{filters::WorkerFilter, work_pools::Worker};
use tidegate_store::Tx;

use super::require_pool_id;
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
};

#[derive(Clone, Deserialize)]
pub(super) struct Heartbeat {
    name: String,
    heartbeat_interval_seconds: Option<i64>,
}

pub(super) async fn heartbeat(
    Db(store): Db,
    Path(pool_name): Path<String>,
    Body(body): Body<Heartbeat>,
) -> Result<StatusCode, ApiError> {
    store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            let interval = body.heartbeat_interval_seconds;
            tx.record_worker_heartbeat(pool, &body.name, interval).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Deserialize)]
pub(super) struct Request {
    workers: Option<WorkerFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

pub(super) async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Path(pool_name): Path<String>,
    Body(body): Body<Request>,
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
