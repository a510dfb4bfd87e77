//! Writes block documents: references leave the data for rows of their own, secrets that come back hidden stay as they
//! were, and every change of a named document is told.

use serde_json::Value;
use tidegate_api::{
    blocks::{BlockDocument, BlockDocumentCreate, BlockDocumentUpdate},
    patch::Patch,
};
use tidegate_store::{Data, NewBlockDocument, Reveal, Secrets, StoredDocument, Tx};
use uuid::Uuid;

use crate::error::ApiError;

pub fn absent() -> ApiError {
    ApiError::not_found("Block document not found")
}

/// Creates a document and answers it with its secrets hidden.
pub async fn create(tx: &mut Tx, secrets: &Secrets, create: &BlockDocumentCreate) -> Result<BlockDocument, ApiError> {
    if tx.read_block_type(create.block_type_id).await?.is_none() {
        return Err(ApiError::not_found(format!("Block type {} not found.", create.block_type_id)));
    }
    let name = match create.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => format!("anonymous-{}", Uuid::new_v4()),
    };
    let (data, references) = separate_references(create.data.parse().map_err(anyhow::Error::from)?)?;
    let new = NewBlockDocument {
        name,
        is_anonymous: create.is_anonymous,
        block_type_id: create.block_type_id,
        block_schema_id: create.block_schema_id,
        data,
    };
    let Some(id) = tx.insert_block_document(secrets, &new).await? else {
        return Err(ApiError::conflict("Block already exists"));
    };
    refer(tx, id, &references).await?;
    tell(tx, secrets, id, "created").await
}

/// Changes a document's data, and its schema with it. Data that is sent is laid over what is there, unless the client
/// says that it replaces it.
pub async fn update(tx: &mut Tx, secrets: &Secrets, id: Uuid, update: BlockDocumentUpdate) -> Result<(), ApiError> {
    let stored = tx.read_stored_document(secrets, id).await?.ok_or_else(absent)?;
    let merge = update.merge_existing_data.value().unwrap_or(true);
    let sent = match update.data {
        Patch::Keep if merge => None,
        Patch::Keep | Patch::Clear => Some(Data::default()),
        Patch::Set(data) => Some(data.parse::<Data>().map_err(anyhow::Error::from)?),
    };
    if let Some(mut data) = sent {
        stored.secret_fields.restore(&mut data, &stored.data);
        if merge {
            let sent = std::mem::replace(&mut data, stored.data.clone());
            data.extend(sent);
        }
        let (data, references) = separate_references(data)?;
        let schema = target_schema(tx, &stored, update.block_schema_id.value()).await?;
        tx.update_block_document(secrets, id, schema, &data).await?;
        refer(tx, id, &references).await?;
    }
    tell(tx, secrets, id, "updated").await.map(drop)
}

/// Deletes a document. One that cannot be read, for want of its key or for damage, can be deleted too; there is nothing to
/// tell of it then.
pub async fn delete(tx: &mut Tx, secrets: &Secrets, id: Uuid) -> Result<(), ApiError> {
    match tx.read_block_document(secrets, id, Reveal::Nothing).await {
        Ok(Some(document)) => tx.emit_block_document_event(&document, "deleted").await?,
        Ok(None) => return Err(absent()),
        Err(tidegate_store::Error::Secret(_) | tidegate_store::Error::Corrupt { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if tx.delete_block_document(id).await? { Ok(()) } else { Err(absent()) }
}

async fn tell(tx: &mut Tx, secrets: &Secrets, id: Uuid, what: &str) -> Result<BlockDocument, ApiError> {
    let document = tx.read_block_document(secrets, id, Reveal::Nothing).await?.ok_or_else(absent)?;
    tx.emit_block_document_event(&document, what).await?;
    Ok(document)
}

async fn refer(tx: &mut Tx, id: Uuid, references: &[(String, Uuid)]) -> Result<(), ApiError> {
    match tx.set_block_document_references(id, references).await? {
        None => Ok(()),
        Some(reference) => Err(ApiError::bad_request(format!(
            "Cannot create block document reference: it would introduce a cycle into the block_document_reference graph \
             (parent={id}, reference={reference})."
        ))),
    }
}

/// The schema after the update: clients save with the schema of their own class, which may be another version.
async fn target_schema(tx: &mut Tx, stored: &StoredDocument, proposed: Option<Uuid>) -> Result<Uuid, ApiError> {
    let Some(proposed) = proposed.filter(|proposed| *proposed != stored.block_schema_id) else {
        return Ok(stored.block_schema_id);
    };
    let schema = tx.read_block_schema(proposed).await?;
    let schema = schema.ok_or_else(|| ApiError::not_found(format!("Block schema {proposed} not found")))?;
    if schema.block_type_id == Some(stored.block_type_id) {
        Ok(proposed)
    } else {
        Err(ApiError::bad_request("Must migrate block document to a block schema of the same block type."))
    }
}

/// Takes `{"$ref": {"block_document_id": …}}` out of the data; references count at the top level only.
fn separate_references(data: Data) -> Result<(Data, Vec<(String, Uuid)>), ApiError> {
    let mut plain = Data::default();
    let mut references = Vec::new();
    for (name, value) in data {
        let Some(reference) = value.members().and_then(|mut members| members.shift_remove("$ref")) else {
            plain.insert(name, value);
            continue;
        };
        let id = match reference.value().get("block_document_id") {
            None | Some(Value::Null) => Err(ApiError::bad_request(format!(
                "Received block reference without a block_document_id in key {name}"
            ))),
            Some(id) => id.as_str().and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(|| {
                ApiError::bad_request(format!("The block reference in key {name} holds {id} instead of a block's id."))
            }),
        };
        references.push((name, id?));
    }
    Ok((plain, references))
}
