//! Histories and next runs: what is counted where.

use serde_json::json;
use tidegate_api::{filters::RunFilters, flows::FlowCreate, task_runs::TaskRunCreate, ui::TaskRunCount};
use tidegate_core::{
    state::{StateCreate, StateDetails, StateType},
    time::Timestamp,
};
use tidegate_store::{SpanCount, Spans, TaskProposal, Tx, flow_run_states::Proposal, flow_runs::NewFlowRun};
use uuid::Uuid;

use crate::databases::Database;

const MINUTE: f64 = 60.0;

/// A run of a flow that is expected `minutes` from now.
async fn expected(database: &Database, flow: &'static str, minutes: f64) -> Uuid {
    let at = database.clock.now().plus_seconds(minutes * MINUTE);
    database
        .write(async move |tx: &mut Tx| {
            let flow = FlowCreate { name: flow.into(), tags: Vec::new(), labels: None };
            let (flow, _) = tx.ensure_flow(&flow).await?;
            let details = StateDetails { scheduled_time: Some(at.into()), ..StateDetails::default() };
            let first = StateCreate { state_details: details, ..StateCreate::of(StateType::Scheduled) };
            let new = NewFlowRun::of_flow(flow.id, format!("in {minutes} minutes"));
            Ok(tx.create_flow_run(new, first).await?.0.id)
        })
        .await
}

async fn move_to(database: &Database, run: Uuid, kind: StateType) {
    database
        .write(async move |tx: &mut Tx| tx.set_flow_run_state(run, StateCreate::of(kind), &Proposal::internal()).await)
        .await
        .unwrap();
}

/// A task run that is PENDING from now on.
async fn task_run(database: &Database, flow_run: Uuid, key: &'static str) -> Uuid {
    let create = json!({ "flow_run_id": flow_run, "task_key": key, "dynamic_key": "0" });
    let create: TaskRunCreate = serde_json::from_value(create).unwrap();
    database.write(async move |tx: &mut Tx| Ok(tx.create_task_run(&create).await?.0.id)).await
}

async fn move_task_to(database: &Database, run: Uuid, kind: StateType) {
    database
        .write(async move |tx: &mut Tx| {
            tx.set_task_run_state(run, StateCreate::of(kind), &TaskProposal::internal()).await
        })
        .await
        .unwrap();
}

/// Spans of ten minutes.
fn spans(start: Timestamp) -> Spans {
    Spans { start, length: 600_000_000, parts: 1 }
}

fn told(counts: &[SpanCount]) -> Vec<(i64, &str, i64, f64, f64)> {
    counts.iter().map(|count| (count.span, &*count.state_name, count.runs, count.run_time, count.lateness)).collect()
}

pub async fn count_runs_by_span_and_state(database: &Database) {
    let start = database.clock.now();
    let first = expected(database, "a", 0.0).await;
    let second = expected(database, "a", 9.999).await;
    expected(database, "b", 10.0).await;
    expected(database, "b", 25.0).await;
    expected(database, "b", 30.0).await;
    database.clock.advance(120);
    move_to(database, first, StateType::Running).await;
    database.clock.advance(30);
    move_to(database, first, StateType::Completed).await;
    database.clock.advance(690);
    move_to(database, second, StateType::Running).await;
    database.clock.advance(15);
    let end = start.plus_seconds(30.0 * MINUTE);
    let all = database
        .write(async move |tx: &mut Tx| tx.count_flow_runs_by_span(&RunFilters::default(), spans(start), end).await)
        .await;
    let second_late = 840.0 - 9.999 * MINUTE;
    let expected = [
        (0, "Completed", 1, 30.0, 120.0),
        (0, "Running", 1, 15.0, second_late),
        (1, "Scheduled", 1, 0.0, 855.0 - 600.0),
        (2, "Scheduled", 1, 0.0, 0.0),
    ];
    let found = told(&all);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.0, found.1, found.2), (expected.0, expected.1, expected.2));
        assert!((found.3 - expected.3).abs() < 0.001 && (found.4 - expected.4).abs() < 0.001, "{found:?} {expected:?}");
    }
    let of_a: RunFilters = serde_json::from_value(json!({ "flows": { "name": { "any_": ["a"] } } })).unwrap();
    let of_a =
        database.write(async move |tx: &mut Tx| tx.count_flow_runs_by_span(&of_a, spans(start), end).await).await;
    assert_eq!(of_a.iter().map(|count| count.runs).sum::<i64>(), 2);
}

