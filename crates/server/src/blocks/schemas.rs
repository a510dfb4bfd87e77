//! Registers block schemas: a schema brings the schemas of the blocks within it along, and each is stored once.

use tidegate_api::blocks::{BlockSchema, BlockSchemaCreate, BlockType};
use tidegate_core::json::{Json, Object};
use tidegate_store::{NewBlockSchema, Tx};
use uuid::Uuid;

use super::checksum::{checksum, definitions_named_in, plain_definitions};
use crate::error::ApiError;

const UNVERSIONED: &str = "non-versioned";
const MAXIMUM_DEPTH: usize = 50;

/// Whether a registration made a schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registered {
    Now,
    Before,
}

/// Registers a schema; the one of the same checksum and version is answered if there is one.
pub async fn register(tx: &mut Tx, create: &BlockSchemaCreate) -> Result<(BlockSchema, Registered), ApiError> {
    if tx.read_block_type(create.block_type_id).await?.is_none() {
        return Err(ApiError::not_found(format!("Block type {} not found.", create.block_type_id)));
    }
    let sent: Object = create.fields.parse().map_err(anyhow::Error::from)?;
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
    fields.entry("block_schema_references".into()).or_insert_with(Json::empty_object);
    created.fields = Json::from_value(&fields);
    Ok((created, Registered::Now))
}

struct Schema {
    fields: Object,
    block_type_id: Uuid,
    capabilities: Vec<String>,
    version: String,
}

/// Stores a schema, then those that it refers to. `definitions` are those of the outermost schema.
async fn store(tx: &mut Tx, schema: Schema, definitions: Option<&Object>, depth: usize) -> Result<Uuid, ApiError> {
    if depth > MAXIMUM_DEPTH {
        return Err(ApiError::unprocessable(format!("Block schemas may nest {MAXIMUM_DEPTH} levels deep.")));
    }
    let Schema { mut fields, block_type_id, capabilities, version } = schema;
    let own = fields.get("definitions").and_then(Json::members).filter(|own| !own.is_empty());
    let definitions = definitions.cloned().or(own);
    if let Some(definitions) = &definitions {
        fields.insert("definitions".into(), Json::from_value(definitions));
    }
    let checksum = checksum(&fields);
    if let Some(known) = tx.read_block_schema_by_checksum(&checksum, Some(&version)).await? {
        return Ok(known.id);
    }
    if let Some(definitions) = &definitions {
        // Other blocks' definitions are put together again when the schema is read.
        let plain = plain_definitions(&fields, definitions);
        fields.shift_remove("definitions");
        if !plain.is_empty() {
            fields.insert("definitions".into(), Json::from_value(&plain));
        }
    }
    let references = fields.shift_remove("block_schema_references");
    let new = NewBlockSchema { checksum, fields: Json::from_value(&fields), block_type_id, capabilities, version };
    let inserted = tx.insert_block_schema(&new).await?;
    // Another transaction was first: the write is run again and finds it.
    let id = inserted.ok_or_else(|| tidegate_store::Error::Conflict("a block schema was registered twice".into()))?;
    for (name, entries) in references.and_then(|references| references.members()).into_iter().flatten() {
        for entry in entries.items().unwrap_or_else(|| vec![entries.clone()]) {
            let nested = Box::pin(nested(tx, &fields, definitions.as_ref(), &name, &entry, depth)).await?;
            tx.add_block_schema_reference(id, &name, nested).await?;
        }
    }
    Ok(id)
}

/// The schema that one entry of `block_schema_references` names, stored if it was not.
async fn nested(
    tx: &mut Tx,
    fields: &Object,
    definitions: Option<&Object>,
    name: &str,
    entry: &Json,
    depth: usize,
) -> Result<Uuid, ApiError> {
    let entry = entry.members().unwrap_or_default();
    let text = |key: &str| {
        entry.get(key).and_then(Json::as_string).ok_or_else(|| {
            ApiError::unprocessable(format!("The block schema reference {name:?} does not name its `{key}`."))
        })
    };
    let (slug, checksum) = (text("block_type_slug")?, text("block_schema_checksum")?);
    let Some(kind) = tx.read_block_type_by_slug(&slug).await? else {
        return Err(ApiError::conflict(format!(
            "Cannot create block schema because block type '{slug}' was not found.Did you forget to register the block \
             type?"
        )));
    };
    if let Some(known) = tx.read_block_schema_by_checksum(&checksum, None).await? {
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
    let schema =
        Schema { fields: definition, block_type_id: kind.id, capabilities: Vec::new(), version: UNVERSIONED.into() };
    store(tx, schema, Some(definitions), depth + 1).await
}

/// The definition behind the field `name`; where it may hold several kinds of blocks, that of this kind.
fn definition_of(fields: &Object, definitions: &Object, name: &str, kind: &BlockType) -> Option<Object> {
    let names = definitions_named_in(fields.get("properties")?.members()?.get(name)?);
    let mut candidates = names.iter().filter_map(|name| definitions.get(name)?.members());
    match names.len() {
        1 => candidates.next(),
        _ => candidates.find(|definition| {
            definition.get("block_type_slug").and_then(Json::as_string).is_some_and(|slug| slug == kind.slug)
        }),
    }
}
