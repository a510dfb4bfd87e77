//! Which due runs a pool hands out.

use tidegate_api::{
    Patch,
    flows::FlowCreate,
    work_pools::{WorkPool, WorkPoolUpdate, WorkQueue, WorkQueueUpdate},
};
use tidegate_core::{
    json::Json,
    orchestration::FlowRunPolicy,
    state::{StateCreate, StateDetails, StateType},
};
use tidegate_store::{DueRuns, Tx, flow_runs::NewFlowRun};
use uuid::Uuid;

use crate::{
    databases::Database,
    pools::{create_pool, create_queue},
};

/// A pool with the queues `high` and `default`.
async fn pool(database: &Database) -> (WorkPool, Uuid, Uuid) {
    let pool = create_pool(database).await;
    let high = create_queue(database, &pool, "high", Some(1)).await.id;
    let default = pool.default_queue_id.unwrap();
    (pool, high, default)
}

/// Creates a run that is due `seconds` after the clock's present time.
async fn schedule(database: &Database, name: &'static str, queue: Uuid, seconds: f64) -> Uuid {
    create(database, name, queue, StateType::Scheduled, seconds, FlowRunPolicy::default()).await
}

async fn create(
    database: &Database,
    name: &'static str,
    queue: Uuid,
    kind: StateType,
    seconds: f64,
    policy: FlowRunPolicy,
) -> Uuid {
    let at = database.clock.now().plus_seconds(seconds);
    database
        .write(async move |tx: &mut Tx| {
            let flow = FlowCreate { name: "flow".into(), tags: Vec::new(), labels: None };
            let (flow, _) = tx.ensure_flow(&flow).await?;
            let new = NewFlowRun {
                work_queue_id: Some(queue),
                empirical_policy: policy.clone(),
                ..NewFlowRun::of_flow(flow.id, name.into())
            };
            let details = StateDetails { scheduled_time: Some(at.into()), ..StateDetails::default() };
            let first = StateCreate { state_details: details, ..StateCreate::of(kind) };
            Ok(tx.create_flow_run(new, first).await?.0.id)
        })
        .await
}

/// The names of the runs that the pool hands out now.
async fn due(database: &Database, pool: Uuid, limit: i64) -> Vec<String> {
    database
        .write(async move |tx: &mut Tx| {
            let asked = DueRuns { pool, queues: None, before: Some(tx.now()), after: None, limit };
            let ids: Vec<Uuid> = tx.list_due_flow_runs(asked).await?.into_iter().map(|(_, run)| run).collect();
            Ok(tx.read_flow_runs_in_order(&ids).await?.into_iter().map(|run| run.name).collect())
        })
        .await
}

async fn limit_queue(database: &Database, id: Uuid, update: WorkQueueUpdate) {
    database
        .write(async move |tx: &mut Tx| {
            let queue: WorkQueue = tx.read_work_queue(id).await?.expect("the queue is there");
            tx.update_work_queue(queue, update.clone()).await
        })
        .await;
}

async fn change_pool(database: &Database, pool: &WorkPool, update: WorkPoolUpdate) {
    let pool = pool.clone();
    database.write(async move |tx: &mut Tx| tx.update_work_pool(pool.clone(), update.clone()).await).await;
}

pub async fn come_by_priority_and_then_by_time(database: &Database) {
    let (pool, high, default) = pool(database).await;
    schedule(database, "oldest", default, -300.0).await;
    schedule(database, "second", high, -100.0).await;
    schedule(database, "first", high, -200.0).await;
    schedule(database, "future", high, 60.0).await;
    assert_eq!(due(database, pool.id, 10).await, ["first", "second", "oldest"]);
    assert_eq!(due(database, pool.id, 2).await, ["first", "second"]);
    assert!(due(database, pool.id, 0).await.is_empty());
    database.clock.advance(61);
    assert_eq!(due(database, pool.id, 10).await, ["first", "second", "future", "oldest"]);
}

pub async fn respect_limits_of_queue_and_pool(database: &Database) {
    let (pool, high, default) = pool(database).await;
    for (name, queue) in [("a", high), ("b", high), ("c", default), ("d", default)] {
        schedule(database, name, queue, -10.0).await;
    }
    limit_queue(database, high, WorkQueueUpdate { concurrency_limit: Patch::Set(1), ..WorkQueueUpdate::default() })
        .await;
    assert_eq!(due(database, pool.id, 10).await.len(), 3);
    create(database, "running", high, StateType::Running, 0.0, FlowRunPolicy::default()).await;
    assert_eq!(due(database, pool.id, 10).await, ["c", "d"]);
    let limit = WorkPoolUpdate { concurrency_limit: Patch::Set(2), ..WorkPoolUpdate::default() };
    change_pool(database, &pool, limit).await;
    assert_eq!(due(database, pool.id, 10).await.len(), 1);
    create(database, "pending", default, StateType::Pending, 0.0, FlowRunPolicy::default()).await;
    assert!(due(database, pool.id, 10).await.is_empty());
}

pub async fn of_paused_queues_and_pools_wait(database: &Database) {
    let (pool, high, default) = pool(database).await;
    schedule(database, "a", high, -10.0).await;
    schedule(database, "b", default, -10.0).await;
    limit_queue(database, high, WorkQueueUpdate { is_paused: Patch::Set(true), ..WorkQueueUpdate::default() }).await;
    assert_eq!(due(database, pool.id, 10).await, ["b"]);
    let pause = WorkPoolUpdate { is_paused: Patch::Set(true), ..WorkPoolUpdate::default() };
    change_pool(database, &pool, pause).await;
    assert!(due(database, pool.id, 10).await.is_empty());
}

pub async fn that_wait_in_their_own_process_are_nobody_elses(database: &Database) {
    let (pool, high, _) = pool(database).await;
    let policy = |kind: &str| Json::from_value(&serde_json::json!({ "retry_type": kind })).parse().unwrap();
    create(database, "in process", high, StateType::Scheduled, -10.0, policy("in_process")).await;
    create(database, "elsewhere", high, StateType::Scheduled, -10.0, policy("reschedule")).await;
    assert_eq!(due(database, pool.id, 10).await, ["elsewhere"]);
}

pub async fn may_be_asked_for_by_time_and_queue(database: &Database) {
    let (pool, high, default) = pool(database).await;
    let early = schedule(database, "early", high, -100.0).await;
    let late = schedule(database, "late", high, -10.0).await;
    schedule(database, "other", default, -50.0).await;
    let now = database.clock.now();
    let found = database.write(async move |tx: &mut Tx| {
        let of_high = DueRuns { pool: pool.id, queues: Some(&[high]), before: Some(now), after: None, limit: 10 };
        let all = tx.list_due_flow_runs(of_high.clone()).await?;
        let since = tx.list_due_flow_runs(DueRuns { after: Some(now.plus_seconds(-60.0)), ..of_high }).await?;
        Ok((all, since))
    });
    let (all, since) = found.await;
    assert_eq!(all, [(high, early), (high, late)]);
    assert_eq!(since, [(high, late)]);
}
