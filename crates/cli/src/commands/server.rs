//! `server`: starts and stops a server, looks after its database, and tells how it is.

mod background;
mod database;
mod services;
mod start;
pub mod state;
mod status;
mod stop;

use crate::out::Out;
use crate::settings::{Override, Settings, table};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Start a server
    Start(start::Arguments),
    /// Stop the server that was started with `--background`
    Stop,
    /// Tell whether the server is there
    Status {
        /// Wait until it is
        #[arg(long)]
        wait: bool,
        /// How long to wait, in seconds
        #[arg(short, long, default_value_t = 60)]
        timeout: u64,
    },
    /// The server's database
    #[command(subcommand)]
    Database(database::Command),
    /// The server's background services
    #[command(subcommand)]
    Services(services::Command),
}

impl Command {
    pub fn overrides(&self) -> Vec<Override> {
        match self {
            Self::Start(arguments) => arguments.overrides(),
            Self::Database(command) => command.overrides(),
            Self::Services(command) => command.overrides(),
            Self::Stop | Self::Status { .. } => Vec::new(),
        }
    }
}

/// The option that several of these commands share.
fn database_override(url: Option<&String>) -> Option<Override> {
    url.map(|url| (&table::database::CONNECTION_URL, url.clone()))
}

pub fn run(command: Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Start(arguments) => start::run(&arguments, settings, out),
        Command::Stop => stop::run(settings, out),
        Command::Status { wait, timeout } => status::run(wait, timeout, settings, out),
        Command::Database(command) => database::run(&command, settings, out),
        Command::Services(command) => services::run(&command, settings, out),
    }
}
