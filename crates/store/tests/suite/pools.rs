//! Pools, queues and workers.

use tidegate_api::Patch;
use tidegate_api::work_pools::{
    WorkPool, WorkPoolCreate, WorkPoolStatus, WorkPoolUpdate, WorkQueue, WorkQueueCreate, WorkQueueStatus,
    WorkQueueUpdate, WorkerStatus,
};
use tidegate_core::json::Json;
use tidegate_store::{Patience, Silence, Tx};
use uuid::Uuid;

use crate::databases::Database;

pub fn pool_named(name: &str) -> WorkPoolCreate {
    WorkPoolCreate {
        name: name.into(),
        description: None,
        kind: "process".into(),
        base_job_template: Json::empty_object(),
        is_paused: false,
        concurrency_limit: None,
        storage_configuration: None,
    }
}

pub fn queue_named(name: &str, priority: Option<i64>) -> WorkQueueCreate {
    WorkQueueCreate {
        name: name.into(),
        description: None,
        is_paused: false,
        concurrency_limit: None,
        priority,
        filter: None,
    }
}

pub async fn create_pool(database: &Database) -> WorkPool {
    database.write(async |tx: &mut Tx| tx.create_work_pool(&pool_named("pool")).await).await.unwrap()
}

pub async fn create_queue(
    database: &Database,
    pool: &WorkPool,
    name: &'static str,
    priority: Option<i64>,
) -> WorkQueue {
    let pool = pool.id;
    let queue = database.write(async move |tx: &mut Tx| tx.create_work_queue(pool, &queue_named(name, priority)).await);
    queue.await.unwrap()
}

async fn read_pool(database: &Database) -> WorkPool {
    database.write(async |tx: &mut Tx| tx.read_work_pool_by_name("pool").await).await.unwrap()
}

async fn queues(database: &Database, pool: &WorkPool) -> Vec<WorkQueue> {
    let pool = pool.id;
    database.write(async move |tx: &mut Tx| tx.list_work_queues(pool, None, 100, 0).await).await
}

async fn priorities(database: &Database, pool: &WorkPool) -> Vec<(String, i64)> {
    queues(database, pool).await.into_iter().map(|queue| (queue.name, queue.priority)).collect()
}

fn ranked(names: &[(&str, i64)]) -> Vec<(String, i64)> {
    names.iter().map(|(name, priority)| ((*name).to_owned(), *priority)).collect()
}

pub async fn a_new_pool_has_a_default_queue_and_waits_for_a_worker(database: &Database) {
    let pool = create_pool(database).await;
    assert_eq!(pool.status, Some(WorkPoolStatus::NotReady));
    assert_eq!(priorities(database, &pool).await, ranked(&[("default", 1)]));
    let queue = queues(database, &pool).await.remove(0);
    assert_eq!(pool.default_queue_id, Some(queue.id));
    assert_eq!(queue.work_pool_name.as_deref(), Some("pool"));
    let events = ["prefect.work-queue.created", "prefect.work-pool.created", "prefect.work-pool.not-ready"];
    assert_eq!(database.events().await, events);
}

pub async fn a_name_is_taken_once(database: &Database) {
    let pool = create_pool(database).await;
    assert!(database.write(async |tx: &mut Tx| tx.create_work_pool(&pool_named("pool")).await).await.is_none());
    let id = pool.id;
    let again = database.write(async move |tx: &mut Tx| tx.create_work_queue(id, &queue_named("default", None)).await);
    assert!(again.await.is_none());
}

pub async fn priorities_stay_unique(database: &Database) {
    let pool = create_pool(database).await;
    create_queue(database, &pool, "a", None).await;
    let b = create_queue(database, &pool, "b", Some(1)).await;
    assert_eq!(priorities(database, &pool).await, ranked(&[("b", 1), ("default", 2), ("a", 3)]));
    create_queue(database, &pool, "c", Some(10)).await;
    create_queue(database, &pool, "d", None).await;
    let update = WorkQueueUpdate { priority: Patch::Set(10), ..WorkQueueUpdate::default() };
    database.write(async move |tx: &mut Tx| tx.update_work_queue(b.clone(), update.clone()).await).await;
    let expected = [("default", 2), ("a", 3), ("d", 4), ("b", 10), ("c", 11)];
    assert_eq!(priorities(database, &pool).await, ranked(&expected));
}

pub async fn pauses_show_in_the_status(database: &Database) {
    let pool = create_pool(database).await;
    for (paused, status) in [(true, WorkPoolStatus::Paused), (false, WorkPoolStatus::NotReady)] {
        let update = WorkPoolUpdate { is_paused: Patch::Set(paused), ..WorkPoolUpdate::default() };
        let before = pool.clone();
        database.write(async move |tx: &mut Tx| tx.update_work_pool(before.clone(), update.clone()).await).await;
        assert_eq!(read_pool(database).await.status, Some(status));
    }
}

