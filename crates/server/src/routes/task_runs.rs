//! Task runs over HTTP. Ordinary ones arrive as events; background tasks and older clients use these calls.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use tidegate_api::{
    filters::{ListRequest, Paginated, RunFilters},
    orchestration::SetState,
    task_runs::{PagedTaskRun, TaskRun, TaskRunCreate, TaskRunSort, TaskRunUpdate},
};
use tidegate_core::state::State as RunState;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db, Id, Params},
    orchestration::respond,
    router::Routes,
    routes::list::PageRequest,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/task_runs/", create)
        .get("/task_runs/{id}", read)
        .patch("/task_runs/{id}", update)
        .delete("/task_runs/{id}", delete)
        .post("/task_runs/filter", filter)
        .post("/task_runs/count", count)
        .post("/task_runs/paginate", paginate)
        .post("/task_runs/{id}/set_state", set_state)
        .get("/task_run_states/", list_states)
        .get("/task_run_states/{id}", read_state)
}

type Request = ListRequest<RunFilters, TaskRunSort>;

/// Creates a run, or answers the one of the same keys: 201 when it is new, else 200.
async fn create(Db(store): Db, Body(body): Body<TaskRunCreate>) -> Result<(StatusCode, Json<TaskRun>), ApiError> {
    let key = body.flow_run_id;
    let (run, created) =
        store.write(key, async move |tx: &mut Tx| tx.create_task_run(&body).await.map_err(ApiError::from)).await?;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(run)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<TaskRun>, ApiError> {
    let absent = || ApiError::not_found("Task not found");
    store.read(async move |tx: &mut Tx| tx.read_task_run(id).await?.map(Json).ok_or_else(absent)).await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<TaskRunUpdate>) -> Result<StatusCode, ApiError> {
    let known = store
        .write(id, async move |tx: &mut Tx| tx.update_task_run(id, body.clone()).await.map_err(ApiError::from))
        .await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known = store.write(id, async move |tx: &mut Tx| tx.delete_task_run(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("Task not found")) }
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<TaskRun>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(TaskRunSort::IdDesc);
    let runs = store.read(async move |tx: &mut Tx| tx.list_task_runs(&body.filters, sort, limit, offset).await).await?;
    Ok(Json(runs))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_task_runs(&body.filters).await).await?))
}

async fn paginate(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Paginated<PagedTaskRun>>, ApiError> {
    let page = PageRequest::of(&app, &body)?;
    let sort = body.sort.unwrap_or(TaskRunSort::IdDesc);
    store
        .read(async move |tx: &mut Tx| {
            let count = tx.count_task_runs(&body.filters).await?;
            let runs = tx.list_task_runs(&body.filters, sort, page.limit, page.offset()).await?;
            Ok(Json(page.answer(runs.into_iter().map(paged).collect(), count)))
        })
        .await
}

/// Pages carry fewer fields than single runs, as the contract has it.
fn paged(run: TaskRun) -> PagedTaskRun {
    PagedTaskRun {
        id: run.id,
        created: run.created,
        updated: run.updated,
        name: run.name,
        flow_run_id: run.flow_run_id,
        task_key: run.task_key,
        state_id: run.state_id,
        state: run.state,
        task_version: run.task_version,
        task_inputs: run.task_inputs,
        empirical_policy: run.empirical_policy,
        tags: run.tags,
        start_time: run.start_time,
        end_time: run.end_time,
        total_run_time: run.total_run_time,
        estimated_run_time: run.estimated_run_time,
        estimated_start_time_delta: run.estimated_start_time_delta,
    }
}

async fn set_state(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<SetState>,
) -> Result<Response, ApiError> {
    let started = store.now();
    let proposal = app.task_proposal(&caller, &body.state, body.force);
    let result = store
        .write(id, async move |tx: &mut Tx| {
            tx.set_task_run_state(id, body.state.clone(), &proposal)
                .await?
                .ok_or_else(|| ApiError::ObjectNotFound(format!("Task run with id {id} not found")))
        })
        .await?;
    Ok(respond(result, started))
}

#[derive(Deserialize)]
struct OfRun {
    task_run_id: Uuid,
}

async fn list_states(Db(store): Db, Params(query): Params<OfRun>) -> Result<Json<Vec<RunState>>, ApiError> {
    let states = store.read(async move |tx: &mut Tx| tx.list_task_run_states(query.task_run_id).await).await?;
    Ok(Json(states))
}

async fn read_state(Db(store): Db, Id(id): Id) -> Result<Json<RunState>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            tx.read_task_run_state(id).await?.map(Json).ok_or_else(|| ApiError::not_found("Flow run state not found"))
        })
        .await
}

fn absent() -> ApiError {
    ApiError::not_found("Task run not found")
}
