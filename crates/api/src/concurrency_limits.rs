//! Global (v2) concurrency limits, their leases, and the old limits by tag.

use serde::{Deserialize, Serialize};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::patch::Patch;
use crate::yes;

/// A global limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLimitV2 {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default = "yes")]
    pub active: bool,
    pub name: String,
    pub limit: i64,
    #[serde(default)]
    pub active_slots: i64,
    #[serde(default)]
    pub denied_slots: i64,
    #[serde(default)]
    pub slot_decay_per_second: f64,
    #[serde(default)]
    pub avg_slot_occupancy_seconds: f64,
}

/// A global limit to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLimitV2Create {
    #[serde(default = "yes")]
    pub active: bool,
    pub name: String,
    pub limit: i64,
    #[serde(default)]
    pub active_slots: i64,
    #[serde(default)]
    pub denied_slots: i64,
    #[serde(default)]
    pub slot_decay_per_second: f64,
}

/// Changes to a global limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ConcurrencyLimitV2Update {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub active: Patch<bool>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub limit: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub active_slots: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub denied_slots: Patch<i64>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub slot_decay_per_second: Patch<f64>,
}

/// A limit of which slots were taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinimalConcurrencyLimit {
    pub id: Uuid,
    pub name: String,
    pub limit: i64,
}

/// Slots taken under a lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLimitWithLease {
    pub lease_id: Uuid,
    pub limits: Vec<MinimalConcurrencyLimit>,
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLeaseHolder {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Uuid,
}

/// Who holds slots of a limit, since when and, unless the lease is renewed, until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyHolder {
    pub lease_id: Uuid,
    /// `null` where the client did not say.
    pub holder: Option<ConcurrencyHolderName>,
    pub slots: i64,
    pub since: Timestamp,
    pub expires: Timestamp,
}

/// A holder with its name, where it is a run that is still there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyHolderName {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Uuid,
    pub name: Option<String>,
}

/// A limit by tag, in the old shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLimit {
    pub id: Uuid,
    #[serde(default)]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub updated: Option<Timestamp>,
    pub tag: String,
    pub concurrency_limit: i64,
    #[serde(default)]
    pub active_slots: Vec<Uuid>,
}

/// A limit by tag to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyLimitCreate {
    pub tag: String,
    pub concurrency_limit: i64,
}
