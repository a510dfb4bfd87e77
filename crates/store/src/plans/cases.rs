//! The lists that are asked for all the time, and the index that each relies on.

use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Value as Body, json};
use tidegate_api::{events::EventFilter, filters::RunFilters, logs::LogSort};
use tidegate_core::time::Timestamp;

use super::rows::Known;
use crate::{Dialect, DueRuns, Result, Spans, Tx};

type Run = for<'t> fn(&'t mut Tx, &'t Known) -> LocalBoxFuture<'t, Result<()>>;

pub struct Case {
    pub name: &'static str,
    /// What the plan says of the index: on SQLite with the columns that it searches by.
    sqlite: &'static str,
    postgres: &'static str,
    pub run: Run,
}

impl Case {
    pub fn index(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// A page of flow runs or task runs.
struct Page;

impl Page {
    async fn of_flow_runs(tx: &mut Tx, sort: &str, filters: Body) -> Result<()> {
        tx.list_flow_runs(&read::<RunFilters>(filters), read(json!(sort)), 50, 0).await.map(drop)
    }

    async fn of_task_runs(tx: &mut Tx, sort: &str, filters: Body) -> Result<()> {
        tx.list_task_runs(&read::<RunFilters>(filters), read(json!(sort)), 50, 0).await.map(drop)
    }

    async fn of_logs(tx: &mut Tx, filter: Body) -> Result<()> {
        tx.list_logs(Some(&read(filter)), LogSort::TimestampAsc, 200, 0).await.map(drop)
    }

    async fn of_events(tx: &mut Tx, filter: Body) -> Result<()> {
        tx.list_events(&read::<EventFilter>(filter), 50, 0).await.map(drop)
    }
}

/// Filters as clients write them.
fn read<T: DeserializeOwned>(body: Body) -> T {
    serde_json::from_value(body).expect("a filter of the interface")
}

fn in_state(kind: &str) -> Body {
    json!({ "flow_runs": { "state": { "type": { "any_": [kind] } } } })
}

/// Asks for the first page of all runs in every order that an index has.
pub async fn first_pages(tx: &mut Tx) -> Result<()> {
    tx.statements.take();
    for sort in [
        "START_TIME_ASC",
        "START_TIME_DESC",
        "EXPECTED_START_TIME_ASC",
        "EXPECTED_START_TIME_DESC",
        "NAME_ASC",
        "NAME_DESC",
        "END_TIME_DESC",
    ] {
        Page::of_flow_runs(tx, sort, json!({})).await?;
    }
    for sort in ["EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC", "NAME_ASC", "NAME_DESC", "END_TIME_DESC"] {
        Page::of_task_runs(tx, sort, json!({})).await?;
    }
    Ok(())
}

macro_rules! cases {
    ($($name:literal, $sqlite:literal, $postgres:literal, |$tx:ident, $known:ident| $run:expr;)*) => {
        vec![$(Case {
            name: $name,
            sqlite: $sqlite,
            postgres: $postgres,
            run: |$tx, $known| Box::pin(async move { $run.await.map(drop) }),
        }),*]
    };
}

pub fn cases() -> Vec<Case> {
    let mut all = flow_runs();
    all.extend(task_runs());
    all.extend(records());
    all.extend(due());
    all.extend(overdue());
    all.extend(overviews());
    all
}

fn flow_runs() -> Vec<Case> {
    cases! {
        "flow runs, the newest start first", "flow_run_start (workspace_id=?)", "flow_run_start",
            |tx, _known| Page::of_flow_runs(tx, "START_TIME_DESC", json!({}));
        "flow runs that started since", "flow_run_start (workspace_id=? AND <expr>>?)", "flow_run_start",
            |tx, known| Page::of_flow_runs(tx, "START_TIME_ASC",
                json!({ "flow_runs": { "start_time": { "after_": known.now.plus_seconds(-7200.0) } } }));
        "flow runs by expected start", "flow_run_expected_start (workspace_id=?)", "flow_run_expected_start",
            |tx, _known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_DESC", json!({}));
        "flow runs expected in a span", "flow_run_expected_start (workspace_id=? AND expected_start_time>? AND expected_start_time<?)",
            "flow_run_expected_start",
            |tx, known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_ASC", json!({ "flow_runs": { "expected_start_time":
                { "after_": known.now.plus_seconds(-7200.0), "before_": known.now } } }));
        "flow runs by end", "flow_run_end (workspace_id=?)", "flow_run_end",
            |tx, _known| Page::of_flow_runs(tx, "END_TIME_DESC", json!({}));
        "flow runs by name", "flow_run_name (workspace_id=?)", "flow_run_name",
            |tx, _known| Page::of_flow_runs(tx, "NAME_ASC", json!({}));
        "flow runs of a name", "flow_run_name (workspace_id=? AND name=?)", "flow_run_name",
            |tx, _known| Page::of_flow_runs(tx, "START_TIME_DESC", json!({ "flow_runs": { "name": { "any_": ["run-5"] } } }));
        "flow runs in a state", "flow_run_in_state (workspace_id=? AND state_type=?)", "flow_run_in_state",
            |tx, _known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_DESC", in_state("RUNNING"));
        "number of flow runs in a state", "flow_run_in_state (workspace_id=? AND state_type=?)", "flow_run_in_state",
            |tx, _known| async { tx.count_flow_runs(&read(in_state("FAILED"))).await };
        "flow runs of a deployment", "flow_run_deployment (deployment_id=?", "flow_run_deployment",
            |tx, known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_DESC",
                json!({ "flow_runs": { "deployment_id": { "any_": [known.deployment] } } }));
        "flow runs of a deployment, by its own filter", "flow_run_deployment (deployment_id=?", "flow_run_deployment",
            |tx, known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_DESC",
                json!({ "deployments": { "id": { "any_": [known.deployment] } } }));
        "flow runs of a flow", "flow_run_flow (flow_id=?", "flow_run_flow",
            |tx, known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_DESC",
                json!({ "flows": { "id": { "any_": [known.flow] } } }));
        "number of flow runs of a flow", "flow_run_flow (flow_id=?", "flow_run_flow",
            |tx, known| async { tx.count_flow_runs(&read(json!({ "flows": { "id": { "any_": [known.flow] } } }))).await };
        "flow runs below a task run", "flow_run_parent (parent_task_run_id=?", "flow_run_parent",
            |tx, known| Page::of_flow_runs(tx, "START_TIME_DESC",
                json!({ "flow_runs": { "parent_task_run_id": { "any_": [known.task_run] } } }));
        "flow runs below a flow run", "flow_run_parent (parent_task_run_id=?", "flow_run_parent",
            |tx, known| Page::of_flow_runs(tx, "START_TIME_DESC",
                json!({ "flow_runs": { "parent_flow_run_id": { "any_": [known.flow_run] } } }));
        "flow runs by id", "sqlite_autoindex_flow_run_1 (id=?)", "flow_run_id_key",
            |tx, known| Page::of_flow_runs(tx, "START_TIME_DESC", json!({ "flow_runs": { "id": { "any_": [known.flow_run] } } }));
        "flow runs of a task run", "sqlite_autoindex_flow_run_1 (id=?)", "flow_run_id_key",
            |tx, known| Page::of_flow_runs(tx, "START_TIME_DESC", json!({ "task_runs": { "id": { "any_": [known.task_run] } } }));
        // SQLite has no index of tags: it goes through the runs in the order asked for until the page is full.
        "flow runs with a tag", "flow_run_start (workspace_id=?)", "flow_run_tags",
            |tx, _known| Page::of_flow_runs(tx, "START_TIME_DESC", json!({ "flow_runs": { "tags": { "all_": ["rare"] } } }));
        "flow runs of a pool that wait", "flow_run_in_state (workspace_id=? AND state_type=?", "flow_run_in_state",
            |tx, known| Page::of_flow_runs(tx, "EXPECTED_START_TIME_ASC", json!({
                "work_pools": { "id": { "any_": [known.pool] } },
                "flow_runs": { "state": { "type": { "any_": ["SCHEDULED"] } } },
            }));
        "states of a flow run", "_run (flow_run_id=?)", "flow_run_id_timestamp_idx",
            |tx, known| async { tx.list_flow_run_states(known.flow_run).await };
        "graph of a flow run", "task_run_key (flow_run_id=?)", "task_run_key",
            |tx, known| async { tx.list_graph_rows(known.flow_run, 100).await };
    }
}

