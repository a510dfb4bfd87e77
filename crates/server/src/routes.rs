//! Handlers, one module per noun.

pub mod claims;
pub mod concurrency_limits;
pub mod deployments;
pub mod flow_runs;
pub mod flows;
pub mod list;
pub mod root;
pub mod task_runs;
pub mod work_pools;
pub mod work_queues;
