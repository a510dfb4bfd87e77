//! A worker at a Tidegate server.

use std::{fs, time::Duration};

use serde_json::json;

use crate::{
    api::{Api, Kind},
    support::{is_alive, options, start, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_pool_is_made_and_its_runs_are_run() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    api.until("a pool and a heartbeat", |world| world.pool.is_some() && world.heartbeats > 0).await;
    assert_eq!(api.world().pool.as_ref().unwrap()["type"], "process");
    let file = home.path().join("ran");
    let id = api.add(&format!(
        "echo $PREFECT__FLOW_RUN_ID $PREFECT_API_URL $PREFECT_CLIENT_CUSTOM_HEADERS > {}",
        file.display()
    ));
    // The script is no engine: it does not say how the run ended, so the worker does.
    api.until_state(id, "CRASHED").await;
    let expected = format!("{id} {} {{\"X-Tidegate-Fence\":\"{id}:1\",\"X-Tidegate-Wait\":\"20\"}}\n", api.url);
    assert_eq!(fs::read_to_string(file).unwrap(), expected);
    let run = api.run(id);
    assert!(run.message.contains("without telling how"), "{}", run.message);
    assert_eq!((run.failure["class"].as_str(), run.failure["exit_code"].as_i64()), (Some("exit_code"), Some(0)));
    let outcome = worker.stop().await;
    assert_eq!((outcome.taken, outcome.failed), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_says_how_it_ended_is_believed() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let go = home.path().join("go");
    let id = api.add(&format!("while [ ! -e {0} ]; do sleep 0.01; done; exit 3", go.display()));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    api.set_state(id, "COMPLETED");
    fs::write(go, "").unwrap();
    assert_eq!(worker.stop().await.taken, 1);
    let run = api.run(id);
    assert_eq!((run.state.as_str(), run.message.as_str()), ("COMPLETED", ""));
    // Nothing of it stays behind.
    let left: Vec<_> =
        fs::read_dir(home.path().join("workers/pool.w")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_die_has_its_class_and_its_last_words() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    for (job, class, code, signal, words) in [
        (json!({"command": "sh -c 'echo to-out; echo to-err >&2; exit 7'"}), "exit_code", Some(7), None, "to-err"),
        (json!({"command": "sh -c 'kill -KILL $$'"}), "signal", None, Some(9), "SIGKILL"),
        (json!({"command": "sh -c 'kill -SEGV $$'"}), "signal", None, Some(11), "SIGSEGV"),
        (json!({"command": "no-such-command-here"}), "command_not_found", None, None, "was not found"),
        (json!({"command": "sh", "working_dir": "/no/such/folder"}), "config_error", None, None, "does not exist"),
        (json!({"command": "sh -c 'no-such-command-here'"}), "command_not_found", Some(127), None, "127"),
        (json!({"command": "sh 'unclosed"}), "config_error", None, None, "not closed"),
        (
            json!({"command": "sh -c 'echo python: No module named prefect >&2; exit 1'"}),
            "config_error",
            Some(1),
            None,
            "cannot import",
        ),
    ] {
        let id = api.add_with(job.clone());
        api.until_state(id, "CRASHED").await;
        let run = api.run(id);
        assert_eq!(run.failure["class"], class, "{job}");
        assert_eq!((run.failure["exit_code"].as_i64(), run.failure["signal"].as_i64()), (code, signal), "{job}");
        assert!(run.message.contains("Hint: ") || class == "config_error", "{}", run.message);
        api.until(&format!("the log says `{words}`"), |world| {
            world
                .logs
                .iter()
                .any(|log| log["flow_run_id"] == json!(id) && log["message"].as_str().unwrap().contains(words))
        })
        .await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_before_the_run_has_begun_is_in_its_log_at_once_and_only_once() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let go = home.path().join("go");
    let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", go.display());
    let id = api.add(&format!("echo early words; {wait}; echo '12:00:00.000 | ERROR   | Flow run '\"'\"'a'\"'\"' - said by the SDK'; echo late words >&2; exit 1"));
    api.until("early words are logged", |world| world.logs.iter().any(|log| log["message"] == "early words")).await;
    api.change(|world| {
        world.logs.push(json!({"flow_run_id": id, "name": "prefect.flow_runs", "level": 40,
        "message": "said by the SDK", "timestamp": "2026-01-01T00:00:00Z"}));
    });
    fs::write(go, "").unwrap();
    api.until_state(id, "CRASHED").await;
    worker.stop().await;
    let log = api.log(id);
    for words in ["early words", "said by the SDK", "late words"] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_runs_than_the_limit_are_held_and_a_free_place_is_used() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut options = options(home.path());
    options.limit = Some(1);
    let worker = start(&api, options);
    let go = home.path().join("go");
    let script = format!("while [ ! -e {} ]; do sleep 0.01; done", go.display());
    let (first, second) = (api.add(&script), api.add(&script));
    api.until("one runs", |world| world.runs[&first].infrastructure_pid.is_some()).await;
    api.until("leases are renewed", |world| world.renewals > 1).await;
    assert_eq!(api.run(second).state, "SCHEDULED");
    fs::write(go, "").unwrap();
    api.until_state(second, "CRASHED").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_is_ended_with_everything_it_started() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let child = home.path().join("child");
    // It ignores SIGTERM, and so does the process it started.
    let id = api.add(&format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 0.01; done' & wait",
        child.display()
    ));
    until("the inner process runs", || child.exists()).await;
    let inner = fs::read_to_string(&child).unwrap();
    assert!(is_alive(&inner));
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    // Killed before the report; how soon the kernel has cleared it away is its own business.
    until("the inner process is gone", || !is_alive(&inner)).await;
    assert!(!is_alive(&api.run(id).infrastructure_pid.unwrap()));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_run_is_killed_and_not_reported_on() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add("trap '' TERM; while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    let pid = api.run(id).infrastructure_pid.unwrap();
    api.change(|world| assert!(world.lost.insert(id)));
    until("the process is gone", || !is_alive(&pid)).await;
    worker.stop().await;
    assert_eq!(api.run(id).state, "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_back_is_started_when_its_old_process_is_gone() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let again = home.path().join("again");
    // The first attempt outlives the resumption of its run, until it is killed; the second finds the first's mark.
    let id = api.add(&format!(
        "if [ -e {0} ]; then exit 9; fi; touch {0}; trap '' TERM; while :; do sleep 0.01; done",
        again.display()
    ));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    until("it has left its mark", || again.exists()).await;
    let old = api.run(id).infrastructure_pid.unwrap();
    api.set_state(id, "SCHEDULED");
    api.until_state(id, "CRASHED").await;
    assert_eq!(api.run(id).failure["exit_code"], 9);
    assert!(!is_alive(&old));
    assert_eq!(worker.stop().await.taken, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_finish_after_its_run_is_over() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut options = options(home.path());
    options.process_grace = Duration::from_mins(10);
    let worker = start(&api, options);
    let (go, done) = (home.path().join("go"), home.path().join("done"));
    let id = api.add(&format!("while [ ! -e {} ]; do sleep 0.01; done; touch {}", go.display(), done.display()));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    api.set_state(id, "COMPLETED");
    let (_, renewals) = api.signs_of_life();
    api.until("renewals have said that it is over", |world| world.renewals > renewals + 2).await;
    fs::write(go, "").unwrap();
    until("its last words are said", || done.exists()).await;
    worker.stop().await;
    assert_eq!(api.run(id).state, "COMPLETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_not_stay_after_its_run_is_over() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let polite = home.path().join("polite");
    for state in ["FAILED", "CRASHED"] {
        // An engine that is asked politely reports on its run, which nobody wants to hear any more.
        let id = api.add(&format!("trap 'touch {}' TERM; while :; do sleep 0.01; done", polite.display()));
        api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
        api.set_state(id, state);
        let pid = api.run(id).infrastructure_pid.unwrap();
        until("it is gone", || !is_alive(&pid)).await;
        assert_eq!(api.run(id).state, state);
    }
    worker.stop().await;
    assert!(!polite.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_takes_nothing_new_and_lets_its_runs_end() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut options = options(home.path());
    options.heartbeat = Duration::from_millis(20);
    let worker = start(&api, options);
    let go = home.path().join("go");
    let id = api.add(&format!("while [ ! -e {} ]; do sleep 0.01; done; exit 5", go.display()));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    worker.shutdown.cancel();
    let (beats, renewals) = api.signs_of_life();
    api.until("it goes on living", |world| world.heartbeats > beats + 2 && world.renewals > renewals + 1).await;
    // By now the worker listens for cancellations only: it said so in a claim for no runs.
    api.until("it claims nothing", |world| world.last_claim == Some(0)).await;
    let late = api.add("exit 0");
    fs::write(go, "").unwrap();
    let outcome = worker.stop().await;
    assert_eq!(outcome.taken, 1);
    assert_eq!((api.run(id).failure["exit_code"].as_i64(), api.run(late).state.as_str()), (Some(5), "SCHEDULED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_can_still_cancel() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add("while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    worker.shutdown.cancel();
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_kills_and_says_so() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut options = options(home.path());
    options.process_grace = Duration::from_mins(10);
    let worker = start(&api, options);
    let id = api.add("trap '' TERM; while :; do sleep 0.01; done");
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    let pid = api.run(id).infrastructure_pid.unwrap();
    worker.shutdown.cancel();
    worker.hard_stop.cancel();
    worker.stop().await;
    assert!(!is_alive(&pid));
    let run = api.run(id);
    assert_eq!((run.state.as_str(), run.failure["class"].as_str()), ("CRASHED", Some("preempted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_waits_for_a_server_that_is_away() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let (go, gone) = (home.path().join("go"), home.path().join("gone"));
    let id =
        api.add(&format!("while [ ! -e {} ]; do sleep 0.01; done; touch {}; exit 9", go.display(), gone.display()));
    api.until("it runs", |world| world.runs[&id].infrastructure_pid.is_some()).await;
    api.change(|world| world.is_down = true);
    fs::write(go, "").unwrap();
    until("the process has ended", || gone.exists()).await;
    api.change(|world| world.is_down = false);
    api.until_state(id, "CRASHED").await;
    assert_eq!(api.run(id).failure["exit_code"], 9);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_runs_once_ends_with_its_runs() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let id = api.add("exit 4");
    let mut options = options(home.path());
    options.run_once = true;
    let outcome = start(&api, options).end().await.unwrap();
    assert_eq!((outcome.taken, api.run(id).failure["exit_code"].as_i64()), (1, Some(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_another_type_is_refused() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    api.change(|world| world.pool = Some(json!({"id": uuid::Uuid::nil(), "name": "pool", "type": "kubernetes", "base_job_template": {"variables": {}}})));
    let error = start(&api, options(home.path())).end().await.unwrap_err();
    assert!(error.to_string().contains("kubernetes"), "{error}");
}
