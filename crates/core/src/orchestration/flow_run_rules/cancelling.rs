//! Cancelling: what has begun to end ends as CANCELLED, and what has no infrastructure ends at once.

use super::FlowRule;
use crate::{
    orchestration::transition::{Kinds, Rule},
    state::StateType,
};

pub(super) const CANCELLING_ENDS_IN_CANCELLED: FlowRule = Rule::governing(
    "cancelling_ends_in_cancelled",
    Kinds::of(&[StateType::Cancelling]),
    Kinds::all_but(&[StateType::Cancelled]),
)
.enter(|t| t.reject("Cannot transition flows that are cancelling to a state other than Cancelled."));

/// CANCELLING asks somebody to stop the infrastructure. A run that has none would wait for ever.
pub(super) const BYPASS_CANCELLING_WITHOUT_INFRASTRUCTURE: FlowRule = Rule::governing(
    "bypass_cancelling_without_infrastructure",
    Kinds::of(&[StateType::Scheduled, StateType::Paused]),
    Kinds::of(&[StateType::Cancelling]),
)
.enter(|t| {
    let Some(initial) = t.initial() else { return };
    let has_process = t.facts.run.infrastructure_pid.as_ref().is_some_and(|pid| !pid.is_empty());
    if initial.kind == StateType::Scheduled && !has_process || initial.name == "Resuming" {
        let cancelled = t.replacement(StateType::Cancelled);
        t.replace(cancelled, "Scheduled flow run has no infrastructure to terminate.");
    } else if initial.kind == StateType::Paused && initial.state_details.pause_reschedule {
        let cancelled = t.replacement(StateType::Cancelled);
        t.replace(cancelled, "Suspended flow run has no infrastructure to terminate.");
    }
});
