//! Runs the binary as people and programs do and compares exit code, stdout and stderr. Everything happens in a
//! temporary folder and on the loopback address.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod automations;
mod blocks;
mod commands;
mod config;
mod copying;
mod place;
mod profile;
mod python;
mod served;
mod server;
mod usage;
mod webhooks;
