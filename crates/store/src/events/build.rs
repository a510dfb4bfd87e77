//! Builders of the events that the server itself emits: changes of resources, and the states of flow runs. Names, labels
//! and payloads are those that automations and the UI of the reference know.

use chrono::SecondsFormat;
use serde_json::{Map, Value as JsonValue, json};
use tidegate_api::{
    events::{Event, Resource},
    flow_runs::CreatedBy,
};
use tidegate_core::{
    json::Json,
    state::{State, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use super::{ID, ROLE};
use crate::{Result, Tx, sql};

const NAME: &str = "prefect.resource.name";
/// Some clients put whole results into messages; events carry this many characters of them.
const MESSAGE: usize = 100_000;
/// Only states that follow each other this closely can arrive out of order; only they say what they follow.
const TIGHT_SECONDS: f64 = 300.0;

/// A related resource: `related("prefect.flow.<id>", "flow", Some("name"))`.
pub fn related(resource_id: impl Into<String>, role: &str, name: Option<&str>) -> Resource {
    let mut resource = Resource::from([(ID.into(), resource_id.into()), (ROLE.into(), role.into())]);
    if let Some(name) = name {
        resource.insert(NAME.into(), name.into());
    }
    resource
}

/// An event about a resource of ours: `ResourceEvent::new("prefect.deployment", id, "created").named(name)`.
#[derive(Clone, Debug)]
pub struct ResourceEvent {
    id: Uuid,
    event: String,
    resource: Resource,
    related: Vec<Resource>,
    payload: Json,
    follows: Option<Uuid>,
}

impl ResourceEvent {
    /// `kind` is the dotted kind (`prefect.work-pool`), `what` the last word of the event's name (`created`, `ready`).
    pub fn new(kind: &str, id: impl std::fmt::Display, what: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            event: format!("{kind}.{what}"),
            resource: Resource::from([(ID.into(), format!("{kind}.{id}"))]),
            related: Vec::new(),
            payload: Json::empty_object(),
            follows: None,
        }
    }

    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.label(NAME, name)
    }

    #[must_use]
    pub fn label(mut self, label: &str, value: impl Into<String>) -> Self {
        self.resource.insert(label.into(), value.into());
        self
    }

    #[must_use]
    pub fn with(mut self, related: Resource) -> Self {
        self.related.push(related);
        self
    }

    #[must_use]
    pub fn with_all(mut self, related: impl IntoIterator<Item = Resource>) -> Self {
        self.related.extend(related);
        self
    }

    #[must_use]
    pub fn payload(mut self, payload: impl Into<Json>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Gives the event an id of its own, where a later one has to follow it.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    #[must_use]
    pub fn follows(mut self, event: Option<Uuid>) -> Self {
        self.follows = event;
        self
    }

    pub fn at(self, occurred: Timestamp) -> Event {
        Event {
            occurred,
            event: self.event,
            resource: self.resource,
            related: self.related,
            payload: self.payload,
            id: self.id,
            follows: self.follows,
        }
    }
}

/// What a flow run's state change has to tell.
#[derive(Clone, Copy, Debug)]
pub struct StateChange<'a> {
    pub flow_run_id: Uuid,
    pub flow_run_name: &'a str,
    pub run_count: i64,
    pub tags: &'a [String],
    pub created_by: Option<&'a CreatedBy>,
    pub initial: Option<&'a State>,
    pub validated: &'a State,
}

/// The resources around a flow run, by id, name and (where they have some) tags.
#[derive(Clone, Debug, Default)]
pub struct RunNames {
    pub flow: Option<(Uuid, String, Vec<String>)>,
    pub deployment: Option<(Uuid, String, Vec<String>)>,
    pub work_queue: Option<(Uuid, String)>,
    /// Id, name and type.
    pub work_pool: Option<(Uuid, String, String)>,
    pub task_run: Option<(Uuid, String, Vec<String>)>,
}

/// What a new flow run is made with besides what its creator says.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub names: RunNames,
    pub flow_labels: Option<Json>,
    pub deployment_labels: Option<Json>,
}

impl RunNames {
    fn related(&self, change: &StateChange<'_>) -> Vec<Resource> {
        let mut all = Vec::with_capacity(6);
        let mut tags: Vec<&String> = change.tags.iter().collect();
        if let Some((id, name, own)) = &self.flow {
            all.push(related(format!("prefect.flow.{id}"), "flow", Some(name)));
            tags.extend(own);
        }
        if let Some((id, name, own)) = &self.deployment {
            all.push(related(format!("prefect.deployment.{id}"), "deployment", Some(name)));
            tags.extend(own);
        }
        if let Some((id, name)) = &self.work_queue {
            all.push(related(format!("prefect.work-queue.{id}"), "work-queue", Some(name)));
        }
        if let Some((id, name, kind)) = &self.work_pool {
            let mut pool = related(format!("prefect.work-pool.{id}"), "work-pool", Some(name));
            pool.insert("prefect.work-pool.type".into(), kind.clone());
            all.push(pool);
        }
        if let Some((id, name, own)) = &self.task_run {
            all.push(related(format!("prefect.task-run.{id}"), "task-run", Some(name)));
            tags.extend(own);
        }
        tags.sort_unstable();
        tags.dedup();
        all.extend(tags.into_iter().map(|tag| related(format!("prefect.tag.{tag}"), "tag", None)));
        all.extend(change.created_by.and_then(creator));
        all
    }
}

