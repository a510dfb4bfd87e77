//! The rules against what was recorded of the reference, and against properties that no recording can show.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod examples;
mod fixtures;
mod flow_transitions;
mod ownership;
mod properties;
mod schedules;
mod task_transitions;
mod triggers;
