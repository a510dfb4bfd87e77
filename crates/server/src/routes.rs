//! Handlers, one module per noun.

pub mod claims;
pub mod concurrency_limits;
pub mod flow_runs;
pub mod flows;
pub mod list;
pub mod root;
pub mod task_runs;
