//! What becomes of a run whose owner went silent: the change to propose when an owner lease has expired.

use super::facts::{FlowRun, Owner};
use crate::state::{State, StateCreate, StateDetails, StateType};

/// The failure class of a run whose owner went silent.
pub const LEASE_LOST: &str = "lease_lost";

/// The state to propose (with the core policy and without a token) for a run whose owner's deadline has passed; `None` when
/// the run is not in anybody's hands. A claim that never made infrastructure goes back to SCHEDULED, what was being
/// cancelled is CANCELLED, and all else has CRASHED.
pub fn propose_after_lost_lease(run: &FlowRun, state: &State, owner: &Owner) -> Option<StateCreate> {
    let says = |kind, message: String| Some(StateCreate { message: Some(message), ..StateCreate::of(kind) });
    let has_infrastructure = run.infrastructure_pid.as_ref().is_some_and(|pid| !pid.is_empty());
    let (name, deadline) = (&owner.name, owner.deadline);
    match state.kind {
        StateType::Pending if !has_infrastructure => Some(StateCreate {
            message: Some(format!("`{name}` claimed this run and went silent before it started it; it is due again.")),
            state_details: StateDetails {
                scheduled_time: state.state_details.scheduled_time.or(run.expected_start_time.map(Into::into)),
                ..StateDetails::default()
            },
            ..StateCreate::of(StateType::Scheduled)
        }),
        StateType::Cancelling => says(
            StateType::Cancelled,
            format!(
                "Cancelled. `{name}` went silent (lease ended {deadline}): that the infrastructure is gone could not be confirmed."
            ),
        ),
        StateType::Pending | StateType::Running | StateType::Paused | StateType::Scheduled => says(
            StateType::Crashed,
            format!("`{name}` gave no sign of life until the lease ended at {deadline}; the run is taken to be lost."),
        ),
        StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed => None,
    }
}
