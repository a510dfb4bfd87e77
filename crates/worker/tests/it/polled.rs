//! A worker at a server that knows nothing of claims and leases.

use serde_json::json;

use crate::{
    api::{Api, Kind},
    support::{is_alive, options, start},
};

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_runs_are_fetched_proposed_and_run() {
    let (api, home) = (Api::start(Kind::Reference).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let file = home.path().join("headers");
    let id = api.add(&format!("echo \"<$PREFECT_CLIENT_CUSTOM_HEADERS>\" > {}; exit 3", file.display()));
    api.until_state(id, "CRASHED").await;
    assert_eq!(std::fs::read_to_string(file).unwrap(), "<>\n");
    let run = api.run(id);
    assert!(run.message.contains("exit code 3") && run.infrastructure_pid.is_some(), "{}", run.message);
    assert_eq!(worker.stop().await.taken, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_another_worker_has_is_left_alone() {
    let (api, home) = (Api::start(Kind::Reference).await, tempfile::tempdir().unwrap());
    let (taken, free) = (api.add("exit 1"), api.add("exit 1"));
    api.set_state(taken, "RUNNING");
    let worker = start(&api, options(home.path()));
    api.until_state(free, "CRASHED").await;
    worker.stop().await;
    assert_eq!((api.run(taken).state.as_str(), api.run(taken).starts), ("RUNNING", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_found_and_ended() {
    let (api, home) = (Api::start(Kind::Reference).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add("while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    assert!(!is_alive(&api.run(id).infrastructure_pid.unwrap()));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_base_job_template_is_filled_by_the_first_worker() {
    let (api, home) = (Api::start(Kind::Reference).await, tempfile::tempdir().unwrap());
    api.change(|world| {
        world.pool = Some(json!({"id": uuid::Uuid::nil(), "name": "pool", "type": "process", "base_job_template": {}}));
    });
    let worker = start(&api, options(home.path()));
    api.until("it serves the pool", |world| world.heartbeats > 0).await;
    worker.stop().await;
}
