//! `server database`: brings the schema up to date, or starts over with an empty database.

use anyhow::Context;

use super::database_override;
use super::state::ServerFile;
use crate::commands::{Threads, runtime};
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::database::Database;
use crate::settings::{Override, Settings, server};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Bring the schema up to date
    Upgrade {
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Accepted for scripts made for the reference; the newest schema is the only one
        #[arg(short, long, hide = true)]
        revision: Option<String>,
    },
    /// Delete everything and begin with an empty database
    Reset {
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl Command {
    pub fn overrides(&self) -> Vec<Override> {
        let (Self::Upgrade { database_url, .. } | Self::Reset { database_url, .. }) = self;
        database_override(database_url.as_ref()).into_iter().collect()
    }
}

pub(super) fn run(command: &Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let database = Database::of_settings(settings)?;
    match command {
        Command::Upgrade { .. } => {
            open(settings)?;
            out.note(format!("The schema of {} is up to date.", database.describe()))?;
            Ok(())
        }
        Command::Reset { yes, .. } => reset(&database, *yes, settings, out),
    }
}

/// Opening the database brings its schema up to date.
fn open(settings: &Settings) -> anyhow::Result<()> {
    let mut of_settings = server::of_settings(settings)?;
    of_settings.migrate_on_start = true;
    runtime(Threads::All)?
        .block_on(async { tidegate_server::open_store(&of_settings, tidegate_server::system_clock()).await.map(drop) })
}

fn reset(database: &Database, yes: bool, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    if let Some(running) = ServerFile::of(settings).read_running() {
        let failure = Failure::new(format!("a server is running: {} (process {})", running.api_url, running.pid));
        return Err(failure.hint("`tidegate server stop` stops it").into());
    }
    if !(yes || out.confirm(&format!("Delete everything in {}?", database.describe()))?) {
        return Ok(());
    }
    match database {
        Database::Sqlite { path } => tidegate_store::delete_sqlite(path)?,
        Database::Postgres { .. } => {
            let url = database.url(settings);
            runtime(Threads::One)?
                .block_on(tidegate_store::empty_postgres(&url))
                .context("cannot empty the database")?;
        }
    }
    open(settings)?;
    out.note(format!("{} is empty.", database.describe()))?;
    Ok(())
}
