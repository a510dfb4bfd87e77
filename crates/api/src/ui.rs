//! What pages show beside their lists: points of a picture, numbers, next runs.

use serde::{Deserialize, Serialize};
use tidegate_core::{state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::{
    filters::{RunFilters, WorkQueueFilter},
    task_runs::TaskRun,
};

/// A flow run as a point in a picture of runs over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleFlowRun {
    pub id: Uuid,
    pub state_type: StateType,
    /// When it started, or is expected to.
    pub timestamp: Timestamp,
    /// Seconds in RUNNING.
    pub duration: f64,
    /// Seconds between the expected and the real start.
    pub lateness: f64,
}

/// The scheduled run of a flow that comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleNextFlowRun {
    pub id: Uuid,
    pub flow_id: Uuid,
    pub name: String,
    pub state_name: String,
    pub state_type: StateType,
    pub next_scheduled_start_time: Timestamp,
}

/// A task run with the name of its flow run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UiTaskRun {
    #[serde(flatten)]
    pub task_run: TaskRun,
    pub flow_run_name: Option<String>,
}

/// Task runs that ended in one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRunCount {
    pub completed: i64,
    pub failed: i64,
}

/// Which task runs to count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskRunCountRequest {
    /// Queues, under the name that counts and histories give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queues: Option<WorkQueueFilter>,
    #[serde(flatten)]
    pub filters: RunFilters,
}