pub async fn look_at_all_task_runs_of_a_filter(database: &Database) {
    let start = database.clock.now();
    let run = expected(database, "a", 0.0).await;
    let other = expected(database, "b", 0.0).await;
    for (run, key) in [(run, "one"), (run, "two"), (other, "three")] {
        let task = task_run(database, run, key).await;
        move_task_to(database, task, StateType::Running).await;
    }
    database.clock.advance(7);
    let end = start.plus_seconds(10.0 * MINUTE);
    let filters: RunFilters = serde_json::from_value(json!({ "flow_runs": { "id": { "any_": [run] } } })).unwrap();
    let counted = filters.clone();
    let counts =
        database.write(async move |tx: &mut Tx| tx.count_task_runs_by_span(&counted, spans(start), end).await).await;
    assert_eq!(told(&counts), [(0, "Running", 2, 14.0, 0.0)]);
    let states = database.write(async move |tx: &mut Tx| tx.count_task_runs_by_state(&filters).await).await;
    assert_eq!(states, [(StateType::Running, 2)]);
    let numbers =
        database.write(async move |tx: &mut Tx| tx.count_task_runs_by_flow_run(&[run, Uuid::now_v7()]).await).await;
    assert_eq!(numbers, [(run, 2)]);
}

pub async fn ends_fall_into_the_span_of_their_start(database: &Database) {
    let run = expected(database, "a", 0.0).await;
    let early = task_run(database, run, "early").await;
    move_task_to(database, early, StateType::Running).await;
    database.clock.advance(60);
    let start = database.clock.now();
    // Ended in the window, but started before it.
    move_task_to(database, early, StateType::Completed).await;
    for (key, after, end) in [
        ("completed", 0, Some(StateType::Completed)),
        ("failed", 59, Some(StateType::Failed)),
        ("crashed", 1, Some(StateType::Crashed)),
        ("cancelled", 0, Some(StateType::Cancelled)),
        ("running", 0, None),
    ] {
        database.clock.advance(after);
        let task = task_run(database, run, key).await;
        move_task_to(database, task, StateType::Running).await;
        if let Some(end) = end {
            move_task_to(database, task, end).await;
        }
    }
    let spans = Spans { start, length: 1_200_000_000, parts: 20 };
    let ended =
        json!({ "task_runs": { "state": { "type": { "any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"] } } } });
    let ended: RunFilters = serde_json::from_value(ended).unwrap();
    let counts = database.write(async move |tx: &mut Tx| tx.count_task_run_ends(&ended, spans).await).await;
    let expected = [(0, TaskRunCount { completed: 1, failed: 1 }), (1, TaskRunCount { completed: 1, failed: 1 })];
    assert_eq!(counts, expected);
}

pub async fn the_next_run_of_a_flow_is_the_earliest_that_waits(database: &Database) {
    let over = expected(database, "a", 1.0).await;
    move_to(database, over, StateType::Completed).await;
    expected(database, "a", 20.0).await;
    let next = expected(database, "a", 10.0).await;
    let only = expected(database, "b", 5.0).await;
    let found = database
        .write(async move |tx: &mut Tx| {
            let mut flows = Vec::new();
            for name in ["a", "b"] {
                flows.extend(tx.read_flow_by_name(name).await?.map(|flow| flow.id));
            }
            flows.push(Uuid::now_v7());
            let mut found = tx.list_next_flow_runs(&flows).await?;
            found.sort_by_key(|run| run.next_scheduled_start_time);
            Ok(found)
        })
        .await;
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), [only, next]);
    assert_eq!(found[1].name, "in 10 minutes");
}
