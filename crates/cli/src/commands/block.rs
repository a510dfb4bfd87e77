//! `block`: named configuration that flows load, and the types it is of.

mod create;
mod register;

use comfy_table::Cell;
use serde_json::Value;
use tidegate_api::blocks::{BlockDocument, BlockDocumentSort, BlockType};
use tidegate_client::Client;

use super::lookup;
use crate::failure::{self, Failure};
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List blocks
    Ls,
    /// Show a block; secrets stay hidden
    Inspect {
        /// TYPE-SLUG/NAME
        slug: Option<String>,
        #[arg(long)]
        id: Option<String>,
    },
    /// Create a block, or say where the web UI creates one
    Create(create::Arguments),
    /// Tell the server of the block types of a Python module or file
    Register {
        #[command(flatten)]
        place: register::Arguments,
        #[command(flatten)]
        interpreter: register::Interpreter,
    },
    /// Delete a block
    Delete {
        /// TYPE-SLUG/NAME
        slug: Option<String>,
        #[arg(long)]
        id: Option<String>,
    },
    /// Block types
    #[command(subcommand, alias = "types")]
    Type(Type),
}

#[derive(clap::Subcommand)]
pub enum Type {
    /// List block types
    Ls,
    /// Show a block type
    Inspect { slug: String },
    /// Delete a block type and all its blocks
    Delete { slug: String },
}

pub async fn run(command: Command, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls => list(client, out).await,
        Command::Create(arguments) => {
            let kind = require_type(client, &arguments.kind).await?;
            create::run(&arguments, &kind, client, settings, out).await
        }
        Command::Register { place, interpreter } => register::run(&place, &interpreter, client, settings, out),
        Command::Inspect { slug, id } => {
            let block = require(client, slug.as_deref(), id.as_deref()).await?;
            inspect(&block, out)
        }
        Command::Delete { slug, id } => {
            let block = require(client, slug.as_deref(), id.as_deref()).await?;
            let name = slug_of(&block);
            if out.confirm(&format!("Delete block `{name}`?"))? {
                client.delete_block_document(block.id).await?;
                out.note(format!("Block `{name}` is deleted."))?;
            }
            Ok(())
        }
        Command::Type(command) => run_type(command, client, out).await,
    }
}

async fn list(client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let sort = BlockDocumentSort::BlockTypeAndNameAsc;
    let blocks = lookup::every(None, async |page| client.list_block_documents(None, sort, page).await).await?;
    let columns = ["Id", "Type", "Name", "Slug"];
    Ok(out.items(&blocks, "blocks", &columns, |block, _| {
        vec![
            Cell::new(block.id),
            Cell::new(block.block_type.as_ref().map_or("", |kind| &kind.name)),
            Cell::new(block.name.as_deref().unwrap_or_default()),
            Cell::new(slug_of(block)),
        ]
    })?)
}

fn slug_of(block: &BlockDocument) -> String {
    let kind = block.block_type.as_ref().map_or("", |kind| &kind.slug);
    format!("{kind}/{}", block.name.as_deref().unwrap_or_default())
}

fn inspect(block: &BlockDocument, out: &mut Out) -> anyhow::Result<()> {
    let data = block.data.value();
    let data = data.as_object().map(|data| {
        let lines = data.iter().map(|(name, value)| {
            format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    let fields = vec![
        ("Block", Some(slug_of(block))),
        ("Type", block.block_type.as_ref().map(|kind| kind.name.clone())),
        ("Id", Some(block.id.to_string())),
        ("Updated", block.updated.map(|time| time.to_string())),
        ("Data", data),
    ];
    Ok(out.item(block, fields)?)
}

async fn require(client: &Client, slug: Option<&str>, id: Option<&str>) -> anyhow::Result<BlockDocument> {
    let found = match (slug, id) {
        (None, Some(id)) => client.read_block_document(lookup::id(id)?, false).await?,
        (Some(slug), None) => {
            let Some((kind, name)) = slug.split_once('/') else {
                return Err(Failure::usage(format!("`{slug}` is not of the form TYPE-SLUG/NAME")).into());
            };
            client.read_block_document_by_name(kind, name, false).await?
        }
        _ => return Err(Failure::usage("give TYPE-SLUG/NAME or `--id`").into()),
    };
    let name = slug.or(id).unwrap_or_default();
    found.ok_or_else(|| failure::not_found("block", name, "block ls").into())
}

async fn run_type(command: Type, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Type::Ls => {
            let types = lookup::every(None, async |page| client.list_block_types(None, page).await).await?;
            let columns = ["Slug", "Name", "Description"];
            Ok(out.items(&types, "block types", &columns, |kind, _| {
                let description = kind.description.as_deref().unwrap_or_default();
                vec![Cell::new(&kind.slug), Cell::new(&kind.name), Cell::new(first_sentence(description))]
            })?)
        }
        Type::Inspect { slug } => {
            let kind = require_type(client, &slug).await?;
            let schema = create::newest_schema(&kind, client).await?;
            let fields = vec![
                ("Slug", Some(kind.slug.clone())),
                ("Name", Some(kind.name.clone())),
                ("Id", Some(kind.id.to_string())),
                ("Description", kind.description.clone()),
                ("Documentation", kind.documentation_url.clone()),
                ("Protected", kind.is_protected.then(|| "yes".to_owned())),
                ("Fields", schema.map(|schema| fields_of(&schema.fields.value())).filter(|text| !text.is_empty())),
            ];
            Ok(out.item(&kind, fields)?)
        }
        Type::Delete { slug } => {
            let kind = require_type(client, &slug).await?;
            if out.confirm(&format!("Delete block type `{slug}` and all blocks of it?"))? {
                client.delete_block_type(kind.id).await?;
                out.note(format!("Block type `{slug}` is deleted."))?;
            }
            Ok(())
        }
    }
}

async fn require_type(client: &Client, slug: &str) -> anyhow::Result<BlockType> {
    let found = client.read_block_type(slug).await?;
    found.ok_or_else(|| failure::not_found("block type", slug, "block type ls").into())
}

/// A line per field: its name, whether it is needed, what is in it.
fn fields_of(schema: &Value) -> String {
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    let lines = properties.map(|(name, property)| {
        let needed = if is_required(name) { " (needed)" } else { "" };
        let about = property["description"].as_str().or(property["title"].as_str()).unwrap_or_default();
        format!("{name}{needed}: {}", first_sentence(about))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(first, _)| first)
}
