//! Old weeks go whole, and only they.

use serde_json::json;
use tidegate_api::events::{Event, EventFilter};
use tidegate_core::{json::Json, state::StateCreate, state::StateType, time::Timestamp};
use tidegate_store::{EventRecord, LogRecord, Partitioned, Tx, flow_runs::NewFlowRun, sql};
use uuid::Uuid;

use crate::databases::Database;

const DAY: i64 = 86_400;

async fn log(database: &Database, message: String) {
    let record = LogRecord {
        id: Uuid::now_v7(),
        timestamp: database.clock.now(),
        name: "test".into(),
        level: 20,
        message,
        flow_run_id: None,
        task_run_id: None,
    };
    database.write(async move |tx: &mut Tx| tx.create_logs([&record]).await).await;
}

async fn messages(database: &Database) -> Vec<String> {
    let sql = sql!("SELECT message FROM log ORDER BY timestamp");
    database.write(async move |tx: &mut Tx| tx.all(&sql, |row| row.next()).await).await
}

async fn drop_before(database: &Database, kind: Partitioned, time: Timestamp) -> (usize, u64) {
    database.write(async move |tx: &mut Tx| tx.drop_partitions_before(kind, time).await).await
}

/// A line a day for four weeks; then what is older than two weeks goes. The clock begins on a Sunday evening.
pub async fn drops_the_weeks_that_are_over_and_no_others(database: &Database) {
    let mut days = Vec::new();
    for _ in 0..28 {
        // As the service does: the weeks to come are made before they come.
        database.write(async |tx: &mut Tx| tx.prepare_partitions().await).await;
        log(database, database.clock.now().to_string()).await;
        days.push(database.clock.now());
        database.clock.advance(DAY);
    }
    let kept_from = days[10];
    let (weeks, rows) = drop_before(database, Partitioned::Log, kept_from).await;
    // The first Sunday, and the week after it; the week that the limit falls into stays whole.
    assert_eq!((weeks, rows), (2, 0));
    let left: Vec<String> = days[8..].iter().map(ToString::to_string).collect();
    assert_eq!(messages(database).await, left);
    assert_eq!(drop_before(database, Partitioned::Log, kept_from).await, (0, 0));
    // Its other week still takes rows, and so does a new one.
    log(database, "after".into()).await;
    assert_eq!(messages(database).await.last().map(String::as_str), Some("after"));
}

/// Rows too far from now have no week of their own; they are deleted one by one, as old as the limit says.
pub async fn deletes_old_rows_that_have_no_week(database: &Database) {
    let now = database.clock.now();
    for (name, days) in [("ancient", -400.0), ("old", -300.0), ("recent", -1.0), ("far ahead", 300.0)] {
        let event = Event {
            id: Uuid::now_v7(),
            occurred: now.plus_seconds(days * DAY as f64),
            event: name.into(),
            resource: [("prefect.resource.id".to_owned(), name.to_owned())].into_iter().collect(),
            related: Vec::new(),
            payload: Json::empty_object(),
            follows: None,
        };
        database
            .write(async move |tx: &mut Tx| {
                let record = EventRecord::new(&event).map_err(tidegate_store::Error::Database)?;
                tx.store_events(vec![record]).await
            })
            .await;
    }
    let limit = now.plus_seconds(-350.0 * DAY as f64);
    assert_eq!(drop_before(database, Partitioned::Event, limit).await, (0, 1));
    assert_eq!(database.events().await, ["old", "recent", "far ahead"]);
    assert_eq!(drop_before(database, Partitioned::Event, now.plus_seconds(-200.0 * DAY as f64)).await, (0, 1));
    assert_eq!(database.events().await, ["recent", "far ahead"]);
    let filter: EventFilter = serde_json::from_value(json!({ "event": { "name": ["recent"] } })).unwrap();
    assert_eq!(database.write(async move |tx: &mut Tx| tx.count_events(&filter).await).await, 1);
}

/// Runs that ended long ago go with what they hold; a run that goes on stays, however old it is.
pub async fn lets_finished_runs_go_and_keeps_the_others(database: &Database) {
    let mut runs = Vec::new();
    for (name, kind) in
        [("over", StateType::Completed), ("goes on", StateType::Running), ("waits", StateType::Scheduled)]
    {
        let run = database.write(async move |tx: &mut Tx| {
            let flow = tidegate_api::flows::FlowCreate { name: "flow".into(), tags: Vec::new(), labels: None };
            let (flow, _) = tx.ensure_flow(&flow).await?;
            let (run, _) = tx.create_flow_run(NewFlowRun::of_flow(flow.id, name.into()), StateCreate::of(kind)).await?;
            Ok(run)
        });
        runs.push(run.await);
        database.clock.advance(60);
    }
    let later = database.clock.now();
    let gone =
        async |time: Timestamp| database.write(async move |tx: &mut Tx| tx.delete_runs_before(time, 10).await).await;
    assert_eq!(gone(runs[0].created.unwrap()).await, 0);
    assert_eq!(gone(later.plus_seconds(365.0 * DAY as f64)).await, 1);
    for (run, is_there) in runs.iter().zip([false, true, true]) {
        let id = run.id;
        let found = database.write(async move |tx: &mut Tx| {
            Ok((tx.read_flow_run(id).await?.is_some(), !tx.list_flow_run_states(id).await?.is_empty()))
        });
        assert_eq!(found.await, (is_there, is_there), "{}", run.name);
    }
}
