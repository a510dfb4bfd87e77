//! Answers to proposed state changes, and our own worker protocol: claims, renewals and verdicts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::{
    orchestration::Status,
    state::{State, StateCreate},
    time::Timestamp,
};
use uuid::Uuid;

use crate::flow_runs::FlowRun;

/// Body of `set_state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetState {
    pub state: StateCreate,
    #[serde(default)]
    pub force: bool,
}

/// Why a proposal ended as it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ResultDetails {
    #[serde(rename = "accept_details")]
    Accept {},
    #[serde(rename = "reject_details")]
    Reject { reason: Option<String> },
    #[serde(rename = "abort_details")]
    Abort { reason: Option<String> },
    #[serde(rename = "wait_details")]
    Wait { delay_seconds: i64, reason: Option<String> },
}

/// The answer to a proposed state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrchestrationResult {
    pub state: Option<State>,
    pub status: Status,
    pub details: ResultDetails,
}

/// A worker asks for due runs and waits for them (`POST /work_pools/{name}/claim`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimRequest {
    pub worker_name: String,
    #[serde(default)]
    pub work_queue_names: Option<Vec<String>>,
    /// Free places at the worker; 0 waits for cancellations only.
    pub limit: i64,
    #[serde(default)]
    pub wait_seconds: f64,
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    /// The worker renews the lease as soon as the answer has come. Until then it is short, so that runs offered to a worker
    /// that has just vanished are due again soon.
    #[serde(default)]
    pub acknowledges: bool,
}

/// The lease that a claim gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnerLease {
    pub token: i64,
    pub attempt: i64,
    pub deadline: Timestamp,
}

/// A run that now belongs to the worker that asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimedRun {
    pub work_pool_id: Uuid,
    pub work_queue_id: Uuid,
    pub flow_run: FlowRun,
    pub owner: OwnerLease,
}

/// A run of this worker, by id and fencing token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnedRun {
    pub flow_run_id: Uuid,
    pub token: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClaimResponse {
    pub runs: Vec<ClaimedRun>,
    /// Runs of this worker that somebody wants cancelled.
    pub cancelling: Vec<OwnedRun>,
}

/// A worker says that its runs are alive (`POST /work_pools/{name}/leases/renew`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewRequest {
    pub worker_name: String,
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    pub runs: Vec<OwnedRun>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RenewResponse {
    pub renewed: Vec<Uuid>,
    /// Not this worker's any more: stop them and report nothing.
    pub lost: Vec<Uuid>,
    pub cancelling: Vec<Uuid>,
}

/// What kind of failure ended a run, told by who ran it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `exit_code`, `signal`, `oom_killed`, `lease_lost`, …
    pub class: String,
    #[serde(default)]
    pub exit_code: Option<i64>,
    #[serde(default)]
    pub signal: Option<i64>,
    #[serde(default)]
    pub message: String,
}

/// The end of a run's infrastructure, told by its owner (`POST /flow_runs/{id}/verdict`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    pub token: i64,
    /// How the run ends; with `retry`, the SCHEDULED state in which it waits for another try.
    pub state: StateCreate,
    #[serde(default)]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryGrant>,
}

/// Another try for a run whose infrastructure failed, beside the tries that its flow allows itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetryGrant {
    /// What the run's next job has otherwise.
    #[serde(default)]
    pub job_variables: Map<String, Value>,
}

/// Who runs a flow run and how it failed, if it did (`GET /flow_runs/{id}/infrastructure`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Infrastructure {
    pub owner: Option<OwnerLease>,
    pub owner_name: Option<String>,
    pub attempt: i64,
    pub failure: Option<Failure>,
    pub infrastructure_pid: Option<String>,
}
