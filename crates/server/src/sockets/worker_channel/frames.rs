//! What workers say on their channel. Unknown fields are errors here, unlike everywhere else: workers rely on the refusal to
//! find out what a server does not know.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tidegate_core::{json::Json, time::Timestamp};
use tidegate_store::cleanup_messages::CleanupOperation;
use uuid::Uuid;

pub(super) const HEARTBEATS: &str = "worker_heartbeat.v1";
pub(super) const SNAPSHOTS: &str = "work_pool_snapshot.v1";
pub(super) const CLEANUPS: &str = "cleanup_delivery.v1";
const KINDS: [&str; 2] = ["cancelling_timeout_teardown.v1", "pending_claim_teardown.v1"];

/// A frame: what every one has, and what this one says.
pub(super) struct Frame<T = Incoming> {
    pub id: Uuid,
    pub payload: T,
}

/// What workers may say.
pub(super) enum Incoming {
    Hello(Box<Hello>),
    Heartbeat(Heartbeat),
    Cleanup { message_id: Uuid, reservation_token: String, operation: CleanupOperation },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    r#type: String,
    id: Uuid,
    #[serde(rename = "sent_at")]
    _sent_at: Timestamp,
    payload: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub consumer_id: Uuid,
    pub worker_name: String,
    pub worker_type: String,
    pub heartbeat_interval_seconds: i64,
    pub supported_channel_versions: Vec<String>,
    pub requested_capabilities: Vec<String>,
    #[serde(default)]
    pub work_queue_names: Vec<String>,
    #[serde(default)]
    pub handled_cleanup_kinds: Vec<String>,
    /// One, where a worker that cleans up does not say.
    max_cleanup_concurrency: Option<usize>,
    #[serde(default)]
    pub create_pool_if_not_found: bool,
    #[serde(default)]
    default_base_job_template: Map<String, Value>,
    #[serde(default, rename = "worker_metadata")]
    _worker_metadata: Option<Map<String, Value>>,
}

impl Hello {
    pub fn template(&self) -> Json {
        Json::from_value(&self.default_base_job_template)
    }

    pub fn has_template(&self) -> bool {
        !self.default_base_job_template.is_empty()
    }

    fn asks_for(&self, capability: &str) -> bool {
        self.requested_capabilities.iter().any(|asked| asked == capability)
    }

    pub fn most_cleanups(&self) -> usize {
        let usual = usize::from(self.asks_for(CLEANUPS) && !self.handled_cleanup_kinds.is_empty());
        self.max_cleanup_concurrency.unwrap_or(usual)
    }

    /// Whether the worker takes messages about what to clean up.
    pub fn cleans_up(&self) -> bool {
        self.asks_for(CLEANUPS) && !self.handled_cleanup_kinds.is_empty() && self.most_cleanups() > 0
    }

