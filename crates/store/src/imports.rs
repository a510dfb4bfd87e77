//! Runs that ended at another server, written as they were there: ids, times and states are kept, no rule is asked and no
//! event tells of them. Writing them again changes nothing.

use std::collections::{BTreeMap, HashSet};

use tidegate_api::{
    artifacts::Artifact,
    flow_runs::FlowRun,
    imports::{History, Imported, PastFlowRun, PastTaskRun},
    logs::Log,
    task_runs::TaskRun,
};
use tidegate_core::{state::State, time::Timestamp};
use uuid::Uuid;

use crate::{
    LogRecord, Result, Tx, sql,
    value::{Value, json, json_list},
};

const FLOW_RUN: &str = "INSERT INTO flow_run (id, workspace_id, created, updated, name, flow_id, deployment_id, \
    deployment_version, work_queue_id, work_queue_name, flow_version, parameters, idempotency_key, context, \
    empirical_policy, tags, labels, parent_task_run_id, auto_scheduled, infrastructure_document_id, infrastructure_pid, \
    created_by, job_variables, state_id, state_type, state_name, state_timestamp, state, run_count, expected_start_time, \
    next_scheduled_start_time, start_time, end_time, total_run_time, owner_token, attempt)";

const TASK_RUN: &str = "INSERT INTO task_run (id, workspace_id, created, updated, name, flow_run_id, task_key, dynamic_key, \
    cache_key, cache_expiration, task_version, empirical_policy, tags, labels, task_inputs, state_id, state_type, \
    state_name, state_timestamp, state, run_count, flow_run_run_count, expected_start_time, next_scheduled_start_time, \
    start_time, end_time, total_run_time)";

const ARTIFACT: &str = "INSERT INTO artifact (id, workspace_id, created, updated, key, type, description, data, metadata, \
    flow_run_id, task_run_id)";

impl Tx {
    /// Writes what is not there yet. A flow run of an unknown flow is a constraint's failure.
    pub async fn import_history(&mut self, history: &History) -> Result<Imported> {
        Ok(Imported {
            logs: self.import_logs(&history.logs).await?,
            artifacts: self.import_artifacts(&history.artifacts).await?,
            task_runs: self.import_task_runs(&history.task_runs).await?,
            flow_runs: self.import_flow_runs(&history.flow_runs).await?,
        })
    }

    async fn import_flow_runs(&mut self, runs: &[PastFlowRun]) -> Result<usize> {
        let mut rows = Vec::with_capacity(runs.len());
        for PastFlowRun { flow_run: run, .. } in runs {
            self.require_row("flow", run.flow_id).await?;
            let key = match &run.idempotency_key {
                // Another run may have taken the key since.
                Some(key) => {
                    let holder = self.read_flow_run_by_key(run.flow_id, key).await?;
                    holder.is_none_or(|holder| holder.id == run.id).then(|| key.clone())
                }
                None => None,
            };
            rows.push(self.flow_run_row(run, key));
        }
        let new: HashSet<Uuid> = self.insert_new(FLOW_RUN, rows).await?.into_iter().collect();
        for PastFlowRun { flow_run: run, states } in runs.iter().filter(|past| new.contains(&past.flow_run.id)) {
            for state in states {
                self.insert_flow_run_state(run.id, state).await?;
            }
        }
        Ok(new.len())
    }

    fn flow_run_row(&self, run: &FlowRun, idempotency_key: Option<String>) -> Vec<Value> {
        let now = self.now();
        let mut row = vec![
            run.id.into(),
            self.workspace().into(),
            run.created.unwrap_or(now).into(),
            run.updated.unwrap_or(now).into(),
            Value::from(&run.name),
            run.flow_id.into(),
            run.deployment_id.into(),
            run.deployment_version.clone().into(),
            run.work_queue_id.into(),
            run.work_queue_name.clone().into(),
            run.flow_version.clone().into(),
            Value::from(&run.parameters),
            idempotency_key.into(),
            Value::from(&run.context),
            json(&run.empirical_policy),
            json_list(&run.tags),
            Value::from(&run.labels),
            run.parent_task_run_id.into(),
            run.auto_scheduled.into(),
            run.infrastructure_document_id.into(),
            run.infrastructure_pid.clone().into(),
            run.created_by.as_ref().map_or(Value::Null, json),
            run.job_variables.clone().into(),
        ];
        row.extend(state_columns(run.state.as_ref()));
        row.extend([
            run.run_count.into(),
            run.expected_start_time.into(),
            run.next_scheduled_start_time.into(),
            run.start_time.into(),
            run.end_time.into(),
            run.total_run_time.into(),
            0_i64.into(),
            0_i64.into(),
        ]);
        row
    }

