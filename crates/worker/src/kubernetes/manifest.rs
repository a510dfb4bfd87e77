//! From a resolved job to the Job that Kubernetes is asked for, key by key as the reference makes it. Raw JSON all the way:
//! a typed pod spec would lose what this version of Kubernetes does not know. Pure.

use serde_json::{Map, Value, json};

use super::{names, required, short_form};
use crate::{
    infrastructure::{Failure, FailureClass},
    job::{Job, as_text, has_placeholder},
};

const SIGTERM_BEHAVIOR: &str = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR";
/// The SDK's own images; a job that names none gets this one.
const DEFAULT_IMAGE: &str = "prefecthq/prefect:3.8.8-python3.12";

/// The manifest of a run's Job, before the worker gives it a name and hides its secrets.
pub(crate) fn render(job: &Job) -> Result<Map<String, Value>, Failure> {
    let mut manifest = match job.configuration.get("job_manifest") {
        Some(Value::Object(manifest)) => manifest.clone(),
        Some(_) => return Err(broken("`job_manifest` is not an object")),
        None => {
            let configuration = Value::Object(job.configuration.clone());
            let unknown = short_form::complete(&json!({ "job_configuration": configuration })).err();
            return Err(broken(unknown.as_deref().unwrap_or("the job's configuration has no `job_manifest`")));
        }
    };
    required::complete(&mut manifest, &namespace(job)?)?;
    set_environment(&mut manifest, job)?;
    let annotations = annotations(job)?;
    let labels = labels(job);
    let metadata = object_at(&mut manifest, &["metadata"])?;
    merge_into(metadata, "labels", &labels, Keys::AndValues)?;
    merge_into(metadata, "annotations", &annotations, Keys::Only)?;
    let annotations = metadata["annotations"].clone();
    let generated = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
    if matches!(generated, "" | "-" | "None-") || has_placeholder(generated) {
        let name = names::job_name(&job.name).unwrap_or_else(|| "prefect-job".to_owned());
        metadata.insert("generateName".to_owned(), format!("{name}-").into());
    }
    set_container(&mut manifest)?;
    let template = object_at(&mut manifest, &["spec", "template"])?;
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    let metadata = metadata.as_object_mut().ok_or_else(|| broken("the pod's `metadata` is not an object"))?;
    merge_into(metadata, "labels", &labels, Keys::AndValues)?;
    if let Some(annotations) = annotations.as_object().filter(|annotations| !annotations.is_empty()) {
        merge_into(metadata, "annotations", annotations, Keys::Unchanged)?;
    }
    Ok(manifest)
}

/// Where the Job is made.
pub(crate) fn namespace(job: &Job) -> Result<String, Failure> {
    match job.configuration.get("namespace") {
        None => Ok("default".to_owned()),
        Some(Value::String(namespace)) => Ok(namespace.clone()),
        Some(_) => Err(broken("`namespace` is not a text")),
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(FailureClass::ConfigError, format!("The job cannot be made: {what}."))
        .with_hint("correct the pool's base job template, or the job variables of the deployment or the run")
}

/// Follows keys to an object, which the checks before have made sure of.
pub(crate) fn object_at<'m>(
    manifest: &'m mut Map<String, Value>,
    path: &[&str],
) -> Result<&'m mut Map<String, Value>, Failure> {
    let mut at = manifest;
    for key in path {
        let value = at.get_mut(*key).and_then(Value::as_object_mut);
        at = value.ok_or_else(|| broken(&format!("`{}` is not an object", path.join("."))))?;
    }
    Ok(at)
}

