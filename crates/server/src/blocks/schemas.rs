//! Registers block schemas: a schema brings the schemas of the blocks within it along, and each is stored once.

use serde_json::{Map, Value};
use tidegate_api::blocks::{BlockSchema, BlockSchemaCreate, BlockType};
use tidegate_core::json::Json;
use tidegate_store::{NewBlockSchema, Tx};
use uuid::Uuid;

use super::checksum::{checksum, collect_references, definition_name, plain_definitions};
use crate::error::ApiError;

const UNVERSIONED: &str = "non-versioned";
const MAXIMUM_DEPTH: usize = 50;

/// Whether a registration made a schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registered {
    Now,
    Before,
}

type Fields = Map<String, Value>;

/// Registers a schema; the one of the same checksum and version is answered if there is one.
pub async fn register(tx: &mut Tx, create: &BlockSchemaCreate) -> Result<(BlockSchema, Registered), ApiError> {
    if tx.read_block_type(create.block_type_id).await?.is_none() {
        return Err(ApiError::not_found(format!("Block type {} not found.", create.block_type_id)));
    }
    let sent: Fields = create.fields.parse().map_err(anyhow::Error::from)?;
    let known = tx.read_block_schema_by_checksum(&checksum(&sent), Some(&create.version)).await?;
    if let Some(known) = known {
        return Ok((known, Registered::Before));
    }
    let schema = Schema {
        fields: sent.clone(),
        block_type_id: create.block_type_id,
        capabilities: create.capabilities.clone(),
        version: create.version.clone(),
    };
    let id = store(tx, schema, None, 0).await?;
    let mut created = tx.read_block_schema(id).await?.ok_or_else(|| anyhow::anyhow!("a new block schema is gone"))?;
    // The answer repeats what was sent, unused definitions included.
    let mut fields = sent;
    fields.entry("block_schema_references").or_insert_with(|| Value::Object(Map::new()));
    created.fields = Json::from_value(&fields);
    Ok((created, Registered::Now))
}

struct Schema {
    fields: Fields,
    block_type_id: Uuid,
    capabilities: Vec<String>,
    version: String,
}

/// Stores a schema, then those that it refers to. `definitions` are those of the outermost schema.
async fn store(tx: &mut Tx, schema: Schema, definitions: Option<&Fields>, depth: usize) -> Result<Uuid, ApiError> {
    if depth > MAXIMUM_DEPTH {
        return Err(ApiError::unprocessable(format!("Block schemas may nest {MAXIMUM_DEPTH} levels deep.")));
    }
    let Schema { mut fields, block_type_id, capabilities, version } = schema;
    let own = fields.get("definitions").and_then(Value::as_object).filter(|own| !own.is_empty()).cloned();
    let definitions = definitions.cloned().or(own);
    if let Some(definitions) = &definitions {
        fields.insert("definitions".into(), Value::Object(definitions.clone()));
    }
    let checksum = checksum(&fields);
    if let Some(known) = tx.read_block_schema_by_checksum(&checksum, Some(&version)).await? {
        return Ok(known.id);
    }
    if let Some(definitions) = &definitions {
        // Other blocks' definitions are put together again when the schema is read.
        let plain = plain_definitions(&Value::Object(fields.clone()), definitions);
        fields.shift_remove("definitions");
        if !plain.is_empty() {
            fields.insert("definitions".into(), Value::Object(plain));
        }
    }
    let references = fields.shift_remove("block_schema_references");
    let new = NewBlockSchema { checksum, fields: Json::from_value(&fields), block_type_id, capabilities, version };
    let inserted = tx.insert_block_schema(&new).await?;
    // Another transaction was first: the write is run again and finds it.
    let id = inserted.ok_or_else(|| tidegate_store::Error::Conflict("a block schema was registered twice".into()))?;
    let references = references.as_ref().and_then(Value::as_object).into_iter().flatten();
    for (name, entries) in references {
        let one = std::slice::from_ref(entries);
        for entry in entries.as_array().map_or(one, Vec::as_slice) {
            let nested = Box::pin(nested(tx, &fields, definitions.as_ref(), name, entry, depth)).await?;
            tx.add_block_schema_reference(id, name, nested).await?;
        }
    }
    Ok(id)
}

/// The schema that one entry of `block_schema_references` names, stored if it was not.
async fn nested(
    tx: &mut Tx,
    fields: &Fields,
    definitions: Option<&Fields>,
    name: &str,
    entry: &Value,
    depth: usize,
) -> Result<Uuid, ApiError> {
    let text = |key: &str| {
        entry.get(key).and_then(Value::as_str).ok_or_else(|| {
            ApiError::unprocessable(format!("The block schema reference {name:?} does not name its `{key}`."))
        })
    };
    let (slug, checksum) = (text("block_type_slug")?, text("block_schema_checksum")?);
    let Some(kind) = tx.read_block_type_by_slug(slug).await? else {
        return Err(ApiError::conflict(format!(
            "Cannot create block schema because block type '{slug}' was not found.Did you forget to register the block \
             type?"
        )));
    };
    if let Some(known) = tx.read_block_schema_by_checksum(checksum, None).await? {
        return Ok(known.id);
    }
    let Some(definitions) = definitions else {
        return Err(ApiError::unprocessable(
            "Unable to create nested block schema due to missing definitions in root block schema fields",
        ));
    };
    let Some(definition) = definition_of(fields, definitions, name, &kind) else {
        return Err(ApiError::unprocessable(format!(
            "Unable to create nested block schema for block type '{}' due to missing definition.",
            kind.name
        )));
    };
    let schema = Schema {
        fields: definition.clone(),
        block_type_id: kind.id,
        capabilities: Vec::new(),
        version: UNVERSIONED.into(),
    };
    store(tx, schema, Some(definitions), depth + 1).await
}

/// The definition behind the field `name`; where it may hold several kinds of blocks, that of this kind.
fn definition_of<'d>(fields: &Fields, definitions: &'d Fields, name: &str, kind: &BlockType) -> Option<&'d Fields> {
    let mut references = Vec::new();
    collect_references(fields.get("properties")?.get(name)?, &mut references);
    let mut candidates = references.iter().filter_map(|reference| definitions.get(&definition_name(reference)));
    let definition = match references.len() {
        1 => candidates.next(),
        _ => candidates.find(|definition| definition["block_type_slug"] == kind.slug.as_str()),
    };
    definition?.as_object()
}