    fn is_sound(&self) -> bool {
        let texts = [&self.supported_channel_versions, &self.requested_capabilities, &self.work_queue_names];
        let none_empty = texts.iter().all(|list| list.iter().all(|text| !text.is_empty()));
        let named = !self.worker_name.is_empty() && !self.worker_type.is_empty();
        let complete = !self.supported_channel_versions.is_empty() && self.heartbeat_interval_seconds > 0;
        let needed = self.asks_for(HEARTBEATS) && self.asks_for(SNAPSHOTS);
        let kinds_known = self.handled_cleanup_kinds.iter().all(|kind| KINDS.contains(&kind.as_str()));
        let asked = self.asks_for(CLEANUPS) || self.handled_cleanup_kinds.is_empty() && self.most_cleanups() == 0;
        none_empty && named && complete && needed && kinds_known && asked
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(super) struct Heartbeat {
    pub consumer_id: Uuid,
    pub worker_name: String,
    pub heartbeat_interval_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfMessage {
    message_id: Uuid,
    reservation_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    message_id: Uuid,
    reservation_token: String,
    reason: String,
}

/// Reads a frame; `None` where it is none.
pub(super) fn read(text: &str) -> Option<Frame> {
    let Envelope { r#type: kind, id, payload, .. } = serde_json::from_str(text).ok()?;
    let payload = match kind.as_str() {
        "worker.hello.v1" => Incoming::Hello(Box::new(of(payload).filter(Hello::is_sound)?)),
        "worker.heartbeat.v1" => {
            Incoming::Heartbeat(of(payload).filter(|beat: &Heartbeat| beat.heartbeat_interval_seconds > 0)?)
        }
        "cleanup.ack.v1" => about(of(payload)?, CleanupOperation::Ack)?,
        "cleanup.renew.v1" => about(of(payload)?, CleanupOperation::Renew)?,
        "cleanup.release.v1" => {
            let Release { message_id, reservation_token, reason } = of(payload)?;
            let operation = CleanupOperation::Release(Some(reason).filter(|reason| !reason.is_empty())?);
            about(OfMessage { message_id, reservation_token }, operation)?
        }
        _ => return None,
    };
    Some(Frame { id, payload })
}

fn of<T: DeserializeOwned>(payload: Value) -> Option<T> {
    serde_json::from_value(payload).ok()
}

fn about(OfMessage { message_id, reservation_token }: OfMessage, operation: CleanupOperation) -> Option<Incoming> {
    (!reservation_token.is_empty()).then_some(Incoming::Cleanup { message_id, reservation_token, operation })
}

/// An operation's name on the wire.
pub(super) fn word(operation: &CleanupOperation) -> &'static str {
    match operation {
        CleanupOperation::Ack => "ack",
        CleanupOperation::Release(_) => "release",
        CleanupOperation::Renew => "renew",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hello(change: Value) -> Option<Hello> {
        let mut payload = json!({
            "consumer_id": Uuid::from_u128(1), "worker_name": "w", "worker_type": "process",
            "heartbeat_interval_seconds": 30, "supported_channel_versions": ["work_pool_worker_channel.v1"],
            "requested_capabilities": [HEARTBEATS, SNAPSHOTS],
        });
        payload.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let frame = json!({"type": "worker.hello.v1", "id": Uuid::from_u128(2), "sent_at": "2026-01-01T00:00:00Z", "payload": payload});
        match read(&frame.to_string())?.payload {
            Incoming::Hello(hello) => Some(*hello),
            _ => None,
        }
    }

    #[test]
    fn a_hello_is_taken_or_refused_as_upstream_does() {
        assert!(!hello(json!({})).unwrap().cleans_up());
        let all = json!([HEARTBEATS, SNAPSHOTS, CLEANUPS, "something_new.v1"]);
        let cleans = json!({"requested_capabilities": all, "handled_cleanup_kinds": [KINDS[0]]});
        assert_eq!(hello(cleans).map(|hello| (hello.cleans_up(), hello.most_cleanups())), Some((true, 1)));
        for refused in [
            json!({"unknown": 1}),
            json!({"worker_name": ""}),
            json!({"heartbeat_interval_seconds": 0}),
            json!({"supported_channel_versions": []}),
            json!({"requested_capabilities": [HEARTBEATS]}),
            json!({"handled_cleanup_kinds": [KINDS[0]]}),
            json!({"max_cleanup_concurrency": 1}),
            json!({"requested_capabilities": all, "handled_cleanup_kinds": ["other"]}),
        ] {
            assert!(hello(refused.clone()).is_none(), "{refused}");
        }
    }

    #[test]
    fn frames_with_unknown_fields_are_none() {
        let ack = |extra: Value| {
            let mut frame = json!({
                "type": "cleanup.ack.v1", "id": Uuid::from_u128(2), "sent_at": "2026-01-01T00:00:00Z",
                "payload": {"message_id": Uuid::from_u128(3), "reservation_token": "t"},
            });
            frame.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            read(&frame.to_string()).is_some()
        };
        assert!(ack(json!({})));
        assert!(!ack(json!({"more": 1})));
        assert!(!ack(json!({"type": "cleanup.else.v1"})));
        assert!(read("no frame").is_none());
    }
}
