//! How a flow run begins: its row, its labels and its first state, which is a change like any other.

use tidegate_api::flow_runs::FlowRun;
use tidegate_core::{
    ids::{DeploymentId, FlowRunId, LeaseId, StateId, TaskRunId},
    json::Json,
    orchestration::{FlowRun as RunFacts, FlowRunFacts, FlowRunPolicyKind, Ruling, Waits, decide_flow_run},
    state::{State, StateCreate},
    time::Timestamp,
};
use uuid::Uuid;

use super::{NewFlowRun, estimated_run_time, start_time_delta};
use crate::{
    Error, Result, RunNames, StateChange, Surroundings, Tx, sql,
    value::{Value, json, json_list},
};

impl Tx {
    /// Inserts a flow run with its first state, or answers the one that its idempotency key names. The boolean tells whether
    /// it was created. Unknown flows are a constraint's failure.
    pub async fn create_flow_run(&mut self, new: NewFlowRun, first: StateCreate) -> Result<(FlowRun, bool)> {
        // An empty key names no run, but cannot be used twice either: the constraint says so, as in the reference.
        if let Some(key) = new.idempotency_key.as_ref().filter(|key| !key.is_empty())
            && let Some(existing) = self.read_flow_run_by_key(new.flow_id, key).await?
        {
            return Ok((existing, false));
        }
        let id = Uuid::now_v7();
        let now = self.now();
        self.require_references(&new).await?;
        let around =
            self.read_surroundings(new.flow_id, new.deployment_id, new.work_queue_id, new.parent_task_run_id).await?;
        let labels = flow_run_labels(&new, &around);
        let run = RunFacts {
            id: FlowRunId(id),
            deployment_id: new.deployment_id.map(DeploymentId),
            parent_task_run_id: new.parent_task_run_id.map(TaskRunId),
            infrastructure_pid: None,
            run_count: 0,
            start_time: None,
            end_time: None,
            total_run_time: 0.0,
            expected_start_time: None,
            next_scheduled_start_time: None,
            empirical_policy: new.empirical_policy.clone(),
        };
        let proposed = first.into_state(StateId::new(), now);
        let facts = first_facts(run, now);
        let ruling = decide_flow_run(proposed, &facts);
        let (run, state) = (&ruling.run, ruling.state.as_ref());
        self.execute(&sql!(
            "INSERT INTO flow_run (id, workspace_id, created, updated, name, flow_id, deployment_id, deployment_version, \
             work_queue_id, work_queue_name, flow_version, parameters, idempotency_key, context, empirical_policy, tags, \
             labels, parent_task_run_id, auto_scheduled, infrastructure_document_id, created_by, job_variables, state_id, \
             state_type, state_name, state_timestamp, state, run_count, expected_start_time, next_scheduled_start_time, \
             start_time, end_time, total_run_time, owner_token, attempt) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, 0, 0)",
            id,
            self.workspace(),
            now,
            &new.name,
            new.flow_id,
            new.deployment_id,
            new.deployment_version.clone(),
            new.work_queue_id,
            new.work_queue_name.clone(),
            new.flow_version.clone(),
            &new.parameters,
            new.idempotency_key.clone(),
            &new.context,
            json(&run.empirical_policy),
            json_list(&new.tags),
            &labels,
            new.parent_task_run_id,
            new.auto_scheduled,
            new.infrastructure_document_id,
            new.created_by.as_ref().map_or(Value::Null, json),
            new.job_variables.clone(),
            state.map(|state| state.id.0),
            state.map(|state| state.kind),
            state.map(|state| state.name.clone()),
            state.map(|state| state.timestamp),
            state.map_or(Value::Null, |state| Value::Json(state.to_stored_json())),
            run.run_count,
            run.expected_start_time,
            run.next_scheduled_start_time,
            run.start_time,
            run.end_time,
            run.total_run_time,
        ))
        .await?;
        if let Some(state) = state {
            let change = StateChange {
                flow_run_id: id,
                flow_run_name: &new.name,
                run_count: run.run_count,
                tags: &new.tags,
                created_by: new.created_by.as_ref(),
                initial: None,
                validated: state,
            };
            self.after_flow_run_state(&change, &around.names, run.next_scheduled_start_time).await?;
        }
        self.apply_flow_run_effects(id, &ruling.effects).await?;
        Ok((created(new, labels, around.names, ruling, now), true))
    }

