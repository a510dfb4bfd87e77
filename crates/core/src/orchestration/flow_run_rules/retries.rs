//! Retries of flow runs, in the process that failed.

use super::{FlowRule, FlowTransition, client_knows_pauses};
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::StateType,
};

/// A failed run that has tries left waits and goes on in its process, with its slot.
pub(super) const RETRY_FAILED: FlowRule =
    Rule::governing("retry_failed", Kinds::of(&[StateType::Running]), Kinds::of(&[StateType::Failed])).enter(retry);

fn retry(t: &mut FlowTransition<'_>) {
    let run = &t.facts.run;
    let policy = &run.empirical_policy;
    if policy.retries.is_none_or(|retries| run.run_count > retries) {
        t.run.empirical_policy.retry_type = None;
        return;
    }
    if client_knows_pauses(t.facts) {
        let updated = &mut t.run.empirical_policy;
        updated.resuming = Some(false);
        updated.pause_keys = Some(Vec::new());
        updated.retry_type = Some("in_process".to_owned());
    }
    let mut waiting = t.replacement(StateType::Scheduled).named("AwaitingRetry");
    let Some((initial, proposed)) = t.ends() else { return };
    waiting.message = proposed.message.take();
    waiting.data = proposed.data.take();
    let details = &mut waiting.state_details;
    details.scheduled_time = Some(waiting.timestamp.plus_seconds(policy.retry_delay.unwrap_or(0) as f64).into());
    details.deployment_concurrency_lease_id = initial.state_details.deployment_concurrency_lease_id;
    t.replace(waiting, "Retrying");
}
