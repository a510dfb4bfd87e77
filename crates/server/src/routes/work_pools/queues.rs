//! The queues of a pool over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    filters::WorkQueueFilter,
    work_pools::{WorkQueue, WorkQueueCreate, WorkQueueUpdate},
};
use tidegate_store::Tx;

use super::{require_pool, require_pool_id};
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
};

#[derive(Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) work_queues: Option<WorkQueueFilter>,
    pub(crate) limit: Option<i64>,
    pub(crate) offset: Option<i64>,
}

pub(super) async fn create(
    Db(store): Db,
    Path(pool_name): Path<String>,
    Body(body): Body<WorkQueueCreate>,
) -> Result<(StatusCode, Json<WorkQueue>), ApiError> {
    let queue = store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            let queue = tx.create_work_queue(pool, &body).await?;
            // Clients know the sentence with its placeholder unfilled.
            let taken = "A work queue with this name already exists in work pool {work_pool_name!r}.";
            queue.ok_or_else(|| ApiError::conflict(taken))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(queue)))
}

pub(super) async fn read(
    Db(store): Db,
    Path((pool_name, name)): Path<(String, String)>,
) -> Result<Json<WorkQueue>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let mut queues = [require_queue(tx, &pool_name, &name).await?];
            tx.fill_queue_slots(&mut queues).await?;
            let [queue] = queues;
            Ok(Json(queue))
        })
        .await
}

pub(super) async fn update(
    Db(store): Db,
    Path((pool_name, name)): Path<(String, String)>,
    Body(body): Body<WorkQueueUpdate>,
) -> Result<StatusCode, ApiError> {
    store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            require_pool_id(tx, &pool_name).await?;
            let queue = require_queue(tx, &pool_name, &name).await?;
            tx.update_work_queue(queue, body.clone()).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    Db(store): Db,
    Path((pool_name, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    store
        .write(pool_name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool(tx, &pool_name).await?;
            let queue = require_queue(tx, &pool_name, &name).await?;
            if pool.default_queue_id == Some(queue.id) {
                return Err(ApiError::conflict("Can't delete a pool's default queue."));
            }
            tx.delete_work_queue(&queue).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Path(pool_name): Path<String>,
    Body(body): Body<Request>,
) -> Result<Json<Vec<WorkQueue>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    store
        .read(async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &pool_name).await?;
            let mut queues = tx.list_work_queues(pool, body.work_queues.as_ref(), limit, offset).await?;
            tx.fill_queue_slots(&mut queues).await?;
            Ok(Json(queues))
        })
        .await
}

pub(crate) async fn require_queue(tx: &mut Tx, pool: &str, name: &str) -> Result<WorkQueue, ApiError> {
    let queue = tx.read_work_queue_by_name(pool, name).await?;
    queue.ok_or_else(|| ApiError::not_found(format!("Work pool queue '{pool}/{name}' not found.")))
}
