//! Streams: the handshake, catching up after a lost connection, events that must not be lost.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use serde_json::{Value, json};
use tidegate_api::{
    events::{Event, EventFilter},
    filters::LogFilter,
};
use tidegate_client::{Client, Credentials};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{client, serve};

type Seen = Arc<Mutex<Vec<Value>>>;

async fn receive(socket: &mut WebSocket) -> Option<Value> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn send(socket: &mut WebSocket, value: Value) {
    socket.send(Message::text(value.to_string())).await.unwrap();
}

/// A route on which each connection, counted from 1, is handled by `handle` after the handshake.
fn socket<H, F>(path: &str, seen: &Seen, handle: H) -> Router
where
    H: Fn(usize, WebSocket, Seen) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (seen, connections) = (Arc::clone(seen), Arc::new(Mutex::new(0)));
    let route = any(move |upgrade: WebSocketUpgrade| async move {
        upgrade.protocols(["prefect"]).on_upgrade(move |mut socket| async move {
            let auth = receive(&mut socket).await.unwrap();
            seen.lock().unwrap().push(auth);
            send(&mut socket, json!({"type": "auth_success"})).await;
            let number = {
                let mut connections = connections.lock().unwrap();
                *connections += 1;
                *connections
            };
            handle(number, socket, seen).await;
        })
    });
    Router::new().route(path, route)
}

fn event(id: u128) -> Value {
    json!({"type": "event", "event": {
        "id": Uuid::from_u128(id), "occurred": "2026-01-01T00:00:00Z", "received": "2026-01-01T00:00:01Z",
        "event": "a.b", "resource": {"prefect.resource.id": "x"}, "related": [], "payload": {}}})
}

#[tokio::test]
async fn a_subscription_catches_up_after_a_lost_connection_without_repeating() {
    let seen = Seen::default();
    let api = socket("/events/out", &seen, |number, mut socket, seen| async move {
        let filter = receive(&mut socket).await.unwrap();
        seen.lock().unwrap().push(filter);
        send(&mut socket, event(1)).await;
        if number == 2 {
            send(&mut socket, event(2)).await;
            receive(&mut socket).await;
        }
    });
    let mut config = serve(api).await;
    config.credentials = Credentials::Basic("ada:secret".into());
    let mut events = Client::new(config).unwrap().subscribe_events(&EventFilter::default());
    assert_eq!(events.next().await.unwrap().id, Uuid::from_u128(1));
    assert_eq!(events.next().await.unwrap().id, Uuid::from_u128(2));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], json!({"type": "auth", "token": "ada:secret"}));
    assert_eq!((&seen[1]["type"], &seen[1]["backfill"]), (&json!("filter"), &json!(true)));
    assert_eq!(seen[3]["filter"]["occurred"]["since"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn a_refused_subscription_says_why() {
    let api = Router::new().route(
        "/logs/out",
        any(|upgrade: WebSocketUpgrade| async move {
            upgrade.protocols(["prefect"]).on_upgrade(|mut socket: WebSocket| async move {
                receive(&mut socket).await;
                send(&mut socket, json!({"type": "auth_failure", "reason": "Invalid token"})).await;
            })
        }),
    );
    let error = client(api).await.subscribe_logs(&LogFilter::default()).next().await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert!(error.to_string().contains("Invalid token"));
}

#[tokio::test]
async fn events_that_were_not_confirmed_are_sent_again() {
    let seen = Seen::default();
    let api = socket("/events/in", &seen, |number, mut socket, seen| async move {
        // The first connection takes one event and dies before it answers a ping.
        while let Some(event) = receive(&mut socket).await {
            seen.lock().unwrap().push(json!([number, event["event"]]));
            if number == 1 {
                return;
            }
        }
    });
    let mut publisher = client(api).await.publish_events();
    for name in ["first", "second"] {
        let event = Event {
            occurred: Timestamp::UNIX_EPOCH,
            event: name.into(),
            resource: [("prefect.resource.id".to_owned(), "x".to_owned())].into(),
            related: Vec::new(),
            payload: Json::default(),
            id: Uuid::now_v7(),
            follows: None,
        };
        publisher.publish(event).await.unwrap();
    }
    publisher.close().await.unwrap();
    let seen = seen.lock().unwrap();
    for name in ["first", "second"] {
        assert!(
            seen.iter().any(|entry| entry[0] == 2 && entry[1] == name)
                || seen.iter().any(|entry| entry[0] == 3 && entry[1] == name),
            "{seen:?}"
        );
    }
}
