//! What pollers ask for: the due runs of a pool, best first. Only looks; whoever takes a run says so with its state.

use axum::extract::{Path, State};
use serde::Deserialize;
use tidegate_api::work_pools::{WorkQueue, WorkerFlowRun};
use tidegate_core::time::Timestamp;
use tidegate_store::{DueRuns, Tx};
use uuid::Uuid;

use super::{queues::require_queue, require_pool_id};
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
};

#[derive(Clone, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    work_queue_names: Vec<String>,
    scheduled_before: Option<Timestamp>,
    scheduled_after: Option<Timestamp>,
    limit: Option<i64>,
}

pub(super) async fn get_scheduled(
    State(app): State<App>,
    Db(store): Db,
    Path(name): Path<String>,
    Body(body): Body<Request>,
) -> Result<Json<Vec<WorkerFlowRun>>, ApiError> {
    let limit = app.limit(body.limit)?;
    let (runs, polled) = store
        .read(async move |tx: &mut Tx| {
            let pool = require_pool_id(tx, &name).await?;
            let queues = polled_queues(tx, pool, &name, &body.work_queue_names).await?;
            let ids: Vec<Uuid> = queues.iter().map(|queue| queue.id).collect();
            let due = DueRuns {
                pool,
                queues: (!body.work_queue_names.is_empty()).then_some(&ids),
                before: body.scheduled_before,
                after: body.scheduled_after,
                limit,
            };
            let due = tx.list_due_flow_runs(due).await?;
            let runs = tx.read_flow_runs_in_order(&due.iter().map(|(_, run)| *run).collect::<Vec<_>>()).await?;
            let runs = runs.into_iter().filter_map(|mut flow_run| {
                // Pollers get the run without its state, as they always did.
                flow_run.state = None;
                let (queue, _) = due.iter().find(|(_, run)| *run == flow_run.id)?;
                Some(WorkerFlowRun { work_pool_id: pool, work_queue_id: *queue, flow_run })
            });
            Ok::<_, ApiError>((runs.collect(), tx.poll_is_news(&queues).then_some((pool, ids))))
        })
        .await?;
    if let Some((pool, queues)) = polled {
        store.write(pool, async move |tx: &mut Tx| tx.record_polls(&queues).await).await?;
    }
    Ok(Json(runs))
}

async fn polled_queues(tx: &mut Tx, pool: Uuid, name: &str, names: &[String]) -> Result<Vec<WorkQueue>, ApiError> {
    if names.is_empty() {
        return Ok(tx.list_work_queues(pool, None, i64::MAX, 0).await?);
    }
    let mut queues = Vec::with_capacity(names.len());
    for queue in names {
        queues.push(require_queue(tx, name, queue).await?);
    }
    Ok(queues)
}