pub async fn a_status_follows_the_one_before_it(database: &Database) {
    let pool = create_pool(database).await;
    let pause = async |paused| {
        let update = WorkPoolUpdate { is_paused: Patch::Set(paused), ..WorkPoolUpdate::default() };
        let before = pool.clone();
        database.write(async move |tx: &mut Tx| tx.update_work_pool(before.clone(), update.clone()).await).await;
    };
    database.clock.advance(1);
    pause(true).await;
    database.clock.advance(601);
    pause(false).await;
    let told = database.write(async |tx: &mut Tx| {
        let sql = tidegate_store::sql!(
            "SELECT id, event, follows FROM event WHERE resource_id LIKE 'prefect.work-pool.%' ORDER BY occurred, id"
        );
        tx.all(&sql, |row| Ok((row.next::<Uuid>()?, row.next::<String>()?, row.next::<Option<Uuid>>()?))).await
    });
    let told = told.await;
    let names: Vec<_> = told.iter().map(|(_, name, _)| name.rsplit('.').next().unwrap()).collect();
    assert_eq!(names, ["created", "not-ready", "paused", "not-ready"]);
    let followed: Vec<_> = told.iter().map(|(_, _, follows)| *follows).collect();
    assert_eq!(followed, [None, None, Some(told[1].0), None], "what is long past cannot arrive late");
}

const PATIENCE: Patience = Patience { worker_intervals: 3.0, worker_interval: 30.0, queue: 60.0, deployment: 60.0 };

pub async fn a_heartbeat_makes_a_pool_ready_and_silence_ends_it(database: &Database) {
    let pool = create_pool(database).await.id;
    database.write(async move |tx: &mut Tx| tx.record_worker_heartbeat(pool, "w", Some(10)).await).await;
    assert_eq!(read_pool(database).await.status, Some(WorkPoolStatus::Ready));
    database.clock.advance(30);
    assert_eq!(database.write(async |tx: &mut Tx| tx.mark_silent(PATIENCE).await).await, Silence::default());
    database.clock.advance(1);
    let silence = database.write(async |tx: &mut Tx| tx.mark_silent(PATIENCE).await).await;
    assert_eq!(silence, Silence { workers_offline: 1, pools_not_ready: 1, ..Silence::default() });
    assert_eq!(read_pool(database).await.status, Some(WorkPoolStatus::NotReady));
    let workers = database.write(async move |tx: &mut Tx| tx.list_workers(pool, None, 10, 0).await).await;
    assert_eq!(workers[0].status, WorkerStatus::Offline);
}

pub async fn a_poll_makes_queues_ready_for_a_minute(database: &Database) {
    let pool = create_pool(database).await;
    let queue = queues(database, &pool).await[0].id;
    database.write(async move |tx: &mut Tx| tx.record_polls(&[queue]).await).await;
    assert_eq!(queues(database, &pool).await[0].status, Some(WorkQueueStatus::Ready));
    database.clock.advance(61);
    let silence = database.write(async |tx: &mut Tx| tx.mark_silent(PATIENCE).await).await;
    assert_eq!(silence, Silence { queues_not_ready: 1, ..Silence::default() });
    assert_eq!(queues(database, &pool).await[0].status, Some(WorkQueueStatus::NotReady));
}

pub async fn deleting_a_pool_takes_its_queues_and_workers(database: &Database) {
    let pool = create_pool(database).await;
    let id = pool.id;
    database.write(async move |tx: &mut Tx| tx.record_worker_heartbeat(id, "w", None).await).await;
    database.write(async move |tx: &mut Tx| tx.delete_work_pool(&pool).await).await;
    let left = database.write(async move |tx: &mut Tx| {
        let queues = tx.list_work_queues(id, None, 10, 0).await?.len();
        Ok(queues + tx.list_workers(id, None, 10, 0).await?.len())
    });
    assert_eq!(left.await, 0);
}

pub async fn queues_without_a_pool_share_one(database: &Database) {
    let queue = async |tx: &mut Tx| tx.ensure_agent_queue("legacy").await;
    let (first, second) = (database.write(queue).await, database.write(queue).await);
    assert_eq!(first.id, second.id);
    assert_eq!(first.work_pool_name.as_deref(), Some("default-agent-pool"));
    let default = database.write(async |tx: &mut Tx| tx.ensure_agent_queue("default").await).await;
    assert_eq!(default.work_pool_id, first.work_pool_id);
}
