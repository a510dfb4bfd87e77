//! What templates of automations can name: the automation, its firing and events, the objects that the event is about,
//! and variables. Objects are read only where a template names them.

use std::collections::{BTreeMap, HashSet};

use minijinja::{Value as Rendered, value::Serde};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tidegate_api::events::{ReceivedEvent, Resource};
use tidegate_core::time::Timestamp;
use tidegate_store::Tx;

use super::{
    Cause, Tools,
    perform::{id_of_kind, resources},
};
use crate::{
    App,
    parameters::{
        self, Fill, Variables,
        moments::Moment,
        templates::{self, Labels, Thing},
    },
};

/// Objects that a template may name, and the kinds of resources that they are.
const OBJECTS: [(&str, &str); 7] = [
    ("deployment", "deployment"),
    ("flow", "flow"),
    ("flow_run", "flow-run"),
    ("task_run", "task-run"),
    ("work_pool", "work-pool"),
    ("work_queue", "work-queue"),
    ("concurrency_limit", "concurrency-limit"),
];
/// The fields of those that are times.
const TIMES: [&str; 9] = [
    "created",
    "updated",
    "timestamp",
    "triggered",
    "start_time",
    "end_time",
    "expected_start_time",
    "next_scheduled_start_time",
    "last_polled",
];
const STATE: [&str; 4] = ["type", "name", "message", "timestamp"];

/// The templates of one action.
pub(super) struct Context<'a> {
    app: &'a App,
    tools: &'a Tools,
    cause: &'a Cause<'a>,
}

type Names = BTreeMap<&'static str, Rendered>;

impl<'a> Context<'a> {
    pub(super) fn new(app: &'a App, tools: &'a Tools, cause: &'a Cause<'a>) -> Self {
        Self { app, tools, cause }
    }

    /// A template as text; the error is a sentence for the user.
    pub(super) async fn render(&self, template: &str) -> Result<String, String> {
        if !is_template(template) {
            return Ok(template.to_owned());
        }
        let context = self.names(&[template]).await?;
        templates::render(template, &self.fill(context))
    }

