//! Marking runs late, and what a full limit makes of late runs.

use super::{FlowRule, FlowTransition};
use crate::{
    orchestration::{
        facts::CollisionStrategy,
        transition::{Kinds, Rule},
    },
    state::StateType,
};

const SCHEDULED: Kinds = Kinds::of(&[StateType::Scheduled]);

/// Only a scheduled run can be late, and only once.
pub(super) const ONLY_SCHEDULED_RUNS_ARE_MARKED_LATE: FlowRule =
    Rule::governing("only_scheduled_runs_are_marked_late", Kinds::ALL, SCHEDULED).enter(|t| {
        let Some((initial, proposed)) = t.ends() else { return };
        if proposed.name != "Late" {
            return;
        }
        if initial.kind != StateType::Scheduled {
            t.reject("Only scheduled flows can be marked late.");
        } else if initial.name == "Late" {
            t.reject("This flow run is already marked late.");
        }
    });

/// A deployment that cancels new runs while it is full also cancels those that never came to ask for a slot.
pub(super) const CANCEL_NEW_WHEN_LATE: FlowRule =
    Rule::governing("cancel_new_when_late", SCHEDULED, SCHEDULED).enter(cancel_new);

fn cancel_new(t: &mut FlowTransition<'_>) {
    let late = t.proposed.as_ref().is_some_and(|proposed| proposed.name == "Late");
    let Some(deployment) = t.facts.deployment.as_ref().filter(|_| late) else { return };
    let full = deployment.limit.as_ref().is_some_and(super::super::LimitFacts::is_full);
    if full && deployment.collision_strategy == CollisionStrategy::CancelNew {
        let cancelled = t.replacement(StateType::Cancelled).with_message("Deployment concurrency limit reached.");
        t.replace(cancelled, "Deployment concurrency limit is full and uses the CANCEL_NEW strategy.");
    }
}
