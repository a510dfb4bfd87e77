//! What the rules may know about a proposed change: read by the server in the transaction that writes the answer. A rule
//! sees nothing else, so that the same facts always give the same ruling.

use serde::{Deserialize, Serialize};

use super::Version;
use crate::{
    ids::{ConcurrencyLimitId, DeploymentId, FlowRunId, LeaseId, TaskRunId},
    json::Json,
    state::{State, StateType},
    time::Timestamp,
};

/// Which list of rules applies to a flow run's change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FlowRunPolicyKind {
    /// What clients propose.
    Core,
    /// `force`, or set by the server itself.
    Minimal,
    /// The late-runs service.
    MarkLate,
}

/// Which list of rules applies to a task run's change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TaskRunPolicyKind {
    Core,
    /// `force`.
    Minimal,
    /// The proposed state is deferred: a background task.
    Background,
}

/// A flow run's retry and pause bookkeeping (`empirical_policy` on the wire).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowRunPolicy {
    pub max_retries: i64,
    pub retry_delay_seconds: f64,
    pub retries: Option<i64>,
    /// Whole seconds.
    pub retry_delay: Option<i64>,
    pub pause_keys: Option<Vec<String>>,
    pub resuming: Option<bool>,
    /// `in_process` or `reschedule`.
    pub retry_type: Option<String>,
}

impl Default for FlowRunPolicy {
    fn default() -> Self {
        Self {
            max_retries: 0,
            retry_delay_seconds: 0.0,
            retries: None,
            retry_delay: None,
            pause_keys: Some(Vec::new()),
            resuming: Some(false),
            retry_type: None,
        }
    }
}

/// A task run's retry settings (`empirical_policy` on the wire).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskRunPolicy {
    pub max_retries: i64,
    pub retry_delay_seconds: f64,
    pub retries: Option<i64>,
    /// Seconds, or a list of seconds of which the last one repeats. Kept as text: 2 stays 2 and 2.0 stays 2.0.
    pub retry_delay: Option<Json>,
    pub retry_jitter_factor: Option<f64>,
}

/// The columns of a flow run that rules read and change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FlowRun {
    pub id: FlowRunId,
    pub deployment_id: Option<DeploymentId>,
    pub parent_task_run_id: Option<TaskRunId>,
    pub infrastructure_pid: Option<String>,
    pub run_count: i64,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    /// Seconds spent in RUNNING states that were left.
    pub total_run_time: f64,
    pub expected_start_time: Option<Timestamp>,
    pub next_scheduled_start_time: Option<Timestamp>,
    pub empirical_policy: FlowRunPolicy,
}

/// The columns of a task run that rules read and change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TaskRun {
    pub id: TaskRunId,
    pub flow_run_id: Option<FlowRunId>,
    pub task_key: String,
    pub run_count: i64,
    pub flow_run_run_count: i64,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub total_run_time: f64,
    pub expected_start_time: Option<Timestamp>,
    pub next_scheduled_start_time: Option<Timestamp>,
    pub empirical_policy: TaskRunPolicy,
}

/// What happens to a new run when a deployment's limit is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CollisionStrategy {
    Enqueue,
    CancelNew,
}

/// A concurrency limit at the moment of the decision.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LimitFacts {
    pub id: ConcurrencyLimitId,
    /// Inactive limits do not count and do not hold.
    pub active: bool,
    pub limit: i64,
    /// Slots taken now, decay considered.
    pub taken: i64,
    /// Moving average of how long a slot is held, seconds.
    pub average_occupancy_seconds: f64,
}

impl LimitFacts {
    pub fn is_full(&self) -> bool {
        self.active && self.taken >= self.limit
    }
}

/// A run's deployment, as far as rules care.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeploymentFacts {
    pub id: DeploymentId,
    pub limit: Option<LimitFacts>,
    pub collision_strategy: CollisionStrategy,
    /// How long a started run may take to renew its slot's lease, seconds (`concurrency_options.grace_period_seconds`).
    pub grace_period_seconds: Option<f64>,
}

/// Who runs a flow run: the lease that makes a silent death visible.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the owner (a worker, or a client's heartbeat source).
    pub name: String,
    /// Fencing token: grows with every claim of this run. A change that presents an older one is refused.
    pub token: i64,
    /// When the owner counts as gone.
    pub deadline: Timestamp,
    /// Which try of this run the infrastructure belongs to, from 1.
    pub attempt: i64,
}

/// Waiting times from the settings, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Waits {
    pub deployment_slot: f64,
    pub tag_slot: f64,
    pub deployment_lease: f64,
}

impl Default for Waits {
    fn default() -> Self {
        Self { deployment_slot: 30.0, tag_slot: 10.0, deployment_lease: 300.0 }
    }
}

/// All that the rules may know about a proposed change of a flow run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FlowRunFacts {
    pub now: Timestamp,
    pub policy: FlowRunPolicyKind,
    /// From `User-Agent: prefect/<version>`; `None` for other clients.
    pub client_version: Option<Version>,
    /// From `X-PREFECT-API-VERSION`.
    pub api_version: Option<Version>,
    pub run: FlowRun,
    pub state: Option<State>,
    pub deployment: Option<DeploymentFacts>,
    /// Whether the concurrency lease named by the initial (or proposed) state still holds its slot.
    pub lease_is_live: bool,
    pub owner: Option<Owner>,
    /// The newest fencing token ever given for this run, 0 before the first claim. Outlives the owner: it is what tells
    /// a process of an older attempt from the run's present when nobody owns the run.
    pub last_token: i64,
    /// The fencing token that the caller presented for this very run. A process sends its headers with every request, also
    /// about the runs that it starts: a token of another run is none.
    pub presented_token: Option<i64>,
    /// The owner to install if the change is a claim (a Tidegate worker's SCHEDULED → PENDING).
    pub claim: Option<Owner>,
    /// A lease id to use if a slot is taken.
    pub new_lease_id: LeaseId,
    /// In [0, 1): the randomness of jittered waits.
    pub random: f64,
    pub waits: Waits,
}

/// The flow run that a task run belongs to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ParentFlowRun {
    pub id: FlowRunId,
    pub state_type: Option<StateType>,
    pub run_count: i64,
    /// Of a PAUSED parent.
    pub pause_timeout: Option<Timestamp>,
    pub pause_reschedule: bool,
    pub retry_type: Option<String>,
}

/// A limit on a tag of a task run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TagLimit {
    pub tag: String,
    pub limit: LimitFacts,
    /// The run holds a slot of it already.
    pub held: bool,
}

/// All that the rules may know about a proposed change of a task run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TaskRunFacts {
    pub now: Timestamp,
    pub policy: TaskRunPolicyKind,
    pub client_version: Option<Version>,
    pub api_version: Option<Version>,
    pub run: TaskRun,
    pub state: Option<State>,
    pub flow_run: Option<ParentFlowRun>,
    /// The unexpired cached state for the proposed state's `cache_key`, if there is one.
    pub cached_state: Option<State>,
    /// Limits on the run's tags, in the order of the tags.
    pub tag_limits: Vec<TagLimit>,
    pub max_cache_key_length: usize,
    pub new_lease_id: LeaseId,
    pub random: f64,
    pub waits: Waits,
}
