//! Work pools, their queues and their workers.

use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::filters::QueueFilter;
use crate::flow_runs::FlowRun;
use crate::flow_runs::FlowRunSlotSummary;
use crate::patch::Patch;

/// A work pool as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkPool {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub base_job_template: Json,
    #[serde(default)]
    pub is_paused: bool,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub status: Option<WorkPoolStatus>,
    #[serde(default)]
    pub default_queue_id: Option<Uuid>,
    #[serde(default)]
    pub storage_configuration: WorkPoolStorageConfiguration,
    #[serde(default)]
    pub active_slots: Option<i64>,
}

/// A work pool to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkPoolCreate {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "type", default = "default_type")]
    pub kind: String,
    #[serde(default)]
    pub base_job_template: Json,
    #[serde(default)]
    pub is_paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_configuration: Option<WorkPoolStorageConfiguration>,
}

/// Changes to a work pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct WorkPoolUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_paused: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub base_job_template: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub concurrency_limit: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub storage_configuration: Patch<WorkPoolStorageConfiguration>,
}

/// Where a pool's code and results go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct WorkPoolStorageConfiguration {
    #[serde(default)]
    pub bundle_upload_step: Option<Json>,
    #[serde(default)]
    pub bundle_execution_step: Option<Json>,
    #[serde(default)]
    pub default_result_storage_block_id: Option<Uuid>,
}

/// A work queue as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueue {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub is_paused: bool,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub priority: i64,
    #[serde(default)]
    pub work_pool_id: Option<Uuid>,
    #[serde(default)]
    pub filter: Option<QueueFilter>,
    #[serde(default)]
    pub last_polled: Option<Timestamp>,
    #[serde(default)]
    pub work_pool_name: Option<String>,
    #[serde(default)]
    pub status: Option<WorkQueueStatus>,
    #[serde(default)]
    pub active_slots: Option<i64>,
}

/// A work queue to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueueCreate {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub is_paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<QueueFilter>,
}

/// Changes to a work queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct WorkQueueUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_paused: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub concurrency_limit: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub priority: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub last_polled: Patch<Timestamp>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub filter: Patch<QueueFilter>,
}

/// A worker as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    pub work_pool_id: Uuid,
    #[serde(default)]
    pub last_heartbeat_time: Option<Timestamp>,
    #[serde(default)]
    pub heartbeat_interval_seconds: Option<i64>,
    pub status: WorkerStatus,
}

/// Whether a queue is served well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueueStatusDetail {
    pub healthy: bool,
    pub late_runs_count: i64,
    #[serde(default)]
    pub last_polled: Option<Timestamp>,
    pub health_check_policy: WorkQueueHealthPolicy,
}

/// When a queue counts as healthy: at most so many late runs, and polled within so many seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueueHealthPolicy {
    pub maximum_late_runs: i64,
    pub maximum_seconds_since_last_polled: i64,
}

/// A due run handed to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerFlowRun {
    pub work_pool_id: Uuid,
    pub work_queue_id: Uuid,
    pub flow_run: FlowRun,
}

/// Who holds a pool's slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkPoolConcurrencyStatus {
    pub active_slots: i64,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub queues: Vec<WorkQueueConcurrencyStatusDetail>,
    pub count: i64,
    pub limit: i64,
    pub pages: i64,
    pub page: i64,
}

/// Who holds a queue's slots, on a pool's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueueConcurrencyStatusDetail {
    pub queue_id: Uuid,
    pub queue_name: String,
    pub active_slots: i64,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub flow_runs: Vec<FlowRunSlotSummary>,
    #[serde(default)]
    pub flow_run_count: Option<i64>,
}

/// Who holds a queue's slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkQueueConcurrencyStatus {
    pub active_slots: i64,
    #[serde(default)]
    pub concurrency_limit: Option<i64>,
    #[serde(default)]
    pub flow_runs: Vec<FlowRunSlotSummary>,
    pub count: i64,
    pub limit: i64,
    pub pages: i64,
    pub page: i64,
}

/// Words of the wire and the database with their methods both ways.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $word)] $variant,)*
        }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The word as it stands in the names of events: `not-ready`.
            pub fn in_event_name(self) -> String {
                self.as_str().to_lowercase().replace('_', "-")
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    other => Err(format!("`{other}` is not a {}", stringify!($name))),
                }
            }
        }
    )*};
}

words! {
    /// Whether a pool has a live worker.
    WorkPoolStatus { Ready = "READY", NotReady = "NOT_READY", Paused = "PAUSED" }
    /// Whether a queue is polled.
    WorkQueueStatus { Ready = "READY", NotReady = "NOT_READY", Paused = "PAUSED" }
    /// Whether a worker sent heartbeats lately.
    WorkerStatus { Online = "ONLINE", Offline = "OFFLINE" }
}

fn default_type() -> String {
    "prefect-agent".to_owned()
}
