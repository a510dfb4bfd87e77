//! Automations from the event to what they do: windows, firings, actions, and what a restart leaves of them.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_testkit::{FreshDatabase, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use uuid::Uuid;

use crate::support::{TestServer, id_of, often};

/// Services that look all the time.
async fn server(database: FreshDatabase) -> TestServer {
    TestServer::on(database, |settings| {
        settings.services.triggers = often();
        settings.services.automation_actions = often();
    })
    .await
}

on_both_databases! {
    an_event_starts_a_run_with_what_it_says,
    a_window_fires_once_and_counts_apart,
    silence_fires_when_its_time_is_over,
    parts_fire_together_and_in_order,
    an_event_waits_for_the_one_it_follows,
    one_that_is_switched_off_hears_nothing,
}

fn on_event(name: &str) -> Value {
    json!({ "type": "event", "posture": "Reactive", "expect": [name], "match": { "prefect.resource.id": "thing.*" } })
}

async fn automation(server: &TestServer, trigger: Value, actions: Value) -> String {
    let body = json!({ "name": "a", "trigger": trigger, "actions": actions });
    id_of(&server.post("/automations/", body).await)
}

/// An event about a thing, so many seconds from now.
fn thing(server: &TestServer, name: &str, thing: &str, seconds: f64) -> Value {
    json!({
        "id": Uuid::now_v7(),
        "occurred": server.clock.now().plus_seconds(seconds),
        "event": name,
        "resource": { "prefect.resource.id": format!("thing.{thing}"), "color": thing },
        "payload": { "size": 3, "name": thing },
    })
}

async fn send(server: &TestServer, events: &[Value]) {
    server.post("/events", json!(events)).await;
}

/// The firings of an automation, the oldest first, once there are so many and all their actions are done.
async fn firings(server: &TestServer, automation: &str, count: usize) -> Vec<Value> {
    eventually("the firings", async || {
        let found = server.get(&format!("/automations/{automation}/firings")).await;
        let mut found = found.as_array().unwrap().clone();
        let is_done =
            |firing: &Value| firing["actions"].as_array().unwrap().iter().all(|action| !action["outcome"].is_null());
        found.reverse();
        (found.len() >= count && found.iter().all(is_done)).then_some(found)
    })
    .await
}

/// How often it has fired after everything so far was looked at.
async fn fired(server: &TestServer, automation: &str) -> usize {
    server.pass_of("triggers").await;
    server.get(&format!("/automations/{automation}/firings")).await.as_array().unwrap().len()
}

async fn events_of(server: &TestServer, name: &str) -> Vec<Value> {
    let filter = json!({ "filter": { "event": { "name": [name] }, "order": "ASC" } });
    server.post("/events/filter", filter).await["events"].as_array().unwrap().clone()
}

