//! Queues by id over HTTP: the interface of agents, from before there were pools. Queues made here live in the agents'
//! pool.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use tidegate_api::{
    filters::{
        FlowRunFilter, QueueFilter, ReferenceFilter, RunFilters, StateFilter, StateTypeFilter, TagsFilter, TimeFilter,
    },
    flow_runs::{FlowRun, FlowRunSort},
    work_pools::{
        WorkQueue, WorkQueueConcurrencyStatus, WorkQueueCreate, WorkQueueHealthPolicy, WorkQueueStatusDetail,
        WorkQueueUpdate,
    },
};
use tidegate_core::{state::StateType, time::Timestamp};
use tidegate_store::{QueueOrder, Tx};
use uuid::Uuid;

use super::work_pools::{pages, queues::Request};
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/work_queues/", create)
        .patch("/work_queues/{id}", update)
        .get("/work_queues/{id}", read)
        .delete("/work_queues/{id}", delete)
        .get("/work_queues/name/{name}", read_by_name)
        .post("/work_queues/{id}/get_runs", get_runs)
        .post("/work_queues/filter", filter)
        .post("/work_queues/{id}/concurrency_status", concurrency_status)
        .get("/work_queues/{id}/status", status)
}

async fn create(Db(store): Db, Body(body): Body<WorkQueueCreate>) -> Result<(StatusCode, Json<WorkQueue>), ApiError> {
    let queue = store
        .write(body.name.clone(), async move |tx: &mut Tx| {
            let is_first = tx.read_agent_queue("default").await?.is_none();
            let pool = tx.ensure_agent_pool().await?;
            let queue = match tx.create_work_queue(pool, &body).await? {
                // The pool was made for it, and its default queue with the pool.
                None if is_first && body.name == "default" => tx.read_agent_queue("default").await?,
                queue => queue,
            };
            queue.ok_or_else(|| ApiError::conflict("A work queue with this name already exists."))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(queue)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<WorkQueue>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let queue = tx.read_work_queue(id).await?;
            with_slots(tx, queue.ok_or_else(absent)?).await
        })
        .await
}

async fn read_by_name(Db(store): Db, Path(name): Path<String>) -> Result<Json<WorkQueue>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let queue = tx.read_agent_queue(&name).await?;
            with_slots(tx, queue.ok_or_else(absent)?).await
        })
        .await
}

async fn with_slots(tx: &mut Tx, mut queue: WorkQueue) -> Result<Json<WorkQueue>, ApiError> {
    if queue.concurrency_limit.is_some() {
        queue.active_slots = Some(tx.count_queue_slot_holders(queue.id).await?);
    }
    Ok(Json(queue))
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<WorkQueueUpdate>) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let queue = tx.read_work_queue(id).await?;
            let queue = queue.ok_or_else(|| ApiError::not_found(format!("Work Queue {id} not found")))?;
            tx.update_work_queue(queue, body.clone()).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let queue = tx.read_work_queue(id).await?.ok_or_else(absent)?;
            let pool = match queue.work_pool_id {
                Some(pool) => tx.read_work_pool(pool).await?,
                None => None,
            };
            if pool.is_some_and(|pool| pool.default_queue_id == Some(id)) {
                return Err(ApiError::conflict("Can't delete a pool's default queue."));
            }
            tx.delete_work_queue(&queue).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<WorkQueue>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    store
        .read(async move |tx: &mut Tx| {
            let filter = body.work_queues.as_ref();
            let mut queues = tx.list_queues(None, filter, QueueOrder::Name, limit, offset).await?;
            tx.fill_queue_slots(&mut queues).await?;
            Ok(Json(queues))
        })
        .await
}

#[derive(Clone, Deserialize)]
struct RunsRequest {
    limit: Option<i64>,
    scheduled_before: Option<Timestamp>,
}

/// The due runs of a queue. A look from the UI, which says so, is no poll.
async fn get_runs(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    headers: HeaderMap,
    Body(body): Body<RunsRequest>,
) -> Result<Json<Vec<FlowRun>>, ApiError> {
    let limit = app.limit(body.limit)?;
    let is_look = headers.get("x-prefect-ui").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    let (runs, is_news) = store
        .read(async move |tx: &mut Tx| {
            let queue = require_queue(tx, id).await?;
            let runs = match &queue.filter {
                Some(filter) => filtered_runs(tx, &queue, filter, body.scheduled_before, limit).await?,
                None => {
                    let due = tx.list_due_flow_runs_of_queue(&queue, body.scheduled_before, limit).await?;
                    tx.read_flow_runs_in_order(&due.into_iter().map(|(_, run)| run).collect::<Vec<_>>()).await?
                }
            };
            Ok::<_, ApiError>((runs, tx.poll_is_news(&[queue])))
        })
        .await?;
    if is_news && !is_look {
        store.write(id, async move |tx: &mut Tx| tx.record_polls(&[id]).await).await?;
    }
    Ok(Json(runs))
}

