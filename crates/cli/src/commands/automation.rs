//! `automation`: what shall happen when something else happens. The documents go to the server as they are; it alone
//! knows what may stand in them.

mod describe;
mod document;

use std::path::PathBuf;

use comfy_table::Cell;
use serde_json::Value;
use tidegate_client::Client;
use uuid::Uuid;

use super::lookup;
use crate::failure::{self, Failure};
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List automations
    Ls,
    /// Show an automation
    Inspect {
        #[command(flatten)]
        which: Which,
        /// As a YAML document, which `update` and `create` read
        #[arg(long, conflicts_with = "json")]
        yaml: bool,
        /// Short for `--output json`
        #[arg(long, hide = true)]
        json: bool,
    },
    /// Create automations from a document
    Create(Document),
    /// Replace an automation by a document
    Update {
        #[arg(long)]
        id: String,
        #[command(flatten)]
        document: Document,
    },
    /// Keep an automation from acting
    #[command(alias = "disable")]
    Pause(Which),
    /// Let an automation act again
    #[command(alias = "enable")]
    Resume(Which),
    /// Delete an automation
    Delete {
        #[command(flatten)]
        which: Which,
        /// All automations
        #[arg(long, conflicts_with_all = ["name", "id"])]
        all: bool,
    },
}

#[derive(clap::Args)]
pub struct Which {
    /// All automations of this name
    name: Option<String>,
    #[arg(long)]
    id: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Document {
    /// A YAML or JSON file: one automation, a list of them, or an object with the list `automations`
    #[arg(short = 'f', long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// The same as JSON, in place; `-` reads stdin
    #[arg(short = 'j', long, value_name = "JSON")]
    from_json: Option<String>,
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls => list(client, out).await,
        Command::Inspect { which, yaml, json } => {
            let found = require(&which, client).await?;
            inspect(&found, yaml, json, out)
        }
        Command::Create(document) => create(document.read()?, client, out).await,
        Command::Update { id, document } => {
            let id = lookup::id(&id)?;
            let mut automations = document.read()?;
            let (Some(automation), true) = (automations.pop(), automations.is_empty()) else {
                return Err(Failure::usage("one automation is updated at a time; the document has more").into());
            };
            by_id(id, client).await?;
            client.replace_automation(id, &document::without_server_fields(automation)).await?;
            out.note(format!("Automation {id} is updated."))?;
            Ok(())
        }
        Command::Pause(which) => set_enabled(&which, false, client, out).await,
        Command::Resume(which) => set_enabled(&which, true, client, out).await,
        Command::Delete { which, all } => delete(&which, all, client, out).await,
    }
}

async fn list(client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let automations = all(client).await?;
    let columns = ["Name", "Enabled", "Trigger", "Actions", "Id"];
    Ok(out.items(&automations, "automations", &columns, |automation, _| {
        vec![
            Cell::new(name_of(automation)),
            Cell::new(if automation["enabled"] == Value::Bool(true) { "yes" } else { "no" }),
            Cell::new(describe::trigger(&automation["trigger"])),
            Cell::new(describe::actions(automation).join("\n")),
            Cell::new(id_text(automation)),
        ]
    })?)
}

async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    lookup::every(None, async |page| client.list_automations(page).await).await
}

fn inspect(found: &[Value], yaml: bool, json: bool, out: &mut Out) -> anyhow::Result<()> {
    if yaml {
        return Ok(out.line(document::yaml(found)?.trim_end())?);
    }
    if json || out.is_json() {
        match found {
            [automation] => out.json(automation)?,
            automations => out.json(automations)?,
        }
        return Ok(());
    }
    for automation in found {
        let text = |key: &str| automation[key].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let tags = automation["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let fields = vec![
            ("Name", text("name")),
            ("Id", text("id")),
            ("Description", text("description")),
            ("Enabled", Some(if automation["enabled"] == Value::Bool(true) { "yes" } else { "no" }.to_owned())),
            ("Trigger", Some(describe::trigger(&automation["trigger"]))),
            ("Actions", Some(describe::actions(automation).join("\n")).filter(|text| !text.is_empty())),
            ("Tags", Some(tags.collect::<Vec<_>>().join(", ")).filter(|tags| !tags.is_empty())),
            ("Created", text("created")),
            ("Updated", text("updated")),
        ];
        out.item(automation, fields)?;
    }
    Ok(())
}

