//! What makes a rendered manifest the Job of one attempt: its name, the labels and annotations that a later worker finds it
//! by, and credentials taken out of the pod spec into a Secret of the Job's own. Pure.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    manifest::{container, object_at},
    names,
    options::{Options, SecretKey},
};
use crate::{
    infrastructure::{Attempt, Failure},
    job,
};

pub(crate) const FLOW_RUN: &str = "tidegate.io/flow-run";
pub(crate) const ATTEMPT: &str = "tidegate.io/attempt";
pub(crate) const WORK_POOL: &str = "tidegate.io/work-pool";
const NAME: &str = "tidegate.io/flow-run-name";
const TOKEN: &str = "tidegate.io/token";
const WORKER: &str = "tidegate.io/worker";
const SECRET: &str = "tidegate.io/secret";

/// Variables that hold credentials, or may.
const CREDENTIALS: [&str; 3] = ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS"];

/// A Job ready to be made, and the Secret that must be there before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) job: Value,
    pub(crate) secret: Option<Value>,
}

impl Sealed {
    /// What the Job of the attempt before was called; `None` for the first.
    pub(crate) fn job_before(&self, attempt: &Attempt) -> Option<String> {
        let base = self.name.strip_suffix(&attempt.attempt.to_string())?;
        (attempt.attempt > 1).then(|| format!("{base}{}", attempt.attempt - 1))
    }
}

pub(crate) fn seal(
    manifest: Map<String, Value>,
    namespace: String,
    attempt: &Attempt,
    work_pool: Uuid,
    worker: &str,
    options: &Options,
) -> Result<Sealed, Failure> {
    let mut manifest = manifest;
    let labels = json!({
        FLOW_RUN: attempt.flow_run_id, ATTEMPT: attempt.attempt.to_string(), WORK_POOL: work_pool,
        // A user's label of this name would hide the run from the reference's tools.
        "prefect.io/flow-run-id": attempt.flow_run_id,
    });
    let metadata = object_at(&mut manifest, &["metadata"])?;
    let base = metadata.remove("generateName");
    let base = metadata.get("name").and_then(Value::as_str).or(base.as_ref().and_then(Value::as_str));
    let name = name_of(base.unwrap_or_default(), attempt);
    metadata.insert("name".to_owned(), name.clone().into());
    extend(metadata, "labels", &labels);
    let mut annotations = json!({
        NAME: attempt.flow_run_name, WORKER: worker,
        TOKEN: attempt.token.map(|token| token.to_string()).unwrap_or_default(),
    });
    let template = object_at(&mut manifest, &["spec", "template"])?;
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        extend(metadata, "labels", &labels);
    }
    let secret = hide(&mut manifest, &format!("{name}-env"), options)?.map(|data| {
        let metadata = json!({ "name": format!("{name}-env"), "namespace": namespace, "labels": {
            "app.kubernetes.io/managed-by": "prefect", "prefect.io/flow-run-id": attempt.flow_run_id,
            FLOW_RUN: attempt.flow_run_id, ATTEMPT: attempt.attempt.to_string(), WORK_POOL: work_pool,
        }});
        json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "stringData": data })
    });
    if secret.is_some() {
        annotations[SECRET] = format!("{name}-env").into();
    }
    extend(object_at(&mut manifest, &["metadata"])?, "annotations", &annotations);
    Ok(Sealed { name, namespace, job: Value::Object(manifest), secret })
}

/// The same for each try of a run to make it, and another for each attempt.
fn name_of(base: &str, attempt: &Attempt) -> String {
    let base = names::job_name(base).unwrap_or_else(|| "prefect-job".to_owned());
    // The end of a run's id is random in all of its versions, its beginning is not.
    let id = attempt.flow_run_id.simple().to_string();
    format!("{base}-{}-{}", &id[20..], attempt.attempt)
}

fn extend(metadata: &mut Map<String, Value>, key: &str, more: &Value) {
    let fields = metadata.entry(key).or_insert_with(|| json!({}));
    if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
        fields.extend(more.clone());
    }
}

/// Whether a variable holds what nobody may read in a pod's spec. A fence is none: a Job's annotations have it, too.
fn is_credential(name: &str, value: &Value) -> bool {
    let has_others = || {
        let headers: Map<String, Value> =
            value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        headers.is_empty() || headers.keys().any(|header| !job::is_own_header(header))
    };
    CREDENTIALS.contains(&name) && (name != "PREFECT_CLIENT_CUSTOM_HEADERS" || has_others())
}

/// Takes credentials, or everything, out of the container's variables; answers what a Secret must hold for them.
fn hide(
    manifest: &mut Map<String, Value>,
    secret: &str,
    options: &Options,
) -> Result<Option<Map<String, Value>>, Failure> {
    let container = container(manifest)?;
    let Some(Value::Array(entries)) = container.get_mut("env") else { return Ok(None) };
    let mut hidden = Map::new();
    for entry in entries.iter_mut() {
        let Some(name) = entry["name"].as_str().map(str::to_owned) else { continue };
        if entry.get("valueFrom").is_some() {
            continue;
        }
        let reference = |secret: &str, key: &str| json!({ "secretKeyRef": { "name": secret, "key": key } });
        let known = match name.as_str() {
            "PREFECT_API_KEY" => options.api_key.as_ref(),
            "PREFECT_API_AUTH_STRING" => options.auth_string.as_ref(),
            _ => None,
        };
        if let Some(SecretKey { name: secret, key }) = known {
            *entry = json!({ "name": name, "valueFrom": reference(secret, key) });
        } else if is_credential(&name, &entry["value"]) || options.all_in_secret {
            hidden.insert(name.clone(), entry["value"].clone());
            *entry = json!({ "name": name, "valueFrom": reference(secret, &name) });
        }
    }
    if options.all_in_secret && !hidden.is_empty() {
        entries.retain(|entry| entry["valueFrom"]["secretKeyRef"]["name"].as_str() != Some(secret));
        let from = container.entry("envFrom").or_insert_with(|| json!([]));
        if let Some(from) = from.as_array_mut() {
            from.push(json!({ "secretRef": { "name": secret } }));
        }
    }
    Ok((!hidden.is_empty()).then_some(hidden))
}