    /// What a new run points at has to be there; a pointer to nothing is a constraint's failure.
    async fn require_references(&mut self, new: &NewFlowRun) -> Result<()> {
        for (table, id) in [("task_run", new.parent_task_run_id), ("block_document", new.infrastructure_document_id)] {
            let Some(id) = id else { continue };
            self.require_row(table, id).await?;
        }
        Ok(())
    }

    /// Fails as a foreign key would when `table` has no row of this id.
    pub(crate) async fn require_row(&mut self, table: &'static str, id: Uuid) -> Result<()> {
        let found = self.optional(&sql!(format!("SELECT 1 FROM {table} WHERE id = $1"), id), |_| Ok(())).await?;
        found.ok_or_else(|| Error::Constraint(format!("there is no {table} {id}")))
    }
}

/// Labels of a new run: its flow's, its deployment's, the system's and the user's, later ones winning.
fn flow_run_labels(new: &NewFlowRun, around: &Surroundings) -> Json {
    let mut system = serde_json::json!({ "prefect.flow.id": new.flow_id });
    if let Some((id, _, _)) = &around.names.deployment {
        system["prefect.deployment.id"] = id.to_string().into();
    }
    let inherited = [around.flow_labels.as_ref(), around.deployment_labels.as_ref()].into_iter().flatten();
    let mut layers = inherited.filter(|labels| says_something(labels)).cloned().chain([system.into()]);
    let under = layers.next().unwrap_or_default();
    let own = new.labels.clone().filter(says_something);
    layers.chain(own).fold(under, |under, over| under.merged(&over))
}

fn says_something(labels: &Json) -> bool {
    !matches!(labels.text(), "{}" | "null")
}

/// The run as reading its row would give it.
fn created(new: NewFlowRun, labels: Json, names: RunNames, ruling: Ruling<RunFacts>, now: Timestamp) -> FlowRun {
    let (run, state) = (ruling.run, ruling.state.map(State::stored));
    let state_type = state.as_ref().map(|state| state.kind);
    FlowRun {
        id: run.id.0,
        created: Some(now),
        updated: Some(now),
        name: new.name,
        flow_id: new.flow_id,
        state_id: state.as_ref().map(|state| state.id.0),
        deployment_id: new.deployment_id,
        deployment_version: new.deployment_version,
        work_queue_id: new.work_queue_id,
        work_queue_name: names.work_queue.map(|(_, name)| name).or(new.work_queue_name),
        flow_version: new.flow_version,
        parameters: new.parameters,
        idempotency_key: new.idempotency_key,
        context: new.context,
        empirical_policy: run.empirical_policy,
        tags: new.tags,
        labels,
        parent_task_run_id: new.parent_task_run_id,
        state_type,
        state_name: state.as_ref().map(|state| state.name.clone()),
        run_count: run.run_count,
        estimated_run_time: estimated_run_time(
            state_type,
            state.as_ref().map(|state| state.timestamp),
            run.total_run_time,
            now,
        ),
        estimated_start_time_delta: start_time_delta(state_type, run.start_time, run.expected_start_time, now),
        expected_start_time: run.expected_start_time,
        next_scheduled_start_time: run.next_scheduled_start_time,
        start_time: run.start_time,
        end_time: run.end_time,
        total_run_time: run.total_run_time,
        auto_scheduled: new.auto_scheduled,
        infrastructure_document_id: new.infrastructure_document_id,
        infrastructure_pid: None,
        created_by: new.created_by,
        work_pool_id: names.work_pool.as_ref().map(|(id, _, _)| *id),
        work_pool_name: names.work_pool.map(|(_, name, _)| name),
        state,
        job_variables: new.job_variables,
    }
}

fn first_facts(run: RunFacts, now: Timestamp) -> FlowRunFacts {
    FlowRunFacts {
        now,
        policy: FlowRunPolicyKind::Minimal,
        client_version: None,
        api_version: None,
        run,
        state: None,
        deployment: None,
        lease_is_live: false,
        owner: None,
        last_token: 0,
        presented_token: None,
        claim: None,
        new_lease_id: LeaseId::new(),
        random: 0.5,
        waits: Waits::default(),
    }
}
