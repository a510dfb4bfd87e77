//! A deployment's concurrency limit: a slot is taken when a run becomes PENDING, held under a lease named in the state, and
//! given back when the run leaves PENDING, RUNNING or CANCELLING.

use super::{FlowRule, FlowTransition};
use crate::{
    ids::LeaseId,
    orchestration::{
        DeploymentFacts, Effect, FlowRunFacts, LimitFacts, Status, Version,
        facts::CollisionStrategy,
        transition::{Kinds, Rule},
    },
    state::{State, StateType},
};

/// Workers send states without the lease's id; it must not get lost on the way.
pub(super) const PRESERVE_LEASE_ID: FlowRule = Rule::transform("preserve_lease_id").enter(preserve_lease_id);

fn preserve_lease_id(t: &mut FlowTransition<'_>) {
    let Some((initial, proposed)) = t.ends() else { return };
    let lease = &mut proposed.state_details.deployment_concurrency_lease_id;
    *lease = lease.or(initial.state_details.deployment_concurrency_lease_id);
}

/// The same where a policy leaves states as they are proposed: only a lease that still holds a slot, and only while it does.
pub(super) const KEEP_LIVE_LEASE_ID: FlowRule = Rule::transform("keep_live_lease_id").enter(|t| {
    let keeps = match (t.initial(), t.proposed_kind()) {
        (Some(initial), Some(kind)) => t.facts.lease_is_live && (holds_slot(kind) || initial.kind == kind),
        _ => false,
    };
    if keeps {
        preserve_lease_id(t);
    }
});

/// The states whose runs occupy a slot.
fn holds_slot(kind: StateType) -> bool {
    match kind {
        StateType::Pending | StateType::Running | StateType::Cancelling => true,
        StateType::Scheduled
        | StateType::Completed
        | StateType::Failed
        | StateType::Cancelled
        | StateType::Crashed
        | StateType::Paused => false,
    }
}

fn lease_of(state: &State) -> Option<LeaseId> {
    state.state_details.deployment_concurrency_lease_id.map(LeaseId)
}

fn renews_leases(facts: &FlowRunFacts) -> bool {
    facts.client_version.is_some_and(|version| version >= Version::CLIENT_RENEWS_LEASES)
}

fn grace_period(deployment: &DeploymentFacts, facts: &FlowRunFacts) -> f64 {
    deployment.grace_period_seconds.unwrap_or(facts.waits.deployment_lease)
}

/// Between PENDING and RUNNING a pod may take longer to start than the lease lasts: renew it, or take a slot anew, or give up
/// because the limit would be exceeded.
pub(super) const VALIDATE_AT_RUNNING: FlowRule =
    Rule::governing("validate_slot_at_running", Kinds::of(&[StateType::Pending]), Kinds::of(&[StateType::Running]))
        .enter(validate_at_running)
        .undo(give_up_new_slot);

fn validate_at_running(t: &mut FlowTransition<'_>) {
    let facts = t.facts;
    let Some((initial, proposed)) = t.ends() else { return };
    let details = &mut proposed.state_details;
    details.deployment_concurrency_lease_id = initial.state_details.deployment_concurrency_lease_id;
    let (Some(lease), Some(deployment)) = (lease_of(initial), &facts.deployment) else { return };
    let Some(limit) = deployment.limit.filter(|_| renews_leases(facts)) else { return };
    let seconds = grace_period(deployment, facts);
    if facts.lease_is_live {
        t.effects.push(Effect::RenewDeploymentLease { lease, seconds });
    } else if !limit.is_full() {
        details.deployment_concurrency_lease_id = Some(facts.new_lease_id.0);
        t.effects.push(Effect::TakeDeploymentSlot { limit: limit.id, lease: facts.new_lease_id, seconds });
    } else {
        let cancelled = t.replacement(StateType::Cancelled).with_message(
            "Deployment concurrency slot lost during provisioning - no slots available to continue execution",
        );
        t.replace(cancelled, "Deployment concurrency limit reached after lease expiry.");
    }
}

/// Takes the slot before a worker makes infrastructure for the run.
pub(super) const SECURE_SLOT: FlowRule = Rule::governing(
    "secure_deployment_slot",
    Kinds::all_but(&[StateType::Pending, StateType::Running, StateType::Cancelling]),
    Kinds::of(&[StateType::Pending]),
)
.enter(secure_slot)
.undo(give_up_new_slot);