fn creator(created_by: &CreatedBy) -> Option<Resource> {
    let kind = match created_by.kind.as_deref()? {
        "DEPLOYMENT" => "deployment",
        "AUTOMATION" => "automation",
        _ => return None,
    };
    let id = created_by.id.map_or_else(|| "None".to_owned(), |id| id.to_string());
    let name = created_by.display_value.as_deref().filter(|name| !name.is_empty());
    Some(related(format!("prefect.{kind}.{id}"), "creator", name))
}

impl StateChange<'_> {
    /// The event of this change; its id is the state's, so that a state is told once.
    pub fn event(&self, names: &RunNames) -> Event {
        let state = self.validated;
        let label = |name: &str, value: String| (name.to_owned(), value);
        let resource = Resource::from([
            label(ID, format!("prefect.flow-run.{}", self.flow_run_id)),
            label(NAME, self.flow_run_name.to_owned()),
            label("prefect.run-count", self.run_count.to_string()),
            label("prefect.state-message", truncated(state.message.as_deref().unwrap_or_default())),
            label("prefect.state-name", state.name.clone()),
            label("prefect.state-timestamp", iso(state.timestamp)),
            label("prefect.state-type", state.kind.as_str().to_owned()),
        ]);
        let payload = json!({
            "intended": {
                "from": self.initial.map(|state| state.kind.as_str()),
                "to": state.kind.as_str(),
            },
            "initial_state": self.initial.map(state_payload),
            "validated_state": state_payload(state),
        });
        let follows =
            self.initial.filter(|initial| state.timestamp.seconds_since(initial.timestamp).abs() < TIGHT_SECONDS);
        Event {
            occurred: state.timestamp,
            event: format!("prefect.flow-run.{}", state.name),
            resource,
            related: names.related(self),
            payload: payload.into(),
            id: state.id.0,
            follows: follows.map(|state| state.id.0),
        }
    }
}

fn state_payload(state: &State) -> JsonValue {
    let mut payload = Map::new();
    payload.insert("type".into(), state.kind.as_str().into());
    if !state.name.is_empty() {
        payload.insert("name".into(), state.name.clone().into());
    }
    if let Some(message) = state.message.as_deref().filter(|message| !message.is_empty()) {
        payload.insert("message".into(), truncated(message).into());
    }
    if state.kind == StateType::Paused {
        payload.insert("pause_reschedule".into(), state.state_details.pause_reschedule.to_string().into());
    }
    payload.into()
}

/// Python's `isoformat`, which is what these labels have always held: an offset instead of `Z`.
fn iso(time: Timestamp) -> String {
    let time = time.datetime();
    let precision = if time.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.to_rfc3339_opts(precision, false)
}

/// The beginning and the end of a text that is too long, with the number of characters left out.
fn truncated(text: &str) -> String {
    // Bytes are never fewer than characters: the cheap look first.
    if text.len() <= MESSAGE {
        return text.to_owned();
    }
    let count = text.chars().count();
    if count <= MESSAGE {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(MESSAGE / 2).collect();
    let end: String = text.chars().skip(count - MESSAGE / 2).collect();
    let short = format!("{beginning}...{} additional characters...{end}", count - MESSAGE);
    if short.len() < text.len() { short } else { text.to_owned() }
}

impl Tx {
    /// What a new flow run finds around itself, in one query.
    pub async fn read_surroundings(
        &mut self,
        flow_id: Uuid,
        deployment_id: Option<Uuid>,
        work_queue_id: Option<Uuid>,
        parent_task_run_id: Option<Uuid>,
    ) -> Result<Surroundings> {
        let sql = sql!(
            "SELECT flow.name, flow.tags, flow.labels, deployment.name, deployment.tags, deployment.labels, \
             work_queue.name, work_pool.id, work_pool.name, work_pool.type, task_run.name, task_run.tags \
             FROM flow LEFT JOIN deployment ON deployment.id = $2 LEFT JOIN work_queue ON work_queue.id = $3 \
             LEFT JOIN work_pool ON work_pool.id = work_queue.work_pool_id LEFT JOIN task_run ON task_run.id = $4 \
             WHERE flow.id = $1",
            flow_id,
            deployment_id,
            work_queue_id,
            parent_task_run_id,
        );
        let tagged = |id: Option<Uuid>, name: Option<String>, tags: Option<Vec<String>>| {
            Some((id?, name?, tags.unwrap_or_default()))
        };
        let found = self
            .optional(&sql, |row| {
                let flow = tagged(Some(flow_id), row.next()?, row.next()?);
                let flow_labels = row.next()?;
                let deployment = tagged(deployment_id, row.next()?, row.next()?);
                let deployment_labels = row.next()?;
                let work_queue = work_queue_id.zip(row.next::<Option<String>>()?);
                let pool: (Option<Uuid>, Option<String>, Option<String>) = (row.next()?, row.next()?, row.next()?);
                let work_pool = pool.0.zip(pool.1).zip(pool.2).map(|((id, name), kind)| (id, name, kind));
                let task_run = tagged(parent_task_run_id, row.next()?, row.next()?);
                let names = RunNames { flow, deployment, work_queue, work_pool, task_run };
                Ok(Surroundings { names, flow_labels, deployment_labels })
            })
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// Emits `<kind>.<what>` about a resource: the common case of `ResourceEvent`.
    pub async fn emit_resource_event(
        &mut self,
        kind: &str,
        id: Uuid,
        name: &str,
        what: &str,
        labels: &[(&str, &str)],
        payload: Json,
    ) -> Result<()> {
        let event = labels
            .iter()
            .fold(ResourceEvent::new(kind, id, what).named(name), |event, (label, value)| event.label(label, *value));
        let event = event.payload(payload).at(self.now());
        self.emit(&event).await.map(drop)
    }
}
