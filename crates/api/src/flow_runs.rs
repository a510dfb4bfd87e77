//! Flow runs: one execution of a flow each.

use serde::{Deserialize, Serialize};
use tidegate_core::{
    json::Json,
    orchestration::FlowRunPolicy,
    state::{State, StateCreate, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::patch::Patch;

/// A flow run as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRun {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub name: String,
    pub flow_id: Uuid,
    #[serde(default)]
    pub state_id: Option<Uuid>,
    #[serde(default)]
    pub deployment_id: Option<Uuid>,
    #[serde(default)]
    pub deployment_version: Option<String>,
    #[serde(default)]
    pub work_queue_id: Option<Uuid>,
    #[serde(default)]
    pub work_queue_name: Option<String>,
    #[serde(default)]
    pub flow_version: Option<String>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default)]
    pub idempotency_key: Option<String>,
    #[serde(default)]
    pub context: Json,
    #[serde(default)]
    pub empirical_policy: FlowRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub labels: Json,
    #[serde(default)]
    pub parent_task_run_id: Option<Uuid>,
    #[serde(default)]
    pub state_type: Option<StateType>,
    #[serde(default)]
    pub state_name: Option<String>,
    #[serde(default)]
    pub run_count: i64,
    #[serde(default)]
    pub expected_start_time: Option<Timestamp>,
    #[serde(default)]
    pub next_scheduled_start_time: Option<Timestamp>,
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    #[serde(default)]
    pub end_time: Option<Timestamp>,
    #[serde(default)]
    pub total_run_time: f64,
    #[serde(default)]
    pub estimated_run_time: f64,
    #[serde(default)]
    pub estimated_start_time_delta: f64,
    #[serde(default)]
    pub auto_scheduled: bool,
    #[serde(default)]
    pub infrastructure_document_id: Option<Uuid>,
    #[serde(default)]
    pub infrastructure_pid: Option<String>,
    #[serde(default)]
    pub created_by: Option<CreatedBy>,
    #[serde(default)]
    pub work_pool_id: Option<Uuid>,
    #[serde(default)]
    pub work_pool_name: Option<String>,
    #[serde(default)]
    pub state: Option<State>,
    #[serde(default)]
    pub job_variables: Option<Json>,
}

/// A flow run to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunCreate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateCreate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub flow_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_version: Option<String>,
    #[serde(default)]
    pub parameters: Json,
    #[serde(default)]
    pub context: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_task_run_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_document_id: Option<Uuid>,
    #[serde(default)]
    pub empirical_policy: FlowRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_pool_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queue_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_variables: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<Uuid>,
}

/// Changes to a flow run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FlowRunUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub flow_version: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub parameters: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub empirical_policy: Patch<FlowRunPolicy>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub tags: Patch<Vec<String>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub infrastructure_pid: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub job_variables: Patch<Json>,
}

/// Orders of a list of flow runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FlowRunSort {
    #[serde(rename = "ID_DESC")]
    IdDesc,
    #[serde(rename = "START_TIME_ASC")]
    StartTimeAsc,
    #[serde(rename = "START_TIME_DESC")]
    StartTimeDesc,
    #[serde(rename = "EXPECTED_START_TIME_ASC")]
    ExpectedStartTimeAsc,
    #[serde(rename = "EXPECTED_START_TIME_DESC")]
    ExpectedStartTimeDesc,
    #[serde(rename = "NAME_ASC")]
    NameAsc,
    #[serde(rename = "NAME_DESC")]
    NameDesc,
    #[serde(rename = "NEXT_SCHEDULED_START_TIME_ASC")]
    NextScheduledStartTimeAsc,
    #[serde(rename = "END_TIME_DESC")]
    EndTimeDesc,
}

/// Who or what made a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreatedBy {
    #[serde(default)]
    pub id: Option<Uuid>,
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub display_value: Option<String>,
}

/// Who or what changed a row last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdatedBy {
    #[serde(default)]
    pub id: Option<Uuid>,
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub display_value: Option<String>,
}

/// A value sent to a flow run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunInput {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub flow_run_id: Uuid,
    pub key: String,
    pub value: String,
    #[serde(default)]
    pub sender: Option<String>,
}

/// A run that holds a slot of a pool or queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRunSlotSummary {
    pub id: Uuid,
    pub name: String,
    #[serde(default)]
    pub state_type: Option<StateType>,
    #[serde(default)]
    pub state_name: Option<String>,
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    #[serde(default)]
    pub state_timestamp: Option<Timestamp>,
    #[serde(default)]
    pub time_in_current_state: Option<f64>,
}
