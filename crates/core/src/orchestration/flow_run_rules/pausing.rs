//! Entering and leaving PAUSED: a pause waits in its process, a suspension gives the process up.

use super::{FlowRule, FlowTransition};
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::{State, StateType},
};

const PAUSED: Kinds = Kinds::of(&[StateType::Paused]);

/// Only a running flow pauses, each pause fires once, and only a deployment's run can be suspended.
pub(super) const HANDLE_PAUSING: FlowRule =
    Rule::governing("handle_pausing", Kinds::ALL, PAUSED).enter(pause).leave(|t| {
        let Some(key) = t.proposed.as_ref().map(pause_key) else { return };
        let keys = t.run.empirical_policy.pause_keys.get_or_insert_default();
        if !keys.contains(&key) {
            keys.push(key);
        }
    });

fn pause(t: &mut FlowTransition<'_>) {
    let Some(proposed) = &t.proposed else { return };
    let verb = verb(proposed);
    let Some(initial) = t.initial() else {
        return t.abort(format!("Cannot {verb} flows with no state."));
    };
    if initial.kind != StateType::Running {
        return t.reject(format!("Cannot {verb} flows that are not currently running."));
    }
    let run = &t.facts.run;
    let key = pause_key(proposed);
    if run.empirical_policy.pause_keys.iter().flatten().any(|fired| *fired == key) {
        return t.reject(format!("This {verb} has already fired."));
    }
    if proposed.state_details.pause_reschedule {
        if run.parent_task_run_id.is_some() {
            t.abort(format!("Cannot {verb} subflows."));
        } else if run.deployment_id.is_none() {
            t.abort(format!("Cannot {verb} flows without a deployment."));
        }
    }
}

/// A pause without a key of its own is known by its state's id: it can never fire again.
fn pause_key(paused: &State) -> String {
    paused.state_details.pause_key.clone().unwrap_or_else(|| paused.id.to_string())
}

fn verb(proposed: &State) -> &'static str {
    if proposed.name == "Suspended" { "suspend" } else { "pause" }
}

/// A paused run goes on, is cancelled, or ends; when its time is over, it fails.
pub(super) const HANDLE_RESUMING: FlowRule = Rule::governing("handle_resuming", PAUSED, Kinds::ALL)
    .enter(resume)
    .leave(|t| t.run.empirical_policy.resuming = Some(true));

fn resume(t: &mut FlowTransition<'_>) {
    let now = t.facts.now;
    let Some((initial, proposed)) = t.ends() else { return };
    let verb = verb(proposed);
    let name = proposed.name.to_lowercase();
    let (from, to) = (initial.kind, proposed.kind);
    let details = &initial.state_details;
    match to {
        StateType::Pending | StateType::Paused => {
            // The reference prints the names of its enumeration; the text is part of the answer.
            return t.reject(format!(
                "This run cannot transition to the StateType.{to} state from the StateType.{from} state."
            ));
        }
        StateType::Running
        | StateType::Scheduled
        | StateType::Cancelling
        | StateType::Completed
        | StateType::Failed
        | StateType::Cancelled
        | StateType::Crashed => {}
    }
    if details.pause_reschedule && t.facts.run.deployment_id.is_none() {
        return t.reject(format!("Cannot reschedule a {name} flow run without a deployment."));
    }
    // A waiting process is still there to be cancelled, however late it is.
    if to != StateType::Cancelling && details.pause_timeout.is_some_and(|timeout| timeout.at() < now) {
        let failed = t.replacement(StateType::Failed).with_message(format!("The flow was {name} and never resumed."));
        t.replace(failed, format!("The flow run {verb} has timed out and can no longer resume."));
    }
}
