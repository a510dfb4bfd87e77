//! The task-run recorder: engines tell of their task runs by events, and this makes the rows that the API shows. The
//! newest state wins, at equal times a terminal one; late and repeated events change nothing.

mod payload;

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use tidegate_core::{
    orchestration::TaskRunPolicy,
    state::{State, StateType},
    time::Timestamp,
};
use uuid::Uuid;

pub use payload::{TaskRunRecord, Unreadable};

use crate::{
    Dialect, Partitioned, Result, Sql, Tx, sql,
    value::{Value, json, json_list},
};

const COLUMNS: [&str; 27] = [
    "id",
    "workspace_id",
    "created",
    "updated",
    "name",
    "flow_run_id",
    "task_key",
    "dynamic_key",
    "cache_key",
    "cache_expiration",
    "task_version",
    "empirical_policy",
    "tags",
    "labels",
    "task_inputs",
    "state_id",
    "state_type",
    "state_name",
    "state_timestamp",
    "state",
    "run_count",
    "flow_run_run_count",
    "expected_start_time",
    "next_scheduled_start_time",
    "start_time",
    "end_time",
    "total_run_time",
];
/// What an event leaves out keeps its value.
const KEPT: [&str; 9] = [
    "cache_key",
    "cache_expiration",
    "task_version",
    "labels",
    "expected_start_time",
    "next_scheduled_start_time",
    "start_time",
    "end_time",
    "name",
];
const STATE_COLUMNS: &str = "id, task_run_id, timestamp, type, name, message, state";
const TERMINAL: &str = "('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')";

/// A task of a flow run, where clients may give it several ids.
type NaturalKey = (Uuid, String, String);

/// What is there already: as much as decides which columns an update has to touch.
struct Existing {
    id: Uuid,
    name: String,
    flow_run_id: Option<Uuid>,
    task_key: String,
    dynamic_key: String,
    expected_start_time: Option<Timestamp>,
    next_scheduled_start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    state_type: Option<StateType>,
    state_timestamp: Option<Timestamp>,
    run_count: i64,
    flow_run_run_count: i64,
    total_run_time: f64,
}

const EXISTING: &str = "SELECT id, name, flow_run_id, task_key, dynamic_key, expected_start_time, \
                        next_scheduled_start_time, end_time, state_type, state_timestamp, run_count, \
                        flow_run_run_count, total_run_time FROM task_run WHERE ";

fn existing(row: &mut crate::Row<'_>) -> Result<Existing> {
    Ok(Existing {
        id: row.next()?,
        name: row.next()?,
        flow_run_id: row.next()?,
        task_key: row.next()?,
        dynamic_key: row.next()?,
        expected_start_time: row.next()?,
        next_scheduled_start_time: row.next()?,
        end_time: row.next()?,
        state_type: row.next()?,
        state_timestamp: row.next()?,
        run_count: row.next()?,
        flow_run_run_count: row.next()?,
        total_run_time: row.next()?,
    })
}

impl Existing {
    fn natural_key(&self) -> Option<NaturalKey> {
        Some((self.flow_run_id?, self.task_key.clone(), self.dynamic_key.clone()))
    }
}

/// The rows that a batch touches, by both of their keys.
#[derive(Default)]
struct Known {
    by_id: HashMap<Uuid, Existing>,
    by_key: HashMap<NaturalKey, Uuid>,
}

impl Known {
    fn add(&mut self, row: Existing) {
        if let Some(key) = row.natural_key() {
            self.by_key.insert(key, row.id);
        }
        self.by_id.insert(row.id, row);
    }
}