async fn an_event_starts_a_run_with_what_it_says(database: FreshDatabase) {
    let server = server(database).await;
    let flow = id_of(&server.post("/flows/", json!({ "name": "f" })).await);
    let deployment = id_of(&server.post("/deployments/", json!({ "name": "d", "flow_id": flow })).await);
    let action = json!({
        "type": "run-deployment",
        "deployment_id": deployment,
        "parameters": {
            "size": "{{ event.payload.size }}",
            "text": "a {{ event.resource.labels.color }} {{ event.resource['prefect.resource.id'] }}",
            "list": ["{{ event.payload }}"],
        },
    });
    let automation = automation(&server, on_event("made"), json!([action])).await;
    let made = thing(&server, "made", "red", 0.0);
    send(&server, std::slice::from_ref(&made)).await;
    let firing = firings(&server, &automation, 1).await.remove(0);
    assert_eq!(firing["firing"]["triggering_event"]["id"], made["id"]);
    assert_eq!(firing["actions"][0]["outcome"], "executed", "{firing}");
    let runs = server.post("/flow_runs/filter", json!({})).await;
    assert_eq!(runs.as_array().unwrap().len(), 1);
    let expected = json!({ "size": 3, "text": "a red thing.red", "list": [{ "size": 3, "name": "red" }] });
    assert_eq!(runs[0]["parameters"], expected);
    assert_eq!(runs[0]["created_by"]["type"], "AUTOMATION");
    assert_eq!(runs[0]["created_by"]["id"], *automation);

    server.clock.advance(1);
    let triggered = events_of(&server, "prefect.automation.triggered").await.remove(0);
    assert_eq!(triggered["resource"]["prefect.posture"], "Reactive");
    assert_eq!(triggered["payload"]["triggering_event"]["id"], made["id"]);
    let executed = events_of(&server, "prefect.automation.action.executed").await.remove(0);
    assert_eq!(executed["payload"]["status_code"], 201);
    assert_eq!(executed["payload"]["action_type"], "run-deployment");
    let roles: Vec<&str> = executed["related"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["prefect.resource.role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["target", "flow-run", "automation-triggered-event", "triggering-event"]);
    let begun = events_of(&server, "prefect.automation.action.triggered").await.remove(0);
    assert_eq!(executed["follows"], begun["id"]);
}

async fn a_window_fires_once_and_counts_apart(database: FreshDatabase) {
    let server = server(database).await;
    let mut trigger = on_event("made");
    trigger["threshold"] = 2.into();
    trigger["within"] = 60.into();
    trigger["for_each"] = json!(["color"]);
    let automation = automation(&server, trigger, json!([{ "type": "do-nothing" }])).await;
    let at = |color: &str, seconds: f64| thing(&server, "made", color, seconds);
    send(&server, &[at("red", 0.0), at("blue", 1.0), at("red", 2.0), at("red", 3.0), at("red", 4.0)]).await;
    let found = firings(&server, &automation, 1).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["firing"]["triggering_labels"], json!({ "color": "red" }));
    send(&server, &[at("blue", 5.0)]).await;
    assert_eq!(firings(&server, &automation, 2).await[1]["firing"]["triggering_labels"], json!({ "color": "blue" }));
    // What it would have done is what it did.
    let range =
        json!({ "since": server.clock.now().plus_seconds(-60.0), "until": server.clock.now().plus_seconds(60.0) });
    let tested = server.post(&format!("/automations/{automation}/test"), range).await;
    let colors: Vec<&Value> =
        tested["firings"].as_array().unwrap().iter().map(|firing| &firing["triggering_labels"]["color"]).collect();
    assert_eq!(colors, ["red", "blue"]);
}

async fn silence_fires_when_its_time_is_over(database: FreshDatabase) {
    let server = server(database).await;
    let trigger = json!({
        "type": "event", "posture": "Proactive", "after": ["beat"], "expect": ["beat", "ended"], "within": 30,
        "for_each": ["prefect.resource.id"],
    });
    let automation = automation(&server, trigger, json!([{ "type": "do-nothing" }])).await;
    for _ in 0..3 {
        send(&server, &[thing(&server, "beat", "red", 0.0), thing(&server, "beat", "blue", 0.0)]).await;
        server.pass_of("triggers").await;
        server.clock.advance(20);
    }
    send(&server, &[thing(&server, "ended", "blue", 0.0)]).await;
    assert_eq!(fired(&server, &automation).await, 0);
    server.clock.advance(15);
    let found = firings(&server, &automation, 1).await;
    assert_eq!(found[0]["firing"]["triggering_labels"], json!({ "prefect.resource.id": "thing.red" }));
    assert_eq!(found[0]["firing"]["triggering_event"]["event"], "beat");
    server.clock.advance(3600);
    assert_eq!(fired(&server, &automation).await, 1, "nobody began anew");
}

async fn parts_fire_together_and_in_order(database: FreshDatabase) {
    let server = server(database).await;
    let parts = json!([on_event("one"), on_event("two"), on_event("three")]);
    let nothing = json!([{ "type": "do-nothing" }]);
    let some = json!({ "type": "compound", "require": 2, "within": 60, "triggers": parts });
    let some = automation(&server, some, nothing.clone()).await;
    let order = json!({ "type": "sequence", "within": 60, "triggers": parts });
    let order = automation(&server, order, nothing.clone()).await;
    let any = json!({ "type": "compound", "require": "any", "within": null, "triggers": parts });
    let any = automation(&server, any, nothing).await;
    let now = |name: &str| thing(&server, name, "red", 0.0);
    send(&server, &[now("three"), now("one")]).await;
    let found = firings(&server, &some, 1).await;
    assert_eq!(found[0]["firing"]["triggering_firings"].as_array().unwrap().len(), 2);
    assert_eq!(found[0]["firing"]["triggering_event"]["event"], "one");
    assert_eq!(firings(&server, &any, 2).await.len(), 2);
    assert_eq!(fired(&server, &order).await, 0);
    server.clock.advance(1);
    send(&server, &[now("two")]).await;
    assert_eq!(fired(&server, &order).await, 0, "the third was first");
    server.clock.advance(1);
    send(&server, &[now("three")]).await;
    assert_eq!(firings(&server, &order, 1).await.len(), 1);
    assert_eq!(firings(&server, &any, 4).await.len(), 4);
}

async fn an_event_waits_for_the_one_it_follows(database: FreshDatabase) {
    let server = server(database).await;
    let trigger = json!({
        "type": "event", "posture": "Reactive", "after": ["begun"], "expect": ["done"], "within": 60, "threshold": 1,
        "for_each": ["prefect.resource.id"],
    });
    let automation = automation(&server, trigger, json!([{ "type": "do-nothing" }])).await;
    let begun = thing(&server, "begun", "red", 0.0);
    let mut done = thing(&server, "done", "red", 1.0);
    done["follows"] = begun["id"].clone();
    send(&server, &[done]).await;
    assert_eq!(fired(&server, &automation).await, 0);
    send(&server, &[begun]).await;
    assert_eq!(firings(&server, &automation, 1).await.len(), 1);
    // One that never comes is waited for no longer than a quarter of an hour.
    let mut lost = thing(&server, "begun", "blue", 0.0);
    lost["follows"] = json!(Uuid::now_v7());
    send(&server, &[lost]).await;
    server.pass_of("triggers").await;
    server.clock.advance(15 * 60 + 1);
    server.pass_of("triggers").await;
    send(&server, &[thing(&server, "done", "blue", -15.0 * 60.0)]).await;
    assert_eq!(firings(&server, &automation, 2).await.len(), 2);
}

async fn one_that_is_switched_off_hears_nothing(database: FreshDatabase) {
    let server = server(database).await;
    let mut trigger = on_event("made");
    trigger["threshold"] = 2.into();
    trigger["within"] = 600.into();
    let automation = automation(&server, trigger, json!([{ "type": "do-nothing" }])).await;
    let path = format!("/automations/{automation}");
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    server.pass_of("triggers").await;
    let switch = async |enabled: bool| {
        let request = server.request(Method::PATCH, &format!("/api{path}")).json(&json!({ "enabled": enabled }));
        assert_eq!(server.send(request).await.status, 204);
    };
    switch(false).await;
    send(&server, &[thing(&server, "made", "red", 1.0)]).await;
    server.pass_of("triggers").await;
    switch(true).await;
    assert_eq!(fired(&server, &automation).await, 0);
    send(&server, &[thing(&server, "made", "red", 2.0)]).await;
    assert_eq!(firings(&server, &automation, 1).await.len(), 1);
}

#[tokio::test]
async fn a_restart_loses_no_window_and_fires_nothing_twice() {
    let database = tidegate_testkit::sqlite().await;
    let url = database.url.clone();
    let server = server(database).await;
    let mut trigger = on_event("made");
    trigger["threshold"] = 3.into();
    trigger["within"] = 600.into();
    let automation = automation(&server, trigger, json!([{ "type": "do-nothing" }])).await;
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    server.pass_of("triggers").await;
    let server = server.again(|settings| settings.services_enabled = false).await;
    // Nobody evaluates while this one comes in.
    send(&server, &[thing(&server, "made", "red", 1.0)]).await;
    let server = server
        .again(|settings| {
            settings.services.triggers = often();
            settings.services.automation_actions = often();
        })
        .await;
    assert_eq!(server.database_url, url);
    assert_eq!(fired(&server, &automation).await, 0);
    send(&server, &[thing(&server, "made", "red", 2.0)]).await;
    assert_eq!(firings(&server, &automation, 1).await.len(), 1);
    let server = server.again(|settings| settings.services.triggers = often()).await;
    assert_eq!(fired(&server, &automation).await, 1);
}

#[tokio::test]
async fn automations_that_answer_to_everything_do_not_answer_to_each_other() {
    let server = server(tidegate_testkit::sqlite().await).await;
    let everything = json!({ "type": "event", "posture": "Reactive", "expect": [] });
    let nothing = json!([{ "type": "do-nothing" }]);
    let first = automation(&server, everything.clone(), nothing.clone()).await;
    let second = automation(&server, everything, nothing).await;
    let before = firings(&server, &first, 2).await.len();
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    assert_eq!(firings(&server, &first, before + 1).await.len(), before + 1);
    for id in [&first, &second] {
        let count = fired(&server, id).await;
        server.pass_of("automation-actions").await;
        assert_eq!(fired(&server, id).await, count);
    }
}

#[tokio::test]
async fn automations_that_fire_each_other_come_to_an_end() {
    let server = server(tidegate_testkit::sqlite().await).await;
    let on_firing = |of: Value| json!({ "type": "event", "posture": "Reactive", "expect": ["prefect.automation.triggered", "made"], "match": of });
    let nothing = json!([{ "type": "do-nothing" }]);
    let first = automation(&server, on_firing(json!({})), nothing.clone()).await;
    let second =
        automation(&server, on_firing(json!({ "prefect.resource.id": "prefect.automation.*" })), nothing).await;
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    firings(&server, &second, 4).await;
    let count = fired(&server, &first).await;
    assert_eq!(fired(&server, &first).await, count);
    assert_eq!(count, 5, "nine in a row, by turns");
}

/// Answers requests one by one: the first with 503, the others with 200. Tells what it got.
async fn receiver() -> (u16, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let mut status = "503 Service Unavailable";
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 65536];
            let mut length = 0;
            while !std::str::from_utf8(&buffer[..length]).unwrap().ends_with("END") {
                let read = stream.read(&mut buffer[length..]).await.unwrap();
                assert!(read > 0, "cut off: {}", String::from_utf8_lossy(&buffer[..length]));
                length += read;
            }
            let _ = tell.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            stream.write_all(answer.as_bytes()).await.unwrap();
            status = "200 OK";
        }
    });
    (port, told)
}

