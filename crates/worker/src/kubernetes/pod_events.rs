//! Events about pods, with the names, ids and labels of the reference's observer, so that automations made for it fire and a
//! pod that two workers tell of is told of once. Pure.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tidegate_api::events::{Event, Resource};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use super::{diagnosis::Diagnosis, names, verdict};

/// What may be followed by the next event of the same pod.
const FOLLOWS_SECONDS: f64 = 300.0;

/// The state of a pod as one event; `last` is the event before it.
pub(crate) fn event(
    pod: &Value,
    diagnosis: Option<&Diagnosis>,
    is_change: bool,
    last: Option<(Uuid, Timestamp)>,
    now: Timestamp,
) -> Option<Event> {
    let metadata = &pod["metadata"];
    let uid = metadata["uid"].as_str()?;
    let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
    let ended = ended_reason(pod).filter(|_| is_change && phase == "Failed");
    let mut resource = Resource::new();
    resource.insert("prefect.resource.id".into(), format!("prefect.kubernetes.pod.{uid}"));
    resource.insert("prefect.resource.name".into(), metadata["name"].as_str().unwrap_or_default().to_owned());
    resource.insert("kubernetes.namespace".into(), metadata["namespace"].as_str().unwrap_or_default().to_owned());
    if let Some(diagnosis) = diagnosis {
        resource.insert("kubernetes.diagnosis".into(), diagnosis.category.to_owned());
    }
    if let Some(reason) = ended {
        resource.insert("kubernetes.reason".into(), reason.to_owned());
    }
    let name = if ended.is_some() { "evicted".to_owned() } else { phase.to_lowercase() };
    let occurred = occurred(pod, phase).unwrap_or(now);
    let follows = last.filter(|(_, before)| occurred.seconds_since(*before).abs() <= FOLLOWS_SECONDS).map(|(id, _)| id);
    Some(Event {
        occurred,
        event: format!("prefect.kubernetes.pod.{name}"),
        resource,
        related: related(pod),
        payload: Json::default(),
        id: id_of(uid, phase, restarts(pod), diagnosis),
        follows,
    })
}

fn id_of(uid: &str, phase: &str, restarts: i64, diagnosis: Option<&Diagnosis>) -> Uuid {
    let quoted = |text: &str| Value::from(text).to_string();
    let diagnosis = diagnosis.map_or_else(|| "null".to_owned(), |diagnosis| quoted(diagnosis.category));
    let text = format!(
        "{{\"diagnosis\": {diagnosis}, \"phase\": {}, \"restart_count\": {restarts}, \"uid\": {}}}",
        quoted(phase),
        quoted(uid)
    );
    Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes())
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["containerStatuses"].as_array().into_iter().flatten()
}

fn restarts(pod: &Value) -> i64 {
    statuses(pod).filter_map(|container| container["restartCount"].as_i64()).sum()
}

fn ended_reason(pod: &Value) -> Option<&str> {
    statuses(pod).find_map(|container| container["state"]["terminated"]["reason"].as_str())
}

fn occurred(pod: &Value, phase: &str) -> Option<Timestamp> {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let found = match phase {
        "Pending" => time(&pod["metadata"]["creationTimestamp"]),
        "Running" => statuses(pod)
            .filter_map(|container| time(&container["state"]["running"]["startedAt"]))
            .max()
            .or_else(|| time(&pod["status"]["startTime"])),
        "Succeeded" | "Failed" => {
            verdict::containers(pod).filter_map(|container| time(&container["state"]["terminated"]["finishedAt"])).max()
        }
        _ => None,
    };
    found.map(Timestamp::from)
}

fn related(pod: &Value) -> Vec<Resource> {
    let label = |key: &str| pod["metadata"]["labels"][format!("prefect.io/{key}")].as_str();
    let mut related = Vec::new();
    for kind in ["flow-run", "deployment", "flow", "work-pool"] {
        let Some(id) = label(&format!("{kind}-id")) else { continue };
        let mut resource = Resource::new();
        resource.insert("prefect.resource.id".into(), format!("prefect.{kind}.{id}"));
        resource.insert("prefect.resource.role".into(), kind.to_owned());
        resource.insert("prefect.resource.name".into(), label(&format!("{kind}-name")).unwrap_or_default().to_owned());
        related.push(resource);
    }
    if let Some(worker) = label("worker-name") {
        let slug = names::job_name(worker).unwrap_or_default();
        let mut resource = Resource::new();
        resource.insert("prefect.resource.id".into(), format!("prefect.worker.kubernetes.{slug}"));
        resource.insert("prefect.resource.role".into(), "worker".to_owned());
        resource.insert("prefect.resource.name".into(), worker.to_owned());
        resource.insert("prefect.worker-type".into(), "kubernetes".to_owned());
        resource.insert("prefect.version".into(), env!("CARGO_PKG_VERSION").to_owned());
        related.push(resource);
    }
    related
}
