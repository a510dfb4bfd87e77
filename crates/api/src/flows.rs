//! Flows: the named entry points that runs belong to.

use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::patch::Patch;

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub labels: Option<Json>,
}

/// A flow to get or create, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowCreate {
    pub name: String,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default = "no_labels", skip_serializing_if = "Option::is_none")]
    pub labels: Option<Json>,
}

/// Changes to a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FlowUpdate {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub tags: Patch<Vec<String>>,
}

/// Orders of a list of flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FlowSort {
    #[serde(rename = "CREATED_DESC")]
    CreatedDesc,
    #[serde(rename = "UPDATED_DESC")]
    UpdatedDesc,
    #[serde(rename = "NAME_ASC")]
    NameAsc,
    #[serde(rename = "NAME_DESC")]
    NameDesc,
}

/// Labels that were not sent are empty ones; null stays null.
#[expect(clippy::unnecessary_wraps, reason = "serde asks for a value of the field's type")]
fn no_labels() -> Option<Json> {
    Some(Json::empty_object())
}
