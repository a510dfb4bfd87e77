//! Templates that users write, rendered with the objects that they may name. Events and objects of the API answer to
//! their fields; labels also to the parts between their dots.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

use minijinja::{
    Error, Output, State, Value, escape_formatter,
    value::{Enumerator, Object, ObjectRepr, ValueKind},
};
use tidegate_api::templates::{environment, guard, syntax};
use tidegate_core::time::Timestamp;

use super::{Fill, bounded, humanize, moments::Moment, python};
use crate::bounded_output::BoundedOutput;

/// The most that a template may make, in bytes.
const LARGEST: usize = 1_000_000;
/// The longest `range`.
const LONGEST_RANGE: u32 = 100;

/// An object of the API, with what links to it need.
#[derive(Debug)]
pub struct Thing {
    kind: &'static str,
    fields: BTreeMap<String, Value>,
}

impl Thing {
    pub fn of(kind: &'static str, fields: BTreeMap<String, Value>) -> Value {
        Value::from_object(Self { kind, fields })
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// Its page in the UI, from the UI's root on.
    fn page(&self) -> Option<String> {
        let id = self.text("id")?;
        let by_kind = |kind: &str, id: &str| {
            Some(match kind {
                "flow" => format!("flows/flow/{id}"),
                "flow-run" => format!("runs/flow-run/{id}"),
                "task-run" => format!("runs/task-run/{id}"),
                "work-pool" => format!("work-pools/work-pool/{id}"),
                "work-queue" => format!("work-queues/work-queue/{id}"),
                "concurrency-limit" => format!("concurrency-limits/concurrency-limit/{id}"),
                "deployment" => format!("deployments/deployment/{id}"),
                "automation" => format!("automations/automation/{id}"),
                "block-document" => format!("blocks/block/{id}"),
                _ => return None,
            })
        };
        match self.kind {
            "received-event" => {
                let day = Moment::in_value(self.fields.get("occurred")?)?.format("%Y-%m-%d");
                Some(format!("events/event/{day}/{id}"))
            }
            "resource" => {
                let mut parts = id.strip_prefix("prefect.")?.splitn(2, '.');
                by_kind(parts.next()?, parts.next()?)
            }
            "work-pool" => by_kind("work-pool", self.text("name")?),
            kind => by_kind(kind, id),
        }
    }

    /// The page of its events.
    fn events_page(&self) -> Option<String> {
        let id = self.text("id")?;
        match self.kind {
            "resource" => Some(format!("events?resource={id}")),
            "automation" | "deployment" | "flow" | "flow-run" | "task-run" | "work-pool" | "work-queue" => {
                Some(format!("events?resource=prefect.{}.{id}", self.kind))
            }
            _ => None,
        }
    }
}

impl Object for Thing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.fields.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.fields.keys().map(|name| Value::from(name.clone())).collect())
    }
}

/// Labels, as they are and by the parts between their dots: `labels.prefect.resource.id`.
#[derive(Debug)]
pub struct Labels {
    value: String,
    labels: BTreeMap<String, String>,
}

impl Labels {
    pub fn of(labels: &BTreeMap<String, String>) -> Value {
        Value::from_object(Self { value: String::new(), labels: labels.clone() })
    }
}

impl Object for Labels {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let value = self.labels.get(key).cloned();
        let start = format!("{key}.");
        let below: BTreeMap<String, String> = self
            .labels
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(&start)?.to_owned(), value.clone())))
            .collect();
        match (value, below.is_empty()) {
            (value, true) => value.map(Value::from),
            (value, false) => Some(Value::from_object(Self { value: value.unwrap_or_default(), labels: below })),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.labels.keys().map(|name| Value::from(name.clone())).collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

/// The names that a template takes from its context. None for one that cannot be rendered.
pub fn names(template: &str) -> HashSet<String> {
    if guard(template).is_err() {
        return HashSet::new();
    }
    environment().template_from_str(template).map(|compiled| compiled.undeclared_variables(false)).unwrap_or_default()
}

/// Renders a template; the error is a sentence for the user.
pub fn render(template: &str, fill: &Fill) -> Result<String, String> {
    let mut environment = environment();
    bounded::add_to(&mut environment);
    environment.set_formatter(write_as_python);
    environment.add_function("range", range);
    humanize::add_to(&mut environment, fill.now);
    let root = fill.ui_url.clone();
    environment.add_filter("ui_url", move |value: Value| link(&root, &value, Thing::page));
    let root = fill.ui_url.clone();
    environment.add_filter("ui_resource_events_url", move |value: Value| link(&root, &value, Thing::events_page));
    environment.add_filter("flow_run_id", flow_run_id);
    guard(template).map_err(|error| syntax(&error, template))?;
    let compiled = environment.template_from_str(template).map_err(|error| syntax(&error, template))?;
    let mut out = BoundedOutput::new(LARGEST);
    compiled
        .render_captured_to(fill.context.clone(), &mut out)
        .map_err(|error| format!("Failed to render template due to the following error: {error}"))?;
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}

/// Values look as they do in the reference's templates, which are Python's.
fn write_as_python(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let is_labels = value.downcast_object_ref::<Labels>().is_some();
    match value.kind() {
        ValueKind::None => out.write_str("None").map_err(Error::from),
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" }).map_err(Error::from),
        ValueKind::Seq | ValueKind::Map if !is_labels => {
            let value = serde_json::to_value(value).unwrap_or_default();
            out.write_str(&python::repr(&value)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn range(lower: i64, upper: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (from, to) = upper.map_or((0, lower), |upper| (lower, upper));
    let step = step.unwrap_or(1);
    let refused = |why: String| Err(Error::new(minijinja::ErrorKind::InvalidOperation, why));
    if step == 0 {
        return refused("range() arg 3 must not be zero".into());
    }
    let mut items = Vec::new();
    let mut at = from;
    while (step > 0 && at < to) || (step < 0 && at > to) {
        if items.len() as u32 >= LONGEST_RANGE {
            return refused(format!("Range too big. The sandbox blocks ranges larger than {LONGEST_RANGE}."));
        }
        items.push(Value::from(at));
        at = at.saturating_add(step);
    }
    Ok(items.into())
}

/// A link to an object's page; nothing for what has none.
fn link(root: &str, value: &Value, page: fn(&Thing) -> Option<String>) -> Value {
    let page = value.downcast_object_ref::<Thing>().and_then(page);
    page.map_or_else(|| Value::from(()), |page| format!("{}/{page}", root.trim_end_matches('/')).into())
}

/// The id of a flow run that a text links to.
fn flow_run_id(text: Value) -> Value {
    let found = text.as_str().and_then(|text| {
        text.match_indices("flow-run/").find_map(|(at, start)| {
            let id = text.get(at + start.len()..at + start.len() + 36)?;
            let is_lower = !id.contains(|c: char| c.is_ascii_uppercase());
            (is_lower && uuid::Uuid::parse_str(id).is_ok()).then(|| id.to_owned())
        })
    });
    found.map_or_else(|| Value::from(()), Value::from)
}

impl Fill {
    /// Without anything to name.
    pub fn plain(now: Timestamp) -> Self {
        Self { now, context: Value::from(()), ui_url: String::new() }
    }
}