    /// Parameters with all that is to be filled in.
    pub(super) async fn parameters(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, String> {
        let mut parameters = Value::Object(parameters.cloned().unwrap_or_default());
        mark_templates(&mut parameters);
        let mut found = Vec::new();
        collect_templates(&parameters, &mut found);
        let context = self.names(&found).await?;
        let variables = if parameters.to_string().contains("workspace_variable") {
            self.variables().await?
        } else {
            Variables::new()
        };
        parameters::fill(parameters, &variables, &self.fill(context))
    }

    fn fill(&self, context: Names) -> Fill {
        Fill { now: self.app.store.now(), context: Rendered::from(context), ui_url: self.app.settings.ui_url() }
    }

    async fn names(&self, texts: &[&str]) -> Result<Names, String> {
        let wanted: HashSet<String> = texts.iter().flat_map(|text| templates::names(text)).collect();
        let Cause { pending, event } = self.cause;
        let firing = &pending.firing;
        let mut names = Names::new();
        names.insert("automation", thing("automation", &pending.automation));
        names.insert("event", event.as_ref().map_or_else(|| Rendered::from(()), event_of));
        names.insert("labels", Labels::of(&firing.triggering_labels));
        names.insert("firing", thing("firing", firing));
        names.insert("firings", firing.all_firings().into_iter().map(|firing| thing("firing", firing)).collect());
        names.insert("events", firing.all_events().into_iter().map(event_of).collect());
        let Some(event) = event else { return Ok(names) };
        for (name, kind) in OBJECTS.into_iter().filter(|(name, _)| wanted.contains(*name)) {
            names.insert(name, self.object(event, kind).await?);
        }
        if wanted.contains("variables") {
            names.insert("variables", value_of(self.variables().await?));
        }
        Ok(names)
    }

    async fn variables(&self) -> Result<Variables, String> {
        let known = self.app.store.read(async move |tx: &mut Tx| tx.list_variable_values().await).await;
        let known = known.map_err(|error| format!("variables cannot be read: {error}"))?;
        Ok(known.into_iter().map(|(name, value)| (name, value.value())).collect())
    }

    /// The first object of a kind that the event names. Nothing if there is none any more.
    async fn object(&self, event: &ReceivedEvent, kind: &'static str) -> Result<Rendered, String> {
        let named = resources(event)
            .find_map(|resource| Some((resource, id_of_kind(resource.get("prefect.resource.id")?, kind)?)));
        let Some((resource, id)) = named else { return Ok(Rendered::from(())) };
        let by_id = |noun: &str| (noun.to_owned(), None);
        let (path, body) = match kind {
            "work-pool" => ("/work_pools/filter".to_owned(), Some(json!({ "work_pools": { "id": { "any_": [id] } } }))),
            "concurrency-limit" => by_id(&format!("/v2/concurrency_limits/{id}")),
            kind => by_id(&format!("/{}s/{id}", kind.replace('-', "_"))),
        };
        let automation = &self.cause.pending.automation;
        let answer = match body {
            Some(body) => self.tools.requests.post(&path, body, automation).await,
            None => self.tools.requests.get(&path, automation).await,
        };
        let answer = answer.map_err(|error| format!("the {kind} cannot be read: {error:#}"))?;
        if !answer.is_good() {
            return Ok(Rendered::from(()));
        }
        let mut object = match answer.body {
            Value::Array(found) => found.into_iter().next().unwrap_or_default(),
            object => object,
        };
        if kind == "work-queue" {
            let status = self.tools.requests.get(&format!("/work_queues/{id}/status"), automation).await;
            if let (Ok(Value::Object(status)), Value::Object(object)) = (status.map(|answer| answer.body), &mut object)
            {
                object.extend(status);
            }
        }
        use_state_of(resource, &mut object);
        Ok(thing(kind, &object))
    }
}

/// The run may have gone on since: its state is the event's.
fn use_state_of(resource: &Resource, object: &mut Value) {
    let label = |field: &str| resource.get(&format!("prefect.state-{field}"));
    if STATE.iter().all(|field| label(field).is_some()) && object.get("state").is_some() {
        let state = STATE.iter().map(|field| ((*field).to_owned(), json!(label(field)))).collect();
        object["state"] = Value::Object(state);
    }
}

fn value_of<T: Serialize>(value: T) -> Rendered {
    Rendered::from(Serde(value))
}

fn thing<T: Serialize>(kind: &'static str, object: &T) -> Rendered {
    let text = tidegate_core::json::to_text(object);
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let Value::Object(fields) = value else { return Rendered::from(()) };
    Thing::of(kind, typed(fields))
}

/// The fields of an object of the API, with times in the place of their texts; also those of its state. What users put into
/// it stays as it is.
fn typed(fields: Map<String, Value>) -> BTreeMap<String, Rendered> {
    let value_in = |name: &str, value: Value| match value {
        Value::String(text) if TIMES.contains(&name) => Timestamp::parse(&text).map_or_else(|| text.into(), Moment::of),
        Value::Object(state) if name == "state" => Rendered::from(typed(state)),
        value => value_of(value),
    };
    let named = |(name, value): (String, Value)| {
        let value = value_in(&name, value);
        (name, value)
    };
    fields.into_iter().map(named).collect()
}

fn event_of(event: &ReceivedEvent) -> Rendered {
    let mut fields: BTreeMap<String, Rendered> = BTreeMap::from([
        ("id".into(), event.id.to_string().into()),
        ("event".into(), event.event.clone().into()),
        ("occurred".into(), Moment::of(event.occurred)),
        ("received".into(), Moment::of(event.received)),
        ("follows".into(), value_of(event.follows)),
        ("payload".into(), value_of(event.payload.value())),
        ("resource".into(), resource_of(&event.resource)),
        ("related".into(), event.related.iter().map(resource_of).collect()),
    ]);
    let mut first: BTreeMap<String, Rendered> = BTreeMap::new();
    let mut all: BTreeMap<String, Vec<Rendered>> = BTreeMap::new();
    for resource in &event.related {
        let role = resource.get("prefect.resource.role").cloned().unwrap_or_default();
        first.entry(role.clone()).or_insert_with(|| resource_of(resource));
        all.entry(role).or_default().push(resource_of(resource));
    }
    fields.insert("resource_in_role".into(), Rendered::from(first));
    fields.insert("resources_in_role".into(), Rendered::from(all));
    Thing::of("received-event", fields)
}

/// A resource: its labels by name, and as a tree.
fn resource_of(resource: &Resource) -> Rendered {
    let label = |name: &str| value_of(resource.get(name));
    let mut fields: BTreeMap<String, Rendered> =
        resource.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    fields.insert("id".into(), label("prefect.resource.id"));
    fields.insert("name".into(), label("prefect.resource.name"));
    fields.insert("role".into(), label("prefect.resource.role"));
    fields.insert("labels".into(), Labels::of(resource));
    Thing::of("resource", fields)
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Texts that are templates are marked as such. One that is a single expression keeps the type of its value.
fn mark_templates(value: &mut Value) {
    match value {
        Value::Object(map) if map.contains_key(parameters::KIND) => {}
        Value::Object(map) => map.values_mut().for_each(mark_templates),
        Value::Array(items) => items.iter_mut().for_each(mark_templates),
        Value::String(text) if is_template(text) => {
            let trimmed = text.trim();
            let inner = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
            *value = match inner.filter(|inner| !inner.contains("{{")) {
                Some(inner) => {
                    let template = format!("{{{{ {} | tojson }}}}", inner.trim());
                    json!({ "__prefect_kind": "json", "value": { "__prefect_kind": "jinja", "template": template } })
                }
                None => json!({ "__prefect_kind": "jinja", "template": text }),
            };
        }
        _ => {}
    }
}

fn collect_templates<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if is_template(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_templates(item, found)),
        Value::Object(map) => map.values().for_each(|value| collect_templates(value, found)),
        _ => {}
    }
}
