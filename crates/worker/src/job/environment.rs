//! The environment of a run's process: how the SDK finds the API, which run it is, and what the job adds or removes.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tidegate_client::{Client, Credentials};

use super::{Facts, as_text, texts};
use crate::infrastructure::{Attempt, Failure, FailureClass};

const CUSTOM_HEADERS: &str = "PREFECT_CLIENT_CUSTOM_HEADERS";
const FENCE_HEADER: &str = "X-Tidegate-Fence";
/// So long the server may hold a request for concurrency slots, so that the run waits in line instead of asking again and
/// again. The SDK gives a request a minute.
const WAIT_HEADER: &str = "X-Tidegate-Wait";
const WAIT_SECONDS: &str = "20";

/// The worker's own surroundings, read once at its start.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The worker's environment variables.
    pub variables: BTreeMap<String, String>,
    /// What the SDK must be told: its settings as this worker has them, and how to reach the API as this worker does.
    pub api: BTreeMap<String, String>,
}

impl Caller {
    pub fn new(variables: impl IntoIterator<Item = (String, String)>, client: &Client) -> Self {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        // Settings of the SDK may come from a profile of the worker's, which a run's process does not read.
        let is_setting = |name: &str| name.starts_with("PREFECT_") && !name.starts_with("PREFECT__");
        let mut api: BTreeMap<String, String> = variables
            .iter()
            .filter(|(name, _)| is_setting(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        api.insert("PREFECT_API_URL".to_owned(), client.api_url().to_owned());
        match &client.config().credentials {
            Credentials::None => {}
            Credentials::Basic(text) => drop(api.insert("PREFECT_API_AUTH_STRING".to_owned(), text.clone())),
            Credentials::Bearer(key) => drop(api.insert("PREFECT_API_KEY".to_owned(), key.clone())),
        }
        let headers = &client.config().custom_headers;
        if !headers.is_empty() {
            let text = serde_json::to_string(headers).expect("a map of texts is JSON");
            api.insert(CUSTOM_HEADERS.to_owned(), text);
        }
        Self { variables, api }
    }

    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// What to set for one attempt. The job's own `env` wins over the worker's word, and its nulls take variables away; the
/// run's identity and its fencing token are not up for change.
pub(super) fn build(
    configuration: &Map<String, Value>,
    facts: Facts<'_>,
    attempt: &Attempt,
    caller: &Caller,
) -> Result<(IndexMap<String, String>, Vec<Value>), Failure> {
    let mut environment: IndexMap<String, String> = caller.api.clone().into_iter().collect();
    let mut set = |name: &str, value: String| drop(environment.insert(name.to_owned(), value));
    set("PREFECT__WORKER_NAME", facts.worker_name.to_owned());
    set("PREFECT__FLOW_ID", facts.flow_run.flow_id.to_string());
    if let Some(flow) = facts.flow {
        set("PREFECT__FLOW_NAME", flow.name.clone());
    }
    if let Some(deployment) = facts.deployment {
        set("PREFECT__DEPLOYMENT_ID", deployment.id.to_string());
        set("PREFECT__DEPLOYMENT_NAME", deployment.name.clone());
    }
    let (given, sources) = given(configuration)?;
    for (name, value) in given {
        match value {
            Some(value) => drop(environment.insert(name, value)),
            None => drop(environment.shift_remove(&name)),
        }
    }
    environment.insert("PREFECT__FLOW_RUN_ID".to_owned(), attempt.flow_run_id.to_string());
    if let Some(token) = attempt.token {
        let given = environment.get(CUSTOM_HEADERS).cloned().or_else(|| caller.variable(CUSTOM_HEADERS));
        environment.insert(CUSTOM_HEADERS.to_owned(), fenced(given.as_deref(), attempt, token)?);
    }
    Ok((environment, sources))
}

type Given = Vec<(String, Option<String>)>;

/// The job's `env`: an object, or a list as Kubernetes has it, in which some entries name a source for their value.
fn given(configuration: &Map<String, Value>) -> Result<(Given, Vec<Value>), Failure> {
    let Some(Value::Array(entries)) = configuration.get("env") else {
        return Ok((texts(configuration, "env")?, Vec::new()));
    };
    let (mut given, mut sources) = (Vec::new(), Vec::new());
    for entry in entries {
        match (entry.get("name").and_then(Value::as_str), entry.get("value")) {
            _ if entry.get("valueFrom").is_some() => sources.push(entry.clone()),
            (Some(name), Some(value)) => given.push((name.to_owned(), (!value.is_null()).then(|| as_text(value)))),
            _ => {}
        }
    }
    Ok((given, sources))
}

/// Whether a header is one that the worker adds by itself, and no secret.
pub(crate) fn is_own_header(name: &str) -> bool {
    [FENCE_HEADER, WAIT_HEADER].iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// The user's headers with the fence among them, and the wait for slots if the user has not said otherwise.
fn fenced(given: Option<&str>, attempt: &Attempt, token: i64) -> Result<String, Failure> {
    let given = given.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("{}");
    let mut headers: Map<String, Value> = serde_json::from_str(given).map_err(|error| {
        Failure::new(FailureClass::ConfigError, format!("`{CUSTOM_HEADERS}` is not a JSON object: {error}."))
    })?;
    headers.retain(|name, _| !name.eq_ignore_ascii_case(FENCE_HEADER));
    headers.insert(FENCE_HEADER.to_owned(), format!("{}:{token}", attempt.flow_run_id).into());
    if !headers.keys().any(|name| name.eq_ignore_ascii_case(WAIT_HEADER)) {
        headers.insert(WAIT_HEADER.to_owned(), WAIT_SECONDS.into());
    }
    Ok(Value::Object(headers).to_string())
}
