//! The loop for servers that hand nothing over: ask for scheduled runs, propose PENDING for each, and see which of our
//! runs somebody wants cancelled. The reference's rules for workers, on the reference's API.

use std::{sync::Arc, time::Duration};

use tidegate_api::{
    filters::{FlowRunFilter, IdFilter, RunFilters, StateFilter, StateTypeFilter},
    flow_runs::{FlowRun, FlowRunSort},
};
use tidegate_client::Page;
use tidegate_core::{
    orchestration::Status,
    state::{StateCreate, StateType},
};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::Worker;
use crate::{clock::now, infrastructure::Infrastructure, runs::Order};

/// How often runs are looked at for cancellation, if that is more often than runs are fetched.
const CANCELLATIONS: Duration = Duration::from_secs(3);

impl<I: Infrastructure> Worker<I> {
    pub(super) async fn poll_runs(self: &Arc<Self>) {
        let fetching = async {
            while !self.draining.is_cancelled() {
                if let Err(error) = self.poll().await {
                    warn!(worker.name = self.name, "fetching scheduled runs failed: {error}");
                    if error.is_not_found() {
                        self.restore_pool().await;
                    }
                }
                sleep(self.options.query).await;
            }
        };
        let cancelling = async {
            loop {
                sleep(CANCELLATIONS.min(self.options.query)).await;
                if let Err(error) = self.find_cancelled().await {
                    warn!(worker.name = self.name, "looking for cancelled runs failed: {error}");
                }
            }
        };
        tokio::join!(fetching, cancelling);
    }

    /// One query, and a proposal for each run that there is a place for.
    pub(super) async fn poll(self: &Arc<Self>) -> tidegate_client::Result<()> {
        let free = self.free();
        if free == 0 {
            self.health.note();
            return Ok(());
        }
        let before = now().plus_seconds(self.options.prefetch.as_secs_f64());
        let queues = self.work_queues();
        let due = self.client.list_scheduled_flow_runs(&self.options.pool, queues.as_deref(), before, None).await?;
        self.health.note();
        for entry in due.into_iter().filter(|entry| !self.runs.contains(entry.flow_run.id)).take(free) {
            let run = entry.flow_run;
            match self.propose_pending(&run).await {
                Ok(true) => {
                    let attempt = run.run_count + 1;
                    self.take(run, attempt, None, "poll");
                }
                Ok(false) => debug!(flow_run.id = %run.id, "flow run {} is not for us", run.id),
                Err(error) => warn!(flow_run.id = %run.id, "flow run {} could not be taken: {error}", run.id),
            }
        }
        Ok(())
    }

    /// Whether the run is ours now: the first worker to propose PENDING has it.
    async fn propose_pending(&self, run: &FlowRun) -> tidegate_client::Result<bool> {
        let result = self.client.set_flow_run_state(run.id, StateCreate::of(StateType::Pending), false).await?;
        let is_pending = result.state.is_some_and(|state| state.kind == StateType::Pending);
        if result.status != Status::Accept || !is_pending {
            return Ok(false);
        }
        // As the reference's workers do, so that people see that the run is on its way.
        let submitting = StateCreate { name: Some("Submitting".to_owned()), ..StateCreate::of(StateType::Pending) };
        if let Err(error) = self.client.set_flow_run_state(run.id, submitting, false).await {
            debug!(flow_run.id = %run.id, "flow run {} was not named Submitting: {error}", run.id);
        }
        Ok(true)
    }

    async fn find_cancelled(&self) -> tidegate_client::Result<()> {
        for ids in self.runs.ids().chunks(Page::LARGEST as usize) {
            let filter = FlowRunFilter {
                id: Some(IdFilter { any_: Some(ids.to_vec()), ..IdFilter::default() }),
                state: Some(StateFilter {
                    r#type: Some(StateTypeFilter { any_: Some(vec![StateType::Cancelling]), not_any_: None }),
                    ..StateFilter::default()
                }),
                ..FlowRunFilter::default()
            };
            let filters = RunFilters { flow_runs: Some(filter), ..RunFilters::default() };
            for run in self.client.list_flow_runs(&filters, FlowRunSort::IdDesc, Page::default()).await? {
                self.runs.order(run.id, None, Order::Cancel);
            }
        }
        Ok(())
    }
}
