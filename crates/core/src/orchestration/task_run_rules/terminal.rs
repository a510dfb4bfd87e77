//! The ways out of a task run's terminal state.

use super::{TaskRule, TaskTransition};
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::StateType,
};

/// A finished run with a stored result stays finished; another may run again, with all its retries.
pub(super) const HANDLE_TERMINAL_STATES: TaskRule =
    Rule::governing("handle_terminal_states", Kinds::TERMINAL, Kinds::ALL)
        .enter(handle_terminal)
        .undo(|t| t.run.run_count = t.facts.run.run_count);

fn handle_terminal(t: &mut TaskTransition<'_>) {
    let (Some(initial), Some(kind)) = (t.initial(), t.proposed_kind()) else { return };
    match kind {
        StateType::Cancelling | StateType::Paused | StateType::Crashed => {
            return t.abort(format!("Run is already {}.", initial.kind));
        }
        _ if initial.kind == StateType::Completed && initial.has_persisted_data() => {
            return t.reject("This run is already completed.");
        }
        StateType::Completed | StateType::Failed | StateType::Cancelled => return,
        StateType::Scheduled | StateType::Pending | StateType::Running => t.run.run_count = 0,
    }
    // Its flow run is in a later try than the one this task ran in.
    let flow_retries =
        t.facts.flow_run.as_ref().is_some_and(|flow_run| t.facts.run.flow_run_run_count < flow_run.run_count);
    if kind == StateType::Running
        && flow_retries
        && let Some(proposed) = &mut t.proposed
    {
        "Retrying".clone_into(&mut proposed.name);
    }
}
