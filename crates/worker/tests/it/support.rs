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

/// A worker in this process, on threads of its own.
pub(crate) struct Running {
    runtime: Runtime,
    pub(crate) shutdown: CancellationToken,
    pub(crate) hard_stop: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<Outcome>>,
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
    Running { runtime, shutdown, hard_stop, task }
}

impl Running {
    pub(crate) async fn stop(self) -> Outcome {
        self.shutdown.cancel();
        self.end().await.unwrap()
    }

    /// What the worker comes to by itself.
    pub(crate) async fn end(self) -> anyhow::Result<Outcome> {
        let ended = timeout(Duration::from_secs(20), self.task).await.expect("the worker ends").unwrap();
        spawn_blocking(move || drop(self.runtime)).await.unwrap();
        ended
    }

    /// As `kill -9` would: nothing in the worker gets to say goodbye.
    pub(crate) async fn vanish(self) {
        spawn_blocking(move || self.runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
    }
}

/// Waits until something outside the API holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

pub(crate) fn is_alive(pid: &str) -> bool {
    // A zombie is dead, whoever has not yet collected it.
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}
