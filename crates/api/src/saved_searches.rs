//! Saved searches of the old UI.

use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::filters::SavedSearchFilter;

/// A saved search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSearch {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub name: String,
    #[serde(default)]
    pub filters: Vec<SavedSearchFilter>,
}

/// A saved search to create or replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSearchCreate {
    pub name: String,
    #[serde(default)]
    pub filters: Vec<SavedSearchFilter>,
}
