//! Background tasks on their way to a worker: each is handed out until somebody says that they have it.

use serde_json::json;
use tidegate_api::task_runs::TaskRunCreate;
use tidegate_core::state::{StateCreate, StateType};
use tidegate_store::{TaskProposal, Tx};
use uuid::Uuid;

use crate::databases::Database;

const LEASE: f64 = 60.0;

/// Queues a run of a task, as `task.delay()` does.
async fn delay(database: &Database, key: &'static str, dynamic_key: &'static str) -> Uuid {
    queue(database, key, dynamic_key, "Scheduled").await
}

async fn queue(database: &Database, key: &'static str, dynamic_key: &'static str, state: &'static str) -> Uuid {
    let state = json!({ "type": "SCHEDULED", "name": state, "state_details": { "deferred": true } });
    let create = json!({ "task_key": key, "dynamic_key": dynamic_key, "name": dynamic_key, "state": state });
    let create: TaskRunCreate = serde_json::from_value(create).unwrap();
    let run = database.write(async move |tx: &mut Tx| Ok(tx.create_task_run(&create).await?.0.id)).await;
    database.clock.advance(1);
    run
}

/// Takes the next run of these tasks for a connection.
async fn take(database: &Database, keys: &[&str], taker: Uuid) -> Option<Uuid> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let looked = keys.clone();
    let waits = database.write(async move |tx: &mut Tx| tx.has_queued_task_runs(&looked).await).await;
    let run = database.write(async move |tx: &mut Tx| tx.take_queued_task_run(&keys, taker, LEASE).await).await;
    assert!(waits || run.is_none());
    run.map(|run| run.id)
}

async fn acknowledge(database: &Database, run: Uuid, taker: Uuid) -> bool {
    database.write(async move |tx: &mut Tx| tx.acknowledge_queued_task_run(run, taker).await).await
}

pub async fn hands_out_each_run_once_and_retries_first(database: &Database) {
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let first = delay(database, "a", "1").await;
    let second = delay(database, "a", "2").await;
    let other = delay(database, "b", "1").await;
    let again = queue(database, "a", "3", "AwaitingRetry").await;
    assert_eq!(take(database, &["absent"], one).await, None);
    assert_eq!(take(database, &["a", "b"], one).await, Some(again));
    assert_eq!(take(database, &["a", "b"], two).await, Some(first));
    assert!(acknowledge(database, again, one).await);
    assert!(acknowledge(database, first, two).await);
    assert_eq!(take(database, &["a", "b"], one).await, Some(second));
    assert_eq!(take(database, &["a", "b"], two).await, Some(other));
    assert_eq!(take(database, &["a", "b"], two).await, None);
}

pub async fn gives_back_what_nobody_acknowledged(database: &Database) {
    let (gone, lost, next) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let run = delay(database, "a", "1").await;
    delay(database, "a", "2").await;
    assert_eq!(take(database, &["a"], gone).await, Some(run));
    database.write(async move |tx: &mut Tx| tx.return_queued_task_runs(gone).await).await;
    // It comes before those that were never sent.
    assert_eq!(take(database, &["a"], lost).await, Some(run));
    assert!(!acknowledge(database, run, gone).await);
    // A connection that lives keeps it; one that says nothing any more loses it.
    database.clock.advance(50);
    database.write(async move |tx: &mut Tx| tx.renew_queued_task_run(lost, LEASE).await).await;
    database.clock.advance(50);
    assert_ne!(take(database, &["a"], next).await, Some(run));
    database.clock.advance(20);
    assert_eq!(take(database, &["a"], next).await, Some(run));
    assert!(!acknowledge(database, run, lost).await);
    assert!(acknowledge(database, run, next).await);
}

pub async fn forgets_runs_that_do_not_wait_any_more(database: &Database) {
    let taker = Uuid::now_v7();
    let cancelled = delay(database, "a", "1").await;
    let deleted = delay(database, "a", "2").await;
    let waits = delay(database, "a", "3").await;
    database
        .write(async move |tx: &mut Tx| {
            tx.set_task_run_state(cancelled, StateCreate::of(StateType::Cancelled), &TaskProposal::internal()).await?;
            tx.delete_task_run(deleted).await
        })
        .await;
    assert_eq!(take(database, &["a"], taker).await, Some(waits));
    assert_eq!(take(database, &["a"], taker).await, None);
}
