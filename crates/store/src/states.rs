//! The histories of states, and the results that states carry.

use tidegate_core::{
    json::Json,
    state::{State, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{Result, Tx, partition::Partitioned, sql, value::Value};

impl Tx {
    pub(crate) async fn insert_flow_run_state(&mut self, run: Uuid, state: &State) -> Result<()> {
        self.insert_state(Partitioned::FlowRunState, "flow_run_id", run, state).await
    }

    pub(crate) async fn insert_task_run_state(&mut self, run: Uuid, state: &State) -> Result<()> {
        self.insert_state(Partitioned::TaskRunState, "task_run_id", run, state).await
    }

    async fn insert_state(&mut self, table: Partitioned, run_column: &str, run: Uuid, state: &State) -> Result<()> {
        let row = vec![
            Value::from(state.id.0),
            run.into(),
            state.timestamp.into(),
            state.kind.into(),
            Value::from(&state.name),
            state.message.clone().into(),
            Value::Json(state.to_stored_json()),
        ];
        let columns = format!("id, {run_column}, timestamp, type, name, message, state");
        self.insert_partitioned(table, &columns, "", vec![(state.timestamp, row)]).await.map(drop)
    }

    /// The states of a flow run, oldest first.
    pub async fn list_flow_run_states(&mut self, run: Uuid) -> Result<Vec<State>> {
        let sql = sql!("SELECT state FROM flow_run_state WHERE flow_run_id = $1 ORDER BY timestamp", run);
        self.all(&sql, |row| row.parse()).await
    }

    pub async fn list_task_run_states(&mut self, run: Uuid) -> Result<Vec<State>> {
        let sql = sql!("SELECT state FROM task_run_state WHERE task_run_id = $1 ORDER BY timestamp", run);
        self.all(&sql, |row| row.parse()).await
    }

    pub async fn read_flow_run_state(&mut self, id: Uuid) -> Result<Option<State>> {
        self.optional(&sql!("SELECT state FROM flow_run_state WHERE id = $1", id), |row| row.parse()).await
    }

    pub async fn read_task_run_state(&mut self, id: Uuid) -> Result<Option<State>> {
        self.optional(&sql!("SELECT state FROM task_run_state WHERE id = $1", id), |row| row.parse()).await
    }

    /// A state that points at a stored result makes an artifact of it, as clients that list artifacts expect.
    pub(crate) async fn insert_result_artifact(
        &mut self,
        state: &State,
        flow_run: Option<Uuid>,
        task_run: Option<Uuid>,
    ) -> Result<()> {
        if !state.has_persisted_data() {
            return Ok(());
        }
        let Some(data) = &state.data else { return Ok(()) };
        let mut data = data.value();
        let mut take = |key: &str| {
            data.as_object_mut()
                .and_then(|map| map.shift_remove(key))
                .and_then(|value| value.as_str().map(ToOwned::to_owned))
        };
        let (key, kind, description) = (take("artifact_key"), take("artifact_type"), take("artifact_description"));
        self.execute(&sql!(
            "INSERT INTO artifact (id, workspace_id, created, updated, key, type, description, data, flow_run_id, task_run_id) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9)",
            Uuid::now_v7(),
            self.workspace(),
            self.now(),
            key,
            kind,
            description,
            Json::from_value(&data),
            flow_run,
            task_run,
        ))
        .await
        .map(drop)
    }
}

/// When a state was entered and what it was: enough for graphs and histories.
pub struct StateMark {
    pub id: Uuid,
    pub kind: StateType,
    pub name: String,
    pub timestamp: Timestamp,
}

impl Tx {
    pub async fn list_flow_run_state_marks(&mut self, run: Uuid) -> Result<Vec<StateMark>> {
        let sql =
            sql!("SELECT id, type, name, timestamp FROM flow_run_state WHERE flow_run_id = $1 ORDER BY timestamp", run);
        self.all(&sql, |row| {
            Ok(StateMark { id: row.next()?, kind: row.next()?, name: row.next()?, timestamp: row.next()? })
        })
        .await
    }
}
