//! Events out of request bodies and socket messages: read once into what the store writes, with the task run or the
//! heartbeat that an event may tell of. Labels are looked at, payloads are kept as they came.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use tidegate_api::{
    contract::{self, Operation},
    events::Event,
};
use tidegate_store::{EventRecord, Result, TaskRunRecord, Tx, link, nul};
use uuid::Uuid;

use super::{Rows, Weight, logs::quick_time};
use crate::{
    error::ApiError,
    extract::{check, from_value},
};

const ID: &str = "prefect.resource.id";
const ROLE: &str = "prefect.resource.role";
const HEARTBEAT: &str = "prefect.flow-run.heartbeat";
const MAXIMUM_LABELS: usize = 500;
const MAXIMUM_RELATED: usize = 100;
const MAXIMUM_NAME: usize = 1024;

/// An event on its way into the store.
#[derive(Debug)]
pub enum Incoming {
    /// `TaskRunRecord` is boxed: most events tell of none.
    Event(EventRecord, Option<Box<TaskRunRecord>>),
    /// A sign of life of a flow run; it renews a lease and is not kept.
    Heartbeat(Uuid),
}

impl Weight for Incoming {
    fn weight(&self) -> usize {
        match self {
            Self::Event(record, None) => size_of::<Self>() + record.size(),
            // The task run is another reading of the same text.
            Self::Event(record, Some(_)) => size_of::<Self>() + size_of::<TaskRunRecord>() + 2 * record.size(),
            Self::Heartbeat(_) => size_of::<Self>(),
        }
    }
}

/// Writes a batch: events, the task runs they tell of, and the leases they renew, in one transaction.
pub(super) async fn store(tx: &mut Tx, rows: &Rows<Incoming>, heartbeat_lease_seconds: f64) -> Result<()> {
    let mut records = Vec::with_capacity(rows.iter().map(Vec::len).sum());
    let mut heartbeats = Vec::new();
    for row in rows.iter().flatten() {
        match row {
            Incoming::Event(record, _) => records.push(record.clone()),
            Incoming::Heartbeat(run) => heartbeats.push(*run),
        }
    }
    let new = tx.store_events(records).await?;
    let task_runs = rows.iter().flatten().filter_map(|row| match row {
        Incoming::Event(record, Some(task_run)) if new.contains(&record.id) => Some((**task_run).clone()),
        _ => None,
    });
    tx.record_task_runs(task_runs.collect()).await?;
    heartbeats.sort_unstable();
    heartbeats.dedup();
    tx.renew_client_leases(&heartbeats, heartbeat_lease_seconds).await?;
    Ok(())
}

/// The events of a request's body.
pub fn read_many(
    operation: Option<&'static Operation>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<Incoming>, ApiError> {
    if content_type.is_none_or(|kind| kind.starts_with("application/json"))
        && let Ok(events) = serde_json::from_slice::<Vec<Quick<'_>>>(body)
        && let Some(events) = events.into_iter().map(Quick::into_incoming).collect()
    {
        return Ok(events);
    }
    let Some(operation) = operation else { return Ok(Vec::new()) };
    let events: Vec<Event> = from_value(check(operation, content_type, body)?)?;
    events.iter().map(|event| from_event(event).map_err(ApiError::unprocessable)).collect()
}

/// The event of a socket's message, or what is wrong with it.
pub fn read_one(text: &str) -> Result<Incoming, String> {
    if let Some(event) = serde_json::from_str::<Quick<'_>>(text).ok().and_then(Quick::into_incoming) {
        return Ok(event);
    }
    let operation = contract::operation("POST", "/events");
    match read_many(operation, None, format!("[{text}]").as_bytes()) {
        Ok(events) => events.into_iter().next().ok_or_else(|| "the message holds no event".into()),
        Err(ApiError::Invalid { errors, .. }) => {
            Err(serde_json::to_string(&errors).unwrap_or_else(|_| "the message is not an event".into()))
        }
        Err(ApiError::Detail(_, detail)) => Err(detail),
        Err(_) => Err("the message is not an event".into()),
    }
}

