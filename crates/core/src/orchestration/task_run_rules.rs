//! The policies of task runs: which rules apply, and in which order. The order is the specification; each rule is in the
//! file of its subject.

mod background;
mod caching;
mod parent;
mod retries;
mod tag_slots;
mod terminal;

use super::{
    TaskRunFacts,
    shared_rules::{copy_scheduled_time, prevent_pending_transitions, wait_for_scheduled_time},
    transition::{Rule, Transition},
};

type TaskRule = Rule<TaskRunFacts>;
type TaskTransition<'f> = Transition<'f, TaskRunFacts>;

/// What clients propose.
pub(super) const CORE: &[TaskRule] = &[
    caching::RETRIEVE,
    terminal::HANDLE_TERMINAL_STATES,
    parent::PREVENT_RUNNING_IN_STOPPED_FLOWS,
    tag_slots::SECURE_SLOTS,
    copy_scheduled_time(),
    wait_for_scheduled_time(),
    retries::RETRY_FAILED,
    retries::RENAME_RERUNS,
    parent::TRACK_FLOW_RUN_COUNT,
    caching::INSERT,
    tag_slots::RELEASE_SLOTS,
];

/// Tasks that wait in a queue for a worker of their own, without a flow run.
pub(super) const BACKGROUND: &[TaskRule] = &[
    prevent_pending_transitions(),
    caching::RETRIEVE,
    terminal::HANDLE_TERMINAL_STATES,
    copy_scheduled_time(),
    background::COPY_PARAMETERS_ID,
    wait_for_scheduled_time(),
    retries::RETRY_FAILED,
    retries::RENAME_RERUNS,
    parent::TRACK_FLOW_RUN_COUNT,
    caching::INSERT,
    tag_slots::RELEASE_SLOTS,
    background::ENQUEUE,
];

/// `force`.
pub(super) const MINIMAL: &[TaskRule] = &[tag_slots::RELEASE_SLOTS];
