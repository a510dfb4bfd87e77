//! `version`: this program's version, where its data and settings are, and what the API says about itself.

use std::time::Duration;

use serde_json::json;
use tidegate_client::{Client, Config};

use crate::out::Out;
use crate::settings::Settings;
use crate::settings::database::Database;

#[derive(clap::Args)]
pub struct Arguments {
    /// Accepted for scripts made for the reference; nothing is left out
    #[arg(long, hide = true)]
    omit_integrations: bool,
}

/// The reference release whose API this version speaks.
const COMPATIBLE_WITH: &str = "3.8.8";
const API_VERSION: &str = "0.8.4";

pub async fn run(_: &Arguments, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let database =
        Database::of_settings(settings).map_or_else(|error| error.to_string(), |database| database.describe());
    let server = match server_version(client).await {
        Ok(version) => version,
        Err(_) => "not reachable".to_owned(),
    };
    let facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "api_version": API_VERSION,
        "compatible_with": COMPATIBLE_WITH,
        "system": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        "profile": settings.profile,
        "home": settings.home(),
        "database": database,
        "api_url": client.api_url(),
        "server": server,
    });
    let fields = [
        ("Version", "version"),
        ("API version", "api_version"),
        ("Compatible with", "compatible_with"),
        ("System", "system"),
        ("Profile", "profile"),
        ("Home", "home"),
        ("Database", "database"),
        ("API URL", "api_url"),
        ("Server", "server"),
    ];
    let fields = fields.map(|(name, key)| (name, facts[key].as_str().map(ToOwned::to_owned))).to_vec();
    Ok(out.item(&facts, fields)?)
}

/// Asks briefly: a version must not wait for a server that is away.
async fn server_version(client: &Client) -> tidegate_client::Result<String> {
    let config = Config { timeout: Duration::from_secs(2), max_retries: 0, ..client.config().clone() };
    let client = Client::new(config)?;
    match client.read_tidegate_version().await? {
        Some(version) => Ok(format!("tidegate {}", version.version)),
        None => Ok(format!("prefect {}", client.read_version().await?)),
    }
}
