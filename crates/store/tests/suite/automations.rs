//! Automations and the evaluation of their triggers: neither waits for the other.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tidegate_api::automations::AutomationCreate;
use tidegate_store::{Store, Tx};
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use uuid::Uuid;

use crate::databases;

async fn create(store: Store, key: &'static str) {
    let trigger = json!({"type": "event", "posture": "Reactive", "expect": ["x"], "threshold": 1});
    let create = json!({"name": key, "trigger": trigger, "actions": [{"type": "do-nothing"}]});
    let create: AutomationCreate = serde_json::from_value(create).unwrap();
    store.write(key, async move |tx: &mut Tx| tx.create_automation(&create).await.map(drop)).await.unwrap();
}

/// SQLite has one writer for all. Of several writers one may share its lane with the evaluation, not each of them.
#[tokio::test]
async fn a_new_automation_does_not_wait_for_an_evaluation_on_postgres() {
    let database = databases::postgres().await;
    let store = database.store.clone();
    create(store.clone(), "first").await;
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let evaluating = tokio::spawn({
        let (store, begun, end) = (store.clone(), begun.clone(), end.clone());
        async move {
            let evaluate = async move |tx: &mut Tx| {
                let is_held = tx.hold_triggers(Uuid::nil(), tx.now().plus_seconds(60.0)).await?;
                begun.notify_one();
                end.notified().await;
                Ok::<_, tidegate_store::Error>(is_held)
            };
            store.write("triggers", evaluate).await.unwrap()
        }
    });
    begun.notified().await;
    let mut creating = JoinSet::new();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        creating.spawn(create(store.clone(), key));
    }
    let first = timeout(Duration::from_secs(5), creating.join_next()).await;
    end.notify_one();
    first.expect("nobody waits for the evaluation").unwrap().unwrap();
    creating.join_all().await;
    assert!(evaluating.await.unwrap());
    let progress = store.read(async |tx: &mut Tx| tx.read_trigger_progress().await).await.unwrap().unwrap();
    assert_eq!((progress.revision, progress.holder), (9, Some(Uuid::nil())));
}
