//! Puts block documents together: the data of the documents that one refers to goes in the places of the references.
//! Each document's secrets are hidden by its own schema. Pure.

use std::{cell::Cell, collections::HashMap};

use serde_json::{Map, Value, json};
use tidegate_api::blocks::{BlockDocument, BlockSchema};
use tidegate_core::json::Json;
use uuid::Uuid;

use super::{Data, Opened, Reveal, SecretFields};
use crate::{Error, Result};

const MAXIMUM_DEPTH: usize = 50;
/// Documents that share their references can multiply; nobody reads that many parts of one block.
const MAXIMUM_PARTS: usize = 10_000;

/// One field of one document that is another document.
pub(super) struct Reference {
    pub(super) parent: Uuid,
    pub(super) name: String,
    pub(super) document: Opened,
}

pub(super) struct Assembly<'a> {
    references: HashMap<Uuid, Vec<Reference>>,
    schemas: &'a HashMap<Uuid, BlockSchema>,
    secret_fields: HashMap<Uuid, SecretFields>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(references: Vec<Reference>, schemas: &'a HashMap<Uuid, BlockSchema>, reveal: Reveal) -> Self {
        let mut by_parent: HashMap<Uuid, Vec<Reference>> = HashMap::new();
        for reference in references {
            by_parent.entry(reference.parent).or_default().push(reference);
        }
        let secret_fields = match reveal {
            Reveal::Secrets => HashMap::new(),
            Reveal::Nothing => {
                let fields = |schema: &BlockSchema| SecretFields::of_schema(&schema.fields.value());
                schemas.iter().map(|(id, schema)| (*id, fields(schema))).collect()
            }
        };
        Self { references: by_parent, schemas, secret_fields }
    }

    pub(super) fn whole_document(&self, root: Opened) -> Result<BlockDocument> {
        let (data, references) = self.expand(&root, 0, &Cell::new(0))?;
        Ok(BlockDocument {
            id: root.id,
            created: Some(root.created),
            updated: Some(root.updated),
            name: Some(root.name),
            data: Json::from_value(&data),
            block_schema_id: root.schema,
            block_schema: self.schemas.get(&root.schema).cloned(),
            block_type_id: root.kind.id,
            block_type_name: Some(root.kind.name.clone()),
            block_type: Some(root.kind),
            block_document_references: Json::from_value(&references),
            is_anonymous: root.is_anonymous,
        })
    }

    /// The data of a document and the record of its references, with all that lies below.
    fn expand(&self, document: &Opened, depth: usize, parts: &Cell<usize>) -> Result<(Data, Map<String, Value>)> {
        parts.set(parts.get() + 1);
        if depth > MAXIMUM_DEPTH || parts.get() > MAXIMUM_PARTS {
            return Err(Error::Corrupt {
                column: "block_document_reference".into(),
                problem: format!("block document {} refers to too many others", document.id),
            });
        }
        let mut data = document.data.clone();
        if let Some(secret) = self.secret_fields.get(&document.schema) {
            secret.obfuscate(&mut data);
        }
        let mut references = Map::new();
        for Reference { name, document, .. } in self.references.get(&document.id).into_iter().flatten() {
            let (child, below) = self.expand(document, depth + 1, parts)?;
            data.insert(name.clone(), Json::from_value(&child));
            let record = json!({
                "block_document": {
                    "id": document.id,
                    "name": document.name,
                    "block_type": document.kind,
                    "is_anonymous": document.is_anonymous,
                    "block_document_references": below,
                },
            });
            references.insert(name.clone(), record);
        }
        Ok((data, references))
    }
}
