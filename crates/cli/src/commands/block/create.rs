//! `block create`: makes a block of a type that is registered, or says where the web UI makes one.

use serde_json::{Map, Value};
use tidegate_api::blocks::{BlockDocumentCreate, BlockSchema, BlockType};
use tidegate_api::filters::{BlockSchemaFilter, IdFilter};
use tidegate_client::{Client, Page};

use crate::commands::{dashboard, values};
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Args)]
pub struct Arguments {
    /// The slug of its type
    pub kind: String,
    /// Create it here, under this name
    #[arg(short, long)]
    name: Option<String>,
    /// A field, KEY=VALUE; values are JSON or text; may be repeated
    #[arg(long = "field", value_name = "KEY=VALUE", requires = "name")]
    fields: Vec<String>,
    /// All fields as a JSON object, `@file` or `-` for stdin
    #[arg(long, value_name = "JSON", requires = "name")]
    data: Option<String>,
}

pub async fn run(
    arguments: &Arguments,
    kind: &BlockType,
    client: &Client,
    settings: &Settings,
    out: &mut Out,
) -> anyhow::Result<()> {
    let Some(name) = &arguments.name else {
        out.note(format!("Create a {} block in the web UI:", kind.name))?;
        return Ok(out.line(format!(
            "{}/blocks/catalog/{}/create",
            dashboard::address(client, settings),
            kind.slug
        ))?);
    };
    let data = data(arguments)?;
    let Some(schema) = newest_schema(kind, client).await? else {
        let failure = Failure::new(format!("block type `{}` has no schema yet", kind.slug));
        return Err(failure.hint("`tidegate block register` tells the server of it").into());
    };
    refuse_misfits(&data, &schema.fields.value(), &kind.slug)?;
    let create = BlockDocumentCreate {
        name: Some(name.clone()),
        data: Value::Object(data).into(),
        block_schema_id: schema.id,
        block_type_id: kind.id,
        is_anonymous: false,
    };
    let block = client.create_block_document(&create).await?;
    if out.is_json() {
        return Ok(out.json(&block)?);
    }
    out.note(format!("Block `{}/{name}` is created ({}).", kind.slug, block.id))?;
    Ok(())
}

/// What the type's code says now.
pub async fn newest_schema(kind: &BlockType, client: &Client) -> anyhow::Result<Option<BlockSchema>> {
    let filter = BlockSchemaFilter {
        block_type_id: Some(IdFilter { any_: Some(vec![kind.id]), ..IdFilter::default() }),
        ..BlockSchemaFilter::default()
    };
    Ok(client.list_block_schemas(Some(&filter), Page::first(1)).await?.into_iter().next())
}

fn data(arguments: &Arguments) -> anyhow::Result<Map<String, Value>> {
    let mut data = match &arguments.data {
        Some(text) => values::object(text, "--data")?,
        None => Map::new(),
    };
    data.extend(values::pairs(&arguments.fields, "--field")?);
    Ok(data)
}

/// The server keeps whatever it is given; a block that its own code cannot load is no use.
fn refuse_misfits(data: &Map<String, Value>, schema: &Value, slug: &str) -> Result<(), Failure> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing: Vec<&str> = required.filter(|name| !data.contains_key(*name)).collect();
    let known = schema["properties"].as_object();
    let known = |name: &str| known.is_none_or(|properties| properties.contains_key(name));
    let unknown: Vec<&str> = data.keys().map(String::as_str).filter(|name| !known(name)).collect();
    let problem = match (missing.as_slice(), unknown.as_slice()) {
        ([], []) => return Ok(()),
        ([], unknown) => format!("a block of type `{slug}` has no field `{}`", unknown.join("`, `")),
        (missing, _) => format!("a block of type `{slug}` needs `{}`", missing.join("`, `")),
    };
    Err(Failure::usage(problem).hint("`tidegate block type inspect` shows the fields"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_type_cannot_load_is_refused() {
        let schema = json!({ "required": ["value"], "properties": { "value": {}, "note": {} } });
        let check =
            |data: Value| refuse_misfits(data.as_object().unwrap(), &schema, "secret").map_err(|e| e.to_string());
        assert_eq!(check(json!({ "value": 1, "note": 2 })), Ok(()));
        assert_eq!(check(json!({})), Err("a block of type `secret` needs `value`".to_owned()));
        assert_eq!(check(json!({ "value": 1, "x": 2 })), Err("a block of type `secret` has no field `x`".to_owned()));
        assert!(refuse_misfits(&Map::new(), &json!({}), "any").is_ok());
    }
}
