//! Block types, schemas and documents: typed, named configuration.

use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::patch::Patch;

/// A block type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockType {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    pub slug: String,
    #[serde(default)]
    pub logo_url: Option<String>,
    #[serde(default)]
    pub documentation_url: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub code_example: Option<String>,
    #[serde(default)]
    pub is_protected: bool,
}

/// A block type to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockTypeCreate {
    pub name: String,
    pub slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_example: Option<String>,
}

/// Changes to a block type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct BlockTypeUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub logo_url: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub documentation_url: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub code_example: Patch<String>,
}

/// A version of a block type's fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockSchema {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub checksum: String,
    #[serde(default)]
    pub fields: Json,
    #[serde(default)]
    pub block_type_id: Option<Uuid>,
    #[serde(default)]
    pub block_type: Option<BlockType>,
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default)]
    pub version: String,
}

/// A block schema to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockSchemaCreate {
    #[serde(default)]
    pub fields: Json,
    pub block_type_id: Uuid,
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default = "default_version")]
    pub version: String,
}

/// A block document as answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockDocument {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub data: Json,
    pub block_schema_id: Uuid,
    #[serde(default)]
    pub block_schema: Option<BlockSchema>,
    pub block_type_id: Uuid,
    #[serde(default)]
    pub block_type_name: Option<String>,
    #[serde(default)]
    pub block_type: Option<BlockType>,
    #[serde(default)]
    pub block_document_references: Json,
    #[serde(default)]
    pub is_anonymous: bool,
}

/// A block document to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockDocumentCreate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub data: Json,
    pub block_schema_id: Uuid,
    pub block_type_id: Uuid,
    #[serde(default)]
    pub is_anonymous: bool,
}

/// Changes to a block document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct BlockDocumentUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub block_schema_id: Patch<Uuid>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub data: Patch<Json>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub merge_existing_data: Patch<bool>,
}

/// Orders of a list of block documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BlockDocumentSort {
    #[serde(rename = "NAME_DESC")]
    NameDesc,
    #[serde(rename = "NAME_ASC")]
    NameAsc,
    #[serde(rename = "BLOCK_TYPE_AND_NAME_ASC")]
    BlockTypeAndNameAsc,
}

fn default_version() -> String {
    "non-versioned".to_owned()
}
