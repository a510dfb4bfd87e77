//! `dashboard`: opens the web UI in a browser.

use std::process::{Command as Process, Stdio};

use tidegate_client::Client;

use crate::connection;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Open the web UI in a browser
    Open,
}

pub fn run(command: &Command, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let Command::Open = command;
    let url = address(client, settings);
    let named = settings.environment().variable("BROWSER");
    let usual: &[&str] = if cfg!(target_os = "macos") { &["open"] } else { &["xdg-open", "sensible-browser"] };
    let programs = named.map_or_else(|| usual.to_vec(), |program| vec![program]);
    let opens = |program: &&str| {
        let mut process = Process::new(program);
        process.arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        process.status().is_ok_and(|status| status.success())
    };
    if !programs.iter().any(opens) {
        let failure = Failure::new(format!("no browser could be started for {url}"));
        return Err(failure.hint("`BROWSER` names the program to use").into());
    }
    out.note(format!("Opened {url}."))?;
    Ok(())
}

/// Where the web UI is: as set, else at the root of the server.
pub fn address(client: &Client, settings: &Settings) -> String {
    connection::ui_url(settings).unwrap_or_else(|| {
        let url = client.api_url();
        url.rsplit_once("/api").map_or(url, |(root, _)| root).to_owned()
    })
}
