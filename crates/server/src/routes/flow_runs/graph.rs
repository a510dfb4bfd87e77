//! The graph of a flow run: nodes for its task runs and sub-flows, edges for what fed what.

use std::collections::{HashMap, HashSet};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidegate_core::{json::Json as RawJson, state::StateType, time::Timestamp};
use tidegate_store::{
    Tx,
    run_graph::{GraphArtifactRow, GraphRow},
};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Db, Id, Params},
};

#[derive(Serialize)]
pub struct Graph {
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    root_node_ids: Vec<Uuid>,
    nodes: Vec<(Uuid, Node)>,
    artifacts: Vec<Artifact>,
    states: Vec<StateMark>,
}

#[derive(Serialize)]
struct Node {
    kind: &'static str,
    id: Uuid,
    label: String,
    state_type: StateType,
    start_time: Timestamp,
    end_time: Option<Timestamp>,
    parents: Vec<Edge>,
    children: Vec<Edge>,
    encapsulating: Vec<Edge>,
    artifacts: Vec<Artifact>,
}

#[derive(Clone, Serialize)]
struct Edge {
    id: Uuid,
}

#[derive(Serialize)]
struct Artifact {
    id: Uuid,
    created: Timestamp,
    key: Option<String>,
    r#type: Option<String>,
    is_latest: bool,
    data: Option<RawJson>,
}

#[derive(Serialize)]
struct StateMark {
    id: Uuid,
    timestamp: Timestamp,
    r#type: StateType,
    name: String,
}

#[derive(Deserialize)]
pub struct Since {
    since: Option<Timestamp>,
}

pub async fn read(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Params(query): Params<Since>,
) -> Result<Json<Graph>, ApiError> {
    let (most_nodes, most_artifacts) = (app.settings.graph_max_nodes, app.settings.graph_max_artifacts);
    let since = query.since.unwrap_or(Timestamp::UNIX_EPOCH);
    store
        .read(async move |tx: &mut Tx| {
            let run = tx
                .read_flow_run(id)
                .await?
                .ok_or_else(|| ApiError::ObjectNotFound(format!("Flow run {id} not found")))?;
            let rows = tx.list_graph_rows(id, most_nodes + 1).await?;
            if rows.len() > most_nodes {
                return Err(ApiError::bad_request(format!(
                    "The graph of flow run {id} has more than {most_nodes} nodes."
                )));
            }
            let mut artifacts: HashMap<Option<Uuid>, Vec<Artifact>> = HashMap::new();
            for row in tx.list_graph_artifacts(id, most_artifacts).await? {
                artifacts.entry(row.task_run_id).or_default().push(artifact(row));
            }
            let states = tx.list_flow_run_state_marks(id).await?;
            let marks = states.into_iter().map(|state| StateMark {
                id: state.id,
                timestamp: state.timestamp,
                r#type: state.kind,
                name: state.name,
            });
            let own = artifacts.remove(&None).unwrap_or_default();
            let (root_node_ids, nodes) = nodes(rows, artifacts, since);
            Ok(Json(Graph {
                start_time: run.start_time.or(run.expected_start_time),
                end_time: run.end_time,
                root_node_ids,
                nodes,
                artifacts: own,
                states: marks.collect(),
            }))
        })
        .await
}

fn artifact(row: GraphArtifactRow) -> Artifact {
    Artifact {
        id: row.id,
        created: row.created,
        key: row.key,
        r#type: row.kind,
        is_latest: row.is_latest,
        data: row.data,
    }
}

/// Turns rows into nodes that are open or ended after `since`; their edges also lead to the others. Edges come in the order
/// of start times.
fn nodes(
    rows: Vec<GraphRow>,
    mut artifacts: HashMap<Option<Uuid>, Vec<Artifact>>,
    since: Timestamp,
) -> (Vec<Uuid>, Vec<(Uuid, Node)>) {
    let known: HashSet<Uuid> = rows.iter().map(|row| row.id).collect();
    let rank: HashMap<Uuid, usize> = rows.iter().enumerate().map(|(index, row)| (row.id, index)).collect();
    let mut children: HashMap<Uuid, Vec<Edge>> = HashMap::new();
    for row in &rows {
        for parent in row.inputs.iter().filter(|parent| known.contains(parent)) {
            children.entry(*parent).or_default().push(Edge { id: row.id });
        }
    }
    let edges = |ids: Vec<Uuid>| -> Vec<Edge> {
        let mut ids: Vec<Uuid> = ids.into_iter().filter(|id| known.contains(id)).collect();
        ids.sort_by_key(|id| rank.get(id).copied());
        ids.into_iter().map(|id| Edge { id }).collect()
    };
    let mut roots = Vec::new();
    let mut nodes = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|row| row.end_time.is_none_or(|end| end >= since)) {
        let parents = edges(row.inputs);
        if parents.is_empty() {
            roots.push(row.id);
        }
        let node = Node {
            kind: if row.is_flow_run { "flow-run" } else { "task-run" },
            id: row.id,
            label: row.label,
            state_type: row.state_type,
            start_time: row.start_time,
            end_time: row.end_time,
            parents,
            children: children.remove(&row.id).unwrap_or_default(),
            encapsulating: edges(once(row.encapsulating)),
            artifacts: artifacts.remove(&Some(row.id)).unwrap_or_default(),
        };
        nodes.push((row.id, node));
    }
    (roots, nodes)
}

/// Each id once, in the order of first mention.
fn once(ids: Vec<Uuid>) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}