fn secure_slot(t: &mut FlowTransition<'_>) {
    let facts = t.facts;
    let worker_counts_itself = facts
        .client_version
        .is_some_and(|version| (Version(3, 0, 0)..=Version::LAST_CLIENT_WITH_OWN_SLOTS).contains(&version));
    let Some(deployment) = facts.deployment.as_ref().filter(|_| !worker_counts_itself) else { return };
    let Some(limit) = deployment.limit.filter(|limit| limit.active) else { return };
    let seconds = grace_period(deployment, facts);
    if limit.limit == 0 {
        return t.abort("The deployment concurrency limit is 0. The flow will deadlock if submitted again.");
    }
    if let Some(lease) = t.initial().and_then(lease_of).filter(|_| facts.lease_is_live) {
        // A retry that waited in its process holds its slot still; a second one would never be given back.
        t.effects.push(Effect::RenewDeploymentLease { lease, seconds });
    } else if !limit.is_full() {
        take_slot(t, &limit, seconds);
    } else {
        reject_for_full_limit(t, deployment.collision_strategy);
    }
}

fn take_slot(t: &mut FlowTransition<'_>, limit: &LimitFacts, seconds: f64) {
    let lease = t.facts.new_lease_id;
    let Some(proposed) = &mut t.proposed else { return };
    proposed.state_details.deployment_concurrency_lease_id = Some(lease.0);
    t.effects.push(Effect::TakeDeploymentSlot { limit: limit.id, lease, seconds });
}

fn reject_for_full_limit(t: &mut FlowTransition<'_>, strategy: CollisionStrategy) {
    const REASON: &str = "Deployment concurrency limit reached.";
    let instead = match strategy {
        CollisionStrategy::Enqueue => {
            let mut waiting = t.replacement(StateType::Scheduled).named("AwaitingConcurrencySlot");
            let wait = t.facts.waits.deployment_slot;
            waiting.state_details.scheduled_time = Some(waiting.timestamp.plus_seconds(wait).into());
            waiting
        }
        CollisionStrategy::CancelNew => t.replacement(StateType::Cancelled).with_message(REASON),
    };
    t.replace(instead, REASON);
}

/// A later rule made another change of it: the slot was never taken.
fn give_up_new_slot(t: &mut FlowTransition<'_>) {
    t.effects.retain(|effect| !matches!(effect, Effect::TakeDeploymentSlot { .. }));
}

/// Clients before 3.4.11 cannot renew a lease: their slot stays taken without one until the run leaves it.
pub(super) const KEEP_SLOT_OF_OLD_CLIENTS: FlowRule = Rule::governing(
    "keep_slot_of_old_clients",
    Kinds::of(&[StateType::Pending]),
    Kinds::of(&[StateType::Running, StateType::Cancelling]),
)
.leave(|t| {
    let facts = t.facts;
    let limit = facts.deployment.as_ref().and_then(|deployment| deployment.limit);
    if let (Some(lease), Some(limit)) = (t.initial().and_then(lease_of), limit)
        && facts.lease_is_live
        && !renews_leases(facts)
    {
        t.effects.push(Effect::KeepSlotWithoutLease { limit: limit.id, lease });
    }
});

/// Gives the slot back when the run stops occupying it.
pub(super) const RELEASE_SLOT: FlowRule = Rule::transform("release_deployment_slot").leave(|t| {
    let facts = t.facts;
    let (Some(initial), Some(proposed)) = (t.initial(), &t.proposed) else { return };
    let lease = lease_of(initial);
    let limit = facts.deployment.as_ref().and_then(|deployment| deployment.limit);
    // A retry that waits in its process keeps its slot: it holds one while SCHEDULED.
    let waits_in_process = initial.kind == StateType::Scheduled && lease.is_some() && facts.lease_is_live;
    let goes_to_wait = proposed.kind == StateType::Scheduled
        && (waits_in_process || t.status == Status::Reject && proposed.name == "AwaitingRetry");
    if !(holds_slot(initial.kind) || waits_in_process) || holds_slot(proposed.kind) || goes_to_wait {
        return;
    }
    match (limit, lease) {
        (Some(limit), lease) => t.effects.push(Effect::ReleaseDeploymentSlot { limit: limit.id, lease }),
        (None, Some(lease)) if facts.lease_is_live => t.effects.push(Effect::ReleaseLease { lease }),
        (None, _) => {}
    }
});
