//! `server start`: serves until a signal asks to stop; in the background, returns when the server is ready.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tidegate_server::{Server, system_clock};

use super::state::{Running, ServerFile};
use super::{background, database_override, status};
use crate::commands::{Threads, runtime};
use crate::connection;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::database::Database;
use crate::settings::{Override, Settings, server, table};
use crate::shutdown;

#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// Database: `sqlite:///path` or `postgresql://user@host/name`
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How much to log: debug, info, warning, error
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Serve the API only: no scheduler, no lease expiry, no retention
    #[arg(long)]
    no_services: bool,
    /// Do not create runs from schedules
    #[arg(long)]
    no_scheduler: bool,
    #[arg(long, hide = true, conflicts_with = "no_scheduler")]
    scheduler: bool,
    /// Do not mark late runs
    #[arg(long)]
    no_late_runs: bool,
    #[arg(long, hide = true, conflicts_with = "no_late_runs")]
    late_runs: bool,
    /// Do not serve the web UI
    #[arg(long)]
    no_ui: bool,
    /// Serve the web UI
    #[arg(long, conflicts_with = "no_ui")]
    ui: bool,
    /// Serve the web UI found there: the folder of an installed `prefect` package, or one with `index.html`
    #[arg(long, value_name = "DIR", conflicts_with = "no_ui")]
    ui_from: Option<PathBuf>,
    /// Return when the server is ready and let it run
    #[arg(short, long)]
    background: bool,
    /// Accepted for scripts made for the reference: idle connections are kept as long as clients keep them
    #[arg(long, hide = true)]
    keep_alive_timeout: Option<u64>,
    /// Accepted for scripts made for the reference: nothing is ever reported anywhere
    #[arg(long, hide = true)]
    analytics_on: bool,
    #[arg(long, hide = true)]
    analytics_off: bool,
    /// Accepted for scripts made for the reference: one process uses all cores
    #[arg(long, hide = true)]
    workers: Option<u16>,
}

impl Arguments {
    pub fn overrides(&self) -> Vec<Override> {
        let mut overrides: Vec<Override> = Vec::new();
        overrides.extend(self.host.clone().map(|host| (&table::server::API_HOST, host)));
        overrides.extend(self.port.map(|port| (&table::server::API_PORT, port.to_string())));
        overrides.extend(database_override(self.database_url.as_ref()));
        overrides.extend(self.log_level.clone().map(|level| (&table::server::LOGGING_LEVEL, level)));
        overrides.extend(self.ui_from.as_ref().map(|folder| (&table::server::UI_FROM, folder.display().to_string())));
        for (off, on, setting) in [
            (self.no_services, false, &table::server::SERVICES_ENABLED),
            (self.no_scheduler, self.scheduler, &table::services::SCHEDULER_ENABLED),
            (self.no_late_runs, self.late_runs, &table::services::LATE_RUNS_ENABLED),
            (self.no_ui, self.ui, &table::server::UI_ENABLED),
        ] {
            if off || on {
                overrides.push((setting, on.to_string()));
            }
        }
        overrides
    }
}

pub(super) fn run(arguments: &Arguments, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    if arguments.ui && !settings.is_set(&table::server::UI_FROM) {
        let failure = Failure::usage("this version has no web UI of its own: there is nothing for `--ui` to serve");
        let hint = "`--ui-from DIR` serves the one of an installed `prefect` package; `tidegate` itself shows runs, logs and events";
        return Err(failure.hint(hint).into());
    }
    if arguments.background { in_background(settings, out) } else { here(settings, out) }
}

fn here(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let database = Database::of_settings(settings)?;
    let base_path = server::base_path(settings);
    let of_settings = server::of_settings(settings)?;
    let (has_services, has_ui) = (of_settings.services_enabled, of_settings.ui.is_some());
    let runtime = runtime(Threads::All)?;
    let file = ServerFile::of(settings);
    let served = runtime.block_on(async {
        let shutdown = shutdown::on_signals().context("cannot listen for signals")?;
        let bound = Server::bind(of_settings, system_clock()).await?;
        let address = bound.local_addr().context("cannot tell the server's address")?;
        let api_url = connection::url_of(&address.ip().to_string(), u64::from(address.port()), &base_path);
        file.write(api_url.clone())?;
        banner(settings, &api_url, &database, (has_services, has_ui), out)?;
        bound.serve(shutdown.soft, shutdown.hard).await
    });
    file.remove_own()?;
    // A thread that hangs in a request must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served?;
    out.note("The server has stopped.")?;
    Ok(())
}

fn banner(
    settings: &Settings,
    api_url: &str,
    database: &Database,
    (has_services, has_ui): (bool, bool),
    out: &mut Out,
) -> std::io::Result<()> {
    out.note(format!("Tidegate {} is listening.", env!("CARGO_PKG_VERSION")))?;
    out.note(format!("  API       {api_url}"))?;
    out.note(format!("  Database  {}", database.describe()))?;
    let root = api_url.strip_suffix("/api").unwrap_or(api_url);
    if has_ui {
        out.note(format!("  Web UI    {root}/"))?;
    }
    out.note(format!("  Metrics   {root}/metrics"))?;
    if !has_services {
        out.note("  Services  off: schedules and leases are another server's work")?;
    }
    if settings.text(&table::client::API_URL).map(|url| url.trim_end_matches('/')) != Some(api_url) {
        out.note(format!("\nTo use it from another shell: export PREFECT_API_URL={api_url}"))?;
    }
    Ok(())
}

fn in_background(settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let file = ServerFile::of(settings);
    if let Some(running) = file.read_running() {
        let failure =
            Failure::new(format!("a server is running already: {} (process {})", running.api_url, running.pid));
        return Err(failure.hint("`tidegate server stop` stops it").into());
    }
    let log_path = settings.home().join("server.log");
    let answers = |running: &Running| status::answers(settings, &running.api_url);
    let running = background::start("the server", &file, &log_path, answers)?;
    out.note(format!("The server is running in the background: {} (process {}).", running.api_url, running.pid))?;
    out.note(format!("Its log is {}; `tidegate server stop` stops it.", log_path.display()))?;
    Ok(())
}
