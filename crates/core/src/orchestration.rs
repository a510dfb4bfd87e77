//! Deciding state changes: facts in, ruling out. The server reads the facts, calls `decide_*`, and writes the state, the
//! run and the effects in one transaction; nothing here reads a clock, a database or a random source.

mod facts;
mod flow_run_rules;
mod global_transforms;
mod jitter;
mod lease_expiry;
mod ownership;
mod ruling;
mod shared_rules;
mod task_run_rules;
mod transition;
mod version;

pub use facts::{
    CollisionStrategy, DeploymentFacts, FlowRun, FlowRunFacts, FlowRunPolicy, FlowRunPolicyKind, LimitFacts, Owner,
    ParentFlowRun, TagLimit, TaskRun, TaskRunFacts, TaskRunPolicy, TaskRunPolicyKind, Waits,
};
pub use jitter::clamped_poisson;
pub use lease_expiry::{LEASE_LOST, propose_after_lost_lease};
pub use ruling::{Effect, Ruling, Status};
pub use version::Version;

use crate::state::State;

/// Decides a flow run's change. `proposed` carries the id and timestamp it would be written with; a state that a rule puts
/// in its place is written with the same id.
pub fn decide_flow_run(proposed: State, facts: &FlowRunFacts) -> Ruling<FlowRun> {
    let rules = match facts.policy {
        FlowRunPolicyKind::Core => flow_run_rules::CORE,
        FlowRunPolicyKind::Minimal => flow_run_rules::MINIMAL,
        FlowRunPolicyKind::MarkLate => flow_run_rules::MARK_LATE,
    };
    transition::decide(proposed, facts, rules, global_transforms::FLOW_RUN)
}

/// Decides a task run's change.
pub fn decide_task_run(proposed: State, facts: &TaskRunFacts) -> Ruling<TaskRun> {
    let rules = match facts.policy {
        TaskRunPolicyKind::Core => task_run_rules::CORE,
        TaskRunPolicyKind::Minimal => task_run_rules::MINIMAL,
        TaskRunPolicyKind::Background => task_run_rules::BACKGROUND,
    };
    transition::decide(proposed, facts, rules, global_transforms::TASK_RUN)
}
