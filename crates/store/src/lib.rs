//! The store: what Tidegate remembers, in SQLite or PostgreSQL, behind one set of operations. The only crate that knows
//! SQL. Reads run on snapshots; writes run as jobs on lanes that commit many at once (see `lane`).

mod artifacts;
mod automation_actions;
mod automations;
pub mod block_documents;
mod block_schemas;
mod block_types;
mod changes;
pub mod claims;
pub mod concurrency_limits;
mod conditions;
mod configuration;
mod csrf_tokens;
pub mod deployment_schedules;
mod deployment_status;
pub mod deployments;
mod due_runs;
mod error;
mod events;
mod flow_run_inputs;
pub mod flow_run_states;
pub mod flow_runs;
mod flows;
mod heartbeats;
mod histories;
mod lane;
mod logs;
mod migrations;
pub mod nul;
mod overdue;
mod partition;
#[cfg(test)]
mod plans;
mod postgres;
mod reset;
mod retention;
mod row;
pub mod run_graph;
mod saved_searches;
pub mod scheduled_runs;
mod secrets;
pub mod sql;
mod sqlite;
pub mod states;
mod store;
mod task_queue;
mod task_run_events;
mod task_run_states;
mod task_runs;
pub mod triggers;
mod tx;
mod ui;
pub mod value;
mod variables;
mod wake;
mod work_pools;
mod work_queues;
mod workers;

pub use automation_actions::PendingAction;
pub use block_documents::{Data, DocumentFilters, NewBlockDocument, Reveal, StoredDocument};
pub use block_schemas::NewBlockSchema;
pub use block_types::Protection;
pub use csrf_tokens::CsrfToken;
pub use due_runs::DueRuns;
pub use error::{Error, Result};
pub use events::{
    EventGroup, EventKey, EventRecord, Position, ResourceEvent, RunNames, StateChange, StoredEvent, Surroundings,
    event_range, link, related,
};
pub use histories::{SpanCount, Spans};
pub use logs::LogRecord;
pub use partition::Partitioned;
pub use reset::{delete_sqlite, empty_postgres};
pub use row::{Column, Row};
pub use secrets::{RecordedKey, Secrets};
pub use sql::{Dialect, Sql};
pub use store::{Options, Store};
pub use task_run_events::{TaskRunRecord, Unreadable};
pub use task_run_states::TaskProposal;
pub use tx::Tx;
pub use value::Value;
pub use variables::VariableKey;
pub use wake::Wake;
pub use work_queues::QueueOrder;
pub use workers::{Patience, Silence};
