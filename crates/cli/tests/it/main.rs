//! Runs the binary as people and programs do and compares exit code, stdout and stderr. Everything happens in a
//! temporary folder and on the loopback address.

mod commands;
mod config;
mod place;
mod profile;
mod server;
mod usage;
