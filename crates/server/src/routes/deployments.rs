//! Deployments over HTTP: reading, lists, deleting, pausing and polling here; what writes more in modules of its own.

mod runs;
mod schedules;
mod write;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;
use tidegate_api::{
    deployments::{Deployment, DeploymentSort},
    filters::{
        DeploymentFilter, FlowRunFilter, ListRequest, Paginated, ReferenceFilter, RunFilters, StateFilter,
        StateTypeFilter, TimeFilter,
    },
    flow_runs::{FlowRun, FlowRunSort},
    work_pools::WorkQueue,
};
use tidegate_core::{state::StateType, time::Timestamp};
use tidegate_store::{QueueOrder, Tx};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
    routes::{bulk, list::PageRequest},
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/deployments/", write::create)
        .get("/deployments/{id}", read)
        .patch("/deployments/{id}", write::update)
        .delete("/deployments/{id}", delete)
        .get("/deployments/name/{flow_name}/{deployment_name}", read_by_name)
        .post("/deployments/filter", filter)
        .post("/deployments/count", count)
        .post("/deployments/paginate", paginate)
        .post("/deployments/bulk_delete", bulk_delete)
        .post("/deployments/get_scheduled_flow_runs", list_scheduled_runs)
        .post("/deployments/{id}/pause_deployment", pause)
        .post("/deployments/{id}/resume_deployment", resume)
        .get("/deployments/{id}/work_queue_check", list_matching_queues)
        .post("/deployments/{id}/schedule", runs::schedule)
        .post("/deployments/{id}/create_flow_run", runs::create)
        .post("/deployments/{id}/create_flow_run/bulk", runs::create_many)
        .get("/deployments/{id}/schedules", schedules::list)
        .post("/deployments/{id}/schedules", schedules::create)
        .patch("/deployments/{id}/schedules/{schedule_id}", schedules::update)
        .delete("/deployments/{id}/schedules/{schedule_id}", schedules::delete)
}

type Request = ListRequest<RunFilters, DeploymentSort>;

fn absent() -> ApiError {
    ApiError::not_found("Deployment not found")
}

/// The same with a full stop, as some operations have it.
fn absent_stopped() -> ApiError {
    ApiError::not_found("Deployment not found.")
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Deployment>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_deployment(id).await?.map(Json).ok_or_else(absent)).await
}

async fn read_by_name(Db(store): Db, Path((flow, name)): Path<(String, String)>) -> Result<Json<Deployment>, ApiError> {
    store
        .read(async move |tx: &mut Tx| tx.read_deployment_by_name(&flow, &name).await?.map(Json).ok_or_else(absent))
        .await
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<Deployment>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(DeploymentSort::NameAsc);
    let rows =
        store.read(async move |tx: &mut Tx| tx.list_deployments(&body.filters, sort, limit, offset).await).await?;
    Ok(Json(rows))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_deployments(&body.filters).await).await?))
}

async fn paginate(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Paginated<Deployment>>, ApiError> {
    let page = PageRequest::of(&app, &body)?;
    let sort = body.sort.unwrap_or(DeploymentSort::NameAsc);
    store
        .read(async move |tx: &mut Tx| {
            let count = tx.count_deployments(&body.filters).await?;
            let rows = tx.list_deployments(&body.filters, sort, page.limit, page.offset()).await?;
            Ok(Json(page.answer(rows, count)))
        })
        .await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let deployment = tx.read_deployment(id).await?.ok_or_else(absent)?;
            tx.delete_deployments(vec![deployment]).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

#[derive(Clone, Deserialize)]
struct BulkDelete {
    #[serde(default)]
    deployments: Option<DeploymentFilter>,
    #[serde(default)]
    limit: Option<i64>,
}

async fn bulk_delete(Db(store): Db, Body(body): Body<BulkDelete>) -> Result<Json<bulk::Deleted>, ApiError> {
    store
        .write("deployments/bulk_delete", async move |tx: &mut Tx| {
            let limit = body.limit.unwrap_or(bulk::MOST);
            let filters = RunFilters { deployments: body.deployments.clone(), ..RunFilters::default() };
            let chosen = tx.list_deployments(&filters, DeploymentSort::NameAsc, limit, 0).await?;
            Ok(Json(bulk::Deleted { deleted: tx.delete_deployments(chosen).await? }))
        })
        .await
}

async fn pause(Db(store): Db, Id(id): Id) -> Result<Json<Value>, ApiError> {
    set_paused(store, id, true).await
}

async fn resume(Db(store): Db, Id(id): Id) -> Result<Json<Value>, ApiError> {
    set_paused(store, id, false).await
}

async fn set_paused(store: tidegate_store::Store, id: Uuid, paused: bool) -> Result<Json<Value>, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let before = tx.read_deployment(id).await?.ok_or_else(absent)?;
            // A resume of what is not paused must not take scheduled runs back and forth.
            if before.paused != paused || paused {
                tx.pause_deployment(id, paused).await?;
            }
            Ok(Json(Value::Null))
        })
        .await
}