fn task_runs() -> Vec<Case> {
    cases! {
        "task runs of a flow run", "task_run_key (flow_run_id=?)", "task_run_key",
            |tx, known| Page::of_task_runs(tx, "EXPECTED_START_TIME_ASC",
                json!({ "task_runs": { "flow_run_id": { "any_": [known.flow_run] } } }));
        "task runs of a flow run, by its own filter", "task_run_key (flow_run_id=?)", "task_run_key",
            |tx, known| Page::of_task_runs(tx, "END_TIME_DESC", json!({ "flow_runs": { "id": { "any_": [known.flow_run] } } }));
        "number of task runs of a flow run", "task_run_key (flow_run_id=?)", "task_run_key",
            |tx, known| async {
                tx.count_task_runs(&read(json!({ "flow_runs": { "id": { "any_": [known.flow_run] } } }))).await
            };
        "task runs by expected start", "task_run_expected_start (workspace_id=?)", "task_run_expected_start",
            |tx, _known| Page::of_task_runs(tx, "EXPECTED_START_TIME_DESC", json!({}));
        "task runs by end", "task_run_end (workspace_id=?)", "task_run_end",
            |tx, _known| Page::of_task_runs(tx, "END_TIME_DESC", json!({}));
        "task runs by id", "sqlite_autoindex_task_run_1 (id=?)", "task_run_id_key",
            |tx, known| Page::of_task_runs(tx, "ID_DESC", json!({ "task_runs": { "id": { "any_": [known.task_run] } } }));
        "states of a task run", "_run (task_run_id=?)", "task_run_id_timestamp_idx",
            |tx, known| async { tx.list_task_run_states(known.task_run).await };
    }
}