    async fn import_task_runs(&mut self, runs: &[PastTaskRun]) -> Result<usize> {
        let rows = runs.iter().map(|past| self.past_task_run_row(&past.task_run)).collect();
        let new: HashSet<Uuid> = self.insert_new(TASK_RUN, rows).await?.into_iter().collect();
        for PastTaskRun { task_run: run, states } in runs.iter().filter(|past| new.contains(&past.task_run.id)) {
            for state in states {
                self.insert_task_run_state(run.id, state).await?;
            }
        }
        Ok(new.len())
    }

    fn past_task_run_row(&self, run: &TaskRun) -> Vec<Value> {
        let now = self.now();
        let mut row = vec![
            run.id.into(),
            self.workspace().into(),
            run.created.unwrap_or(now).into(),
            run.updated.unwrap_or(now).into(),
            Value::from(&run.name),
            run.flow_run_id.into(),
            Value::from(&run.task_key),
            Value::from(&run.dynamic_key),
            run.cache_key.clone().into(),
            run.cache_expiration.into(),
            run.task_version.clone().into(),
            json(&run.empirical_policy),
            json_list(&run.tags),
            run.labels.clone().into(),
            Value::from(&run.task_inputs),
        ];
        row.extend(state_columns(run.state.as_ref()));
        row.extend([
            run.run_count.into(),
            run.flow_run_run_count.into(),
            run.expected_start_time.into(),
            run.next_scheduled_start_time.into(),
            run.start_time.into(),
            run.end_time.into(),
            run.total_run_time.into(),
        ]);
        row
    }

    async fn import_artifacts(&mut self, artifacts: &[Artifact]) -> Result<usize> {
        let now = self.now();
        let row = |artifact: &Artifact| {
            vec![
                artifact.id.into(),
                self.workspace().into(),
                artifact.created.unwrap_or(now).into(),
                artifact.updated.unwrap_or(now).into(),
                artifact.key.clone().into(),
                artifact.kind.clone().into(),
                artifact.description.clone().into(),
                artifact.data.clone().into(),
                artifact.metadata_.clone().into(),
                artifact.flow_run_id.into(),
                artifact.task_run_id.into(),
            ]
        };
        let rows = artifacts.iter().map(row).collect();
        let new: HashSet<Uuid> = self.insert_new(ARTIFACT, rows).await?.into_iter().collect();
        for artifact in artifacts.iter().filter(|artifact| new.contains(&artifact.id)) {
            if let Some(key) = &artifact.key
                && !self.has_newer_artifact(key, artifact.created.unwrap_or(now)).await?
            {
                self.point_to(artifact.id).await?;
            }
        }
        Ok(new.len())
    }

    async fn has_newer_artifact(&mut self, key: &str, than: Timestamp) -> Result<bool> {
        let latest = sql!(
            "SELECT artifact.created FROM artifact_collection JOIN artifact ON artifact.id = artifact_collection.latest_id \
             WHERE artifact_collection.workspace_id = $1 AND artifact_collection.key = $2",
            self.workspace(),
            key
        );
        let latest: Option<Timestamp> = self.optional(&latest, |row| row.next()).await?;
        Ok(latest.is_some_and(|latest| latest > than))
    }

    /// Records have no index of their ids: those of a run and a time are looked at.
    async fn import_logs(&mut self, logs: &[Log]) -> Result<usize> {
        let mut by_run: BTreeMap<Uuid, Vec<&Log>> = BTreeMap::new();
        for log in logs {
            // Of no run at all: such records are not a run's history.
            let Some(run) = log.flow_run_id else { continue };
            by_run.entry(run).or_default().push(log);
        }
        let mut count = 0;
        for (run, logs) in by_run {
            let times = logs.iter().map(|log| log.timestamp);
            let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { continue };
            let known = sql!(
                "SELECT id FROM log WHERE flow_run_id = $1 AND timestamp >= $2 AND timestamp <= $3",
                run,
                first,
                last
            );
            let known: HashSet<Uuid> = self.all(&known, |row| row.next()).await?.into_iter().collect();
            let new: Vec<LogRecord> = logs.into_iter().filter(|log| !known.contains(&log.id)).map(record).collect();
            self.create_logs(&new).await?;
            count += new.len();
        }
        Ok(count)
    }
}

/// `state_id`, `state_type`, `state_name`, `state_timestamp` and `state`.
fn state_columns(state: Option<&State>) -> [Value; 5] {
    [
        state.map(|state| state.id.0).into(),
        state.map(|state| state.kind).into(),
        state.map(|state| state.name.clone()).into(),
        state.map(|state| state.timestamp).into(),
        state.map_or(Value::Null, |state| Value::Json(state.to_stored_json())),
    ]
}

fn record(log: &Log) -> LogRecord {
    LogRecord {
        id: log.id,
        timestamp: log.timestamp,
        name: log.name.clone(),
        level: log.level,
        message: log.message.clone(),
        flow_run_id: log.flow_run_id,
        task_run_id: log.task_run_id,
    }
}
