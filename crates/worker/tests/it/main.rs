//! The worker with real child processes, against a small API server in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

mod adoption;
mod api;
mod captured;
mod claimed;
mod polled;
mod sessions;
mod support;
mod told;