#[derive(Clone, Deserialize)]
struct Poll {
    deployment_ids: Vec<Uuid>,
    #[serde(default)]
    scheduled_before: Option<Timestamp>,
    #[serde(default)]
    limit: Option<i64>,
}

/// A runner polls for the due runs of the deployments that it serves; that makes them ready.
async fn list_scheduled_runs(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Poll>,
) -> Result<Json<Vec<FlowRun>>, ApiError> {
    let limit = app.limit(body.limit)?;
    let ids = body.deployment_ids.clone();
    let scheduled = StateTypeFilter { any_: Some(vec![StateType::Scheduled]), ..StateTypeFilter::default() };
    let filter = FlowRunFilter {
        deployment_id: Some(ReferenceFilter { any_: Some(body.deployment_ids), ..ReferenceFilter::default() }),
        state: Some(StateFilter { r#type: Some(scheduled), ..StateFilter::default() }),
        next_scheduled_start_time: Some(TimeFilter { before_: body.scheduled_before, ..TimeFilter::default() }),
        ..FlowRunFilter::default()
    };
    let filters = RunFilters { flow_runs: Some(filter), ..RunFilters::default() };
    let asked = ids.clone();
    let (runs, news) = store
        .read(async move |tx: &mut Tx| {
            let sort = FlowRunSort::NextScheduledStartTimeAsc;
            let runs = tx.list_flow_runs(&filters, sort, limit, 0).await?;
            let news = tx.list_unnoted_deployments(&asked).await?;
            Ok::<_, ApiError>((runs, !news.is_empty()))
        })
        .await?;
    if news {
        store.write("deployments/polls", async move |tx: &mut Tx| tx.mark_deployments_ready(&ids).await).await?;
    }
    Ok(Json(runs))
}

/// The queues whose own filter lets the deployment's runs pass; of use to clients from before work pools only.
async fn list_matching_queues(Db(store): Db, Id(id): Id) -> Result<Json<Vec<Value>>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let deployment = tx.read_deployment(id).await?.ok_or_else(absent)?;
            let mut queues = tx.list_queues(None, None, QueueOrder::Name, MOST_QUEUES, 0).await?;
            queues.sort_by_key(|queue| (queue.created, queue.id));
            Ok(Json(queues.iter().filter(|queue| takes(queue, &deployment)).map(plain_queue).collect()))
        })
        .await
}

const MOST_QUEUES: i64 = 10_000;

fn takes(queue: &WorkQueue, deployment: &Deployment) -> bool {
    let Some(filter) = &queue.filter else { return true };
    let tags = filter.tags.iter().flatten().all(|tag| deployment.tags.contains(tag));
    let ids = filter.deployment_ids.as_deref().unwrap_or_default();
    tags && (ids.is_empty() || ids.contains(&deployment.id))
}

/// A queue as it was before it had a pool's name, a status and slots.
fn plain_queue(queue: &WorkQueue) -> Value {
    let mut value = serde_json::to_value(queue).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !matches!(name.as_str(), "work_pool_name" | "status" | "active_slots"));
    }
    value
}