fn records() -> Vec<Case> {
    cases! {
        "logs of a flow run", "_flow_run (flow_run_id=?", "flow_run_id_timestamp_idx",
            |tx, known| Page::of_logs(tx, json!({ "flow_run_id": { "any_": [known.flow_run] } }));
        "logs of a flow run since", "_flow_run (flow_run_id=? AND timestamp>?)", "flow_run_id_timestamp_idx",
            |tx, known| Page::of_logs(tx, json!({
                "flow_run_id": { "any_": [known.flow_run] }, "timestamp": { "after_": known.now.plus_seconds(-86_400.0) },
            }));
        "logs of a flow run, page after page", "_flow_run (flow_run_id=?", "flow_run_id_timestamp_idx",
            |tx, known| async {
                let after = Some((known.now.plus_seconds(-86_400.0), known.event));
                tx.list_logs_after(known.flow_run, after, 200).await
            };
        "logs of a task run", "_task_run (task_run_id=?", "task_run_id_timestamp_idx",
            |tx, known| Page::of_logs(tx, json!({ "task_run_id": { "any_": [known.task_run] } }));
        "logs of the last minutes", "_timestamp (timestamp>?)", "workspace_id_timestamp_idx",
            |tx, known| Page::of_logs(tx, json!({ "timestamp": { "after_": known.now.plus_seconds(-600.0) } }));
        "events of the last minutes", "_occurred (occurred>? AND occurred<?)", "workspace_id_occurred_id_idx",
            |tx, known| Page::of_events(tx, json!({ "occurred": { "since": known.now.plus_seconds(-600.0), "until": known.now } }));
        "the newest events", "_occurred (occurred>? AND occurred<?)", "workspace_id_occurred_id_idx",
            |tx, _known| Page::of_events(tx, json!({}));
        "events for a backfill", "_occurred (", "workspace_id_occurred_id_idx",
            |tx, known| async {
                let filter = json!({ "occurred": { "since": known.now.plus_seconds(-900.0), "until": known.now } });
                let after = Some((known.now.plus_seconds(-600.0), known.event));
                tx.list_events_after(&read(filter), after, 250).await
            };
        "events of a resource", "_resource (resource_id=?", "resource_id_occurred_idx",
            |tx, known| Page::of_events(tx, json!({ "resource": { "id": [format!("prefect.flow-run.{}", known.flow_run)] } }));
        "events of a name", "_name (event=?", "event_occurred_idx",
            |tx, _known| Page::of_events(tx, json!({ "event": { "name": ["rare.event"] } }));
        "events that name a resource", "USING PRIMARY KEY (resource=?", "resource_occurred_event_id_idx",
            |tx, known| Page::of_events(tx, json!({ "related": { "id": [format!("prefect.flow.{}", known.flow)] } }));
        "an event by id", "_id (id=?)", "id_occurred_idx",
            |tx, known| Page::of_events(tx, json!({ "id": { "id": [known.event] } }));
        "the tail of the outbox", "_id (id=?)", "event_outbox_commit",
            |tx, _known| async {
                let head = crate::Position::default();
                tx.read_outbox(head, 100).await
            };
    }
}

