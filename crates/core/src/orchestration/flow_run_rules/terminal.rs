//! Repeated requests, and the ways out of a terminal state.

use super::{FlowRule, FlowTransition, client_knows_pauses};
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::{State, StateType},
};

/// A client that got no answer asks again with the same transition id: the change was made already.
pub(super) const PREVENT_DUPLICATE_TRANSITIONS: FlowRule =
    Rule::governing("prevent_duplicate_transitions", Kinds::ALL, Kinds::ALL).enter(|t| {
        let Some((initial, proposed)) = t.ends() else { return };
        let id = initial.state_details.transition_id;
        if id.is_some() && id == proposed.state_details.transition_id {
            t.reject("This run has already made this state transition.");
        }
    });

/// Terminal states are left for a retry or a new schedule only, and a stored result is never lost.
pub(super) const HANDLE_TERMINAL_STATES: FlowRule =
    Rule::governing("handle_terminal_states", Kinds::TERMINAL, Kinds::ALL).enter(handle_terminal).undo(|t| {
        t.run.empirical_policy = t.facts.run.empirical_policy.clone();
    });

fn handle_terminal(t: &mut FlowTransition<'_>) {
    let Some((initial, proposed)) = t.ends() else { return };
    let kind = proposed.kind;
    let loses_result = would_lose_result(initial, proposed);
    match kind {
        StateType::Cancelling | StateType::Paused | StateType::Crashed => {
            t.abort(format!("Run is already in terminal state {}.", initial.kind));
        }
        _ if initial.kind == StateType::Completed && !kind.is_terminal() && initial.has_persisted_data() => {
            t.reject("Run is already COMPLETED.");
        }
        _ if loses_result => t.reject(RESULT_WOULD_BE_LOST),
        StateType::Scheduled if t.facts.run.deployment_id.is_none() => {
            t.abort("Cannot reschedule a run without an associated deployment.");
        }
        StateType::Completed | StateType::Failed | StateType::Cancelled => {}
        StateType::Scheduled | StateType::Pending | StateType::Running => {
            if client_knows_pauses(t.facts) {
                let policy = &mut t.run.empirical_policy;
                policy.resuming = Some(false);
                policy.pause_keys = Some(Vec::new());
                policy.retry_type = (kind == StateType::Scheduled).then(|| "reschedule".to_owned());
            }
        }
    }
}

const RESULT_WOULD_BE_LOST: &str =
    "Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.";

/// The part of the above that even `force` does not switch off.
pub(super) const PREVENT_RESULT_DATA_LOSS: FlowRule =
    Rule::governing("prevent_result_data_loss", Kinds::TERMINAL, Kinds::TERMINAL).enter(|t| {
        let Some((initial, proposed)) = t.ends() else { return };
        if would_lose_result(initial, proposed) {
            t.reject(RESULT_WOULD_BE_LOST);
        }
    });

fn would_lose_result(initial: &State, proposed: &State) -> bool {
    initial.kind == StateType::Completed
        && proposed.kind == StateType::Completed
        && initial.has_persisted_data()
        && !proposed.has_persisted_data()
}
