//! The grammar of the command line: global options and the list of commands. Each command's own arguments are in its
//! file under `commands/`.

use clap::{ArgAction, Parser, Subcommand};

use crate::commands::{
    api, artifact, automation, block, completion, concurrency_limit, config, dashboard, deployment, document, events,
    flow, flow_run, global_concurrency_limit, import_from, profile, server, task, task_run, transfer, variable,
    webhook, work_pool, work_queue, worker,
};
use crate::out::{Colour, Format};
use crate::settings::{Override, table};

/// Workflow orchestration: server, workers and command line in one program.
#[derive(Parser)]
#[command(name = "tidegate", version, disable_version_flag = true, max_term_width = 100, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Arguments {
    /// Use this profile instead of the active one
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    profile: Option<String>,
    #[arg(short = 'p', hide = true, value_name = "NAME")]
    profile_before: Option<String>,
    /// Talk to this API instead of the configured one
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    api_url: Option<String>,
    /// How to print results
    #[arg(short, long, global = true, value_enum, default_value_t, help_heading = "Global options")]
    pub output: Format,
    /// Print results only, no remarks
    #[arg(long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Colours in the output
    #[arg(
        long = "color",
        alias = "colour",
        global = true,
        value_enum,
        default_value_t,
        help_heading = "Global options"
    )]
    pub colour: Colour,
    /// Ask before something is destroyed, even when nobody seems to be there
    #[arg(long, global = true, overrides_with = "no_prompt", help_heading = "Global options")]
    prompt: bool,
    /// Never ask
    #[arg(long, global = true, help_heading = "Global options")]
    no_prompt: bool,
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = ArgAction::Version)]
    version: (),
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// What the command line says about settings.
    pub fn overrides(&self) -> Vec<Override> {
        let mut overrides = Vec::new();
        if let Some(profile) = self.profile.as_ref().or(self.profile_before.as_ref()) {
            overrides.push((&table::client::PROFILE, profile.clone()));
        }
        if let Some(url) = &self.api_url {
            overrides.push((&table::client::API_URL, url.clone()));
        }
        if let Command::Server(command) = &self.command {
            overrides.extend(command.overrides());
        }
        overrides
    }

    pub fn prompts(&self) -> Option<bool> {
        match (self.prompt, self.no_prompt) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Make a request to the API
    Api(api::Arguments),
    /// Artifacts that runs have made
    #[command(subcommand)]
    Artifact(artifact::Command),
    /// Automations: what shall happen when something else happens
    #[command(subcommand, alias = "automations")]
    Automation(automation::Command),
    /// Blocks: named configuration, and its types
    #[command(subcommand, alias = "blocks")]
    Block(block::Command),
    /// Print a completion script for a shell
    Completion(completion::Arguments),
    /// Limits on task runs by tag
    #[command(subcommand, alias = "concurrency-limits")]
    ConcurrencyLimit(concurrency_limit::Command),
    /// Settings: show and change them
    #[command(subcommand)]
    Config(config::Command),
    /// The web UI
    #[command(subcommand)]
    Dashboard(dashboard::Command),
    /// Deployments and their schedules
    #[command(subcommand, alias = "deployments")]
    Deployment(deployment::Command),
    /// Print a page of the documentation that is made from this program
    #[command(hide = true)]
    Document(document::Arguments),
    /// Events: follow and send them
    #[command(subcommand, name = "event", alias = "events")]
    Event(events::Command),
    /// Flows
    #[command(subcommand, alias = "flows")]
    Flow(flow::Command),
    /// Flow runs: look at, cancel, retry, run them
    #[command(subcommand, alias = "flow-runs")]
    FlowRun(flow_run::Command),
    /// Limits by name, with slots that may decay
    #[command(subcommand, visible_alias = "gcl")]
    GlobalConcurrencyLimit(global_concurrency_limit::Command),
    /// Copy everything that is configured on a running Prefect server to this one
    ImportFrom(import_from::Arguments),
    /// Profiles: named groups of settings
    #[command(subcommand, alias = "profiles")]
    Profile(profile::Command),
    /// The server and its database
    #[command(subcommand)]
    Server(server::Command),
    /// Background tasks
    #[command(subcommand)]
    Task(task::Command),
    /// Task runs
    #[command(subcommand, alias = "task-runs")]
    TaskRun(task_run::Command),
    /// Copy everything that is configured from one profile's server to another's
    Transfer(transfer::Arguments),
    /// Variables
    #[command(subcommand, alias = "variables")]
    Variable(variable::Command),
    /// Print the version and where things are
    Version(crate::commands::version::Arguments),
    /// Incoming webhooks, and the requests that they were sent
    #[command(subcommand, alias = "webhooks")]
    Webhook(webhook::Command),
    /// Work pools
    #[command(subcommand, alias = "work-pools")]
    WorkPool(work_pool::Command),
    /// Work queues
    #[command(subcommand, alias = "work-queues")]
    WorkQueue(work_queue::Command),
    /// Workers, which run flow runs
    #[command(subcommand)]
    Worker(worker::Command),
}

/// What the version flag prints.
pub fn version_line() -> String {
    format!("tidegate {}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_grammar_has_no_contradictions() {
        Arguments::command().debug_assert();
    }
}
