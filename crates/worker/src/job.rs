//! From a pool's base job template and a run's job variables to a job that a backend can start. All pure but for the
//! reading of blocks and variables ([`references`]).

mod environment;
mod references;
mod template;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_api::{deployments::Deployment, flow_runs::FlowRun, flows::Flow, work_pools::WorkPool};
use tidegate_client::Client;
use uuid::Uuid;

pub use environment::Caller;
pub(crate) use environment::is_own_header;
use indexmap::IndexMap;
#[cfg(test)]
pub(crate) use references::Reference;
pub(crate) use references::Source;
pub(crate) use template::as_text;

use crate::infrastructure::{Attempt, Failure, FailureClass};

/// A resolved job: what every backend needs, and the pool type's own keys in `configuration`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    pub name: String,
    /// `None`: the backend's own way to run the engine.
    pub command: Option<String>,
    /// What to set in the run's environment, in the order in which it was said.
    pub environment: IndexMap<String, String>,
    /// Variables that name a source instead of a value (`valueFrom`), as they were given.
    pub environment_sources: Vec<Value>,
    pub labels: BTreeMap<String, String>,
    /// `job_configuration` with everything filled in.
    pub configuration: Map<String, Value>,
    pub about: About,
}

/// Whose job it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub work_pool_id: Uuid,
    pub worker_name: String,
    pub flow_name: Option<String>,
    pub deployment_name: Option<String>,
}

/// What a job is made from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub flow_run: &'a FlowRun,
    pub flow: Option<&'a Flow>,
    pub deployment: Option<&'a Deployment>,
    pub pool: &'a WorkPool,
    pub worker_name: &'a str,
}

/// Makes the job of one attempt.
pub async fn resolve(facts: Facts<'_>, attempt: &Attempt, caller: &Caller, client: &Client) -> Result<Job, Failure> {
    resolve_from(facts, attempt, caller, client).await
}

pub(crate) async fn resolve_from(
    facts: Facts<'_>,
    attempt: &Attempt,
    caller: &Caller,
    source: &impl Source,
) -> Result<Job, Failure> {
    let deployment = facts.deployment.map(|deployment| deployment.job_variables.value());
    let run = facts.flow_run.job_variables.as_ref().map(tidegate_core::json::Json::value);
    let variables = merge_variables(deployment.as_ref(), run.as_ref());
    let configuration = fill(&facts.pool.base_job_template.value(), variables, &|name| caller.variable(name))?;
    match references::resolve(Value::Object(configuration), source).await? {
        Value::Object(configuration) => prepare(configuration, facts, attempt, caller),
        _ => Err(Failure::new(FailureClass::ConfigError, "The job's configuration is not an object.")),
    }
}

/// A run's variables over its deployment's: key by key, and `env` merged.
fn merge_variables(deployment: Option<&Value>, run: Option<&Value>) -> Map<String, Value> {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut variables = object(deployment);
    for (key, value) in object(run) {
        match (key.as_str(), variables.get_mut(&key), value) {
            ("env", Some(Value::Object(env)), Value::Object(more)) => env.extend(more),
            ("env", Some(Value::Object(_)), Value::Null) => {}
            (_, _, value) => drop(variables.insert(key, value)),
        }
    }
    variables
}

