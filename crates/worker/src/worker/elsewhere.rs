//! At the start: runs under way whose jobs choose a place of their own, such as another cluster or namespace. What earlier
//! workers left there is found only by somebody who knows of the place, and these runs know.

use std::{collections::HashSet, sync::Arc};

use serde_json::Value;
use tidegate_api::{
    filters::{FlowRunFilter, RunFilters, StateFilter, StateTypeFilter, TextFilter, WorkPoolFilter},
    flow_runs::{FlowRun, FlowRunSort},
};
use tidegate_client::Page;
use tidegate_core::state::StateType;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::{FIRST_RETRY, LAST_RETRY, Worker};
use crate::infrastructure::{Attempt, Infrastructure};

/// States in which a run may have infrastructure.
const UNDER_WAY: [StateType; 3] = [StateType::Pending, StateType::Running, StateType::Cancelling];

impl<I: Infrastructure> Worker<I> {
    /// Looks once at each place that runs under way may be in.
    pub(super) async fn find_elsewhere(self: &Arc<Self>) {
        if I::PLACED_BY.is_empty() {
            return;
        }
        let (mut known, mut offset, mut retry) = (HashSet::new(), 0, FIRST_RETRY);
        loop {
            let page = Page { limit: Page::LARGEST, offset };
            let runs =
                match self.client.list_flow_runs(&self.under_way(), FlowRunSort::ExpectedStartTimeAsc, page).await {
                    Ok(runs) => runs,
                    Err(error) => {
                        debug!("the runs under way cannot be listed yet: {error}");
                        sleep(retry).await;
                        retry = (retry * 2).min(LAST_RETRY);
                        continue;
                    }
                };
            let is_last = (runs.len() as i64) < Page::LARGEST;
            for run in runs {
                // Runs of a deployment are in the same place, unless they say otherwise themselves.
                if known.insert((run.deployment_id, placed(&run, I::PLACED_BY))) {
                    self.find_near(&run).await;
                }
            }
            if is_last {
                return;
            }
            offset += Page::LARGEST;
        }
    }

    fn under_way(&self) -> RunFilters {
        let types = StateTypeFilter { any_: Some(UNDER_WAY.to_vec()), ..StateTypeFilter::default() };
        let state = StateFilter { r#type: Some(types), ..StateFilter::default() };
        let pool = TextFilter { any_: Some(vec![self.options.pool.clone()]), ..TextFilter::default() };
        RunFilters {
            flow_runs: Some(FlowRunFilter { state: Some(state), ..FlowRunFilter::default() }),
            work_pools: Some(WorkPoolFilter { name: Some(pool), ..WorkPoolFilter::default() }),
            ..RunFilters::default()
        }
    }

    async fn find_near(self: &Arc<Self>, run: &FlowRun) {
        // Only where it would be matters.
        let attempt =
            Attempt { flow_run_id: run.id, flow_run_name: run.name.clone(), attempt: 1, token: None, owner: None };
        let spec = match self.prepare(run, &attempt).await {
            Ok((spec, _)) => spec,
            // It will be told of when it is started; what could not be prepared has no infrastructure.
            Err(failure) => return debug!(flow_run.id = %run.id, "where flow run {} would be: {failure}", run.id),
        };
        match self.infrastructure.find_near(&spec).await {
            Ok(found) => {
                for found in found {
                    self.take_back(found);
                    self.claimed.notify_one();
                }
            }
            Err(error) => {
                warn!(flow_run.id = %run.id, "what was left where flow run {} is cannot be looked for: {error:#}", run.id);
            }
        }
    }
}

/// What a run itself says of its place, as a key.
fn placed(run: &FlowRun, by: &[&str]) -> String {
    let variables = run.job_variables.as_ref().map(tidegate_core::json::Json::value).unwrap_or_default();
    by.iter().map(|name| variables.get(*name).unwrap_or(&Value::Null).to_string()).collect::<Vec<_>>().join(" ")
}