impl Tx {
    /// Records what events told, all in this transaction.
    pub async fn record_task_runs(&mut self, records: Vec<TaskRunRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut records = records;
        records.sort_by_key(|record| (record.state.timestamp, record.state.is_terminal()));
        let mut known = self.find_task_runs(&records).await?;
        let mut states = Vec::with_capacity(records.len());
        let mut newest: HashMap<Uuid, TaskRunRecord> = HashMap::with_capacity(records.len());
        for mut record in records {
            let key = record.natural_key();
            let found = key.as_ref().and_then(|key| known.by_key.get(key).copied());
            let id = found.unwrap_or(record.task_run_id);
            record.task_run_id = id;
            record.state.state_details.task_run_id = Some(id);
            if let Some(key) = key {
                known.by_key.insert(key, id);
            }
            states.push(state_row(&record.state, id));
            match newest.remove(&id) {
                Some(older) => newest.insert(id, record.after(older)),
                None => newest.insert(id, record),
            };
        }
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for (id, record) in newest {
            match known.by_id.get(&id) {
                None => new.push(self.task_run_row(&record, None)),
                Some(row) if !is_newer(&record.state, row) => {}
                Some(row) if self.dialect() == Dialect::Sqlite => changed.push(self.task_run_update(&record, row)),
                Some(row) => new.push(self.task_run_row(&record, Some(row))),
            }
        }
        for update in changed {
            self.execute(&update).await?;
        }
        let head = format!("INSERT INTO task_run ({})", COLUMNS.join(", "));
        self.insert_many(&head, &upsert_tail(), new).await?;
        self.insert_partitioned(Partitioned::TaskRunState, STATE_COLUMNS, "ON CONFLICT DO NOTHING", states).await?;
        Ok(())
    }

    async fn find_task_runs(&mut self, records: &[TaskRunRecord]) -> Result<Known> {
        let mut known = Known::default();
        match self.dialect() {
            Dialect::Sqlite => {
                let mut looked_for = HashSet::with_capacity(records.len());
                for record in records {
                    if known.by_id.contains_key(&record.task_run_id) || !looked_for.insert(record.task_run_id) {
                        continue;
                    }
                    let by_id = sql!(format!("{EXISTING}id = $1"), record.task_run_id);
                    if let Some(row) = self.optional(&by_id, existing).await? {
                        known.add(row);
                    } else if let Some((run, key, number)) = record.natural_key()
                        && !known.by_key.contains_key(&(run, key.clone(), number.clone()))
                    {
                        let by_key = sql!(
                            format!("{EXISTING}flow_run_id = $1 AND task_key = $2 AND dynamic_key = $3"),
                            run,
                            key,
                            number
                        );
                        if let Some(row) = self.optional(&by_key, existing).await? {
                            known.add(row);
                        }
                    }
                }
            }
            Dialect::Postgres => {
                let ids: Vec<Uuid> = records.iter().map(|record| record.task_run_id).collect();
                let keys: Vec<NaturalKey> = records.iter().filter_map(TaskRunRecord::natural_key).collect();
                let by_id = sql!(format!("{EXISTING}id = ANY($1)"), Value::Uuids(ids));
                for row in self.all(&by_id, existing).await? {
                    known.add(row);
                }
                let by_key = sql!(
                    format!(
                        "{EXISTING}(flow_run_id, task_key, dynamic_key) IN \
                         (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]))"
                    ),
                    Value::Uuids(keys.iter().map(|key| key.0).collect()),
                    Value::Texts(keys.iter().map(|key| key.1.clone()).collect()),
                    Value::Texts(keys.iter().map(|key| key.2.clone()).collect()),
                );
                for row in self.all(&by_key, existing).await? {
                    known.add(row);
                }
            }
        }
        Ok(known)
    }

    fn task_run_row(&self, record: &TaskRunRecord, row: Option<&Existing>) -> Vec<Value> {
        let (now, run, state) = (self.now(), &record.run, &record.state);
        let name = run.name.clone().or_else(|| row.map(|row| row.name.clone())).unwrap_or_default();
        vec![
            Value::Uuid(record.task_run_id),
            Value::Uuid(self.workspace()),
            Value::Time(now),
            Value::Time(now),
            Value::Text(name),
            record.flow_run_id.into(),
            Value::Text(run.task_key.clone()),
            Value::Text(run.dynamic_key.clone()),
            run.cache_key.clone().into(),
            run.cache_expiration.into(),
            run.task_version.clone().into(),
            json(&run.empirical_policy.clone().unwrap_or_else(TaskRunPolicy::default)),
            json_list(run.tags.as_deref().unwrap_or_default()),
            run.labels.clone().into(),
            run.task_inputs.clone().unwrap_or_default().into(),
            Value::Uuid(state.id.0),
            state.kind.into(),
            Value::Text(state.name.clone()),
            Value::Time(state.timestamp),
            Value::Json(state.to_stored_json()),
            Value::Int(run.run_count.or(row.map(|row| row.run_count)).unwrap_or(0)),
            Value::Int(run.flow_run_run_count.or(row.map(|row| row.flow_run_run_count)).unwrap_or(0)),
            run.expected_start_time.into(),
            run.next_scheduled_start_time.into(),
            run.start_time.into(),
            run.end_time.into(),
            Value::Float(run.total_run_time.or(row.map(|row| row.total_run_time)).unwrap_or(0.0)),
        ]
    }