fn due() -> Vec<Case> {
    cases! {
        "due runs of a pool", "flow_run_due (work_queue_id=? AND next_scheduled_start_time<?)", "flow_run_due",
            |tx, known| async {
                let due = DueRuns { pool: known.pool, queues: None, before: Some(known.now), after: None, limit: 10 };
                tx.list_due_flow_runs(due).await
            };
        "slots taken in queues", "flow_run_holding (work_queue_id=?", "flow_run_holding",
            |tx, known| async { tx.count_queue_slots(&known.queues[..2]).await };
        "whether a pool has a due run", "flow_run_due (work_queue_id=? AND next_scheduled_start_time<?)",
            "flow_run_due or flow_run_scheduled",
            |tx, known| async { tx.has_due_flow_runs(known.pool, None).await };
        "when a pool's next run is due", "flow_run_due (work_queue_id=? AND next_scheduled_start_time>?)", "flow_run_due",
            |tx, known| async { tx.next_due_time(known.pool).await };
        "late runs of a queue", "flow_run_due (work_queue_id=?", "flow_run_due",
            |tx, known| async { tx.count_late_flow_runs(known.queues[0]).await };
        "schedules that are due for a look", "deployment_schedule_tick (next_tick<?)", "deployment_schedule_tick",
            |tx, _known| async { tx.lock_due_schedules(50).await };
        "the next look at a schedule", "deployment_schedule_tick", "deployment_schedule_tick",
            |tx, _known| async { tx.next_schedule_tick().await };
    }
}

fn overdue() -> Vec<Case> {
    cases! {
        "runs whose owner went silent", "flow_run_lease (owner_deadline", "flow_run_lease",
            |tx, _known| async { tx.list_lost_runs(100).await };
        "slots that nobody renewed", "concurrency_lease_expires (expires<?)", "concurrency_lease_expires",
            |tx, _known| async { tx.list_expired_leases(100).await };
        "runs that a worker shall cancel", "flow_run_waiting (state_type=? AND state_timestamp>?) or flow_run_in_state (workspace_id=? AND state_type=?)", "flow_run_waiting",
            |tx, known| async { tx.list_cancelling("worker", known.now.plus_seconds(-60.0)).await };
        "runs that are late", "flow_run_scheduled (next_scheduled_start_time<?)", "flow_run_scheduled",
            |tx, _known| async { tx.list_late_runs(15.0, 100).await };
        "pauses that ended", "flow_run_waiting (state_type=?)",
            "flow_run_waiting or flow_run_holding",
            |tx, _known| async { tx.list_expired_pauses(100).await };
        "task runs of cancelled runs", "flow_run_cancelled (end_time>?)", "flow_run_cancelled",
            |tx, _known| async { tx.list_task_runs_of_cancelled(86_400.0, 100).await };
        "sub-flows of cancelled runs", "flow_run_cancelled (end_time>?)", "flow_run_cancelled",
            |tx, _known| async { tx.list_children_of_cancelled(86_400.0, 100).await };
        "cancellations that do not end", "flow_run_waiting (state_type=? AND state_timestamp<?)",
            "flow_run_waiting or flow_run_holding",
            |tx, _known| async { tx.list_overdue_cancelling(300.0, 100).await };
    }
}

