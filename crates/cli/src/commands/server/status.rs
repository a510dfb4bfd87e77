//! `server status`: whether the server answers; may wait until it does.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_client::{Client, Config};

use super::state::ServerFile;
use crate::commands::{Threads, runtime};
use crate::connection;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

pub(super) fn run(wait: bool, timeout: u64, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        // Read anew each time: a server that is starting writes its address when it has one.
        let api_url = connection::api_url(settings);
        if answers(settings, &api_url)? {
            return tell(settings, &api_url, out);
        }
        if !wait || started.elapsed() >= Duration::from_secs(timeout) {
            let failure = Failure::new(format!("no server answers at {api_url}"));
            return Err(failure.hint("`tidegate server start --background` starts one").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn tell(settings: &Settings, api_url: &str, out: &mut Out) -> anyhow::Result<()> {
    let client = brief_client(settings, api_url)?;
    let version = runtime(Threads::One)?.block_on(async {
        match client.read_tidegate_version().await {
            Ok(Some(version)) => format!("tidegate {}", version.version),
            _ => client
                .read_version()
                .await
                .map_or_else(|_| "not known".to_owned(), |version| format!("prefect {version}")),
        }
    });
    let process =
        ServerFile::of(settings).read_running().filter(|running| running.api_url == api_url).map(|running| running.pid);
    let facts = json!({"status": "running", "api_url": api_url, "version": version, "process": process});
    let fields = vec![
        ("Status", Some("running".to_owned())),
        ("API", Some(api_url.to_owned())),
        ("Version", Some(version)),
        ("Process", process.map(|pid| pid.to_string())),
    ];
    Ok(out.item(&facts, fields)?)
}

/// Whether something that is healthy answers at the address.
pub(super) fn answers(settings: &Settings, api_url: &str) -> anyhow::Result<bool> {
    let client = brief_client(settings, api_url)?;
    Ok(runtime(Threads::One)?.block_on(client.health()).is_ok())
}

fn brief_client(settings: &Settings, api_url: &str) -> anyhow::Result<Client> {
    let config = Config {
        api_url: api_url.to_owned(),
        timeout: Duration::from_secs(2),
        max_retries: 0,
        ..connection::config(settings)
    };
    Ok(Client::new(config)?)
}
