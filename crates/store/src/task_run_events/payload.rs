//! Reads a task run and its state out of the payload of the event that tells of it.

use serde::Deserialize;
use tidegate_core::{
    ids::StateId,
    json::Json,
    orchestration::TaskRunPolicy,
    state::{State, StateDetails, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use super::NaturalKey;

/// Why an event that should tell of a task run could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("its resource is not a task run")]
    Resource,
    #[error("its payload does not describe a task run: {0}")]
    Payload(#[from] serde_json::Error),
}

/// What one event tells of a task run.
#[derive(Clone, Debug)]
pub struct TaskRunRecord {
    pub event_id: Uuid,
    pub task_run_id: Uuid,
    pub flow_run_id: Option<Uuid>,
    pub state: State,
    pub(super) run: Told,
}

#[derive(Deserialize)]
struct Payload {
    validated_state: ToldState,
    task_run: Told,
}

#[derive(Deserialize)]
struct ToldState {
    #[serde(rename = "type")]
    kind: StateType,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    data: Option<Json>,
    #[serde(default)]
    state_details: Option<StateDetails>,
}

/// The fields of the run that the event carries; engines leave out those without a value.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    pub(super) task_key: String,
    pub(super) dynamic_key: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) cache_key: Option<String>,
    #[serde(default)]
    pub(super) cache_expiration: Option<Timestamp>,
    #[serde(default)]
    pub(super) task_version: Option<String>,
    #[serde(default)]
    pub(super) empirical_policy: Option<TaskRunPolicy>,
    #[serde(default)]
    pub(super) tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) labels: Option<Json>,
    #[serde(default)]
    pub(super) task_inputs: Option<Json>,
    #[serde(default)]
    pub(super) run_count: Option<i64>,
    #[serde(default)]
    pub(super) flow_run_run_count: Option<i64>,
    #[serde(default)]
    pub(super) expected_start_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) next_scheduled_start_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) start_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) end_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) total_run_time: Option<f64>,
}

impl TaskRunRecord {
    /// `resource_id` and `flow_run` are the ids of the event's resource and of its related flow run (`prefect.….<uuid>`).
    pub fn read(
        event_id: Uuid,
        occurred: Timestamp,
        resource_id: &str,
        flow_run: Option<&str>,
        payload: &str,
    ) -> Result<Self, Unreadable> {
        let task_run_id = object_id(resource_id, "prefect.task-run.").ok_or(Unreadable::Resource)?;
        let flow_run_id = flow_run.and_then(|id| object_id(id, "prefect.flow-run."));
        let Payload { validated_state: told, task_run } = serde_json::from_str(payload)?;
        let state = State {
            id: StateId(event_id),
            kind: told.kind,
            name: told.name.filter(|name| !name.is_empty()).unwrap_or_else(|| told.kind.default_name().to_owned()),
            timestamp: occurred,
            message: told.message,
            data: told.data.filter(|data| !data.is_null()),
            state_details: StateDetails {
                task_run_id: Some(task_run_id),
                flow_run_id,
                ..told.state_details.unwrap_or_default()
            },
        };
        Ok(Self { event_id, task_run_id, flow_run_id, state, run: task_run })
    }

    pub(super) fn natural_key(&self) -> Option<NaturalKey> {
        Some((self.flow_run_id?, self.run.task_key.clone(), self.run.dynamic_key.clone()))
    }

    /// This record, with what it leaves out taken from an older one of the same run.
    pub(super) fn after(mut self, older: Self) -> Self {
        macro_rules! fill {
            ($($field:ident),*) => { $(self.run.$field = self.run.$field.take().or(older.run.$field);)* };
        }
        fill!(
            name,
            cache_key,
            cache_expiration,
            task_version,
            empirical_policy,
            tags,
            labels,
            task_inputs,
            run_count,
            flow_run_run_count,
            expected_start_time,
            next_scheduled_start_time,
            start_time,
            end_time,
            total_run_time
        );
        self
    }
}

fn object_id(resource_id: &str, prefix: &str) -> Option<Uuid> {
    Uuid::parse_str(resource_id.strip_prefix(prefix)?).ok()
}
