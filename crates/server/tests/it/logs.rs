//! Live logs.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{sockets::Socket, support::TestServer};

fn line(server: &TestServer, run: Uuid, level: i64, message: &str) -> Value {
    json!({ "name": "test", "level": level, "message": message, "timestamp": server.clock.now(), "flow_run_id": run })
}

async fn follow(server: TestServer) {
    let (run, other) = (Uuid::new_v4(), Uuid::new_v4());
    let filter = json!({ "flow_run_id": { "any_": [run] }, "level": { "ge_": 20 } });
    let mut subscriber = Socket::subscribe(&server, "/logs/out", filter, false).await;
    subscriber.flush().await;
    let batch = |first: usize| -> Vec<Value> {
        (first..first + 100)
            .flat_map(|number| {
                [
                    line(&server, other, 40, "of another run"),
                    line(&server, run, 10, "too quiet"),
                    line(&server, run, 20, &format!("line {number}")),
                ]
            })
            .collect()
    };
    for first in [0, 100, 200] {
        server.post("/logs/", Value::Array(batch(first))).await;
    }
    for number in 0..300 {
        let message = subscriber.receive().await;
        assert_eq!((&message["type"], &message["log"]["message"]), (&json!("log"), &json!(format!("line {number}"))));
    }
    let stored = json!({ "logs": { "flow_run_id": { "any_": [run] }, "level": { "ge_": 20 } }, "limit": 200 });
    assert_eq!(server.post("/logs/filter", stored).await.as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn followers_hear_the_lines_they_asked_for_in_order_on_sqlite() {
    follow(TestServer::start().await).await;
}

#[tokio::test]
async fn followers_hear_the_lines_they_asked_for_in_order_on_postgres() {
    follow(TestServer::on(tidegate_testkit::postgres().await, |_| {}).await).await;
}
