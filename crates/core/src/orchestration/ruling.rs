//! What the rules answer: the status, the state and the run to write, and the effects of the same transaction.

use serde::{Deserialize, Serialize};

use super::facts::Owner;
use crate::{
    ids::{ConcurrencyLimitId, LeaseId, TaskRunId},
    state::State,
    time::Timestamp,
};

/// The four answers to a proposal, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Accept,
    Reject,
    Wait,
    Abort,
}

/// What else the transaction must do. Effects are applied in order, after the state and the run are written.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "a ruling has one or two effects; a box would cost more than it saves")]
pub enum Effect {
    /// Take one slot of a deployment's limit under a new lease.
    TakeDeploymentSlot { limit: ConcurrencyLimitId, lease: LeaseId, seconds: f64 },
    /// Move the lease's deadline.
    RenewDeploymentLease { lease: LeaseId, seconds: f64 },
    /// Forget the lease but keep the slot taken: old clients cannot renew.
    KeepSlotWithoutLease { limit: ConcurrencyLimitId, lease: LeaseId },
    /// Give the slot back: the one under this lease, if the lease still holds one; without a lease, the one that this run
    /// holds by itself, if any. Never another run's.
    ReleaseDeploymentSlot { limit: ConcurrencyLimitId, lease: Option<LeaseId> },
    /// Give back what this lease holds; the deployment has lost its limit since.
    ReleaseLease { lease: LeaseId },
    /// Take one slot of each tag limit under one lease held by the task run.
    TakeTagSlots { limits: Vec<ConcurrencyLimitId>, lease: LeaseId },
    /// Give back every slot that the task run holds.
    ReleaseTagSlots,
    /// Copy the new state onto the task run that stands for this sub-flow in its parent, by force.
    SetParentTaskRunState { task_run: TaskRunId, state: State },
    /// Remember the state for its cache key.
    InsertCachedState { key: String, expiration: Option<Timestamp> },
    /// Hand the task run to the workers of its task key.
    EnqueueTask { task_key: String, is_retry: bool },
    /// Install the owner lease (a claim).
    SetOwner(Owner),
    /// The run has no owner any more.
    ClearOwner,
}

/// The answer to a proposal, and what to write.
#[derive(Clone, PartialEq, Debug)]
pub struct Ruling<Run> {
    pub status: Status,
    pub reason: Option<String>,
    /// Of WAIT: whole seconds until the client should ask again.
    pub delay_seconds: Option<i64>,
    /// The rule that refused, replaced or delayed the change; for logs and metrics.
    pub settled_by: Option<&'static str>,
    /// The state to write; `None` when nothing changes (WAIT, ABORT, and REJECT that keeps the current state).
    pub state: Option<State>,
    /// The run's columns after the change; equal to the facts' when nothing changes.
    pub run: Run,
    /// May be there without a state: a client that is told to wait has its lease renewed.
    pub effects: Vec<Effect>,
}