impl Document {
    fn read(self) -> anyhow::Result<Vec<Value>> {
        match (self.from_file, self.from_json) {
            (Some(path), _) => document::of_file(&path),
            (None, json) => document::of_json(&json.unwrap_or_default()),
        }
    }
}

/// Creates what can be created; one that is refused keeps none of the others back.
async fn create(automations: Vec<Value>, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let count = automations.len();
    let mut created = Vec::with_capacity(count);
    let mut refused = Vec::new();
    for automation in automations {
        let name = name_of(&automation).to_owned();
        match client.create_automation(&document::without_server_fields(automation)).await {
            Ok(automation) => created.push(automation),
            Err(error) if count == 1 => return Err(error.into()),
            Err(error) => refused.push(format!("`{name}`: {error}")),
        }
    }
    if out.is_json() {
        out.json(&created)?;
    }
    for automation in &created {
        out.note(format!("Automation `{}` is created ({}).", name_of(automation), id_text(automation)))?;
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} of {count} automations were refused: {}", refused.len(), refused.join("; "))).into())
}

async fn set_enabled(which: &Which, enabled: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let found = require(which, client).await?;
    let word = if enabled { "Resume" } else { "Pause" };
    if found.len() > 1 && !out.confirm(&format!("{word} all {} automations of this name?", found.len()))? {
        return Ok(());
    }
    for automation in &found {
        client.set_automation_enabled(id_of(automation)?, enabled).await?;
        let state = if enabled { "enabled" } else { "paused" };
        out.note(format!("Automation `{}` is {state}.", name_of(automation)))?;
    }
    Ok(())
}

async fn delete(which: &Which, every: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let found = if every { all(client).await? } else { require(which, client).await? };
    if found.is_empty() {
        out.note("No automations found.")?;
        return Ok(());
    }
    if found.len() > 1 && !every {
        let failure = Failure::new(format!("{} automations have this name", found.len()));
        return Err(failure.hint("`--id` says which; `tidegate automation ls` shows the ids").into());
    }
    let question = match found.as_slice() {
        [automation] => format!("Delete automation `{}`?", name_of(automation)),
        automations => format!("Delete all {} automations?", automations.len()),
    };
    if out.confirm(&question)? {
        for automation in &found {
            client.delete_automation(id_of(automation)?).await?;
        }
        out.note(match found.as_slice() {
            [automation] => format!("Automation `{}` is deleted.", name_of(automation)),
            automations => format!("{} automations are deleted.", automations.len()),
        })?;
    }
    Ok(())
}

async fn require(which: &Which, client: &Client) -> anyhow::Result<Vec<Value>> {
    match (&which.name, &which.id) {
        (Some(name), None) => {
            let found = lookup::every(None, async |page| client.list_automations_by_name(name, page).await).await?;
            if found.is_empty() {
                return Err(failure::not_found("automation", name, "automation ls").into());
            }
            Ok(found)
        }
        (None, Some(id)) => Ok(vec![by_id(lookup::id(id)?, client).await?]),
        _ => Err(Failure::usage("give a name or `--id`").into()),
    }
}

async fn by_id(id: Uuid, client: &Client) -> anyhow::Result<Value> {
    let found = client.read_automation(id).await?;
    found.ok_or_else(|| failure::not_found("automation", id, "automation ls").into())
}

fn name_of(automation: &Value) -> &str {
    automation["name"].as_str().unwrap_or_default()
}

fn id_text(automation: &Value) -> &str {
    automation["id"].as_str().unwrap_or_default()
}

fn id_of(automation: &Value) -> Result<Uuid, Failure> {
    lookup::id(id_text(automation))
}
