//! The reference's own Jobs, recorded (`tests/kubernetes/configurations.json`), compared with ours key by key. Where we
//! differ on purpose, the difference is named here with its reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tidegate_client::{Client, Config};
use uuid::Uuid;

use super::{watch::Limits, *};
use crate::{
    infrastructure::{Attempt, Failure, FailureClass},
    job::{self, Caller, Facts, Job, Reference, Source},
};

/// What the reference refuses and we do not: nothing is gained by a run that fails for it.
const TAKEN_HERE: [(&str, &str); 11] = [
    ("current: env, null", "no variables"),
    ("bundled: env, null", "no variables"),
    ("levels: env null over env", "the deployment's variables"),
    ("levels: dotted labels", "a label's value becomes text"),
    ("labels: number as value", "a label's value becomes text"),
    ("labels: null as value", "no such label"),
    ("annotations: true as value", "an annotation's value becomes text"),
    ("names: template {{ ctx.flow_run.parameters.size }}", "a name becomes text"),
    ("names: template {{ ctx.flow_run.parameters }}", "a name becomes text"),
    ("references: variable that is an object", "a label's value becomes text"),
    ("references: variable that is a list", "a command may be a list of words"),
];

struct Recorded {
    blocks: Value,
    blocks_by_id: Value,
    variables: Value,
}

impl Source for Recorded {
    async fn read(&self, reference: &Reference) -> Result<Option<Value>, Failure> {
        let missing = || Failure::new(FailureClass::ConfigError, "It does not exist.");
        match reference {
            Reference::Variable(name) => Ok(self.variables.get(name).cloned()),
            Reference::BlockById(id) => self.blocks_by_id.get(id).cloned().map(Some).ok_or_else(missing),
            Reference::Block(slug, name) => {
                self.blocks.get(format!("{slug}/{name}")).cloned().map(Some).ok_or_else(missing)
            }
        }
    }
}

fn recording() -> Value {
    serde_json::from_str(include_str!("../../tests/kubernetes/configurations.json")).unwrap()
}

/// A case with everything that it does not say itself.
fn complete(case: &Value, recording: &Value) -> Value {
    let mut whole = recording["defaults"].clone();
    for (key, value) in case.as_object().unwrap() {
        match (key.as_str(), &mut whole[key], value) {
            ("flow_run" | "flow" | "deployment" | "work_pool", Value::Object(default), Value::Object(own)) => {
                default.extend(own.clone());
            }
            (_, place, value) => *place = value.clone(),
        }
    }
    if let Some(name) = whole["base_job_template"].as_str() {
        whole["base_job_template"] = recording["templates"][name].clone();
    }
    whole
}

async fn made(case: &Value, source: &Recorded) -> Result<Job, Failure> {
    let mut flow_run = case["flow_run"].clone();
    flow_run["job_variables"] = case["flow_run_job_variables"].clone();
    let mut deployment = case["deployment"].clone();
    if deployment.is_object() {
        deployment["job_variables"] = case["deployment_job_variables"].clone();
    }
    let mut pool = case["work_pool"].clone();
    pool["base_job_template"] = case["base_job_template"].clone();
    let flow_run: tidegate_api::flow_runs::FlowRun = serde_json::from_value(flow_run).unwrap();
    let flow = case["flow"].is_object().then(|| serde_json::from_value(case["flow"].clone()).unwrap());
    let deployment = deployment.is_object().then(|| serde_json::from_value(deployment).unwrap());
    let pool = serde_json::from_value(pool).unwrap();
    let environment: BTreeMap<String, String> = serde_json::from_value(case["worker_environment"].clone()).unwrap();
    let url = environment.get("PREFECT_API_URL").cloned();
    let client = Client::new(Config::new(url.clone().unwrap_or_else(|| "http://none/api".to_owned()))).unwrap();
    let mut caller = Caller::new(environment, &client);
    if url.is_none() {
        caller.api.remove("PREFECT_API_URL");
    }
    let facts = Facts {
        flow_run: &flow_run,
        flow: flow.as_ref(),
        deployment: deployment.as_ref(),
        pool: &pool,
        worker_name: case["worker_name"].as_str().unwrap(),
    };
    let attempt = Attempt {
        flow_run_id: flow_run.id,
        flow_run_name: flow_run.name.clone(),
        attempt: 1,
        token: None,
        owner: None,
    };
    job::resolve_from(facts, &attempt, &caller, source).await
}

