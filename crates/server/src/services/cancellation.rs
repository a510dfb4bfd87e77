//! Finishes cancellations: task runs and sub-flows of cancelled runs end too, and a run cannot be CANCELLING for ever.

use tidegate_core::{
    orchestration::Status,
    state::{StateCreate, StateType},
};
use tidegate_store::{TaskProposal, Tx, flow_run_states::Proposal};

use super::{Report, Service};
use crate::App;

const BATCH: i64 = 100;
/// Cancelled runs older than this have been looked after.
const LOOK_BACK_SECONDS: f64 = 86_400.0;

pub struct CancellationCleanup;

impl Service for CancellationCleanup {
    const NAME: &'static str = "cancellation_cleanup";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let tasks = cancel_task_runs(app).await?;
        let children = cancel_children(app).await?;
        let overdue = end_overdue(app).await?;
        Ok(Report { items: tasks + children + overdue, more: tasks as i64 == BATCH || children as i64 == BATCH })
    }
}

async fn cancel_task_runs(app: &App) -> anyhow::Result<u64> {
    let runs =
        app.store.read(async move |tx: &mut Tx| tx.list_task_runs_of_cancelled(LOOK_BACK_SECONDS, BATCH).await).await?;
    let items = runs.len() as u64;
    app.store
        .write("cancellation", async move |tx: &mut Tx| {
            for id in runs.clone() {
                let proposed = StateCreate {
                    message: Some("The parent flow run was cancelled.".into()),
                    ..StateCreate::of(StateType::Cancelled)
                };
                tx.set_task_run_state(id, proposed, &TaskProposal::internal()).await?;
            }
            Ok::<_, tidegate_store::Error>(())
        })
        .await?;
    Ok(items)
}

/// A child with a deployment runs elsewhere and is asked to stop; one without runs in its parent, which is gone.
async fn cancel_children(app: &App) -> anyhow::Result<u64> {
    let children =
        app.store.read(async move |tx: &mut Tx| tx.list_children_of_cancelled(LOOK_BACK_SECONDS, BATCH).await).await?;
    let items = children.len() as u64;
    for (id, has_deployment) in children {
        let kind = if has_deployment { StateType::Cancelling } else { StateType::Cancelled };
        let proposed =
            StateCreate { message: Some("The parent flow run was cancelled.".into()), ..StateCreate::of(kind) };
        app.store
            .write(id, async move |tx: &mut Tx| {
                tx.set_flow_run_state(id, proposed.clone(), &Proposal::internal()).await
            })
            .await?;
    }
    Ok(items)
}

async fn end_overdue(app: &App) -> anyhow::Result<u64> {
    let timeout = app.settings.services.cancelling_timeout_seconds;
    let overdue = app.store.read(async move |tx: &mut Tx| tx.list_overdue_cancelling(timeout, BATCH).await).await?;
    let items = overdue.len() as u64;
    for id in overdue {
        let proposed = StateCreate {
            message: Some("Flow run cancellation timed out; marked this flow run as Cancelled.".into()),
            ..StateCreate::of(StateType::Cancelled)
        };
        app.store
            .write(id, async move |tx: &mut Tx| {
                let left = tx.read_cleanup_target(id).await?;
                let changed = tx.set_flow_run_state(id, proposed.clone(), &Proposal::internal()).await?;
                // What the worker did not end is told to whoever can end it.
                let state = changed.filter(|changed| changed.result.status == Status::Accept);
                if let (Some(target), Some(state)) = (left, state.and_then(|changed| changed.result.state)) {
                    tx.ask_for_cleanup(state.id.0, id, &target).await?;
                }
                Ok::<_, tidegate_store::Error>(())
            })
            .await?;
    }
    Ok(items)
}
