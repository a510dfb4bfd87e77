//! Events: what happened to which resource, and the filters that select them.

mod matching;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

pub use matching::{label_matches, specification_matches};

/// Labels of a resource. `prefect.resource.id` is required; related resources also carry `prefect.resource.role`.
pub type Resource = BTreeMap<String, String>;

/// An event as clients send it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub occurred: Timestamp,
    pub event: String,
    pub resource: Resource,
    #[serde(default)]
    pub related: Vec<Resource>,
    #[serde(default)]
    pub payload: Json,
    pub id: Uuid,
    #[serde(default)]
    pub follows: Option<Uuid>,
}

/// An event as stored and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceivedEvent {
    pub occurred: Timestamp,
    pub event: String,
    pub resource: Resource,
    #[serde(default)]
    pub related: Vec<Resource>,
    #[serde(default)]
    pub payload: Json,
    pub id: Uuid,
    #[serde(default)]
    pub follows: Option<Uuid>,
    pub received: Timestamp,
}

/// Label values: one pattern or several; `*` at the end matches any rest, `!` in front negates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Patterns {
    One(String),
    Many(Vec<String>),
}

pub type ResourceSpecification = BTreeMap<String, Patterns>;

/// One filter or a list of them, all of which must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::Many(many) => many,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventOrder {
    #[serde(rename = "ASC")]
    Ascending,
    #[default]
    #[serde(rename = "DESC")]
    Descending,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OccurredFilter {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventNameFilter {
    pub prefix: Option<Vec<String>>,
    pub exclude_prefix: Option<Vec<String>>,
    pub name: Option<Vec<String>>,
    pub exclude_name: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceFilter {
    pub id: Option<Vec<String>>,
    pub id_prefix: Option<Vec<String>>,
    pub labels: Option<ResourceSpecification>,
    /// Only the newest event of each resource.
    pub distinct: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RelatedFilter {
    pub id: Option<Vec<String>>,
    pub role: Option<Vec<String>>,
    /// Pairs of (resource id, role).
    pub resources_in_roles: Option<Vec<(String, String)>>,
    pub labels: Option<ResourceSpecification>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnyResourceFilter {
    pub id: Option<Vec<String>>,
    pub id_prefix: Option<Vec<String>>,
    pub labels: Option<ResourceSpecification>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventIdFilter {
    pub id: Option<Vec<Uuid>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventTextFilter {
    pub query: String,
}

/// Which events a query, a subscription or a trigger means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred: Option<OccurredFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventNameFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<OneOrMany<RelatedFilter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_resource: Option<OneOrMany<AnyResourceFilter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<EventIdFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<EventTextFilter>,
    pub order: EventOrder,
}

/// One page of events. `next_page` is a whole URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<ReceivedEvent>,
    pub total: i64,
    pub next_page: Option<String>,
}

/// How many events fall into one bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventCount {
    pub value: String,
    pub label: String,
    pub count: i64,
    pub start_time: Timestamp,
    pub end_time: Timestamp,
}
