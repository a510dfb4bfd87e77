//! Log records of runs.

use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

/// A log record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    pub level: i64,
    pub message: String,
    pub timestamp: Timestamp,
    #[serde(default)]
    pub flow_run_id: Option<Uuid>,
    #[serde(default)]
    pub task_run_id: Option<Uuid>,
}

/// A log record to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogCreate {
    pub name: String,
    pub level: i64,
    pub message: String,
    pub timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_run_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_run_id: Option<Uuid>,
}

/// Orders of a list of logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LogSort {
    #[serde(rename = "TIMESTAMP_ASC")]
    TimestampAsc,
    #[serde(rename = "TIMESTAMP_DESC")]
    TimestampDesc,
}
