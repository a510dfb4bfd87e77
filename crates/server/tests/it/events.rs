//! Events in by one socket and out by another: in order, whole, once, and only what was asked for.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_core::time::Timestamp;

use crate::{
    sockets::{Socket, event},
    support::TestServer,
};

/// Events of one name, a millisecond apart in the last minute, numbered by their resource.
fn numbered(server: &TestServer, name: &str, numbers: std::ops::Range<usize>) -> Vec<Value> {
    let start = server.clock.now().plus_seconds(-60.0);
    let at = |number: usize| -> Timestamp { start.plus_seconds(number as f64 / 1000.0) };
    numbers.map(|number| event(name, &format!("number.{number}"), at(number))).collect()
}

async fn send_all(socket: &mut Socket, events: &[Value]) {
    for event in events {
        socket.send(event).await;
    }
    assert_eq!(socket.flush().await, Vec::<Value>::new());
}

/// The resources of the next events.
async fn receive(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut resources = Vec::with_capacity(count);
    while resources.len() < count {
        let message = socket.receive().await;
        assert_eq!(message["type"], "event");
        resources.push(message["event"]["resource"]["prefect.resource.id"].as_str().unwrap().to_owned());
    }
    resources
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("number.{number}")).collect()
}

/// A subscriber joins in the middle: part is stored, part comes while it reads what is stored, part comes afterwards.
async fn are_told_once_and_in_order(server: TestServer) {
    let mut sender = Socket::connect(&server, "/events/in").await;
    send_all(&mut sender, &numbered(&server, "order.placed", 0..300)).await;

    let filter = json!({ "event": { "prefix": ["order."] } });
    let during = numbered(&server, "order.placed", 300..900);
    let (mut subscriber, ()) =
        tokio::join!(Socket::subscribe(&server, "/events/out", filter, true), send_all(&mut sender, &during),);
    send_all(&mut sender, &numbered(&server, "order.placed", 900..1000)).await;
    assert_eq!(receive(&mut subscriber, 1000).await, numbers(0..1000));

    // Sent again, they are nothing new: what is heard next is what is new.
    send_all(&mut sender, &during).await;
    send_all(&mut sender, &numbered(&server, "order.placed", 1000..1001)).await;
    assert_eq!(receive(&mut subscriber, 1).await, numbers(1000..1001));
}

#[tokio::test]
async fn are_told_once_and_in_order_on_sqlite() {
    are_told_once_and_in_order(TestServer::start().await).await;
}

#[tokio::test]
async fn are_told_once_and_in_order_on_postgres() {
    are_told_once_and_in_order(TestServer::on(tidegate_testkit::postgres().await, |_| {}).await).await;
}

#[tokio::test]
async fn a_subscriber_hears_of_events_that_another_server_took_in() {
    let server = TestServer::on(tidegate_testkit::postgres().await, |_| {}).await;
    let other = TestServer::beside(&server, |_| {}).await;
    let mut subscriber = Socket::subscribe(&other, "/events/out", json!({ "event": { "name": ["a"] } }), true).await;
    let mut sender = Socket::connect(&server, "/events/in").await;
    send_all(&mut sender, &numbered(&server, "a", 0..50)).await;
    assert_eq!(receive(&mut subscriber, 50).await, numbers(0..50));
}

#[tokio::test]
async fn a_subscriber_hears_only_what_it_asked_for() {
    let server = TestServer::start().await;
    let mut sender = Socket::connect(&server, "/events/in").await;
    let now = server.clock.now();
    let stored = [event("a.one", "wanted", now), event("b.one", "wanted", now), event("a.two", "unwanted", now)];
    send_all(&mut sender, &stored).await;
    let filter = json!({ "event": { "prefix": ["a."] }, "resource": { "id": ["wanted"] } });
    let mut with_history = Socket::subscribe(&server, "/events/out", filter.clone(), true).await;
    assert_eq!(with_history.receive().await["event"]["event"], "a.one");
    let mut live_only = Socket::subscribe(&server, "/events/out", filter, false).await;
    // Its subscription is being served once it answers.
    live_only.flush().await;
    let live = [event("a.three", "other", now), event("b.two", "wanted", now), event("a.four", "wanted", now)];
    send_all(&mut sender, &live).await;
    assert_eq!(with_history.receive().await["event"]["event"], "a.four");
    assert_eq!(live_only.receive().await["event"]["event"], "a.four");
}

#[tokio::test]
async fn a_filter_that_nobody_understands_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let mut socket = Socket::subscribe(&server, "/events/out", json!({ "event": { "name": 5 } }), true).await;
    let good_bye = socket.closed().await;
    assert_eq!(u16::from(good_bye.code), 1002);
    assert!(good_bye.reason.starts_with("Invalid filter: "), "{}", good_bye.reason);
}

#[tokio::test]
async fn a_bad_message_is_counted_and_answered_and_the_others_go_on() {
    let server = TestServer::with(|settings| settings.events.maximum_size_bytes = 10_000).await;
    let (oversized, malformed) = ("tidegate_events_oversized_total", "tidegate_events_malformed_total");
    let before = (server.metric(oversized).await, server.metric(malformed).await);

    let mut sender = Socket::connect(&server, "/events/in").await;
    let now = server.clock.now();
    sender.send(&event("kept", "number.0", now)).await;
    sender.send_text("no JSON at all".into()).await;
    let mut large = event("large", "large", now);
    large["payload"] = json!({ "text": "x".repeat(10_000) });
    let size = large.to_string().len();
    sender.send(&large).await;
    sender.send(&json!({ "event": "incomplete" })).await;
    sender.send(&event("kept", "number.1", now)).await;

    let said = sender.flush().await;
    let reasons: Vec<&str> = said.iter().map(|message| message["reason"].as_str().unwrap()).collect();
    assert!(said.iter().all(|message| message["type"] == "error"), "{said:?}");
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].contains("JSON decode error"), "{}", reasons[0]);
    assert_eq!(reasons[1], format!("an event may have 10000 bytes; this one has {size}"));
    assert!(reasons[2].contains("occurred") && reasons[2].contains("Field required"), "{}", reasons[2]);

    let found = server.post("/events/filter", json!({ "filter": { "event": { "name": ["kept", "large"] } } })).await;
    assert_eq!(found["total"], 2);
    let after = (server.metric(oversized).await, server.metric(malformed).await);
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 2));
}