/// Variables by name: the order in which a container gets them counts for nothing.
fn sort_environment(manifest: &mut Value) {
    let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
    let entries = container["env"].as_array().cloned().unwrap_or_default();
    let entries = entries.into_iter().filter(|entry| entry["name"] != "PREFECT__WORKER_ID");
    let by_name: BTreeMap<String, Value> =
        entries.map(|entry| (entry["name"].as_str().unwrap_or_default().to_owned(), entry)).collect();
    container["env"] = serde_json::to_value(by_name).unwrap();
}

#[tokio::test]
async fn jobs_are_the_references_key_by_key() {
    let recording = recording();
    let source = Recorded {
        blocks: recording["blocks"].clone(),
        blocks_by_id: recording["blocks_by_id"].clone(),
        variables: recording["variables"].clone(),
    };
    let taken_here: BTreeSet<&str> = TAKEN_HERE.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in recording["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let expected = &case["expected"];
        let case = complete(case, &recording);
        let manifest = match made(&case, &source).await {
            Ok(job) => cluster_config(&job)
                .and_then(|_| Limits::check(&job.configuration))
                .and_then(|()| manifest::render(&job))
                .map(|manifest| (job, manifest)),
            Err(failure) => Err(failure),
        };
        match (manifest, expected.get("error")) {
            (Err(_), Some(_)) => compared += 1,
            (Err(failure), None) => wrong.push(format!("{name}: refused: {failure}")),
            (Ok(_), Some(_)) if taken_here.contains(name) => compared += 1,
            (Ok(_), Some(error)) => wrong.push(format!("{name}: not refused: {error}")),
            (Ok((job, manifest)), None) => {
                compared += 1;
                let mut ours = Value::Object(manifest);
                let mut theirs = expected["job_manifest"].clone();
                sort_environment(&mut ours);
                sort_environment(&mut theirs);
                if expected.get("secrets").is_some() || name.starts_with("secrets:") {
                    // Credentials are hidden otherwise here, which has tests of its own.
                    for manifest in [&mut ours, &mut theirs] {
                        let container = manifest["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap();
                        container.remove("env");
                        container.remove("envFrom");
                    }
                }
                difference(&theirs, &ours, String::new(), name, &mut wrong);
                for (what, ours, theirs) in [
                    ("namespace", json!(manifest::namespace(&job).unwrap()), &expected["namespace"]),
                    ("name", json!(job.name), &expected["name"]),
                ] {
                    if ours != *theirs {
                        wrong.push(format!("{name}: {what} is {ours}, not {theirs}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), compared + wrong.len(), wrong.join("\n"));
    assert_eq!(compared, 436);
}

fn difference(theirs: &Value, ours: &Value, path: String, name: &str, wrong: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for key in keys {
                let absent = Value::String("(absent)".into());
                let (theirs, ours) = (theirs.get(key).unwrap_or(&absent), ours.get(key).unwrap_or(&absent));
                difference(theirs, ours, format!("{path}/{key}"), name, wrong);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                difference(theirs, ours, format!("{path}/{index}"), name, wrong);
            }
        }
        _ if theirs == ours => {}
        // An image of nothing is refused by the API; here it is the usual one.
        (Value::Null, Value::String(own)) if path.ends_with("/0/image") && is_default(own) => {}
        (Value::String(image), Value::String(own))
            if path.ends_with("/image") && is_default(image) && is_default(own) => {}
        _ => wrong.push(format!("{name}: {path} is {ours}, not {theirs}")),
    }
}

/// The SDK's image: which Python it has is the reference's own Python, and a fixed one here.
fn is_default(image: &str) -> bool {
    image.starts_with("prefecthq/prefect:3.8.8-python")
}

#[test]
fn two_attempts_never_have_one_name() {
    let attempt =
        |attempt| Attempt { flow_run_id: Uuid::nil(), flow_run_name: "a".into(), attempt, token: None, owner: None };
    let manifest = || -> Map<String, Value> {
        let manifest =
            json!({"metadata": {"generateName": "a-"}, "spec": {"template": {"spec": {"containers": [{}]}}}});
        manifest.as_object().cloned().unwrap()
    };
    let name = |number| {
        let options = Options::default();
        seal::seal(manifest(), "default".into(), &attempt(number), Uuid::nil(), "w", &options).unwrap().name
    };
    assert_eq!(name(1), name(1));
    assert_ne!(name(1), name(2));
}

/// A backend that knows a cluster by its kubeconfig and has not talked to it.
async fn backend(token: &str) -> (Kubernetes, Arc<Place>) {
    let kubernetes = Kubernetes::new(Options::default(), "w".into());
    let place = kubernetes.place(Some(&kubeconfig("https://west.example:6443", token))).await.unwrap();
    (kubernetes, place)
}

fn kubeconfig(server: &str, token: &str) -> Map<String, Value> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "west",
        "clusters": [{"name": "west", "cluster": {"server": server}}],
        "users": [{"name": "robot", "user": {"token": token}}],
        "contexts": [{"name": "west", "context": {"cluster": "west", "user": "robot"}}],
    });
    json!({"config": config, "context_name": "west"}).as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_survey_leaves_out_jobs_of_another_cluster() {
    let (kubernetes, place) = backend("t0ken").await;
    let identity = |uid: &str| identity::Identity::new(Some(uid.to_owned()), None).unwrap();
    place.identity.set(identity("here"));
    for (number, cluster) in [(1, Some("here")), (2, Some("elsewhere")), (3, None)] {
        let attempt = Attempt {
            flow_run_id: Uuid::from_u128(number),
            flow_run_name: "a".into(),
            attempt: 1,
            token: None,
            owner: None,
        };
        let manifest =
            json!({"metadata": {"generateName": "a-"}, "spec": {"template": {"spec": {"containers": [{}]}}}});
        let manifest = manifest.as_object().cloned().unwrap();
        let sealed = seal::seal(manifest, "flows".into(), &attempt, Uuid::nil(), "w", &Options::default()).unwrap();
        let mut job = sealed.job;
        job["metadata"]["namespace"] = sealed.namespace.into();
        if let Some(cluster) = cluster {
            identity(cluster).stamp(&mut job);
        }
        place.board.job_seen(job);
    }
    let surveyed = |after| {
        let strays = kubernetes.survey_jobs(Instant::now() + Duration::from_secs(after));
        strays.iter().map(|stray| stray.attempt.flow_run_id.as_u128()).collect::<BTreeSet<_>>()
    };
    assert_eq!(surveyed(1), BTreeSet::new(), "whoever made them may not have told the server yet");
    assert_eq!(surveyed(61), BTreeSet::from([1, 3]));
}

#[tokio::test]
async fn exchanged_credentials_leave_one_place() {
    let (kubernetes, first) = backend("one").await;
    let attempt = Attempt { flow_run_id: Uuid::nil(), flow_run_name: "a".into(), attempt: 1, token: None, owner: None };
    kubernetes.take_in(&attempt, Arc::clone(&first), first.board.hold("flows", "a"), false);
    let place = async |server: &str, token: &str| kubernetes.place(Some(&kubeconfig(server, token))).await.unwrap();
    place("https://west.example:6443", "two").await;
    assert_eq!(lock(&kubernetes.surveyed).len(), 2, "a run is watched with the first");
    kubernetes.forget(&attempt).await;
    let end = first.end.clone();
    drop(first);
    place("https://east.example:6443", "one").await;
    let last = place("https://west.example:6443", "three").await;
    assert_eq!(lock(&kubernetes.surveyed).len(), 2);
    assert!(end.is_cancelled() && !last.end.is_cancelled());
}
