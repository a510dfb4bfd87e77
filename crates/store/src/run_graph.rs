//! What a flow run's graph is made of: its task runs and sub-flows, and which of them fed which.

use std::collections::HashMap;

use serde::Deserialize;
use tidegate_core::{json::Json, state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::{Result, Tx, sql};

/// A task run, or the sub-flow run that it stands for.
#[derive(Clone, Debug)]
pub struct GraphRow {
    pub id: Uuid,
    pub is_flow_run: bool,
    pub label: String,
    pub state_type: StateType,
    pub start_time: Timestamp,
    pub end_time: Option<Timestamp>,
    /// Runs that this one's inputs came from, one for each input.
    pub inputs: Vec<Uuid>,
    /// Task runs that were open when this one was called.
    pub encapsulating: Vec<Uuid>,
}

/// An artifact that a run of the graph made.
#[derive(Clone, Debug)]
pub struct GraphArtifactRow {
    pub id: Uuid,
    pub created: Timestamp,
    pub key: Option<String>,
    pub kind: Option<String>,
    pub data: Option<Json>,
    pub is_latest: bool,
    pub task_run_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct Input {
    id: Option<Uuid>,
}

impl Tx {
    /// The rows of a run's graph by start time, at most `limit`.
    pub async fn list_graph_rows(&mut self, flow_run: Uuid, limit: usize) -> Result<Vec<GraphRow>> {
        let sql = sql!(
            "SELECT task_run.id, child.id, flow.name, child.name, task_run.name, \
             coalesce(child.state_type, task_run.state_type), \
             coalesce(child.start_time, child.expected_start_time, task_run.start_time, task_run.expected_start_time), \
             coalesce(child.end_time, task_run.end_time, \
                CASE WHEN task_run.state_type = 'COMPLETED' THEN task_run.expected_start_time END), \
             task_run.task_inputs \
             FROM task_run LEFT JOIN flow_run AS child ON child.parent_task_run_id = task_run.id \
             LEFT JOIN flow ON flow.id = child.flow_id \
             WHERE task_run.flow_run_id = $1 AND task_run.state_type IS NOT NULL \
             AND coalesce(child.start_time, child.expected_start_time, task_run.start_time, task_run.expected_start_time) IS NOT NULL \
             ORDER BY 7, 8, task_run.id LIMIT $2",
            flow_run,
            limit as i64,
        );
        let rows = self
            .all(&sql, |row| {
                let (task, child): (Uuid, Option<Uuid>) = (row.next()?, row.next()?);
                let names: (Option<String>, Option<String>, String) = (row.next()?, row.next()?, row.next()?);
                let label = match names {
                    (Some(flow), Some(run), _) => format!("{flow} / {run}"),
                    (_, _, task) => task,
                };
                let (state_type, start_time, end_time) = (row.next()?, row.next()?, row.next()?);
                let inputs: HashMap<String, Vec<Input>> = row.parse().unwrap_or_default();
                let ids = |wanted: fn(&str) -> bool| -> Vec<Uuid> {
                    let chosen = inputs.iter().filter(|(key, _)| wanted(key));
                    chosen.flat_map(|(_, inputs)| inputs.iter().filter_map(|input| input.id)).collect()
                };
                let row = GraphRow {
                    id: child.unwrap_or(task),
                    is_flow_run: child.is_some(),
                    label,
                    state_type,
                    start_time,
                    end_time,
                    inputs: ids(|key| key != "__parents__"),
                    encapsulating: ids(|key| key == "__parents__"),
                };
                Ok(row)
            })
            .await?;
        Ok(rows)
    }

    /// The artifacts of a run that people look at, oldest first.
    pub async fn list_graph_artifacts(&mut self, flow_run: Uuid, limit: usize) -> Result<Vec<GraphArtifactRow>> {
        let sql = sql!(
            "SELECT artifact.id, artifact.created, artifact.key, artifact.type, artifact.data, collection.id, \
             artifact.task_run_id FROM artifact LEFT JOIN artifact_collection AS collection ON collection.latest_id = artifact.id \
             WHERE artifact.flow_run_id = $1 AND artifact.type <> 'result' ORDER BY artifact.created, artifact.id LIMIT $2",
            flow_run,
            limit as i64,
        );
        self.all(&sql, |row| {
            let (id, created, key, kind): (_, _, Option<String>, Option<String>) =
                (row.next()?, row.next()?, row.next()?, row.next()?);
            let data: Option<Json> = row.next()?;
            let latest = row.next::<Option<Uuid>>()?.is_some();
            Ok(GraphArtifactRow {
                id,
                created,
                is_latest: key.is_none() || latest,
                key,
                data: data.filter(|_| kind.as_deref() == Some("progress")),
                kind,
                task_run_id: row.next()?,
            })
        })
        .await
    }
}
