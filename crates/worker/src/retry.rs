//! Scheduling a run again because its infrastructure failed, and not the flow: the flow keeps all the retries of its own.

use std::time::Duration;

use serde_json::{Map, Value};
use tidegate_api::{
    Patch,
    flow_runs::{FlowRun, FlowRunUpdate},
};
use tidegate_client::Client;
use tidegate_core::{
    orchestration::{FlowRunPolicy, Status},
    state::{StateCreate, StateDetails, StateType},
};
use tracing::{info, warn};

use crate::{
    clock::now,
    infrastructure::{Attempt, Retry},
};

/// A run's variables can be changed only while it waits, and workers look ten seconds ahead.
const UNSEEN: Duration = Duration::from_secs(20);

/// Whether the run is scheduled again. If not, what happened is its end.
pub(crate) async fn schedule(client: &Client, run: &FlowRun, attempt: &Attempt, retry: &Retry) -> bool {
    let id = run.id;
    // An earlier attempt has no say any more.
    let known = client.read_flow_run_infrastructure(id).await.ok().flatten();
    if known.is_none_or(|known| known.attempt != attempt.attempt) {
        return false;
    }
    // A run that has begun counts this as one of its tries: it gets that one back.
    let retries = run.empirical_policy.retries.filter(|retries| run.run_count > 0 && *retries > 0);
    let delay = if retry.job_variables.is_empty() { retry.delay } else { retry.delay.max(UNSEEN) };
    let scheduled = StateCreate {
        name: Some("AwaitingRetry".to_owned()),
        message: Some(retry.message.clone()),
        state_details: StateDetails {
            scheduled_time: Some(now().plus_seconds(delay.as_secs_f64()).into()),
            ..StateDetails::default()
        },
        ..StateCreate::of(StateType::Scheduled)
    };
    let done = async {
        if let Some(retries) = retries {
            let policy = FlowRunPolicy { retries: Some(retries + 1), ..run.empirical_policy.clone() };
            let empirical_policy = Patch::Set(policy);
            client.update_flow_run(id, &FlowRunUpdate { empirical_policy, ..FlowRunUpdate::default() }).await?;
        }
        let result = client.set_flow_run_state(id, scheduled, true).await?;
        if result.status == Status::Accept && !retry.job_variables.is_empty() {
            let mut variables: Map<String, Value> =
                run.job_variables.as_ref().and_then(|given| given.value().as_object().cloned()).unwrap_or_default();
            variables.extend(retry.job_variables.clone());
            let job_variables = Patch::Set(Value::Object(variables).into());
            client.update_flow_run(id, &FlowRunUpdate { job_variables, ..FlowRunUpdate::default() }).await?;
        }
        Ok::<_, tidegate_client::Error>(result)
    };
    match done.await {
        Ok(result) if result.status == Status::Accept => {
            info!(flow_run.id = %id, "flow run {id} is tried again: {}", retry.message);
            true
        }
        Ok(result) => {
            warn!(flow_run.id = %id, status = ?result.status, "flow run {id} cannot be tried again");
            false
        }
        Err(error) => {
            warn!(flow_run.id = %id, "flow run {id} cannot be tried again: {error}");
            false
        }
    }
}
