//! What crosses the wire: requests, responses, filters and errors, as the Prefect 3 API has them and with our own
//! additions. Plain data; no I/O.

pub mod artifacts;
pub mod automations;
pub mod blocks;
pub mod concurrency_limits;
pub mod contract;
pub mod deployments;
pub mod document;
pub mod events;
pub mod filters;
pub mod flow_runs;
pub mod flows;
pub mod histories;
pub mod imports;
pub mod logs;
pub mod orchestration;
pub mod patch;
mod placeholders;
pub mod saved_searches;
pub mod task_runs;
pub mod templates;
pub mod text_search;
pub mod ui;
pub mod variables;
pub mod webhooks;
pub mod work_pools;

pub use patch::Patch;

/// Default of switches that are on unless a client says otherwise.
fn yes() -> bool {
    true
}
