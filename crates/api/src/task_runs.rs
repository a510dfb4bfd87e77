//! Task runs: one execution of a task each.

use serde::{Deserialize, Serialize};
use tidegate_core::{
    json::Json,
    orchestration::TaskRunPolicy,
    state::{State, StateCreate, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::patch::Patch;

/// A task run as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRun {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub flow_run_id: Option<Uuid>,
    pub task_key: String,
    pub dynamic_key: String,
    #[serde(default)]
    pub cache_key: Option<String>,
    #[serde(default)]
    pub cache_expiration: Option<Timestamp>,
    #[serde(default)]
    pub task_version: Option<String>,
    #[serde(default)]
    pub empirical_policy: TaskRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub labels: Option<Json>,
    #[serde(default)]
    pub state_id: Option<Uuid>,
    #[serde(default)]
    pub task_inputs: Json,
    #[serde(default)]
    pub state_type: Option<StateType>,
    #[serde(default)]
    pub state_name: Option<String>,
    #[serde(default)]
    pub run_count: i64,
    #[serde(default)]
    pub flow_run_run_count: i64,
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
    pub state: Option<State>,
}

/// A task run on a page of `paginate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PagedTaskRun {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub flow_run_id: Option<Uuid>,
    pub task_key: String,
    #[serde(default)]
    pub state_id: Option<Uuid>,
    #[serde(default)]
    pub state: Option<State>,
    #[serde(default)]
    pub task_version: Option<String>,
    #[serde(default)]
    pub task_inputs: Json,
    #[serde(default)]
    pub empirical_policy: TaskRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
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
}

/// A task run to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRunCreate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateCreate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_run_id: Option<Uuid>,
    pub task_key: String,
    pub dynamic_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_expiration: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_version: Option<String>,
    #[serde(default)]
    pub empirical_policy: TaskRunPolicy,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Json>,
    #[serde(default)]
    pub task_inputs: Json,
}

/// Changes to a task run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct TaskRunUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
}

/// Orders of a list of task runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TaskRunSort {
    #[serde(rename = "ID_DESC")]
    IdDesc,
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
