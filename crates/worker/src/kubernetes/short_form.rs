//! Base job templates in the short form that people write by hand: fields of the Job, its pod and its container side by side,
//! and no `job_manifest`. Such a template becomes a whole one, or it is said which of its fields nobody knows. Pure.

use serde_json::{Map, Value, json};

use super::Kubernetes;
use crate::{
    infrastructure::{Completed, Infrastructure},
    job::{OWN_VARIABLES, as_text, has_placeholder},
};

const JOB_FIELDS: &[&str] = &["activeDeadlineSeconds", "podFailurePolicy", "podReplacementPolicy"];
const POD_FIELDS: &[&str] = &[
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostNetwork",
    "imagePullSecrets",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "shareProcessNamespace",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
];
const CONTAINER_FIELDS: &[&str] =
    &["args", "envFrom", "lifecycle", "livenessProbe", "ports", "volumeDevices", "volumeMounts", "workingDir"];
/// Fields for which the whole template has a variable of another name.
const VARIABLES: &[(&str, &str)] = &[
    ("backoffLimit", "backoff_limit"),
    ("imagePullPolicy", "image_pull_policy"),
    ("serviceAccount", "service_account_name"),
    ("serviceAccountName", "service_account_name"),
    ("ttlSecondsAfterFinished", "finished_job_ttl"),
];

const JOB: &str = "/job_configuration/job_manifest/spec";
const POD: &str = "/job_configuration/job_manifest/spec/template/spec";
const CONTAINER: &str = "/job_configuration/job_manifest/spec/template/spec/containers/0";

