//! How soon what a process prints is in its run's log, with a real Python and without the SDK's help.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use uuid::Uuid;

use crate::{
    api::{Api, Kind},
    support::{options, start},
};

/// What is promised; what is usual is a tenth of it.
const VISIBLE_WITHIN: Duration = Duration::from_secs(3);

/// A file of flows that cannot be imported. It first says the time; `rest` comes instead of its end.
fn broken_flow(home: &Path, rest: &str) -> String {
    let file = home.join("flows.py");
    let text = format!(
        "import sys, time, traceback\n\
         try:\n    import a_package_that_nobody_has_installed\n\
         except ImportError:\n    print('at', time.time(), file=sys.stderr)\n    {rest}\n"
    );
    fs::write(&file, text).unwrap();
    format!("python3 {}", file.display())
}

/// Waits for the words in the run's log, and tells how long after the process has written them they were there.
async fn delay_of(api: &Api, id: Uuid, words: &str) -> Duration {
    api.until("the error is in the log", |world| {
        let own = world.logs.iter().filter(|log| log["flow_run_id"] == json!(id));
        own.into_iter().any(|log| log["message"].as_str().unwrap().contains(words))
    })
    .await;
    #[expect(clippy::disallowed_methods, reason = "Python has said the time by the machine's clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let log = api.log(id);
    let at = log.lines().find_map(|line| line.strip_prefix("at ")).unwrap_or_else(|| panic!("no time in {log}"));
    now.saturating_sub(Duration::from_secs_f64(at.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_cannot_be_imported_says_so_on_its_run() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let id = api.add_with(json!({ "command": broken_flow(home.path(), "raise") }));
    let delay = delay_of(&api, id, "No module named 'a_package_that_nobody_has_installed'").await;
    assert!(delay < VISIBLE_WITHIN, "the error was in the log after {delay:?}");
    api.until_state(id, "CRASHED").await;
    let log = api.log(id);
    let errors = log.lines().filter(|line| line.starts_with("ModuleNotFoundError"));
    assert_eq!(errors.count(), 1, "{log}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_seen_while_its_process_still_hangs() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let worker = start(&api, options(home.path()));
    let hangs = "traceback.print_exc()\n    while True: time.sleep(0.01)";
    let id = api.add_with(json!({ "command": broken_flow(home.path(), hangs) }));
    let delay = delay_of(&api, id, "No module named 'a_package_that_nobody_has_installed'").await;
    assert!(delay < VISIBLE_WITHIN, "the error was in the log after {delay:?}");
    assert_eq!(api.run(id).state, "PENDING");
    api.set_state(id, "CANCELLING");
    api.until_state(id, "CANCELLED").await;
    worker.stop().await;
}
