//! Flow runs over HTTP: rows and lists here; state changes, inputs, graphs and histories in modules of their own.

mod bulk;
mod dependencies;
mod graph;
mod inputs;
mod labels;
mod resume;
mod set_state;

use axum::{extract::State, http::StatusCode};
use tidegate_api::{
    Patch,
    filters::{ListRequest, Paginated, RunFilters},
    flow_runs::{CreatedBy, FlowRun, FlowRunCreate, FlowRunSort, FlowRunUpdate},
};
use tidegate_core::{
    names,
    state::{StateCreate, StateType},
};
use tidegate_store::{Tx, flow_runs::NewFlowRun};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db, Id},
    job_template::{self, Occasion},
    router::Routes,
    routes::list::PageRequest,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/flow_runs/", create)
        .get("/flow_runs/{id}", read)
        .patch("/flow_runs/{id}", update)
        .delete("/flow_runs/{id}", delete)
        .post("/flow_runs/filter", filter)
        .post("/flow_runs/count", count)
        .post("/flow_runs/paginate", paginate)
        .post("/flow_runs/lateness", lateness)
        .patch("/flow_runs/{id}/labels", labels::update)
        .post("/flow_runs/{id}/set_state", set_state::set_state)
        .post("/flow_runs/{id}/resume", resume::resume)
        .post("/flow_runs/{id}/input", inputs::create)
        .post("/flow_runs/{id}/input/filter", inputs::filter)
        .get("/flow_runs/{id}/input/{key}", inputs::read)
        .delete("/flow_runs/{id}/input/{key}", inputs::delete)
        .get("/flow_runs/{id}/graph", dependencies::read)
        .get("/flow_runs/{id}/graph-v2", graph::read)
        .post("/flow_runs/bulk_delete", bulk::delete)
        .post("/flow_runs/bulk_set_state", bulk::set_state)
        .get("/flow_run_states/", set_state::list_states)
        .get("/flow_run_states/{id}", set_state::read_state)
}

type Request = ListRequest<RunFilters, FlowRunSort>;

/// Creates a run, or answers the one of the same idempotency key: 201 when it is new, else 200.
async fn create(
    Db(store): Db,
    caller: Caller,
    Body(body): Body<FlowRunCreate>,
) -> Result<(StatusCode, Json<FlowRun>), ApiError> {
    let created_by = created_by(&caller);
    let name = body.name.clone().unwrap_or_else(|| names::random_run_name(rand::random()));
    let (run, created) = store
        .write(body.flow_id, async move |tx: &mut Tx| {
            let pool = body.work_pool_name.as_ref().filter(|name| !name.is_empty());
            let work_queue_id = match pool {
                Some(pool) => Some(require_queue(tx, pool, body.work_queue_name.as_deref()).await?),
                None => None,
            };
            let new = NewFlowRun {
                deployment_id: body.deployment_id,
                work_queue_id,
                work_queue_name: body.work_queue_name.clone(),
                flow_version: body.flow_version.clone(),
                parameters: body.parameters.clone(),
                idempotency_key: body.idempotency_key.clone(),
                context: body.context.clone(),
                empirical_policy: body.empirical_policy.clone(),
                tags: body.tags.clone(),
                labels: body.labels.clone(),
                parent_task_run_id: body.parent_task_run_id,
                infrastructure_document_id: body.infrastructure_document_id,
                created_by: created_by.clone(),
                // The reference fills in an empty object, but not for runs with an idempotency key.
                job_variables: match &body.idempotency_key {
                    Some(_) => body.job_variables.clone(),
                    None => Some(body.job_variables.clone().unwrap_or_default()),
                },
                ..NewFlowRun::of_flow(body.flow_id, name.clone())
            };
            let first = body.state.clone().unwrap_or_else(|| StateCreate::of(StateType::Pending));
            tx.create_flow_run(new, first).await.map_err(ApiError::from)
        })
        .await?;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(run)))
}

/// The queue of this name in the pool, or the pool's default queue.
async fn require_queue(tx: &mut Tx, pool: &str, queue: Option<&str>) -> Result<Uuid, ApiError> {
    let found = tx
        .read_work_pool_by_name(pool)
        .await?
        .ok_or_else(|| ApiError::not_found(format!("Work pool \"{pool}\" not found.")))?;
    match queue {
        Some(name) => tx
            .read_work_queue_by_name(pool, name)
            .await?
            .map(|queue| queue.id)
            .ok_or_else(|| ApiError::not_found(format!("Work pool queue '{pool}/{name}' not found."))),
        None => found
            .default_queue_id
            .ok_or_else(|| ApiError::not_found(format!("Work pool \"{pool}\" has no default queue."))),
    }
}

/// Runs that an automation starts say so.
pub fn created_by(caller: &Caller) -> Option<CreatedBy> {
    caller.automation.clone().map(|(id, name)| CreatedBy {
        id: Some(id),
        kind: Some("AUTOMATION".into()),
        display_value: Some(name),
    })
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<FlowRun>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_flow_run(id).await?.map(Json).ok_or_else(absent)).await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<FlowRunUpdate>) -> Result<StatusCode, ApiError> {
    let fresh_name = names::random_run_name(rand::random());
    store
        .write(id, async move |tx: &mut Tx| {
            let mut body = body.clone();
            if matches!(body.job_variables, Patch::Set(_)) {
                check_job_variables(tx, id, &body).await?;
            }
            // A run cannot be without a name: null asks for a new one.
            if matches!(body.name, Patch::Clear) {
                body.name = Patch::Set(fresh_name.clone());
            }
            if tx.update_flow_run(id, body).await? { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
        })
        .await
}

/// Job variables may change only while nothing has been started with them.
async fn check_job_variables(tx: &mut Tx, id: Uuid, body: &FlowRunUpdate) -> Result<(), ApiError> {
    let run = tx.read_flow_run(id).await?.ok_or_else(absent)?;
    if run.state_type != Some(StateType::Scheduled) {
        let state = run.state_type.map_or("without", StateType::as_str);
        return Err(ApiError::bad_request(format!("Job variables for a flow run in state {state} cannot be updated")));
    }
    let deployment = match run.deployment_id {
        Some(id) => tx.read_deployment(id).await?,
        None => None,
    };
    let deployment =
        deployment.ok_or_else(|| ApiError::bad_request("A deployment for the flow run could not be found"))?;
    let variables = body.job_variables.clone().value();
    job_template::check_run_variables(tx, &deployment, variables.as_ref(), Occasion::UpdateFlowRun).await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known = store.write(id, async move |tx: &mut Tx| tx.delete_flow_run(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<FlowRun>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(FlowRunSort::IdDesc);
    let runs = store.read(async move |tx: &mut Tx| tx.list_flow_runs(&body.filters, sort, limit, offset).await).await?;
    Ok(Json(runs))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_flow_runs(&body.filters).await).await?))
}

async fn lateness(Db(store): Db, Body(body): Body<Request>) -> Result<Json<Option<f64>>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.average_flow_run_lateness(&body.filters).await).await?))
}

async fn paginate(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Paginated<FlowRun>>, ApiError> {
    let page = PageRequest::of(&app, &body)?;
    let sort = body.sort.unwrap_or(FlowRunSort::IdDesc);
    store
        .read(async move |tx: &mut Tx| {
            let count = tx.count_flow_runs(&body.filters).await?;
            let runs = tx.list_flow_runs(&body.filters, sort, page.limit, page.offset()).await?;
            Ok(Json(page.answer(runs, count)))
        })
        .await
}

pub(crate) fn absent() -> ApiError {
    ApiError::not_found("Flow run not found")
}