    /// SQLite: an update that leaves alone the indexes whose columns stay as they are.
    fn task_run_update(&self, record: &TaskRunRecord, row: &Existing) -> Sql {
        let (run, state) = (&record.run, &record.state);
        let mut sql = sql!("UPDATE task_run SET updated = $1", self.now());
        let mut set = |column: &str, value: Value| {
            sql.push(", ").push(column).push(" = ").bind(value);
        };
        set("state_id", Value::Uuid(state.id.0));
        if row.state_type != Some(state.kind) {
            set("state_type", state.kind.into());
        }
        set("state_name", Value::Text(state.name.clone()));
        set("state_timestamp", Value::Time(state.timestamp));
        set("state", Value::Json(state.to_stored_json()));
        if let Some(name) = run.name.as_ref().filter(|name| **name != row.name) {
            set("name", Value::Text(name.clone()));
        }
        if (record.flow_run_id, &run.task_key, &run.dynamic_key) != (row.flow_run_id, &row.task_key, &row.dynamic_key) {
            set("flow_run_id", record.flow_run_id.into());
            set("task_key", Value::Text(run.task_key.clone()));
            set("dynamic_key", Value::Text(run.dynamic_key.clone()));
        }
        for (column, new, old) in [
            ("expected_start_time", run.expected_start_time, row.expected_start_time),
            ("next_scheduled_start_time", run.next_scheduled_start_time, row.next_scheduled_start_time),
            ("end_time", run.end_time, row.end_time),
        ] {
            if new.is_some() && new != old {
                set(column, new.into());
            }
        }
        let mut some = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                set(column, value);
            }
        };
        some("cache_key", run.cache_key.clone().map(Value::Text));
        some("cache_expiration", run.cache_expiration.map(Value::Time));
        some("task_version", run.task_version.clone().map(Value::Text));
        some("empirical_policy", run.empirical_policy.as_ref().map(json));
        some("tags", run.tags.as_deref().map(json_list));
        some("labels", run.labels.clone().map(Value::from));
        some("task_inputs", run.task_inputs.clone().map(Value::from));
        some("run_count", run.run_count.map(Value::Int));
        some("flow_run_run_count", run.flow_run_run_count.map(Value::Int));
        some("start_time", run.start_time.map(Value::Time));
        some("total_run_time", run.total_run_time.map(Value::Float));
        sql.push(" WHERE id = ").bind(row.id);
        sql
    }
}

/// Conflicts decide again which state is newer: on PostgreSQL another server may have come first.
fn upsert_tail() -> String {
    let mut tail = String::from("ON CONFLICT (id) DO UPDATE SET ");
    let columns = COLUMNS.iter().filter(|column| !["id", "workspace_id", "created"].contains(column));
    for (index, column) in columns.enumerate() {
        if index > 0 {
            tail.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = if KEPT.contains(column) {
            write!(tail, "{column} = coalesce(excluded.{column}, task_run.{column})")
        } else {
            write!(tail, "{column} = excluded.{column}")
        };
    }
    let _ = write!(
        tail,
        " WHERE task_run.state_timestamp IS NULL OR task_run.state_timestamp < excluded.state_timestamp OR \
         (task_run.state_timestamp = excluded.state_timestamp AND task_run.state_type NOT IN {TERMINAL} \
         AND excluded.state_type IN {TERMINAL})"
    );
    tail
}

fn is_newer(state: &State, row: &Existing) -> bool {
    match row.state_timestamp {
        None => true,
        Some(stored) if stored == state.timestamp => {
            state.is_terminal() && !row.state_type.is_some_and(StateType::is_terminal)
        }
        Some(stored) => stored < state.timestamp,
    }
}

fn state_row(state: &State, task_run_id: Uuid) -> (Timestamp, Vec<Value>) {
    let row = vec![
        Value::Uuid(state.id.0),
        Value::Uuid(task_run_id),
        Value::Time(state.timestamp),
        state.kind.into(),
        Value::Text(state.name.clone()),
        state.message.clone().into(),
        Value::Json(state.to_stored_json()),
    ];
    (state.timestamp, row)
}
