//! Changes to a Job's pod that a template has no variables for: `pod_patch`, and profiles, which are patches with names. Merged
//! as Kubernetes' strategic merge does: objects key by key, null takes away, lists of named things by name. Pure.

use serde_json::{Map, Value};

use super::manifest;
use crate::infrastructure::{Failure, FailureClass};

/// What lists of objects are merged by, the first that all of them have.
const KEYS: [&str; 4] = ["name", "mountPath", "containerPort", "topologyKey"];

/// Applies the profile that a job names and its own patch, in this order, to the pod's template.
pub(crate) fn apply(job: &mut Map<String, Value>, configuration: &Map<String, Value>) -> Result<(), Failure> {
    let wrong = |message: String| Failure::new(FailureClass::ConfigError, message);
    let mut patches = Vec::new();
    if let Some(name) = configuration.get("profile").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        let profiles = configuration.get("profiles").and_then(Value::as_object);
        let known = || profiles.map(|all| all.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default();
        let profile = profiles.and_then(|all| all.get(name)).ok_or_else(|| {
            wrong(format!("The work pool has no profile `{name}`."))
                .with_hint(format!("it has these, in `job_configuration.profiles` of its template: {}", known()))
        })?;
        patches.push(profile);
    }
    patches.extend(configuration.get("pod_patch").filter(|patch| !patch.is_null()));
    for patch in patches {
        let patch = patch.as_object().ok_or_else(|| {
            wrong("`pod_patch` is not an object.".to_owned())
                .with_hint("it is what changes in the pod's template, like {\"spec\": {\"nodeSelector\": {…}}}")
        })?;
        merge(manifest::object_at(job, &["spec", "template"])?, patch);
    }
    Ok(())
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, change) in patch {
        match (target.get_mut(key), change) {
            (_, Value::Null) => drop(target.shift_remove(key)),
            (Some(Value::Object(target)), Value::Object(change)) => merge(target, change),
            (Some(Value::Array(target)), Value::Array(change)) => merge_lists(target, change),
            (_, change) => drop(target.insert(key.clone(), change.clone())),
        }
    }
}

fn merge_lists(target: &mut Vec<Value>, change: &[Value]) {
    let key = KEYS.iter().find(|key| target.iter().chain(change).all(|item| item.get(**key).is_some()));
    let Some(key) = key else { return *target = change.to_vec() };
    for item in change {
        match target.iter_mut().find(|known| known[*key] == item[*key]) {
            Some(known) => {
                if let (Some(known), Some(item)) = (known.as_object_mut(), item.as_object()) {
                    merge(known, item);
                }
            }
            None => target.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(configuration: &Value) -> Result<Value, Failure> {
        let job = json!({"spec": {"template": {"spec": {"restartPolicy": "Never", "nodeSelector": {"a": "1"},
            "containers": [{"name": "prefect-job", "image": "i", "env": [{"name": "A", "value": "1"}]}]}}}});
        let mut job = job.as_object().cloned().unwrap();
        apply(&mut job, configuration.as_object().unwrap())?;
        Ok(job["spec"]["template"]["spec"].clone())
    }

    #[test]
    fn a_profile_and_then_the_jobs_own_patch() {
        let pod = patched(&json!({
            "profile": "gpu",
            "profiles": {"gpu": {"spec": {"nodeSelector": {"gpu": "yes"}, "containers": [
                {"name": "prefect-job", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}},
            "pod_patch": {"spec": {"nodeSelector": {"a": null}, "containers": [
                {"name": "prefect-job", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
                {"name": "side", "image": "s"}]}},
        }))
        .unwrap();
        assert_eq!(pod["nodeSelector"], json!({"gpu": "yes"}));
        assert_eq!(pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], 1);
        assert_eq!(pod["containers"][0]["env"], json!([{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]));
        assert_eq!(pod["containers"][1]["name"], "side");
        assert_eq!(pod["restartPolicy"], "Never");
    }

    #[test]
    fn a_profile_that_is_not_there_is_told() {
        let failure = patched(&json!({"profile": "tpu", "profiles": {"gpu": {}}})).unwrap_err();
        assert!(failure.to_string().contains("gpu"), "{failure}");
        assert!(patched(&json!({"pod_patch": "x"})).is_err());
    }
}
