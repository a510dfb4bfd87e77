//! Processes of a run that leave its group or their parents: they are followed, and end with a run that is stopped.
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    api::{Api, Kind},
    support::{is_alive, options, start, until},
};

/// Words of a shell that start a process in a session of its own, which writes its id to `file` and then does `what`.
fn in_own_session(file: &Path, what: &str) -> String {
    format!("setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; {what}' &", file.display())
}

async fn pid_in(file: &PathBuf) -> String {
    until("the process has said its id", || file.exists()).await;
    fs::read_to_string(file).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_takes_along_what_left_its_session_and_its_parent() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let (child, orphan) = (home.path().join("child"), home.path().join("orphan"));
    let lasting = "trap \"\" TERM; while :; do sleep 0.01; done";
    let id = api.add(&format!(
        "{} ({}); while :; do sleep 0.01; done",
        in_own_session(&child, lasting),
        in_own_session(&orphan, lasting)
    ));
    let pids = [pid_in(&child).await, pid_in(&orphan).await];
    assert!(pids.iter().all(|pid| is_alive(pid)));
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    for pid in pids {
        until("what the run has started is gone", || !is_alive(&pid)).await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_leaves_behind_at_its_own_end_goes_on() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let (daemon, go) = (home.path().join("daemon"), home.path().join("go"));
    let waiting = format!("while [ ! -e {} ]; do sleep 0.01; done", go.display());
    let id = api.add(&format!("({}) > /dev/null 2>&1; exit 3", in_own_session(&daemon, &waiting)));
    let pid = pid_in(&daemon).await;
    api.until_state(id, "CRASHED").await;
    assert!(is_alive(&pid));
    fs::write(go, "").unwrap();
    until("the daemon ends when it wants", || !is_alive(&pid)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_that_end_are_cleared_away_while_the_run_goes_on() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let orphan = home.path().join("orphan");
    let id = api.add(&format!("({}); while :; do sleep 0.01; done", in_own_session(&orphan, "exit 0")));
    let pid = pid_in(&orphan).await;
    until("nothing is left of it, not even its entry", || !Path::new(&format!("/proc/{pid}")).exists()).await;
    assert_eq!(api.run(id).state, "PENDING");
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    worker.stop().await;
}
