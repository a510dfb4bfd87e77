//! The rules of Tidegate: ids, states, orchestration, schedules. No I/O, no clock, no randomness of its own: what a
//! rule needs is handed to it as facts, and what follows comes back as a ruling.

#![forbid(unsafe_code)]

pub mod ids;
pub mod json;
pub mod names;
pub mod orchestration;
pub mod schedule;
pub mod state;
pub mod time;
pub mod triggers;
