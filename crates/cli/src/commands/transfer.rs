//! `transfer`: copies what is configured from the server of one profile to that of another.

use tidegate_client::Client;

use crate::connection;
use crate::copy::{self, Options};
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Args)]
pub struct Arguments {
    /// The profile whose server is read
    #[arg(long, value_name = "PROFILE")]
    from: String,
    /// The profile whose server is written to
    #[arg(long, value_name = "PROFILE")]
    to: String,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: &Arguments, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let (source, target) = (of_profile(settings, &arguments.from)?, of_profile(settings, &arguments.to)?);
    between(&source, &target, &arguments.options, settings, out).await
}

/// Asks, copies and tells.
pub async fn between(
    source: &Client,
    target: &Client,
    options: &Options,
    settings: &Settings,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (from, to) = (source.api_url(), target.api_url());
    if from == to {
        return Err(Failure::usage(format!("{from} is both the source and the target")).into());
    }
    if !out.confirm(&format!("Copy everything from {from} to {to}, but for what is there already?"))? {
        return Ok(());
    }
    copy::everything(source, target, options, &settings.home().join("copies"), out).await?.tell(out)
}

fn of_profile(settings: &Settings, name: &str) -> anyhow::Result<Client> {
    let settings = settings.of_profile(name)?;
    if let Some(problem) = settings.problems.first() {
        return Err(Failure::usage(&problem.text).hint("`tidegate profile ls` shows what there is").into());
    }
    connection::client(&settings)
}
