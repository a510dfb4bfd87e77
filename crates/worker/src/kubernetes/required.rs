//! What every Job of a run must have: filled in where nothing was said, refused where something else was. Pure.

use serde_json::{Map, Value, json};

use crate::infrastructure::{Failure, FailureClass};

/// Fills in empty metadata and checks the rest; the messages are the reference's, which people search for.
pub(crate) fn complete(manifest: &mut Map<String, Value>, namespace: &str) -> Result<(), Failure> {
    let metadata = manifest.entry("metadata").or_insert_with(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        for key in ["annotations", "labels"] {
            metadata.entry(key).or_insert_with(|| json!({}));
        }
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
    let required = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"annotations": {}, "labels": {}},
        "spec": {"template": {"spec": {"parallelism": 1, "completions": 1, "restartPolicy": "Never",
            "containers": [{"name": "prefect-job"}]}}},
    });
    let (mut missing, mut incompatible) = (Vec::new(), Vec::new());
    compare(&Value::Object(manifest.clone()), &required, String::new(), &mut missing, &mut incompatible);
    missing.sort();
    incompatible.sort();
    if !missing.is_empty() {
        return Err(refused(format!(
            "Job is missing required attributes at the following paths: {}",
            missing.join(", ")
        )));
    }
    if !incompatible.is_empty() {
        let values = incompatible.join(", ");
        return Err(refused(format!("Job has incompatible values for the following attributes: {values}")));
    }
    Ok(())
}

fn refused(message: String) -> Failure {
    Failure::new(FailureClass::ConfigError, message).with_hint("correct `job_manifest` in the pool's base job template")
}

fn compare(given: &Value, required: &Value, path: String, missing: &mut Vec<String>, incompatible: &mut Vec<String>) {
    match (given, required) {
        (Value::Object(given), Value::Object(required)) => {
            for (key, required) in required {
                let path = format!("{path}/{key}");
                match given.get(key) {
                    Some(given) => compare(given, required, path, missing, incompatible),
                    None => missing.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(required)) => {
            for (index, required) in required.iter().enumerate() {
                let path = format!("{path}/{index}");
                match given.get(index) {
                    Some(given) => compare(given, required, path, missing, incompatible),
                    None => missing.push(path),
                }
            }
        }
        _ if given == required => {}
        _ => incompatible.push(format!("{path} must have value {}", literal(required))),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_otherwise_is_named() {
        let mut manifest = json!({"apiVersion": "batch/v1", "spec": {"template": {"spec": {"containers": []}}}});
        let failure = complete(manifest.as_object_mut().unwrap(), "default").unwrap_err();
        let pod = "/spec/template/spec";
        let expected = format!("/kind, {pod}/completions, {pod}/containers/0, {pod}/parallelism, {pod}/restartPolicy");
        assert!(failure.message.ends_with(&format!("paths: {expected}")), "{failure}");
        assert_eq!(manifest["metadata"], json!({"annotations": {}, "labels": {}, "namespace": "default"}));

        let mut manifest = json!({"apiVersion": "v1", "kind": "Job", "spec": {"template": {"spec": {"parallelism": 1,
            "completions": 2, "restartPolicy": "Never", "containers": [{"name": "x"}, {"name": "prefect-job"}]}}}});
        let failure = complete(manifest.as_object_mut().unwrap(), "default").unwrap_err();
        let expected = "/apiVersion must have value 'batch/v1', /spec/template/spec/completions must have value 1, \
            /spec/template/spec/containers/0/name must have value 'prefect-job'";
        assert!(failure.message.ends_with(expected), "{failure}");
    }
}
