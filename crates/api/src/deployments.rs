//! Deployments: flows with parameters, schedules and a place to run.

use serde::{Deserialize, Serialize};
use tidegate_core::{
    json::Json,
    orchestration::{CollisionStrategy, FlowRunPolicy},
    state::StateCreate,
    time::Timestamp,
};
use uuid::Uuid;

use crate::flow_runs::CreatedBy;
use crate::flow_runs::UpdatedBy;
use crate::patch::Patch;
use crate::yes;

/// A deployment as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub flow_id: Uuid,
    #[serde(default)]
    pub paused: bool,
    #[serde(default)]
    pub schedules: Vec<DeploymentSchedule>,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub global_concurrency_limit: Option<GlobalConcurrencyLimit>,
    #[serde(default)]
    pub concurrency_options: Option<ConcurrencyOptions>,
    #[serde(default)]
    pub job_variables: Json,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub labels: Json,
    #[serde(default)]
    pub work_queue_name: Option<String>,
    #[serde(default)]
    pub work_queue_id: Option<Uuid>,
    #[serde(default)]
    pub last_polled: Option<Timestamp>,
    #[serde(default)]
    pub parameter_openapi_schema: Option<Json>,
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub pull_steps: Option<Vec<Json>>,
    #[serde(default)]
    pub entrypoint: Option<String>,
    #[serde(default)]
    pub storage_document_id: Option<Uuid>,
    #[serde(default)]
    pub infrastructure_document_id: Option<Uuid>,
    #[serde(default)]
    pub created_by: Option<CreatedBy>,
    #[serde(default)]
    pub updated_by: Option<UpdatedBy>,
    #[serde(default)]
    pub work_pool_name: Option<String>,
    #[serde(default)]
    pub status: Option<DeploymentStatus>,
    #[serde(default = "yes")]
    pub enforce_parameter_schema: bool,
}

/// A deployment to create, or, where the flow has one of this name, to replace: what is left out keeps what it was,
/// except for parameters, labels and schedules, which are replaced in any case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentCreate {
    pub name: String,
    pub flow_id: Uuid,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub paused: Patch<bool>,
    #[serde(default)]
    pub schedules: Vec<DeploymentScheduleCreate>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub concurrency_limit: Patch<i64>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub concurrency_options: Patch<ConcurrencyOptions>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub global_concurrency_limit_id: Patch<Uuid>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub enforce_parameter_schema: Patch<bool>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub parameter_openapi_schema: Patch<Json>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub tags: Patch<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Json>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub pull_steps: Patch<Vec<Json>>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub work_queue_name: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub work_pool_name: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub storage_document_id: Patch<Uuid>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub infrastructure_document_id: Patch<Uuid>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub path: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub version: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub entrypoint: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub job_variables: Patch<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_info: Option<VersionInfo>,
}

/// Changes to a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DeploymentUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub version: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub paused: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub schedules: Patch<Vec<DeploymentScheduleUpdate>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub concurrency_limit: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub concurrency_options: Patch<ConcurrencyOptions>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub global_concurrency_limit_id: Patch<Uuid>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub parameters: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub parameter_openapi_schema: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub tags: Patch<Vec<String>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub work_queue_name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub work_pool_name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub path: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub job_variables: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub pull_steps: Patch<Vec<Json>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub entrypoint: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub storage_document_id: Patch<Uuid>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub infrastructure_document_id: Patch<Uuid>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub enforce_parameter_schema: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub version_info: Patch<VersionInfo>,
}

/// A flow run to create from a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct DeploymentFlowRunCreate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateCreate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_parameter_schema: Option<bool>,
    #[serde(default)]
    pub context: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_document_id: Option<Uuid>,
    #[serde(default)]
    pub empirical_policy: FlowRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_task_run_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queue_name: Option<String>,
    /// Left out, there are none; null stays null.
    #[serde(default = "no_variables")]
    pub job_variables: Option<Json>,
}

#[expect(clippy::unnecessary_wraps, reason = "a default of an optional field")]
fn no_variables() -> Option<Json> {
    Some(Json::empty_object())
}

/// A schedule of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentSchedule {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub deployment_id: Option<Uuid>,
    pub schedule: Json,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(default)]
    pub max_scheduled_runs: Option<i64>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default)]
    pub slug: Option<String>,
}

/// A schedule to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentScheduleCreate {
    #[serde(default = "yes")]
    pub active: bool,
    pub schedule: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_scheduled_runs: Option<i64>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// Changes to a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DeploymentScheduleUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub active: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub schedule: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub max_scheduled_runs: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub parameters: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub slug: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub replaces: Patch<String>,
}

/// Orders of a list of deployments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DeploymentSort {
    #[serde(rename = "CREATED_DESC")]
    CreatedDesc,
    #[serde(rename = "UPDATED_DESC")]
    UpdatedDesc,
    #[serde(rename = "NAME_ASC")]
    NameAsc,
    #[serde(rename = "NAME_DESC")]
    NameDesc,
}

/// Whether something polls for the deployment's runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DeploymentStatus {
    #[serde(rename = "READY")]
    Ready,
    #[serde(rename = "NOT_READY")]
    NotReady,
}

/// What happens when the deployment's limit is full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyOptions {
    pub collision_strategy: CollisionStrategy,
    #[serde(default)]
    pub grace_period_seconds: Option<i64>,
}

/// A limit as linked from a deployment and as listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalConcurrencyLimit {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default = "yes")]
    pub active: bool,
    pub name: String,
    pub limit: i64,
    pub active_slots: i64,
    #[serde(default)]
    pub slot_decay_per_second: f64,
}

/// Where a version came from; accepted from newer clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionInfo {
    #[serde(rename = "type")]
    pub kind: String,
    pub version: String,
}

/// What became of each run of a bulk creation, in the order asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunBulkCreateResponse {
    pub results: Vec<FlowRunCreateResult>,
}

/// One of them: `CREATED` or `FAILED`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunCreateResult {
    #[serde(default)]
    pub flow_run_id: Option<Uuid>,
    pub status: String,
    #[serde(default)]
    pub error: Option<String>,
}