/// Completes a template in the short form; `None` if it is not in that form.
///
/// # Errors
/// A field that has no place in a Job, in words for people.
pub(super) fn complete(template: &Value) -> Result<Option<Completed>, String> {
    let fields = match template.get("job_configuration") {
        Some(Value::Object(configuration)) => configuration,
        None if template.get("variables").is_none() => match template {
            Value::Object(fields) => fields,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if fields.is_empty() || fields.contains_key("job_manifest") {
        return Ok(None);
    }
    let mut whole = Whole { template: Kubernetes::base_job_template(), notes: Vec::new() };
    if let Some(variables) = template.get("variables") {
        whole.take_variables(variables);
    }
    for (key, value) in fields {
        whole.take(key, value)?;
    }
    let note = format!(
        "The base job template has no `job_manifest`, so it was read as the short form and completed: {}.",
        whole.notes.join(", ")
    );
    Ok(Some(Completed { template: whole.template, note }))
}

struct Whole {
    template: Value,
    notes: Vec<String>,
}

impl Whole {
    fn take_variables(&mut self, variables: &Value) {
        for part in ["properties", "definitions"] {
            let Some(given) = variables[part].as_object() else { continue };
            for (name, value) in given {
                self.template["variables"][part][name] = value.clone();
            }
        }
        if let Some(required) = variables.get("required") {
            self.template["variables"]["required"] = required.clone();
        }
    }

    fn take(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let bare = key.trim_start_matches("pod.");
        let renamed = VARIABLES.iter().find(|(field, _)| *field == bare).map(|(_, variable)| *variable);
        match (key, value) {
            (_, Value::Null) => {}
            ("env", Value::Array(entries)) => self.environment(entries)?,
            ("resources", Value::Object(resources)) => self.resources(resources)?,
            ("pod", Value::Object(pod)) => {
                for (field, value) in pod {
                    self.take(&format!("pod.{field}"), value)?;
                }
            }
            ("pod.annotations" | "pod.labels", Value::Object(_)) => {
                let template = format!("{JOB}/template");
                if self.template.pointer(&format!("{template}/metadata")).is_none() {
                    self.put(&template, "metadata", json!({}));
                }
                self.put(&format!("{template}/metadata"), bare, value.clone());
                self.note(key, &format!("the pod's {bare}"));
            }
            ("command", Value::Array(_)) => {
                self.put(CONTAINER, "args", value.clone());
                self.note(key, "the container's arguments");
            }
            _ if OWN_VARIABLES.contains(&key) || key == "profiles" => {
                self.put("/job_configuration", key, value.clone());
                self.note(key, "as it is");
            }
            _ if let Some(variable) = renamed => self.variable(key, variable, value),
            _ if self.template["variables"]["properties"].get(key).is_some() => self.variable(key, key, value),
            _ if JOB_FIELDS.contains(&key) => {
                self.put(JOB, key, value.clone());
                self.note(key, "the Job's");
            }
            _ if POD_FIELDS.contains(&bare) => {
                self.put(POD, bare, if bare == "imagePullSecrets" { named(value) } else { value.clone() });
                self.note(key, "the pod's");
            }
            _ if CONTAINER_FIELDS.contains(&key) => {
                self.put(CONTAINER, key, value.clone());
                self.note(key, "the container's");
            }
            _ => {
                return Err(format!(
                    "the base job template has no `job_manifest`, and `{key}` is no field of a Job, a pod or a container that \
                     its short form knows; `tidegate work-pool get-default-base-job-template --type kubernetes` shows the \
                     whole form"
                ));
            }
        }
        Ok(())
    }

    /// Gives a variable a default, or, if the value is made of other variables, takes the variable's places.
    fn variable(&mut self, key: &str, variable: &str, value: &Value) {
        let own = format!("{{{{ {variable} }}}}");
        if value.as_str().is_some_and(has_placeholder) {
            replace(&mut self.template["job_configuration"], &own, value);
        } else {
            let property = &mut self.template["variables"]["properties"][variable];
            if !property.is_object() {
                *property = json!({});
            }
            let is_text = property["anyOf"][0]["type"] == "string" || property["type"] == "string";
            property["default"] = if is_text && value.is_number() { as_text(value).into() } else { value.clone() };
        }
        self.note(key, &format!("variable `{variable}`"));
    }

    /// Plain entries can be overridden by runs; the others stay the container's own.
    fn environment(&mut self, entries: &[Value]) -> Result<(), String> {
        let (mut plain, mut others) = (Map::new(), Vec::new());
        for entry in entries {
            match (entry["name"].as_str(), entry.get("value")) {
                (Some(name), Some(value)) => drop(plain.insert(name.to_owned(), as_text(value).into())),
                (Some(_), None) => others.push(entry.clone()),
                (None, _) => return Err(format!("an entry of `env` in the base job template has no name: {entry}")),
            }
        }
        if !plain.is_empty() {
            self.variable("env", "env", &plain.into());
        }
        if !others.is_empty() {
            self.put(CONTAINER, "env", others.into());
            self.note("env with `valueFrom`", "the container's");
        }
        Ok(())
    }

    fn resources(&mut self, resources: &Map<String, Value>) -> Result<(), String> {
        for (kind, amounts) in resources {
            let (Some(suffix), Some(amounts)) = (kind.strip_suffix('s'), amounts.as_object()) else {
                return Err(format!("`resources.{kind}` in the base job template is neither `requests` nor `limits`"));
            };
            for (resource, amount) in amounts {
                if matches!(resource.as_str(), "cpu" | "memory") {
                    self.variable(&format!("resources.{kind}.{resource}"), &format!("{resource}_{suffix}"), amount);
                } else {
                    self.put(&format!("{CONTAINER}/resources/{kind}"), resource, amount.clone());
                    self.note(&format!("resources.{kind}.{resource}"), "the container's");
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, place: &str, key: &str, value: Value) {
        if let Some(Value::Object(fields)) = self.template.pointer_mut(place) {
            fields.insert(key.to_owned(), value);
        }
    }

    fn note(&mut self, key: &str, became: &str) {
        self.notes.push(format!("`{key}` ({became})"));
    }
}

/// Secrets are often listed by their bare names.
fn named(secrets: &Value) -> Value {
    let named = |secret: &Value| if secret.is_string() { json!({ "name": secret }) } else { secret.clone() };
    secrets.as_array().map_or_else(|| json!([named(secrets)]), |secrets| secrets.iter().map(named).collect())
}

fn replace(inside: &mut Value, text: &str, value: &Value) {
    match inside {
        Value::String(own) if own == text => *inside = value.clone(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, text, value)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, text, value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(template: &Value) -> Value {
        complete(template).unwrap().unwrap().template
    }

    #[test]
    fn fields_find_their_places() {
        let whole = completed(&json!({"job_configuration": {
            "namespace": "prefect", "serviceAccountName": "flows", "imagePullSecrets": ["harbor"], "image": "registry/flows:1",
            "env": [{"name": "A", "value": 1}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "b"}}}],
            "resources": {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"nvidia.com/gpu": 1, "memory": "2Gi"}},
            "pod.annotations": {"a": "b"}, "activeDeadlineSeconds": 60, "nodeSelector": {"pool": "spot"},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}], "ttlSecondsAfterFinished": 300,
        }}));
        let below =
            completed(&json!({"namespace": "prefect", "pod": {"serviceAccountName": "flows", "hostNetwork": true}}));
        assert_eq!(below["variables"]["properties"]["service_account_name"]["default"], "flows");
        assert_eq!(below.pointer(POD).unwrap()["hostNetwork"], true);
        let default = |name: &str| whole["variables"]["properties"][name]["default"].clone();
        for (variable, expected) in [
            ("namespace", json!("prefect")),
            ("service_account_name", json!("flows")),
            ("image", json!("registry/flows:1")),
            ("env", json!({"A": "1"})),
            ("cpu_request", json!("2")),
            ("memory_request", json!("1Gi")),
            ("memory_limit", json!("2Gi")),
            ("finished_job_ttl", json!(300)),
        ] {
            assert_eq!(default(variable), expected, "{variable}");
        }
        let job = whole.pointer(JOB).unwrap();
        assert_eq!(job["activeDeadlineSeconds"], 60);
        assert_eq!(job["template"]["metadata"]["annotations"], json!({"a": "b"}));
        let pod = whole.pointer(POD).unwrap();
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "harbor"}]));
        assert_eq!(pod["nodeSelector"], json!({"pool": "spot"}));
        let container = whole.pointer(CONTAINER).unwrap();
        assert_eq!(container["env"][0]["name"], "B");
        assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], 1);
        assert_eq!(container["resources"]["limits"]["memory"], "{{ memory_limit }}");
        assert_eq!(container["volumeMounts"][0]["mountPath"], "/v");
    }

    #[test]
    fn variables_of_its_own_stay_in_place() {
        let whole = completed(&json!({
            "job_configuration": {"image": "registry/{{ tag }}", "resources": {"requests": {"cpu": "{{ cores }}"}}},
            "variables": {"type": "object", "properties": {"tag": {"type": "string"}, "cores": {"default": "1"}}, "required": ["tag"]},
        }));
        let container = whole.pointer(CONTAINER).unwrap();
        assert_eq!(container["image"], "registry/{{ tag }}");
        assert_eq!(container["resources"]["requests"]["cpu"], "{{ cores }}");
        assert_eq!(whole["variables"]["required"], json!(["tag"]));
        assert_eq!(whole["variables"]["properties"]["cores"]["default"], "1");
    }

    #[test]
    fn whole_templates_are_left_alone_and_unknown_fields_are_named() {
        assert_eq!(complete(&Kubernetes::base_job_template()), Ok(None));
        assert_eq!(complete(&json!({})), Ok(None));
        assert_eq!(complete(&json!({"variables": {}})), Ok(None));
        assert!(complete(&json!({"namespace": "a"})).unwrap().is_some());
        let refused = complete(&json!({"job_configuration": {"namespace": "a", "replicas": 3}})).unwrap_err();
        assert!(refused.contains("`replicas`"), "{refused}");
    }
}
