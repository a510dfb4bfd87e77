//! Histories: how many runs were expected in each span of time, by the state they are in.

use serde::{Deserialize, Serialize};
use tidegate_core::{state::StateType, time::Timestamp};

use crate::filters::{RunFilters, WorkQueueFilter};

/// From when to when, in spans of how many seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryRequest {
    pub history_start: Timestamp,
    pub history_end: Timestamp,
    pub history_interval_seconds: f64,
    /// Queues, under the name that only histories give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_queues: Option<WorkQueueFilter>,
    #[serde(flatten)]
    pub filters: RunFilters,
}

/// The runs of one span in one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryState {
    pub state_type: StateType,
    pub state_name: String,
    pub count_runs: i64,
    pub sum_estimated_run_time: f64,
    pub sum_estimated_lateness: f64,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub interval_start: Timestamp,
    pub interval_end: Timestamp,
    pub states: Vec<HistoryState>,
}
