//! The first format of a flow run's graph: its task runs, each with the task runs whose results went into it.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidegate_api::{
    filters::{ReferenceFilter, RunFilters, TaskRunFilter},
    task_runs::{TaskRun, TaskRunSort},
};
use tidegate_core::{state::State as RunState, time::Timestamp};
use tidegate_store::Tx;
use uuid::Uuid;

use super::set_state::not_found;
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Db, Id},
};

#[derive(Serialize)]
pub struct DependencyResult {
    id: Uuid,
    name: String,
    upstream_dependencies: Vec<Upstream>,
    state: Option<RunState>,
    expected_start_time: Option<Timestamp>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    total_run_time: f64,
    estimated_run_time: f64,
    untrackable_result: bool,
}

/// A task run as an input.
#[derive(Clone, PartialEq, Serialize)]
struct Upstream {
    input_type: &'static str,
    id: Uuid,
}

/// Any input; parameters and constants have no id.
#[derive(Deserialize)]
struct Input {
    input_type: String,
    id: Option<Uuid>,
}

pub async fn read(State(app): State<App>, Db(store): Db, Id(id): Id) -> Result<Json<Vec<DependencyResult>>, ApiError> {
    let most = app.settings.graph_max_nodes;
    store
        .read(async move |tx: &mut Tx| {
            if tx.read_flow_run_name(id).await?.is_none() {
                return Err(not_found(id));
            }
            let own = ReferenceFilter { any_: Some(vec![id]), ..ReferenceFilter::default() };
            let filter = TaskRunFilter { flow_run_id: Some(own), ..TaskRunFilter::default() };
            let filters = RunFilters { task_runs: Some(filter), ..RunFilters::default() };
            let runs = tx.list_task_runs(&filters, TaskRunSort::IdDesc, most as i64 + 1, 0).await?;
            if runs.len() > most {
                return Err(ApiError::bad_request(format!("The graph of flow run {id} has more than {most} nodes.")));
            }
            Ok(Json(runs.into_iter().map(dependencies).collect()))
        })
        .await
}

fn dependencies(run: TaskRun) -> DependencyResult {
    let inputs: BTreeMap<String, Vec<Input>> = run.task_inputs.parse().unwrap_or_default();
    let mut upstream_dependencies = Vec::new();
    for id in inputs.into_values().flatten().filter(|input| input.input_type == "task_run").filter_map(|input| input.id)
    {
        let upstream = Upstream { input_type: "task_run", id };
        if !upstream_dependencies.contains(&upstream) {
            upstream_dependencies.push(upstream);
        }
    }
    DependencyResult {
        id: run.id,
        name: run.name,
        upstream_dependencies,
        untrackable_result: run.state.as_ref().is_some_and(|state| state.state_details.untrackable_result),
        state: run.state,
        expected_start_time: run.expected_start_time,
        start_time: run.start_time,
        end_time: run.end_time,
        total_run_time: run.total_run_time,
        estimated_run_time: run.estimated_run_time,
    }
}
