//! The policies of flow runs: which rules apply, and in which order. The order is the specification; each rule is in the
//! file of its subject.

mod cancelling;
mod deployment_slots;
mod late;
mod pausing;
mod retries;
mod terminal;

use super::{
    FlowRunFacts, Version, ownership,
    shared_rules::{copy_scheduled_time, prevent_pending_transitions, wait_for_scheduled_time},
    transition::{Rule, Transition},
};

type FlowRule = Rule<FlowRunFacts>;
type FlowTransition<'f> = Transition<'f, FlowRunFacts>;

/// What clients propose.
pub(super) const CORE: &[FlowRule] = &[
    ownership::FENCE_STALE_ATTEMPT,
    ownership::REFUSE_CLAIM_OF_OWNED_RUN,
    deployment_slots::PRESERVE_LEASE_ID,
    terminal::PREVENT_DUPLICATE_TRANSITIONS,
    terminal::HANDLE_TERMINAL_STATES,
    cancelling::CANCELLING_ENDS_IN_CANCELLED,
    cancelling::BYPASS_CANCELLING_WITHOUT_INFRASTRUCTURE,
    prevent_pending_transitions(),
    deployment_slots::VALIDATE_AT_RUNNING,
    deployment_slots::SECURE_SLOT,
    deployment_slots::KEEP_SLOT_OF_OLD_CLIENTS,
    late::ONLY_SCHEDULED_RUNS_ARE_MARKED_LATE,
    pausing::HANDLE_PAUSING,
    pausing::HANDLE_RESUMING,
    copy_scheduled_time(),
    wait_for_scheduled_time(),
    retries::RETRY_FAILED,
    deployment_slots::RELEASE_SLOT,
    ownership::OWNER_FOLLOWS_STATE,
];

/// `force`, and what the server sets by itself.
pub(super) const MINIMAL: &[FlowRule] = &[
    ownership::FENCE_STALE_ATTEMPT,
    ownership::REFUSE_CLAIM_OF_OWNED_RUN,
    deployment_slots::KEEP_LIVE_LEASE_ID,
    terminal::PREVENT_RESULT_DATA_LOSS,
    cancelling::BYPASS_CANCELLING_WITHOUT_INFRASTRUCTURE,
    deployment_slots::RELEASE_SLOT,
    ownership::OWNER_FOLLOWS_STATE,
];

/// The service that marks late runs.
pub(super) const MARK_LATE: &[FlowRule] = &[
    deployment_slots::KEEP_LIVE_LEASE_ID,
    late::ONLY_SCHEDULED_RUNS_ARE_MARKED_LATE,
    late::CANCEL_NEW_WHEN_LATE,
    deployment_slots::RELEASE_SLOT,
    ownership::OWNER_FOLLOWS_STATE,
];

/// Pauses and their bookkeeping exist for this client.
fn client_knows_pauses(facts: &FlowRunFacts) -> bool {
    facts.api_version.is_none_or(|version| version >= Version::API_WITH_PAUSES)
}