/// Fills a base job template with variables over its own defaults.
fn fill(
    base_job_template: &Value,
    variables: Map<String, Value>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Map<String, Value>, Failure> {
    let broken = |part: &str| {
        Failure::new(FailureClass::ConfigError, format!("The work pool's base job template has no `{part}`."))
            .with_hint("set one with `tidegate work-pool update --base-job-template`, or recreate the pool")
    };
    let mut configuration =
        base_job_template["job_configuration"].as_object().cloned().ok_or_else(|| broken("job_configuration"))?;
    let schema = base_job_template.get("variables").ok_or_else(|| broken("variables"))?;
    let defaults = schema["properties"].as_object().into_iter().flatten().filter_map(|(name, property)| {
        Some((name.clone(), property.get("default").filter(|default| !default.is_null())?.clone()))
    });
    let mut values: Map<String, Value> = defaults.collect();
    merge_env(&mut configuration, values.get("env"), Replace::Placeholder);
    values.extend(nest(variables)?);
    merge_env(&mut configuration, values.get("env"), Replace::Nothing);
    let mut filled = template::apply_to_fields(&configuration, &values, environment);
    // Templates made for the reference do not name these, and need not.
    for key in OWN_VARIABLES {
        if let Some(value) = values.get(key).filter(|_| !configuration.contains_key(key)) {
            filled.insert(key.to_owned(), value.clone());
        }
    }
    Ok(filled)
}

/// Variables that a job may have without its template's doing.
pub(crate) const OWN_VARIABLES: [&str; 3] = ["failure_policy", "pod_patch", "profile"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replace {
    Placeholder,
    Nothing,
}

/// Adds variables to a configuration's `env`, which may also be a placeholder for them.
fn merge_env(configuration: &mut Map<String, Value>, env: Option<&Value>, replace: Replace) {
    let Some(env) = env.and_then(Value::as_object).filter(|env| !env.is_empty()) else { return };
    match configuration.get_mut("env") {
        Some(Value::Object(existing)) => existing.extend(env.clone()),
        _ if replace == Replace::Placeholder => drop(configuration.insert("env".to_owned(), env.clone().into())),
        _ => {}
    }
}

/// Turns `env.NAME` keys into nested objects; what was nested already wins.
fn nest(variables: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let (dotted, plain): (Vec<_>, Vec<_>) = variables.into_iter().partition(|(key, _)| key.contains('.'));
    let mut nested = Map::new();
    for (key, value) in dotted {
        set(&mut nested, &key, value)?;
    }
    for (key, value) in plain {
        match (nested.get_mut(&key), value) {
            (Some(Value::Object(existing)), Value::Object(more)) => deep_merge(existing, more),
            (_, value) => drop(nested.insert(key, value)),
        }
    }
    Ok(nested)
}

fn set(target: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Failure> {
    match path.split_once('.') {
        None => drop(target.insert(path.to_owned(), value)),
        Some((key, rest)) => {
            if let Value::Object(inner) = target.entry(key).or_insert_with(|| json!({})) {
                set(inner, rest, value)?;
            } else {
                let message = format!("The job variable `{key}` is a single value and has no part `{rest}`.");
                return Err(Failure::new(FailureClass::ConfigError, message));
            }
        }
    }
    Ok(())
}

fn deep_merge(target: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        match (target.get_mut(&key), value) {
            (Some(Value::Object(existing)), Value::Object(inner)) => deep_merge(existing, inner),
            (_, value) => drop(target.insert(key, value)),
        }
    }
}

/// Adds what the worker knows: environment, labels, a name.
fn prepare(
    configuration: Map<String, Value>,
    facts: Facts<'_>,
    attempt: &Attempt,
    caller: &Caller,
) -> Result<Job, Failure> {
    let text_of = |key: &str| configuration.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text_of("name").map(|name| render_name(name, facts, caller)).filter(|name| !name.is_empty());
    let (environment, environment_sources) = environment::build(&configuration, facts, attempt, caller)?;
    Ok(Job {
        name: name.unwrap_or_else(|| facts.flow_run.name.clone()),
        command: text_of("command").map(str::to_owned),
        environment,
        environment_sources,
        labels: labels(&configuration, facts)?,
        about: About {
            work_pool_id: facts.pool.id,
            worker_name: facts.worker_name.to_owned(),
            flow_name: facts.flow.map(|flow| flow.name.clone()),
            deployment_name: facts.deployment.map(|deployment| deployment.name.clone()),
        },
        configuration,
    })
}

/// `{{ ctx.flow.* }}` and `{{ ctx.flow_run.* }}` in a name.
fn render_name(name: &str, facts: Facts<'_>, caller: &Caller) -> String {
    let ctx = json!({"ctx": {"flow": facts.flow, "flow_run": facts.flow_run}});
    let values = ctx.as_object().cloned().unwrap_or_default();
    let rendered = template::apply(&Value::String(name.to_owned()), &values, &|variable| caller.variable(variable));
    // One that names nothing stays as it is, as in the reference.
    rendered.as_ref().map_or_else(|| name.to_owned(), template::as_text)
}

/// Whether a text still has something to fill in.
pub(crate) fn has_placeholder(text: &str) -> bool {
    !template::placeholders(text).is_empty()
}

/// Labels that say whose the infrastructure is; the user's win.
fn labels(configuration: &Map<String, Value>, facts: Facts<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = vec![
        ("flow-run-id", facts.flow_run.id.to_string()),
        ("flow-run-name", facts.flow_run.name.clone()),
        ("version", "3.8.8".to_owned()),
        ("work-pool-name", facts.pool.name.clone()),
        ("work-pool-id", facts.pool.id.to_string()),
        ("worker-name", facts.worker_name.to_owned()),
    ];
    if let Some(flow) = facts.flow {
        labels.extend([("flow-id", flow.id.to_string()), ("flow-name", flow.name.clone())]);
    }
    if let Some(deployment) = facts.deployment {
        labels.extend([("deployment-id", deployment.id.to_string()), ("deployment-name", deployment.name.clone())]);
        labels.extend(
            deployment.updated.map(|updated| ("deployment-updated", updated.to_string().replace('Z', "+00:00"))),
        );
    }
    let mut labels: BTreeMap<_, _> =
        labels.into_iter().map(|(key, value)| (format!("prefect.io/{key}"), value)).collect();
    labels.extend(texts(configuration, "labels")?.into_iter().filter_map(|(key, value)| Some((key, value?))));
    Ok(labels)
}

/// An object of texts; other values become text, and null stays null.
fn texts(configuration: &Map<String, Value>, key: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
    match configuration.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(fields)) => {
            let text = |value: &Value| (!value.is_null()).then(|| template::as_text(value));
            Ok(fields.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
        Some(_) => {
            let message = format!("`{key}` in the job's configuration is not an object.");
            Err(Failure::new(FailureClass::ConfigError, message))
        }
    }
}

#[cfg(test)]
mod tests;
