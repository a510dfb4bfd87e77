//! Who runs a flow run. A claim installs an owner with a fencing token; changes from an older attempt are refused; the owner
//! goes when the run leaves its hands. Clients that know nothing of this present no token and are not touched.

use super::{
    facts::FlowRunFacts,
    ruling::{Effect, Status},
    transition::{Kinds, Rule, Transition},
};
use crate::state::{State, StateType};

/// A process that presents a token older than the run's present belongs to an attempt that was given up: whatever it has to
/// say, another attempt says it now.
pub(super) const FENCE_STALE_ATTEMPT: Rule<FlowRunFacts> =
    Rule::governing("fence_stale_attempt", Kinds::ALL, Kinds::ALL).enter(fence);

fn fence(t: &mut Transition<'_, FlowRunFacts>) {
    let facts = t.facts;
    let Some(presented) = facts.presented_token else { return };
    let current = facts.owner.as_ref().map_or(facts.last_token, |owner| owner.token.max(facts.last_token));
    let stale = match &facts.owner {
        Some(_) => presented < current,
        // Nobody owns the run. The last owner may still correct how the run ended, until somebody starts it anew.
        None => presented < current || !both_terminal(t),
    };
    if stale {
        let present = match &facts.owner {
            Some(owner) => format!("attempt {} of `{}` has taken over", owner.attempt, owner.name),
            None => "the run was given up by its owner since".to_owned(),
        };
        t.abort(format!(
            "This change comes from an earlier attempt of the run (token {presented}, newest {current}): {present}."
        ));
    }
}

fn both_terminal(t: &Transition<'_, FlowRunFacts>) -> bool {
    t.initial().is_some_and(State::is_terminal) && t.proposed.as_ref().is_some_and(State::is_terminal)
}

/// A run is claimed by one owner at a time, and each claim has a newer token than all before it.
pub(super) const REFUSE_CLAIM_OF_OWNED_RUN: Rule<FlowRunFacts> =
    Rule::governing("refuse_claim_of_owned_run", Kinds::ALL, Kinds::of(&[StateType::Pending])).enter(|t| {
        let facts = t.facts;
        let Some(claim) = &facts.claim else { return };
        match &facts.owner {
            Some(owner) if owner.deadline > facts.now => {
                t.abort(format!("This run belongs to `{}` until {}.", owner.name, owner.deadline));
            }
            _ if claim.token <= facts.last_token => {
                t.abort(format!("This claim's token {} is not newer than {}.", claim.token, facts.last_token));
            }
            _ => {}
        }
    });

/// Installs the owner of an accepted claim, and removes the owner when the run leaves its process.
pub(super) const OWNER_FOLLOWS_STATE: Rule<FlowRunFacts> = Rule::transform("owner_follows_state").leave(|t| {
    let facts = t.facts;
    let Some(written) = &t.proposed else { return };
    match &facts.claim {
        Some(claim) if written.kind == StateType::Pending => t.effects.push(Effect::SetOwner(claim.clone())),
        _ if facts.owner.is_some() && !stays_in_process(t.initial(), written, t.status) => {
            t.effects.push(Effect::ClearOwner);
        }
        _ => {}
    }
});

fn stays_in_process(initial: Option<&State>, written: &State, status: Status) -> bool {
    let was = |kind| initial.is_some_and(|initial| initial.kind == kind);
    match written.kind {
        StateType::Running | StateType::Cancelling => true,
        // Progress within PENDING, and not a submission by somebody who did not claim.
        StateType::Pending => was(StateType::Pending),
        StateType::Paused => !written.state_details.pause_reschedule,
        // A retry waits in its process; it was put in place of a failure, not proposed.
        StateType::Scheduled => {
            was(StateType::Scheduled) || status == Status::Reject && written.name == "AwaitingRetry"
        }
        StateType::Completed | StateType::Failed | StateType::Cancelled | StateType::Crashed => false,
    }
}