/// Pictures and numbers beside the lists. Each may be about a million runs; only the span or the rows asked for are read.
fn overviews() -> Vec<Case> {
    cases! {
        "history of flow runs", "flow_run_expected_start (workspace_id=? AND expected_start_time>? AND expected_start_time<?)",
            "flow_run_expected_start",
            |tx, known| async {
                let (spans, end) = last_two_hours(known);
                tx.count_flow_runs_by_span(&RunFilters::default(), spans, end).await
            };
        "history of a flow's runs", "flow_run_flow (flow_id=? AND expected_start_time>? or flow_run_expected_start (workspace_id=? AND expected_start_time>?",
            "flow_run_flow or flow_run_expected_start",
            |tx, known| async {
                let (spans, end) = last_two_hours(known);
                let filters = read(json!({ "flows": { "id": { "any_": [known.flow] } } }));
                tx.count_flow_runs_by_span(&filters, spans, end).await
            };
        "history of task runs", "task_run_expected_start (workspace_id=? AND expected_start_time>? AND expected_start_time<?)",
            "task_run_expected_start",
            |tx, known| async {
                let (spans, end) = last_two_hours(known);
                tx.count_task_runs_by_span(&RunFilters::default(), spans, end).await
            };
        "history of a flow run's task runs", "task_run_key (flow_run_id=? or task_run_expected_start (workspace_id=? AND expected_start_time>?",
            "task_run_key or task_run_expected_start",
            |tx, known| async {
                let (spans, end) = last_two_hours(known);
                let filters = read(json!({ "flow_runs": { "id": { "any_": [known.flow_run] } } }));
                tx.count_task_runs_by_span(&filters, spans, end).await
            };
        "ends of task runs since", "task_run_end (workspace_id=? AND end_time>?)", "task_run_end",
            |tx, known| async {
                let filters = read(json!({ "task_runs": { "state": { "type": { "any_": ["COMPLETED", "FAILED"] } } } }));
                tx.count_task_run_ends(&filters, last_two_hours(known).0).await
            };
        "points of a picture", "flow_run_expected_start (workspace_id=?", "flow_run_expected_start",
            |tx, _known| async {
                tx.list_simple_flow_runs(&RunFilters::default(), read(json!("EXPECTED_START_TIME_DESC")), 1000, 0).await
            };
        "next runs of flows", "flow_run_in_state (workspace_id=? AND state_type=? or flow_run_scheduled or flow_run_due",
            "flow_run_in_state or flow_run_scheduled or flow_run_due or flow_run_flow",
            |tx, known| async { tx.list_next_flow_runs(&[known.flow, known.pool]).await };
        "numbers of task runs of flow runs", "task_run_key (flow_run_id=?)", "task_run_key",
            |tx, known| async { tx.count_task_runs_by_flow_run(&[known.flow_run, known.flow]).await };
        "newest flow runs by state, for bulk changes", "flow_run_in_state (workspace_id=? AND state_type=?)",
            "flow_run_in_state or flow_run_id_key",
            |tx, _known| async { tx.list_flow_run_ids(&read(in_state("RUNNING")), 50).await };
    }
}

fn last_two_hours(known: &Known) -> (Spans, Timestamp) {
    let start = known.now.plus_seconds(-7200.0);
    (Spans { start, length: 600_000_000, parts: 1 }, known.now)
}
