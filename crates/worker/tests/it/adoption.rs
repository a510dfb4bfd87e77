//! Workers that die, and the workers after them: no run twice, none lost.

use std::{fs, process::Command, time::Duration};

use serde_json::json;
use tidegate_worker::infrastructure::Attempt;

use crate::{
    api::{Api, Kind},
    support::{is_alive, options, start, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_worker_and_its_end_is_known() {
    for kind in [Kind::Tidegate, Kind::Reference] {
        let (api, home) = (Api::start(kind).await, tempfile::tempdir().unwrap());
        let worker = start(&api, options(home.path()));
        let go = home.path().join("go");
        let id = api
            .add(&format!("while [ ! -e {} ]; do sleep 0.01; echo tick; done; echo last words; exit 6", go.display()));
        api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
        worker.vanish().await;
        let pid = api.run(id).infrastructure_pid.unwrap();
        assert!(is_alive(&pid));

        let beats = api.world().heartbeats;
        let worker = start(&api, options(home.path()));
        api.until("the new worker is at work", |world| world.heartbeats > beats).await;
        assert!(is_alive(&pid));
        fs::write(go, "").unwrap();
        api.until_state(id, "CRASHED").await;
        let outcome = worker.stop().await;
        assert_eq!((outcome.adopted, outcome.taken, api.run(id).starts), (1, 0, 1));
        assert!(api.run(id).message.contains("exit code 6"), "{}", api.run(id).message);
        assert!(api.log(id).contains("last words"), "{}", api.log(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_while_no_worker_was_there_is_reported_by_the_next() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let go = home.path().join("go");
    let id = api.add(&format!("while [ ! -e {} ]; do sleep 0.01; done; exit 8", go.display()));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    let pid = api.run(id).infrastructure_pid.unwrap();
    worker.vanish().await;
    fs::write(go, "").unwrap();
    until("the process is gone", || !is_alive(&pid)).await;
    let worker = start(&api, options(home.path()));
    api.until_state(id, "CRASHED").await;
    assert_eq!(api.run(id).failure["exit_code"], 8);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_run_can_be_cancelled() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add("trap '' TERM; while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    worker.vanish().await;
    api.set_state(id, "CANCELLING");
    let worker = start(&api, options(home.path()));
    api.until_state(id, "CANCELLED").await;
    assert!(!is_alive(&api.run(id).infrastructure_pid.unwrap()));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_supervisor_was_killed_is_ended_and_reported() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add("while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    let started = fs::read(home.path().join(format!("workers/pool.w/{id}.1/started.json"))).unwrap();
    let started: serde_json::Value = serde_json::from_slice(&started).unwrap();
    Command::new("kill").args(["-9", &started["supervisor"].to_string()]).status().unwrap();
    api.until_state(id, "CRASHED").await;
    assert_eq!(api.run(id).failure["class"], "signal");
    until("the process is gone", || !is_alive(&api.run(id).infrastructure_pid.unwrap())).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_claimed_but_never_started_is_started_once_by_the_next_worker() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    // As a worker leaves it that dies between writing the journal and starting the supervisor.
    let (ours, theirs) = (api.add("exit 2"), api.add("exit 2"));
    api.change(|world| {
        for (token, id) in [(11, ours), (12, theirs)] {
            let run = world.runs.get_mut(&id).unwrap();
            (run.state, run.token) = ("PENDING".into(), Some(token));
        }
        // This one's lease ran out, and another worker has it now.
        world.runs.get_mut(&theirs).unwrap().token = Some(99);
    });
    for (token, id) in [(11, ours), (12, theirs)] {
        let attempt =
            Attempt { flow_run_id: id, flow_run_name: "blue-fox".into(), attempt: 1, token: Some(token), owner: None };
        let directory = home.path().join(format!("workers/pool.w/{id}.{token}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("run.json"), json!(attempt).to_string()).unwrap();
    }
    let worker = start(&api, options(home.path()));
    api.until_state(ours, "CRASHED").await;
    worker.stop().await;
    assert_eq!((api.run(ours).starts, api.run(ours).failure["exit_code"].as_i64()), (1, Some(2)));
    assert_eq!((api.run(theirs).starts, api.run(theirs).state.as_str()), (0, "PENDING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_cannot_have_one_name() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut first_options = options(home.path());
    first_options.heartbeat = Duration::from_secs(1);
    let first = start(&api, first_options);
    api.until("the first is at work", |world| world.heartbeats > 0).await;
    let error = start(&api, options(home.path())).end().await.unwrap_err();
    assert!(format!("{error:#}").contains("already serves"), "{error:#}");
    first.stop().await;
}
