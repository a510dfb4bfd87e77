//! The example of S3's notifications, as it is written there: what EventBridge and SNS send becomes events of one kind.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, id_of};

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
async fn send(server: &TestServer, hook: &Value, kind: &str, body: &'static str) {
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
        let filter = json!({"filter": {"id": {"id": [request["event_id"]]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}});
        told.extend(server.post("/events/filter", filter).await["events"].as_array().unwrap().clone());
    }
    // The repeated ones are the events of the first.
    assert_eq!(told.len(), 5);
    assert_eq!((&told[0], &told[1]), (&told[2], &told[3]));
    let [bridge, sns, question] = [&told[0], &told[1], &told[4]];
    assert_eq!((&bridge["event"], &sns["event"]), (&json!("aws.s3.object-created"), &json!("aws.s3.object-created")));
    let expected = json!({"bucket": "measurements", "bytes": 5120, "key": "2026/01/12/station 7.csv", "region": "eu-central-1"});
    assert_eq!(bridge["payload"], expected);
    assert_eq!(sns["resource"]["prefect.resource.id"], "aws.s3.measurements/2026/01/12/station 8.csv");
    assert_eq!(question["event"], "aws.sns.subscription-confirmation");
    assert!(question["payload"]["subscribe_url"].as_str().unwrap().contains("Action=ConfirmSubscription"));
}
