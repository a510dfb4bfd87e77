//! Workers for tests, and small questions about processes.

use std::{ffi::OsString, path::Path, time::Duration};

use tidegate_client::{Client, Config};
use tidegate_worker::{Options, Outcome};
use tokio::{
    runtime::Runtime,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::api::Api;

/// Of waits, for tests that fail: none that passes comes near it, on however loaded a machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);

/// A worker in this process, on threads of its own.
pub(crate) struct Running {
    runtime: Option<Runtime>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) hard_stop: CancellationToken,
    task: Option<JoinHandle<anyhow::Result<Outcome>>>,
}

pub(crate) fn supervisor() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_tidegate-supervisor").into()]
}

pub(crate) fn options(home: &Path) -> Options {
    let mut options = Options::new("pool", home);
    options.name = Some("w".into());
    options.supervisor = Some(supervisor());
    options.environment = std::env::vars().collect();
    options.query = Duration::from_millis(100);
    options.lease = Duration::from_millis(300);
    options.process_grace = Duration::from_millis(500);
    options
}

pub(crate) fn start(api: &Api, options: Options) -> Running {
    let (shutdown, hard_stop) = (CancellationToken::new(), options.hard_stop.clone());
    let client = Client::new(Config::new(&api.url)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let task = runtime.spawn(tidegate_worker::run(options, client, shutdown.clone()));
    Running { runtime: Some(runtime), shutdown, hard_stop, task: Some(task) }
}

impl Running {
    pub(crate) async fn stop(self) -> Outcome {
        self.shutdown.cancel();
        self.end().await.unwrap()
    }

    /// What the worker comes to by itself.
    pub(crate) async fn end(mut self) -> anyhow::Result<Outcome> {
        let task = self.task.take().unwrap();
        timeout(DEADLINE, task).await.expect("the worker ends").unwrap()
    }

    /// As `kill -9` would: nothing in the worker gets to say goodbye.
    pub(crate) async fn vanish(mut self) {
        let runtime = self.runtime.take().unwrap();
        spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
    }
}

impl Drop for Running {
    /// A test that fails leaves no processes behind.
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.hard_stop.cancel();
        let (Some(runtime), task) = (self.runtime.take(), self.task.take()) else { return };
        let ending = move || {
            if let Some(task) = task {
                let _ = runtime.block_on(async { timeout(Duration::from_secs(5), task).await });
            }
            runtime.shutdown_background();
        };
        let _ = std::thread::spawn(ending).join();
    }
}

/// Waits until something outside the API holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

pub(crate) fn is_alive(pid: &str) -> bool {
    // A zombie is dead, whoever has not yet collected it.
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}
