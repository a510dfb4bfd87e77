//! `server services`: what the background services of a running server last did.

use comfy_table::Cell;
use serde_json::Value;
use tidegate_client::Method;

use crate::commands::{Threads, runtime};
use crate::connection;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List services and how they are
    #[command(alias = "list")]
    Ls,
}

pub(super) fn run(command: &Command, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let Command::Ls = command;
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
