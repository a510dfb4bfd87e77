//! Task runs as engines tell of them: by events that may come late, twice, or in the wrong order.

use serde_json::{Value, json};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use tidegate_testkit::FreshDatabase;

use crate::{
    sockets::Socket,
    support::{TestServer, id_of},
};

struct Told<'s> {
    server: &'s TestServer,
    flow_run: String,
    task_run: Uuid,
    start: Timestamp,
}

impl<'s> Told<'s> {
    async fn of(server: &'s TestServer) -> Self {
        let flow = id_of(&server.post("/flows/", json!({ "name": "f" })).await);
        let flow_run = id_of(&server.post("/flow_runs/", json!({ "flow_id": flow })).await);
        Self { server, flow_run, task_run: Uuid::now_v7(), start: server.clock.now() }
    }

    /// What the engine sends when the task run enters a state, so many seconds after its start.
    fn event(&self, kind: &str, seconds: i32) -> Value {
        let occurred = self.start.plus_seconds(f64::from(seconds));
        json!({
            "id": Uuid::new_v4(),
            "occurred": occurred,
            "event": format!("prefect.task-run.{kind}"),
            "resource": {
                "prefect.resource.id": format!("prefect.task-run.{}", self.task_run),
                "prefect.orchestration": "client",
            },
            "related": [{
                "prefect.resource.id": format!("prefect.flow-run.{}", self.flow_run),
                "prefect.resource.role": "flow-run",
            }],
            "payload": {
                "validated_state": { "type": kind.to_uppercase(), "name": kind, "message": format!("at {seconds}") },
                "task_run": { "task_key": "step", "dynamic_key": "0", "name": "step-0", "run_count": 1 },
            },
        })
    }

    async fn send(&self, events: &[&Value]) {
        let mut socket = Socket::connect(self.server, "/events/in").await;
        for event in events {
            socket.send(event).await;
        }
        assert_eq!(socket.flush().await, Vec::<Value>::new());
    }

    async fn state(&self) -> (String, String) {
        let run = self.server.get(&format!("/task_runs/{}", self.task_run)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&run["state_type"]), text(&run["state"]["message"]))
    }

    async fn history(&self) -> Vec<String> {
        let states = self.server.get(&format!("/task_run_states/?task_run_id={}", self.task_run)).await;
        let mut names: Vec<String> = states
            .as_array()
            .unwrap()
            .iter()
            .map(|state| format!("{} {}", state["name"].as_str().unwrap(), state["message"].as_str().unwrap()))
            .collect();
        names.sort_unstable();
        names
    }
}

async fn late_and_repeated_events_change_nothing(database: FreshDatabase) {
    let server = TestServer::on(database, |_| {}).await;
    let told = Told::of(&server).await;
    let [pending, running, completed] =
        [told.event("Pending", 0), told.event("Running", 1), told.event("Completed", 2)];
    // The end comes first; then what was before it, one by one and all at once.
    told.send(&[&completed]).await;
    assert_eq!(told.state().await, ("COMPLETED".into(), "at 2".into()));
    told.send(&[&running]).await;
    assert_eq!(told.state().await, ("COMPLETED".into(), "at 2".into()));
    told.send(&[&pending, &running, &completed, &pending]).await;
    told.send(&[&completed]).await;
    assert_eq!(told.state().await, ("COMPLETED".into(), "at 2".into()));
    assert_eq!(told.history().await, ["Completed at 2", "Pending at 0", "Running at 1"]);
    let count = server.post("/task_runs/count", json!({ "flow_runs": { "id": { "any_": [told.flow_run] } } })).await;
    assert_eq!(count, 1);
}

async fn of_one_instant_the_end_wins(database: FreshDatabase) {
    let server = TestServer::on(database, |_| {}).await;
    let told = Told::of(&server).await;
    let (running, failed) = (told.event("Running", 5), told.event("Failed", 5));
    told.send(&[&failed]).await;
    told.send(&[&running]).await;
    assert_eq!(told.state().await.0, "FAILED");
    let other = Told { task_run: Uuid::now_v7(), ..Told::of(&server).await };
    let (running, failed) = (other.event("Running", 5), other.event("Failed", 5));
    other.send(&[&failed, &running]).await;
    assert_eq!(other.state().await.0, "FAILED");
    let third = Told::of(&server).await;
    let (running, failed) = (third.event("Running", 5), third.event("Failed", 5));
    third.send(&[&running]).await;
    third.send(&[&failed]).await;
    assert_eq!(third.state().await.0, "FAILED");
    // A task that is tried again goes on: newer is newer.
    third.send(&[&third.event("Running", 6)]).await;
    assert_eq!(third.state().await, ("RUNNING".into(), "at 6".into()));
}

on_both_databases! { late_and_repeated_events_change_nothing, of_one_instant_the_end_wins }