#[tokio::test]
async fn what_was_confirmed_can_be_read() {
    let server = TestServer::start().await;
    let mut sender = Socket::connect(&server, "/events/in").await;
    for round in 1..=5 {
        send_all(&mut sender, &numbered(&server, "round", 0..40)).await;
        let found = server.post("/events/filter", json!({ "filter": { "event": { "name": ["round"] } } })).await;
        assert_eq!(found["total"], round * 40);
    }
}

/// More than the hub keeps for a subscriber.
const BULK: usize = 6000;

/// A subscriber that reads nothing while far more is sent than the sockets and the hub hold for it.
async fn overtaken(server: &TestServer) -> Socket {
    let filter = json!({ "event": { "name": ["bulk"] } });
    let mut subscriber = Socket::open(server.address, "/events/out", true, Some(4096)).await.unwrap();
    subscriber.authenticate(json!(null)).await;
    subscriber.send(&json!({ "type": "filter", "filter": filter })).await;
    // Answered: it is being served, and everything from here on comes live.
    subscriber.flush().await;
    let padding = "x".repeat(4000);
    for first in (0..BULK).step_by(500) {
        let mut events = numbered(server, "bulk", first..first + 500);
        for event in &mut events {
            event["payload"] = json!({ "text": padding });
        }
        server.post("/events", Value::Array(events)).await;
    }
    subscriber
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up_and_misses_nothing() {
    let server = TestServer::start().await;
    let mut slow = overtaken(&server).await;
    assert_eq!(receive(&mut slow, BULK).await, numbers(0..BULK));
}

#[tokio::test]
async fn a_reader_that_falls_behind_for_good_is_told_to_come_again() {
    let server = TestServer::start().await;
    let mut slow = overtaken(&server).await;
    server.clock.advance(120);
    let good_bye = slow.closed().await;
    assert_eq!(u16::from(good_bye.code), 1013);
    assert!(good_bye.reason.starts_with("too slow"), "{}", good_bye.reason);
}

/// Names the settings that make a client with a key send it here, too.
const NO_TOKEN: &str = "Auth required but no token provided. With an API key, set PREFECT_CLOUD_API_URL, or PREFECT_API_AUTH_STRING \
                        to the key";

#[tokio::test]
async fn sockets_ask_who_is_there() {
    let server = TestServer::with(|settings| settings.auth_string = Some("admin:pass".into())).await;
    for path in ["/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled"] {
        let refused = Socket::open(server.address, path, false, None).await.map(drop).unwrap_err();
        let tokio_tungstenite::tungstenite::Error::Http(response) = *refused else { panic!("{refused:?}") };
        assert_eq!(response.status(), 403, "{path}");
        for (message, reason) in [
            (json!({ "type": "filter" }), "Expected 'auth' message"),
            (json!({ "type": "auth", "token": null }), NO_TOKEN),
            (json!({ "type": "auth", "token": "admin:wrong" }), "Invalid token"),
        ] {
            let mut socket = Socket::raw(&server, path).await;
            socket.send(&message).await;
            let good_bye = socket.closed().await;
            assert_eq!((u16::from(good_bye.code), good_bye.reason.as_str()), (1008, reason), "{path}");
        }
        Socket::raw(&server, path).await.authenticate(json!("admin:pass")).await;
    }
    // What is not proved is not done: no event came in by any of them.
    let mut socket = Socket::raw(&server, "/events/in").await;
    socket.send(&json!({ "type": "auth", "token": "wrong" })).await;
    socket.send(&event("smuggled", "x", server.clock.now())).await;
    socket.closed().await;
    let count = server.request(Method::POST, "/api/events/filter").basic_auth("admin", Some("pass"));
    let found = server.send(count.json(&json!({ "filter": { "event": { "name": ["smuggled"] } } }))).await;
    assert_eq!(found.json()["total"], 0);
}

#[tokio::test]
async fn without_an_auth_string_an_old_client_needs_no_subprotocol() {
    let server = TestServer::start().await;
    let mut sender = Socket::open(server.address, "/events/in", false, None).await.unwrap();
    send_all(&mut sender, &numbered(&server, "old", 0..3)).await;
    let found = server.post("/events/filter", json!({ "filter": { "event": { "name": ["old"] } } })).await;
    assert_eq!(found["total"], 3);
}

#[tokio::test]
async fn spans_wider_than_the_calendar_are_counted_all_the_same() {
    let server = TestServer::start().await;
    for interval in [106_732_178.0, 1e300] {
        let body = json!({ "filter": {}, "time_unit": "week", "time_interval": interval });
        let counts = server.post("/events/count-by/time", body).await;
        for count in counts.as_array().unwrap() {
            assert!(count["end_time"].as_str().unwrap() <= "9999-12-31T23:59:59.999999Z", "{count}");
        }
    }
}
