//! `variable`: small named values that flows read.

use comfy_table::Cell;
use tidegate_api::Patch;
use tidegate_api::variables::{Variable, VariableCreate, VariableSort, VariableUpdate};
use tidegate_client::Client;

use super::{lookup, values};
use crate::failure::{self, Failure};
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List variables
    Ls {
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Print a variable's value
    Get { name: String },
    /// Show a variable
    Inspect { name: String },
    /// Set a variable
    Set {
        name: String,
        /// JSON, or any text
        value: String,
        /// Replace the value of a variable that exists
        #[arg(long)]
        overwrite: bool,
        /// May be repeated
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
    },
    /// Delete a variable
    #[command(alias = "delete")]
    Unset { name: String },
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { limit } => list(client, limit, out).await,
        Command::Get { name } => {
            let variable = require(client, &name).await?;
            if out.is_json() {
                return Ok(out.json(&variable.value)?);
            }
            Ok(out.line(text(&variable))?)
        }
        Command::Inspect { name } => {
            let variable = require(client, &name).await?;
            let fields = vec![
                ("Name", Some(variable.name.clone())),
                ("Value", Some(text(&variable))),
                ("Tags", Some(variable.tags.join(", ")).filter(|tags| !tags.is_empty())),
                ("Id", Some(variable.id.to_string())),
                ("Created", variable.created.map(|time| time.to_string())),
                ("Updated", variable.updated.map(|time| time.to_string())),
            ];
            Ok(out.item(&variable, fields)?)
        }
        Command::Set { name, value, overwrite, tags } => set(client, name, &value, overwrite, tags, out).await,
        Command::Unset { name } => {
            require(client, &name).await?;
            if out.confirm(&format!("Delete variable `{name}`?"))? {
                client.delete_variable(&name).await?;
                out.note(format!("Variable `{name}` is deleted."))?;
            }
            Ok(())
        }
    }
}

async fn list(client: &Client, limit: usize, out: &mut Out) -> anyhow::Result<()> {
    let variables =
        lookup::every(Some(limit), async |page| client.list_variables(None, VariableSort::NameAsc, page).await).await?;
    let columns = ["Name", "Value", "Tags", "Updated"];
    Ok(out.items(&variables, "variables", &columns, |variable, out| {
        vec![
            Cell::new(&variable.name),
            Cell::new(text(variable)),
            Cell::new(variable.tags.join(", ")),
            out.relative(variable.updated),
        ]
    })?)
}

async fn set(
    client: &Client,
    name: String,
    value: &str,
    overwrite: bool,
    tags: Vec<String>,
    out: &mut Out,
) -> anyhow::Result<()> {
    let value = values::json_or_text(value).into();
    if client.read_variable(&name).await?.is_none() {
        let variable = client.create_variable(&VariableCreate { name, value: Some(value), tags }).await?;
        out.note(format!("Variable `{}` is set.", variable.name))?;
        return Ok(());
    }
    if !overwrite {
        return Err(Failure::new(format!("variable `{name}` exists already"))
            .hint("`--overwrite` replaces its value")
            .into());
    }
    let tags = if tags.is_empty() { Patch::Keep } else { Patch::Set(tags) };
    client
        .update_variable(&name, &VariableUpdate { value: Patch::Set(value), tags, ..VariableUpdate::default() })
        .await?;
    out.note(format!("Variable `{name}` is set."))?;
    Ok(())
}

async fn require(client: &Client, name: &str) -> anyhow::Result<Variable> {
    let found = client.read_variable(name).await?;
    found.ok_or_else(|| failure::not_found("variable", name, "variable ls").into())
}

/// Texts without quotes, everything else as JSON.
fn text(variable: &Variable) -> String {
    match variable.value.as_ref().map(tidegate_core::json::Json::value) {
        Some(serde_json::Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => "null".to_owned(),
    }
}
