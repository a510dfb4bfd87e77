//! The event that a rendered template means, checked as every event is. Names of the server's own events are refused:
//! automations trust them, and senders of webhooks are strangers.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_api::{
    events::{Event, Resource},
    webhooks::Webhook,
};
use tidegate_core::{json::Json, time::Timestamp};
use tidegate_store::{EventRecord, related};
use uuid::Uuid;

use super::Message;

const KIND: &str = "prefect-cloud.webhook";
const RESERVED: [&str; 2] = ["prefect.", "prefect-cloud."];
const LONGEST_EXCERPT: usize = 2000;

#[derive(Deserialize)]
struct Rendered {
    event: Option<String>,
    resource: Option<Map<String, Value>>,
    #[serde(default)]
    related: Vec<Map<String, Value>>,
    payload: Option<Value>,
    occurred: Option<Timestamp>,
    id: Option<Uuid>,
    follows: Option<Uuid>,
}

/// The event that the text means.
pub fn read(text: &str, webhook: &Webhook, now: Timestamp) -> Result<EventRecord, String> {
    let rendered: Rendered = serde_json::from_str(text)
        .map_err(|error| format!("the template makes no event: {error}; it made {}", excerpt(text)))?;
    let name = rendered.event.unwrap_or_default();
    if name.trim().is_empty() {
        return Err("the event has no name; the template must make an `event`".into());
    }
    if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(format!("the event `{name}` has a name of the server's own events; choose another prefix"));
    }
    let resource = labels(rendered.resource.ok_or("the event has no `resource`")?)?;
    let mut others = rendered.related.into_iter().map(labels).collect::<Result<Vec<_>, _>>()?;
    others.push(related(format!("{KIND}.{}", webhook.id), "webhook", Some(&webhook.name)));
    let payload = match rendered.payload {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(payload @ Value::Object(_)) => payload,
        Some(_) => return Err("the event's `payload` is no object".into()),
    };
    EventRecord::new(&Event {
        occurred: rendered.occurred.unwrap_or(now),
        event: name,
        resource,
        related: others,
        payload: Json::from_value(&payload),
        id: rendered.id.unwrap_or_else(Uuid::now_v7),
        follows: rendered.follows,
    })
}

/// Labels are texts; numbers and switches become some.
fn labels(labels: Map<String, Value>) -> Result<Resource, String> {
    let label = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
        _ => Err(format!("the label `{name}` is no text")),
    };
    labels.into_iter().map(label).collect()
}

/// Tells that a genuine request made no event.
pub fn of_failure(webhook: &Webhook, message: &Message, why: &str, now: Timestamp) -> Option<EventRecord> {
    let id = format!("{KIND}.{}", webhook.id);
    let resource =
        Resource::from([("prefect.resource.id".into(), id), ("prefect.resource.name".into(), webhook.name.clone())]);
    let payload = json!({
        "error": why,
        "method": message.method,
        "headers": message.shown_headers(),
        "body": excerpt(&message.text()),
        "template": webhook.template,
    });
    let event = Event {
        occurred: now,
        event: format!("{KIND}.failed"),
        resource,
        related: Vec::new(),
        payload: Json::from_value(&payload),
        id: Uuid::now_v7(),
        follows: None,
    };
    EventRecord::new(&event).ok()
}

fn excerpt(text: &str) -> String {
    text.chars().take(LONGEST_EXCERPT).collect()
}
