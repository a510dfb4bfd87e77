//! What the web UI asks for beside the lists: pictures of runs, counts, next runs, and whether a form's values fit.

mod schemas;

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_api::{
    filters::{ListRequest, RunFilters, StateFilter, StateTypeFilter},
    flow_runs::FlowRunSort,
    task_runs::TaskRunSort,
    ui::{SimpleFlowRun, SimpleNextFlowRun, TaskRunCount, TaskRunCountRequest, UiTaskRun},
};
use tidegate_core::{state::StateType, time::Timestamp};
use tidegate_store::{Spans, Tx};
use uuid::Uuid;

use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/ui/flow_runs/history", list_flow_runs)
        .post("/ui/flow_runs/count-task-runs", count_task_runs)
        .post("/ui/flows/count-deployments", count_deployments)
        .post("/ui/flows/next-runs", list_next_runs)
        .post("/ui/task_runs/count", count_by_state)
        .post("/ui/task_runs/dashboard/counts", count_ends)
        .get("/ui/task_runs/{id}", read_task_run)
        .post("/ui/schemas/validate", schemas::validate)
}

/// Most points of one picture.
const MOST_POINTS: i64 = 1000;
/// Spans that the dashboard divides its time into.
const DASHBOARD_SPANS: i64 = 20;
const MINUTE: i64 = 60_000_000;

type FlowRuns = ListRequest<RunFilters, FlowRunSort>;
type TaskRuns = ListRequest<RunFilters, TaskRunSort>;

async fn list_flow_runs(Db(store): Db, Body(body): Body<FlowRuns>) -> Result<Json<Vec<SimpleFlowRun>>, ApiError> {
    let (limit, offset) = (body.limit.unwrap_or(MOST_POINTS), body.offset.unwrap_or(0));
    if limit < 0 {
        return Err(ApiError::unprocessable("Invalid limit: must be greater than or equal to 0."));
    }
    let sort = body.sort.unwrap_or(FlowRunSort::ExpectedStartTimeDesc);
    let runs =
        store.read(async move |tx: &mut Tx| tx.list_simple_flow_runs(&body.filters, sort, limit, offset).await).await?;
    Ok(Json(runs))
}

#[derive(Deserialize)]
struct OfFlowRuns {
    flow_run_ids: Vec<Uuid>,
}

async fn count_task_runs(Db(store): Db, Body(body): Body<OfFlowRuns>) -> Result<Json<HashMap<Uuid, i64>>, ApiError> {
    let ids = body.flow_run_ids.clone();
    let found = store.read(async move |tx: &mut Tx| tx.count_task_runs_by_flow_run(&ids).await).await?;
    Ok(Json(for_each(&body.flow_run_ids, found)))
}

#[derive(Deserialize)]
struct OfFlows {
    flow_ids: Vec<Uuid>,
}

async fn count_deployments(Db(store): Db, Body(body): Body<OfFlows>) -> Result<Json<HashMap<Uuid, i64>>, ApiError> {
    let ids = body.flow_ids.clone();
    let found = store.read(async move |tx: &mut Tx| tx.count_deployments_by_flow(&ids).await).await?;
    Ok(Json(for_each(&body.flow_ids, found)))
}

async fn list_next_runs(
    Db(store): Db,
    Body(body): Body<OfFlows>,
) -> Result<Json<HashMap<Uuid, Option<SimpleNextFlowRun>>>, ApiError> {
    let ids = body.flow_ids.clone();
    let found = store.read(async move |tx: &mut Tx| tx.list_next_flow_runs(&ids).await).await?;
    Ok(Json(for_each(&body.flow_ids, found.into_iter().map(|run| (run.flow_id, Some(run))))))
}

/// What was found for each id; ids without anything are there, too.
fn for_each<T: Default>(ids: &[Uuid], found: impl IntoIterator<Item = (Uuid, T)>) -> HashMap<Uuid, T> {
    let mut each: HashMap<Uuid, T> = ids.iter().map(|id| (*id, T::default())).collect();
    each.extend(found);
    each
}

async fn count_by_state(Db(store): Db, Body(body): Body<TaskRuns>) -> Result<Json<Map<String, Value>>, ApiError> {
    let found = store.read(async move |tx: &mut Tx| tx.count_task_runs_by_state(&body.filters).await).await?;
    let mut counts: Map<String, Value> =
        StateType::ALL.iter().map(|state| (state.as_str().to_owned(), 0.into())).collect();
    counts.extend(found.into_iter().map(|(state, count)| (state.as_str().to_owned(), count.into())));
    Ok(Json(counts))
}

/// How task runs ended, in twenty spans from a given start on.
async fn count_ends(Db(store): Db, Body(body): Body<TaskRunCountRequest>) -> Result<Json<Vec<TaskRunCount>>, ApiError> {
    let mut task_runs = body.filters.task_runs.clone().unwrap_or_default();
    let asked = task_runs.start_time.clone().unwrap_or_default();
    let after = asked.after_.ok_or_else(|| ApiError::unprocessable("task_runs.start_time.after_ is required"))?;
    let ended = StateType::ALL.into_iter().filter(|state| state.is_terminal()).collect();
    task_runs.state = Some(StateFilter {
        r#type: Some(StateTypeFilter { any_: Some(ended), ..StateTypeFilter::default() }),
        ..StateFilter::default()
    });
    let spans = whole_minutes(after, asked.before_.unwrap_or_else(|| store.now()));
    let filters = RunFilters { task_runs: Some(task_runs), work_pool_queues: body.work_queues.clone(), ..body.filters };
    let found = store.read(async move |tx: &mut Tx| tx.count_task_run_ends(&filters, spans).await).await?;
    let mut counts = vec![TaskRunCount::default(); DASHBOARD_SPANS as usize];
    for (span, count) in found {
        // What started with the very last microsecond belongs to the last span.
        let span = usize::try_from(span).unwrap_or(0).min(counts.len() - 1);
        counts[span].completed += count.completed;
        counts[span].failed += count.failed;
    }
    Ok(Json(counts))
}

/// From the beginning of the first minute to the last microsecond of the last one.
fn whole_minutes(first: Timestamp, last: Timestamp) -> Spans {
    let start = first.micros() - first.micros().rem_euclid(MINUTE);
    let end = last.micros() - last.micros().rem_euclid(MINUTE) + MINUTE - 1;
    Spans {
        start: Timestamp::from_micros(start).unwrap_or(first),
        length: end.saturating_sub(start).max(1),
        parts: DASHBOARD_SPANS,
    }
}

async fn read_task_run(Db(store): Db, Id(id): Id) -> Result<Json<UiTaskRun>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let task_run = tx.read_task_run(id).await?.ok_or_else(|| ApiError::not_found("Task not found"))?;
            let flow_run_name = match task_run.flow_run_id {
                Some(id) => tx.read_flow_run_name(id).await?,
                None => None,
            };
            Ok(Json(UiTaskRun { task_run, flow_run_name }))
        })
        .await
}
