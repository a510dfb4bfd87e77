//! Handlers, one module per noun.

pub mod admin;
pub mod artifacts;
pub mod automations;
pub mod block_capabilities;
pub mod block_documents;
pub mod block_schemas;
pub mod block_types;
pub mod claims;
pub mod collections;
pub mod concurrency_limits;
pub mod csrf_token;
pub mod deployments;
pub mod events;
pub mod flow_runs;
pub mod flows;
pub mod list;
pub mod logs;
pub mod root;
pub mod saved_searches;
pub mod task_runs;
pub mod variables;
pub mod work_pools;
pub mod work_queues;