/// A queue with a filter hands out the due runs of deployments that the filter means, wherever they belong.
async fn filtered_runs(
    tx: &mut Tx,
    queue: &WorkQueue,
    filter: &QueueFilter,
    before: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<FlowRun>, ApiError> {
    if queue.is_paused {
        return Ok(Vec::new());
    }
    let of_queue = |states: &[StateType], before: Option<Timestamp>| {
        let types = StateTypeFilter { any_: Some(states.to_vec()), ..StateTypeFilter::default() };
        let flow_runs = FlowRunFilter {
            tags: filter.tags.clone().map(|tags| TagsFilter { all_: Some(tags), ..TagsFilter::default() }),
            deployment_id: Some(ReferenceFilter {
                any_: filter.deployment_ids.clone(),
                is_null_: Some(false),
                ..ReferenceFilter::default()
            }),
            state: Some(StateFilter { r#type: Some(types), ..StateFilter::default() }),
            next_scheduled_start_time: before
                .map(|before| TimeFilter { before_: Some(before), ..TimeFilter::default() }),
            ..FlowRunFilter::default()
        };
        RunFilters { flow_runs: Some(flow_runs), ..RunFilters::default() }
    };
    let mut limit = limit;
    if let Some(slots) = queue.concurrency_limit {
        let taken = tx.count_flow_runs(&of_queue(&[StateType::Pending, StateType::Running], None)).await?;
        limit = limit.min((slots - taken).max(0));
    }
    let due = of_queue(&[StateType::Scheduled], before);
    Ok(tx.list_flow_runs(&due, FlowRunSort::NextScheduledStartTimeAsc, limit, 0).await?)
}

#[derive(Clone, Deserialize)]
struct StatusRequest {
    page: Option<i64>,
    limit: Option<i64>,
}

async fn concurrency_status(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Body(body): Body<StatusRequest>,
) -> Result<Json<WorkQueueConcurrencyStatus>, ApiError> {
    let (page, limit) = (body.page.unwrap_or(1), app.limit(body.limit)?);
    store
        .read(async move |tx: &mut Tx| {
            let queue = tx.read_work_queue(id).await?;
            let queue = queue.ok_or_else(|| ApiError::not_found("Work queue not found."))?;
            let count = tx.count_queue_slot_holders(id).await?;
            let offset = (page - 1).saturating_mul(limit);
            Ok(Json(WorkQueueConcurrencyStatus {
                active_slots: count,
                concurrency_limit: queue.concurrency_limit,
                flow_runs: tx.list_queue_slot_holders(id, limit, offset).await?,
                count,
                limit,
                pages: pages(count, limit),
                page,
            }))
        })
        .await
}

/// Whether the queue is served: polled lately, and nothing in it late.
async fn status(Db(store): Db, Id(id): Id) -> Result<Json<WorkQueueStatusDetail>, ApiError> {
    let policy = WorkQueueHealthPolicy { maximum_late_runs: 0, maximum_seconds_since_last_polled: 60 };
    store
        .read(async move |tx: &mut Tx| {
            let queue = tx.read_work_queue(id).await?;
            let queue = queue.ok_or_else(|| ApiError::ObjectNotFound(format!("Work queue with id {id} not found")))?;
            let late_runs_count = tx.count_late_flow_runs(id).await?;
            let patience = policy.maximum_seconds_since_last_polled as f64;
            let is_polled = queue.last_polled.is_some_and(|polled| tx.now().seconds_since(polled) <= patience);
            Ok(Json(WorkQueueStatusDetail {
                healthy: is_polled && late_runs_count <= policy.maximum_late_runs,
                late_runs_count,
                last_polled: queue.last_polled,
                health_check_policy: policy.clone(),
            }))
        })
        .await
}

async fn require_queue(tx: &mut Tx, id: Uuid) -> Result<WorkQueue, ApiError> {
    let queue = tx.read_work_queue(id).await?;
    queue.ok_or_else(|| ApiError::ObjectNotFound(format!("Work queue with id {id} not found.")))
}

fn absent() -> ApiError {
    ApiError::not_found("work queue not found")
}