/// The container of the run: the first one.
pub(crate) fn container(manifest: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, Failure> {
    let pod = object_at(manifest, &["spec", "template", "spec"])?;
    let first = pod.get_mut("containers").and_then(|containers| containers.get_mut(0)).and_then(Value::as_object_mut);
    first.ok_or_else(|| broken("the pod has no container"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    AndValues,
    Only,
    Unchanged,
}

/// Adds fields to an object of labels or annotations; what is added wins.
fn merge_into(
    metadata: &mut Map<String, Value>,
    key: &str,
    more: &Map<String, Value>,
    clean: Keys,
) -> Result<(), Failure> {
    let mut all = match metadata.get(key) {
        None => Map::new(),
        Some(Value::Object(given)) => given.clone(),
        Some(_) => return Err(broken(&format!("`metadata.{key}` is not an object"))),
    };
    all.extend(more.clone());
    let cleaned = all.into_iter().map(|(key, value)| match (clean, value) {
        (Keys::AndValues, value) => (names::label_key(&key), names::label_value(&as_text(&value)).into()),
        (Keys::Only, value) => (names::label_key(&key), value),
        (Keys::Unchanged, value) => (key, value),
    });
    metadata.insert(key.to_owned(), Value::Object(cleaned.collect()));
    Ok(())
}

/// The run's labels, and those that Kubernetes' own tools read.
fn labels(job: &Job) -> Map<String, Value> {
    let version = job.labels.get("prefect.io/version").cloned().unwrap_or_default();
    let mut labels =
        vec![("managed-by", "prefect".to_owned()), ("part-of", "prefect".to_owned()), ("version", version)];
    labels.extend(job.about.deployment_name.clone().or(job.about.flow_name.clone()).map(|name| ("name", name)));
    let mut labels: Map<String, Value> =
        labels.into_iter().map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.into())).collect();
    labels.extend(job.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())));
    labels
}

fn annotations(job: &Job) -> Result<Map<String, Value>, Failure> {
    match job.configuration.get("annotations") {
        None => Ok(Map::new()),
        Some(Value::Object(given)) => {
            Ok(given.iter().map(|(key, value)| (key.clone(), as_text(value).into())).collect())
        }
        Some(_) => Err(broken("`annotations` is not an object")),
    }
}

/// What the run's container gets in its environment: the worker's and the job's first, then what the template has of its own.
fn set_environment(manifest: &mut Map<String, Value>, job: &Job) -> Result<(), Failure> {
    let owns_retries = object_at(manifest, &["spec"])?.get("backoffLimit") != Some(&json!(0));
    let name_of = |entry: &Value| entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut entries: Vec<Value> =
        job.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    entries.extend(job.environment_sources.iter().cloned());
    let is_behavior = |entry: &Value| name_of(entry) == SIGTERM_BEHAVIOR;
    // Where Kubernetes retries, the run must leave its state alone; else it is scheduled again when its pod is evicted.
    if owns_retries {
        entries.retain(|entry| !is_behavior(entry));
        entries.push(json!({ "name": SIGTERM_BEHAVIOR, "value": "relinquish" }));
    } else {
        entries.retain(|entry| !is_behavior(entry) || entry.get("value") != Some(&json!("")));
        if !entries.iter().any(is_behavior) {
            entries.push(json!({ "name": SIGTERM_BEHAVIOR, "value": "reschedule" }));
        }
    }
    let container = container(manifest)?;
    if let Some(Value::Array(own)) = container.get("env") {
        let names: Vec<_> = entries.iter().map(name_of).collect();
        let own: Vec<_> = own.iter().filter(|entry| !names.contains(&name_of(entry))).cloned().collect();
        entries.extend(own);
    }
    container.insert("env".to_owned(), entries.into());
    Ok(())
}

/// An image and arguments, where none are given.
fn set_container(manifest: &mut Map<String, Value>) -> Result<(), Failure> {
    let container = container(manifest)?;
    if container.get("image").is_none_or(Value::is_null) {
        container.insert("image".to_owned(), DEFAULT_IMAGE.into());
    }
    let arguments = match container.get("args") {
        None | Some(Value::Null) => json!(["prefect", "flow-run", "execute"]),
        Some(Value::String(command)) => crate::process::split(command)?.into(),
        Some(Value::Array(words)) => words.clone().into(),
        Some(_) => return Err(broken("`command` is neither a text nor a list")),
    };
    container.insert("args".to_owned(), arguments);
    Ok(())
}