async fn block(server: &TestServer, slug: &str, data: Value) -> String {
    let kind = server.get(&format!("/block_types/slug/{slug}")).await;
    let schemas = server
        .post("/block_schemas/filter", json!({ "block_schemas": { "block_type_id": { "any_": [kind["id"]] } } }))
        .await;
    let body = json!({ "name": "b", "block_type_id": kind["id"], "block_schema_id": schemas[0]["id"], "data": data });
    id_of(&server.post("/block_documents/", body).await)
}

/// What went wrong with the first try of an automation's only action.
async fn first_error(server: &TestServer, automation: &str) -> String {
    eventually("a try", async || {
        let found = server.get(&format!("/automations/{automation}/firings")).await;
        found[0]["actions"][0]["attempts"][0]["error"].as_str().map(ToOwned::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_webhook_is_tried_again_and_every_try_is_told() {
    let server = server(tidegate_testkit::sqlite().await).await;
    let (port, mut told) = receiver().await;
    let data = json!({ "url": format!("http://127.0.0.1:{port}/x"), "method": "PUT", "headers": { "x-key": "k" } });
    let block = block(&server, "webhook", data).await;
    let payload = "{{ event.resource.name }}{{ automation.name }} {{ labels.color }}{{ flow_run.name }}END";
    let action = json!({ "type": "call-webhook", "block_document_id": block, "payload": payload });
    let mut trigger = on_event("made");
    trigger["for_each"] = json!(["color"]);
    let automation = automation(&server, trigger, json!([action])).await;
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    told.recv().await.unwrap();
    first_error(&server, &automation).await;
    server.clock.advance(2);
    let firing = firings(&server, &automation, 1).await.remove(0);
    let request = told.recv().await.unwrap();
    assert!(request.starts_with("PUT /x HTTP/1.1\r\n") && request.contains("x-key: k\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nNonea redEND"), "{request}");
    let action = &firing["actions"][0];
    assert_eq!((&action["outcome"], &action["attempts"][0]["status_code"]), (&json!("executed"), &json!(503)));
    assert_eq!(action["attempts"][1]["status_code"], 200);
    let executed = events_of(&server, "prefect.automation.action.executed").await.remove(0);
    assert_eq!(executed["payload"]["response_body"], "ok");
}

#[tokio::test]
async fn private_addresses_are_refused_where_the_server_is_open_to_others() {
    let server = TestServer::with(|settings| {
        settings.services.triggers = often();
        settings.services.automation_actions = often();
        settings.allow_private_urls = Some(false);
    })
    .await;
    let block = block(&server, "webhook", json!({ "url": "http://localhost:9/" })).await;
    let action = json!({ "type": "call-webhook", "block_document_id": block, "payload": "" });
    let automation = automation(&server, on_event("made"), json!([action])).await;
    send(&server, &[thing(&server, "made", "red", 0.0)]).await;
    let firing = first_error(&server, &automation).await;
    assert!(firing.contains("`localhost` is a private address"), "{firing}");
}
