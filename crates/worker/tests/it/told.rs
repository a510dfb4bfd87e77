//! What a worker tells of itself: events, labels of its runs, and its health.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use serde_json::json;
use uuid::Uuid;

use crate::{
    api::{Api, Kind},
    support::{options, start, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn events_and_labels_tell_who_ran_what_and_how_it_ended() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let mut options = options(home.path());
    options.name = Some("Builder 1".into());
    let worker = start(&api, options);
    let id = api.add("exit 3");
    api.until_state(id, "CRASHED").await;
    worker.stop().await;
    let world = api.world();
    let named = |name: &str| {
        let mut found = world.events.iter().filter(|event| event["event"] == format!("prefect.worker.{name}"));
        let event = found.next().unwrap_or_else(|| panic!("{name} was not told: {:?}", world.events));
        assert_eq!(event["resource"]["prefect.resource.id"], "prefect.worker.process.builder-1");
        assert_eq!(event["resource"]["prefect.worker-type"], "process");
        event
    };
    assert_eq!(named("stopped")["follows"], named("started")["id"]);
    let (submitted, executed) = (named("submitted-flow-run"), named("executed-flow-run"));
    assert_eq!(executed["follows"], submitted["id"]);
    let roles: Vec<_> = executed["related"].as_array().unwrap().iter().map(|of| &of["prefect.resource.role"]).collect();
    assert_eq!(roles, ["flow", "flow-run", "work-pool"]);
    let run = &executed["related"][1];
    assert_eq!(run["prefect.resource.id"], format!("prefect.flow-run.{id}"));
    assert_eq!(run["prefect.infrastructure.identifier"], json!(world.runs[&id].infrastructure_pid));
    assert_eq!(run["prefect.infrastructure.status-code"], "3");
    let expected = json!({"prefect.worker.name": "Builder 1", "prefect.worker.type": "process", "prefect.work-pool.name": "pool",
        "prefect.work-pool.id": Uuid::nil()});
    assert_eq!(world.labels[&id], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_from_the_start() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    api.change(|world| world.is_down = true);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = options(home.path());
    options.health_check = Some(address);
    // Thirty polls may be missed.
    options.query = std::time::Duration::from_millis(30);
    let worker = start(&api, options);
    let answered = async |status: u16| until_health(address, status).await;
    answered(200).await;
    // The server stays away for longer than that, and comes back.
    answered(503).await;
    api.change(|world| world.is_down = false);
    api.add("exit 0");
    answered(200).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_told_at_once() {
    let (api, home) = (Api::start(Kind::Tidegate).await, tempfile::tempdir().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(home.path());
    options.health_check = Some(taken.local_addr().unwrap());
    let error = start(&api, options).end().await.unwrap_err();
    assert!(error.to_string().contains("worker.webserver.port"), "{error}");
}

/// The status of `GET /health`, if anybody answers.
fn health(address: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

async fn until_health(address: SocketAddr, status: u16) {
    until(&format!("health is {status}"), || health(address) == Some(status)).await;
}
