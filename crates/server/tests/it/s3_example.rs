//! The example of S3's notifications, as it is written there: what EventBridge and SNS send becomes events of one kind.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_testkit::{FreshDatabase, eventually};

use crate::support::{TestServer, id_of, often};

macro_rules! example {
    ($file:literal) => {
        include_str!(concat!("../../../../examples/s3-event/", $file))
    };
}

async fn webhook(server: &TestServer) -> Value {
    let verification = json!({"type": "basic", "secret": "s3:hush"});
    let hook = json!({"name": "s3", "template": example!("template.jinja"), "verification": verification});
    server.post("/webhooks/", hook).await
}

/// Sends a notification as its sender does: SNS calls its JSON text.
async fn send(server: &TestServer, hook: &Value, kind: &str, body: impl Into<reqwest::Body>) {
    let request = server.request(Method::POST, &format!("/hooks/{}", hook["slug"].as_str().unwrap()));
    let request = request.basic_auth("s3", Some("hush")).header("content-type", kind).body(body);
    let answer = server.send(request).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test]
async fn notifications_of_either_kind_become_events_once() {
    let server = TestServer::start().await;
    let hook = webhook(&server).await;
    let text = "text/plain; charset=UTF-8";
    for _ in 0..2 {
        send(&server, &hook, "application/json", example!("payloads/eventbridge.json")).await;
        send(&server, &hook, text, example!("payloads/sns-notification.json")).await;
    }
    send(&server, &hook, text, example!("payloads/sns-subscription-confirmation.json")).await;
    let path = format!("/webhooks/{}/requests", id_of(&hook));
    let requests = server.get(&path).await;
    let mut told = Vec::new();
    for request in requests.as_array().unwrap().iter().rev() {
        let filter =
            json!({"filter": {"id": {"id": [request["event_id"]]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}});
        told.extend(server.post("/events/filter", filter).await["events"].as_array().unwrap().clone());
    }
    // The repeated ones are the events of the first.
    assert_eq!(told.len(), 5);
    assert_eq!((&told[0], &told[1]), (&told[2], &told[3]));
    let [bridge, sns, question] = [&told[0], &told[1], &told[4]];
    assert_eq!((&bridge["event"], &sns["event"]), (&json!("aws.s3.object-created"), &json!("aws.s3.object-created")));
    let expected =
        json!({"bucket": "measurements", "bytes": 5120, "key": "2026/01/12/station 7.csv", "region": "eu-central-1"});
    assert_eq!(bridge["payload"], expected);
    assert_eq!(sns["resource"]["prefect.resource.id"], "aws.s3.measurements/2026/01/12/station 8.csv");
    assert_eq!(question["event"], "aws.sns.subscription-confirmation");
    assert!(question["payload"]["subscribe_url"].as_str().unwrap().contains("Action=ConfirmSubscription"));
}

/// From the notification to the run, with the automation that `setup.py` makes.
async fn a_new_object_starts_a_run(database: FreshDatabase) {
    let server = TestServer::on(database, |settings| {
        settings.services.triggers = often();
        settings.services.automation_actions = often();
    })
    .await;
    let flow = server.post("/flows/", json!({"name": "new-measurements"})).await;
    let deployment = server.post("/deployments/", json!({"name": "from-s3", "flow_id": flow["id"]})).await;
    let automation = json!({
        "name": "new measurements start a run",
        "trigger": {
            "type": "event", "posture": "Reactive", "expect": ["aws.s3.object-created"], "threshold": 1,
            "match": {"prefect.resource.id": "aws.s3.measurements/*"},
        },
        "actions": [{
            "type": "run-deployment", "source": "selected", "deployment_id": deployment["id"],
            "parameters": {
                "bucket": "{{ event.payload.bucket }}", "key": "{{ event.payload.key }}", "size": "{{ event.payload.bytes }}",
            },
        }],
    });
    server.post("/automations/", automation).await;
    let hook = webhook(&server).await;
    let now = server.clock.now().to_string();
    let notification = example!("payloads/eventbridge.json").replace("2026-01-12T06:30:00Z", &now);
    // Sent twice, as EventBridge may: one run.
    send(&server, &hook, "application/json", notification.clone()).await;
    send(&server, &hook, "application/json", notification).await;
    let notification = example!("payloads/sns-notification.json").replace("2026-01-12T06:45:00.123Z", &now);
    send(&server, &hook, "text/plain; charset=UTF-8", notification).await;
    let filter = json!({"deployments": {"id": {"any_": [deployment["id"]]}}});
    let keys = eventually("the runs", async || {
        let runs = server.post("/flow_runs/filter", filter.clone()).await;
        let mut keys: Vec<Value> = runs.as_array().unwrap().iter().map(|run| run["parameters"].clone()).collect();
        keys.sort_by_key(|parameters| parameters["size"].as_i64());
        (keys.len() >= 2).then_some(keys)
    })
    .await;
    let parameters = |key: &str, size: i64| json!({"bucket": "measurements", "key": key, "size": size});
    assert_eq!(keys, [parameters("2026/01/12/station 8.csv", 2048), parameters("2026/01/12/station 7.csv", 5120)]);
}

#[tokio::test]
async fn a_new_object_starts_a_run_on_sqlite() {
    a_new_object_starts_a_run(tidegate_testkit::sqlite().await).await;
}

#[tokio::test]
async fn a_new_object_starts_a_run_on_postgres() {
    a_new_object_starts_a_run(tidegate_testkit::postgres().await).await;
}