fn from_event(event: &Event) -> Result<Incoming, String> {
    let record = EventRecord::new(event)?;
    let flow_run = event
        .related
        .iter()
        .find(|resource| resource.get(ROLE).is_some_and(|role| role == "flow-run"))
        .and_then(|resource| resource.get(ID));
    let client_side = event.resource.get("prefect.orchestration").is_some_and(|value| value == "client");
    Ok(told(record, flow_run.map(String::as_str), client_side))
}

/// Adds what an event tells beyond itself.
fn told(record: EventRecord, flow_run: Option<&str>, client_side: bool) -> Incoming {
    if record.event == HEARTBEAT
        && let Some(run) = record.resource_id.strip_prefix("prefect.flow-run.").and_then(|id| Uuid::parse_str(id).ok())
    {
        return Incoming::Heartbeat(run);
    }
    if !client_side || !record.event.starts_with("prefect.task-run") {
        return Incoming::Event(record, None);
    }
    let task_run = TaskRunRecord::read(record.id, record.occurred, &record.resource_id, flow_run, &record.payload);
    match task_run {
        Ok(task_run) => Incoming::Event(record, Some(Box::new(task_run))),
        Err(error) => {
            metrics::counter!("tidegate_task_run_events_unreadable_total").increment(1);
            tracing::warn!(event.id = %record.id, "the event {} tells of no task run: {error}", record.id);
            Incoming::Event(record, None)
        }
    }
}

/// An event as engines send it. Null where a value should be is not understood here.
#[derive(Deserialize)]
struct Quick<'a> {
    #[serde(borrow)]
    occurred: Cow<'a, str>,
    event: String,
    #[serde(borrow)]
    resource: &'a RawValue,
    #[serde(borrow, default = "no_related")]
    related: &'a RawValue,
    #[serde(borrow, default = "no_payload")]
    payload: &'a RawValue,
    id: Uuid,
    #[serde(default)]
    follows: Option<Uuid>,
}

fn no_related() -> &'static RawValue {
    serde_json::from_str("[]").expect("a constant")
}

fn no_payload() -> &'static RawValue {
    serde_json::from_str("{}").expect("a constant")
}

impl Quick<'_> {
    fn into_incoming(self) -> Option<Incoming> {
        let resource: Labels<'_> = serde_json::from_str(self.resource.get()).ok()?;
        let related: Vec<Labels<'_>> = serde_json::from_str(self.related.get()).ok()?;
        let within = resource.0.len() <= MAXIMUM_LABELS
            && related.len() <= MAXIMUM_RELATED
            && related.iter().all(|labels| labels.0.len() <= MAXIMUM_LABELS)
            && (self.event.len() <= MAXIMUM_NAME || self.event.chars().count() <= MAXIMUM_NAME);
        if !within || !self.payload.get().starts_with('{') {
            return None;
        }
        let resource_id = resource.get(ID).filter(|id| !id.is_empty())?;
        let mut links = Vec::with_capacity(related.len());
        let mut flow_run = None;
        for labels in &related {
            let id = labels.get(ID).filter(|id| !id.is_empty())?;
            let role = labels.get(ROLE).filter(|role| !role.is_empty())?;
            if role == "flow-run" && flow_run.is_none() {
                flow_run = Some(id);
            }
            links.push(link(id));
        }
        links.sort_unstable();
        links.dedup();
        let record = EventRecord {
            id: self.id,
            occurred: quick_time(&self.occurred)?,
            event: nul::left_out(&self.event).into_owned(),
            resource_id: nul::left_out(resource_id).into_owned(),
            resource: raw(self.resource)?,
            related: raw(self.related)?,
            payload: raw(self.payload)?,
            follows: self.follows,
            links,
        };
        Some(told(record, flow_run, resource.get("prefect.orchestration") == Some("client")))
    }
}

/// The text as it came; one with NUL in it goes the slow way, which knows what to do with that.
fn raw(value: &RawValue) -> Option<String> {
    let text = value.get();
    (!text.contains("\\u0000")).then(|| text.to_owned())
}

/// Labels in their order, borrowed from the message where they hold no escapes.
struct Labels<'a>(Vec<(Text<'a>, Text<'a>)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Labels<'_> {
    fn get(&self, label: &str) -> Option<&str> {
        // Of a label given twice the last one counts, as everywhere in JSON.
        self.0.iter().rev().find(|(name, _)| name.0 == label).map(|(_, value)| &*value.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(Text<'de>, Text<'de>)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Pairs).map(Labels)
    }
}
