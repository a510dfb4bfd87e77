//! The commands, one file per noun: arguments, and a `run` that talks to the API and prints. Here they are told apart
//! and given what they need.

pub mod api;
pub mod artifact;
pub mod automation;
pub mod block;
pub mod completion;
pub mod concurrency_limit;
pub mod config;
pub mod dashboard;
pub mod deployment;
pub mod document;
pub mod events;
pub mod flow;
pub mod flow_run;
pub mod global_concurrency_limit;
pub mod import_from;
pub mod logs;
pub mod lookup;
pub mod profile;
pub mod server;
pub mod task;
pub mod task_run;
pub mod transfer;
pub mod values;
pub mod variable;
pub mod version;
pub mod watch;
pub mod webhook;
pub mod work_pool;
pub mod work_queue;
pub mod worker;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::arguments::Command;
use crate::connection;
use crate::out::Out;
use crate::settings::Settings;

/// Runs a command to its end. Commands that need no API do not get a runtime either.
pub fn run(command: Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Completion(arguments) => return completion::run(&arguments, out),
        Command::Config(command) => return config::run(command, settings, out),
        Command::Document(arguments) => return document::run(&arguments, out),
        Command::Profile(command) => return profile::run(command, settings, out),
        Command::Server(command) => return server::run(command, settings, out),
        Command::Worker(command) => return worker::run(command, settings, out),
        _ => {}
    }
    let client = connection::client(settings)?;
    runtime(Threads::One)?.block_on(async {
        match command {
            Command::Api(arguments) => api::run(arguments, &client, out).await,
            Command::Artifact(command) => artifact::run(command, &client, out).await,
            Command::Automation(command) => automation::run(command, &client, out).await,
            Command::Block(command) => block::run(command, &client, settings, out).await,
            Command::ConcurrencyLimit(command) => concurrency_limit::run(command, &client, out).await,
            Command::Dashboard(command) => dashboard::run(&command, &client, settings, out),
            Command::Deployment(command) => deployment::run(command, &client, settings, out).await,
            Command::Event(command) => events::run(command, &client, out).await,
            Command::Flow(command) => flow::run(command, &client, out).await,
            Command::FlowRun(command) => flow_run::run(command, &client, settings, out).await,
            Command::GlobalConcurrencyLimit(command) => global_concurrency_limit::run(command, &client, out).await,
            Command::ImportFrom(arguments) => import_from::run(&arguments, &client, settings, out).await,
            Command::Task(command) => task::run(&command, &client, settings),
            Command::TaskRun(command) => task_run::run(command, &client, out).await,
            Command::Transfer(arguments) => transfer::run(&arguments, settings, out).await,
            Command::Variable(command) => variable::run(command, &client, out).await,
            Command::Version(arguments) => version::run(&arguments, &client, settings, out).await,
            Command::Webhook(command) => webhook::run(command, &client, out).await,
            Command::WorkPool(command) => work_pool::run(command, &client, settings, out).await,
            Command::WorkQueue(command) => work_queue::run(command, &client, out).await,
            Command::Completion(_)
            | Command::Config(_)
            | Command::Document(_)
            | Command::Profile(_)
            | Command::Server(_)
            | Command::Worker(_) => unreachable!("these have returned above"),
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// For a command that makes a few requests.
    One,
    /// One per core, for servers and workers.
    All,
}

pub fn runtime(threads: Threads) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::All => Builder::new_multi_thread(),
    };
    builder.enable_all().build().context("cannot start the runtime")
}
