//! `server services`: runs the background services without an API, and tells what those of a server last did.

use std::time::Duration;

use anyhow::Context;
use comfy_table::Cell;
use serde_json::Value;
use tidegate_client::Method;

use super::state::ServerFile;
use super::{background, database_override};
use crate::commands::{Threads, runtime};
use crate::connection;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::database::Database;
use crate::settings::{Override, Settings, server};
use crate::shutdown;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List services and how they are
    #[command(alias = "list")]
    Ls,
    /// Run the services without an API, beside servers started with `--no-services`
    #[command(alias = "enable")]
    Start {
        /// Database that the servers use: `postgresql://user@host/name`
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Return when they run and let them
        #[arg(short, long)]
        background: bool,
    },
    /// Stop the services that were started with `start`
    #[command(alias = "disable")]
    Stop,
}

impl Command {
    pub(super) fn overrides(&self) -> Vec<Override> {
        match self {
            Self::Start { database_url, .. } => database_override(database_url.as_ref()).into_iter().collect(),
            Self::Ls | Self::Stop => Vec::new(),
        }
    }
}

pub(super) fn run(command: &Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls => list(settings, out),
        Command::Start { background: false, .. } => here(settings, out),
        Command::Start { background: true, .. } => in_background(settings, out),
        Command::Stop => stop(settings, out),
    }
}

fn here(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let database = shared_database(settings)?;
    let file = ServerFile::of_services(settings);
    refuse_second(&file)?;
    let of_settings = server::of_settings(settings)?;
    let runtime = runtime(Threads::All)?;
    let ran = runtime.block_on(async {
        let shutdown = shutdown::on_signals().context("cannot listen for signals")?;
        let services = tidegate_server::Standalone::open(of_settings, tidegate_server::system_clock()).await?;
        file.write(String::new())?;
        out.note(format!("The services are running on {}; Ctrl-C stops them.", database.describe()))?;
        services.run(shutdown.soft).await;
        anyhow::Ok(())
    });
    file.remove_own()?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    ran?;
    out.note("The services have stopped.")?;
    Ok(())
}

fn in_background(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let database = shared_database(settings)?;
    let file = ServerFile::of_services(settings);
    refuse_second(&file)?;
    let log_path = settings.home().join("services.log");
    let running = background::start("the process of the services", &file, &log_path, |_| Ok(true))?;
    let (pid, log) = (running.pid, log_path.display());
    out.note(format!("The services are running in the background on {} (process {pid}).", database.describe()))?;
    out.note(format!("Their log is {log}; `tidegate server services stop` stops them."))?;
    Ok(())
}

fn stop(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let file = ServerFile::of_services(settings);
    let Some(running) = file.read_running() else {
        file.remove()?;
        out.note("No services of yours are running by themselves.")?;
        return Ok(());
    };
    background::stop(&running, settings)?;
    file.remove()?;
    out.note("The services have stopped.")?;
    Ok(())
}

/// The file of a SQLite database belongs to one process, which is the server.
fn shared_database(settings: &Settings) -> anyhow::Result<Database> {
    match Database::of_settings(settings)? {
        Database::Sqlite { .. } => {
            let failure = Failure::usage("services of their own need PostgreSQL: a SQLite database has one process");
            Err(failure.hint("`tidegate server start` runs its services itself").into())
        }
        shared @ Database::Postgres { .. } => Ok(shared),
    }
}

fn refuse_second(file: &ServerFile) -> anyhow::Result<()> {
    match file.read_running() {
        Some(running) => {
            let failure = Failure::new(format!("the services are running already (process {})", running.pid));
            Err(failure.hint("`tidegate server services stop` stops them").into())
        }
        None => Ok(()),
    }
}

fn list(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let client = connection::client(settings)?;
    let reports: Value =
        runtime(Threads::One)?.block_on(client.request(Method::GET, "/admin/services", None))?.json()?;
    if out.is_json() {
        return Ok(out.json(&reports)?);
    }
    let rows = rows(&reports);
    Ok(out.items(&rows, "services", &["Service", "Report"], |(name, report), _| {
        vec![Cell::new(name), Cell::new(report)]
    })?)
}

/// Reports are an object by name, or a list of objects with a `name`; each report is shown as `key value`.
fn rows(reports: &Value) -> Vec<(String, String)> {
    let facts = |report: &Value| match report {
        Value::Object(facts) => {
            let shown = facts.iter().filter(|(name, value)| *name != "name" && !value.is_null());
            shown
                .map(|(name, value)| {
                    format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
                })
                .collect::<Vec<_>>()
                .join(", ")
        }
        other => other.to_string(),
    };
    match reports {
        Value::Object(named) => named.iter().map(|(name, report)| (name.clone(), facts(report))).collect(),
        Value::Array(list) => {
            list.iter().map(|report| (report["name"].as_str().unwrap_or_default().to_owned(), facts(report))).collect()
        }
        _ => Vec::new(),
    }
}
