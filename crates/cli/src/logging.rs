//! Sets up the log of a process: which lines, in which form, on stderr. Refuses to log to files: that is for who starts
//! the process.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::arguments::Command;
use crate::commands::{server, worker};
use crate::settings::{Settings, table};

/// Whose log it is: a server's level is a setting of its own, and a command that prints results logs only trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Server,
    Worker,
    Command,
}

impl Part {
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Server(server::Command::Start(_)) => Self::Server,
            Command::Worker(worker::Command::Start(_)) => Self::Worker,
            _ => Self::Command,
        }
    }
}

pub fn start(settings: &Settings, part: Part, has_colour: bool) {
    let level = match part {
        _ if settings.flag(&table::client::DEBUG_MODE) => "DEBUG",
        Part::Server => settings.level(&table::server::LOGGING_LEVEL),
        Part::Worker if settings.flag(&table::worker::DEBUG_MODE) => "DEBUG",
        Part::Worker => settings.level(&table::client::LOGGING_LEVEL),
        Part::Command if settings.is_set(&table::client::LOGGING_LEVEL) => {
            settings.level(&table::client::LOGGING_LEVEL)
        }
        Part::Command => "WARNING",
    };
    let directives = match settings.text(&table::client::LOGGING_FILTER) {
        Some(filter) => filter.to_owned(),
        None => directives(level),
    };
    let filter = EnvFilter::builder().parse_lossy(directives);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Where nobody reads stderr any more there is nobody to tell of it, and telling would panic.
        .log_internal_errors(false);
    // A second subscriber cannot be set; in tests the first one stays.
    let _ = match settings.text(&table::client::LOGGING_FORMAT) {
        Some("json") => builder.json().flatten_event(true).with_current_span(false).try_init(),
        _ => builder.with_ansi(has_colour && std::io::stderr().is_terminal()).with_target(false).try_init(),
    };
}

/// Libraries below us are interesting only when nothing else is. That of Kubernetes tells errors which it also returns.
fn directives(level: &str) -> String {
    let level = match level {
        "DEBUG" => "debug",
        "WARNING" => "warn",
        "ERROR" | "CRITICAL" => "error",
        _ => "info",
    };
    format!(
        "{level},hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,tungstenite=warn,tokio_postgres=warn,kube_client=off"
    )
}