/// Selects what belongs to a pool, as it stands in the query of a request.
pub(crate) fn of_pool(work_pool: Uuid) -> String {
    format!("labelSelector={}%3D{work_pool}", WORK_POOL.replace('/', "%2F"))
}

/// Whether a Job has a Secret of its own.
pub(crate) fn has_secret(job: &Value) -> bool {
    job["metadata"]["annotations"].get(SECRET).is_some()
}

/// The attempt that a Job belongs to; `None` for Jobs that no worker of ours has made.
pub(crate) fn attempt_of(job: &Value) -> Option<Attempt> {
    let metadata = &job["metadata"];
    let note = |key: &str| metadata["annotations"][key].as_str();
    Some(Attempt {
        flow_run_id: metadata["labels"][FLOW_RUN].as_str()?.parse().ok()?,
        flow_run_name: note(NAME).unwrap_or_default().to_owned(),
        attempt: metadata["labels"][ATTEMPT].as_str()?.parse().ok()?,
        token: note(TOKEN).and_then(|token| token.parse().ok()),
        owner: note(WORKER).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> Attempt {
        let flow_run_id = Uuid::from_u128(0x0192_0000_0000_7000_8000_9f3c_2a1b_7d4e);
        Attempt { flow_run_id, flow_run_name: "Blue Fox".into(), attempt: 2, token: Some(7), owner: None }
    }

    fn manifest() -> Map<String, Value> {
        json!({
            "metadata": {"generateName": "blue-fox-", "labels": {"a": "b"}},
            "spec": {"template": {"metadata": {"labels": {}}, "spec": {"containers": [{"env": [
                {"name": "PREFECT_API_KEY", "value": "k3y"}, {"name": "PLAIN", "value": "p"},
                {"name": "SOURCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ]}]}}},
        })
        .as_object()
        .cloned()
        .unwrap()
    }

    fn sealed(options: &Options) -> Sealed {
        seal(manifest(), "jobs".into(), &attempt(), Uuid::nil(), "w", options).unwrap()
    }

    #[test]
    fn an_attempt_has_one_name_and_is_found_again() {
        let sealed = sealed(&Options::default());
        assert_eq!(sealed.name, "blue-fox-9f3c2a1b7d4e-2");
        assert_eq!(sealed.job["metadata"]["name"], sealed.name);
        assert_eq!(sealed.job["metadata"].get("generateName"), None);
        assert_eq!(attempt_of(&sealed.job), Some(Attempt { owner: Some("w".into()), ..attempt() }));
        assert_eq!(sealed.job["spec"]["template"]["metadata"]["labels"][ATTEMPT], "2");
        assert_eq!(attempt_of(&json!({"metadata": {"labels": {"prefect.io/flow-run-id": "x"}}})), None);
        assert_eq!(sealed.job_before(&attempt()).as_deref(), Some("blue-fox-9f3c2a1b7d4e-1"));
    }

    #[test]
    fn credentials_are_never_in_the_pod_spec() {
        let sealed = sealed(&Options::default());
        assert!(!sealed.job.to_string().contains("k3y"));
        let secret = sealed.secret.unwrap();
        assert_eq!(secret["stringData"], json!({"PREFECT_API_KEY": "k3y"}));
        let env = &sealed.job["spec"]["template"]["spec"]["containers"][0]["env"];
        let reference = json!({"secretKeyRef": {"name": secret["metadata"]["name"], "key": "PREFECT_API_KEY"}});
        assert_eq!(env[0], json!({"name": "PREFECT_API_KEY", "valueFrom": reference}));
        assert_eq!(env[1], json!({"name": "PLAIN", "value": "p"}));
    }

    #[test]
    fn headers_are_hidden_if_they_may_hold_credentials() {
        for (headers, is_hidden) in [
            (r#"{"X-Tidegate-Fence": "a:1", "X-Tidegate-Wait": "20"}"#, false),
            (r#"{"X-Tidegate-Fence": "a:1", "Authorization": "b"}"#, true),
            ("{}", true),
            ("what is no JSON", true),
        ] {
            assert_eq!(is_credential("PREFECT_CLIENT_CUSTOM_HEADERS", &json!(headers)), is_hidden, "{headers}");
        }
        assert!(is_credential("PREFECT_API_KEY", &json!("k3y")) && !is_credential("PLAIN", &json!("p")));
    }

    #[test]
    fn a_secret_that_exists_is_named_and_none_is_made() {
        let api_key = Some(SecretKey { name: "mine".into(), key: "k".into() });
        let sealed = sealed(&Options { api_key, ..Options::default() });
        assert_eq!(sealed.secret, None);
        let env = &sealed.job["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(env[0]["valueFrom"]["secretKeyRef"], json!({"name": "mine", "key": "k"}));
    }

    #[test]
    fn everything_can_be_hidden_but_sources() {
        let sealed = sealed(&Options { all_in_secret: true, ..Options::default() });
        let container = &sealed.job["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["env"].as_array().unwrap().len(), 1);
        assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "blue-fox-9f3c2a1b7d4e-2-env"}}]));
        assert_eq!(sealed.secret.unwrap()["stringData"], json!({"PREFECT_API_KEY": "k3y", "PLAIN": "p"}));
    }
}
