//! What a task run owes to its flow run.

use super::{TaskRule, TaskTransition};
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::StateType,
};

/// A flow's tasks run only while the flow does.
pub(super) const PREVENT_RUNNING_IN_STOPPED_FLOWS: TaskRule =
    Rule::governing("prevent_running_in_stopped_flows", Kinds::ALL, Kinds::of(&[StateType::Running])).enter(prevent);

fn prevent(t: &mut TaskTransition<'_>) {
    let Some(flow_run) = &t.facts.flow_run else { return };
    match flow_run.state_type {
        Some(StateType::Running) => {}
        Some(StateType::Paused) => {
            let mut waiting = t.replacement(StateType::Paused).named("NotReady");
            waiting.state_details.pause_timeout = flow_run.pause_timeout.map(Into::into);
            waiting.state_details.pause_reschedule = flow_run.pause_reschedule;
            let id = flow_run.id;
            t.replace(waiting, format!("The flow is paused, new tasks can execute after resuming flow run: {id}."));
        }
        None
        | Some(
            StateType::Scheduled
            | StateType::Pending
            | StateType::Completed
            | StateType::Failed
            | StateType::Cancelled
            | StateType::Crashed
            | StateType::Cancelling,
        ) => t.abort("The enclosing flow must be running to begin task execution."),
    }
}

/// Remembers in which try of its flow run a task ran.
pub(super) const TRACK_FLOW_RUN_COUNT: TaskRule =
    Rule::governing("track_flow_run_count", Kinds::ALL, Kinds::of(&[StateType::Running])).leave(|t| {
        if let Some(flow_run) = &t.facts.flow_run {
            t.run.flow_run_run_count = flow_run.run_count;
        }
    });
