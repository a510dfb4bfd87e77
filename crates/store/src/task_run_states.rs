//! How a task run's state changes over HTTP: facts, ruling, and everything it entails, in one transaction.

use tidegate_api::{
    concurrency_limits::ConcurrencyLeaseHolder,
    orchestration::OrchestrationResult,
    task_runs::{TaskRun, TaskRunCreate},
};
use tidegate_core::{
    ids::{FlowRunId, LeaseId, StateId, TaskRunId},
    json::{Json, Object},
    orchestration::{
        Effect, FlowRunPolicy, ParentFlowRun, Ruling, TagLimit, TaskRun as RunFacts, TaskRunFacts, TaskRunPolicyKind,
        Version, Waits, decide_task_run,
    },
    state::{State, StateCreate, StateType},
    time::OffsetTimestamp,
};
use uuid::Uuid;

use crate::{
    Error, Result, Tx,
    flow_run_states::{FOR_EVER_SECONDS, answer},
    sql,
    value::{Value, json, json_list},
};

/// Who proposes a task run's change, and by which rules it is judged.
#[derive(Clone, Debug)]
pub struct TaskProposal {
    pub policy: TaskRunPolicyKind,
    pub client_version: Option<Version>,
    pub api_version: Option<Version>,
    pub max_cache_key_length: usize,
    pub waits: Waits,
    /// In [0, 1).
    pub random: f64,
}

impl TaskProposal {
    /// By the server itself, by force.
    pub fn internal() -> Self {
        Self {
            policy: TaskRunPolicyKind::Minimal,
            client_version: None,
            api_version: None,
            max_cache_key_length: 2000,
            waits: Waits::default(),
            random: 0.5,
        }
    }
}

impl Tx {
    /// Proposes a state for a task run. `None` when there is no such run.
    pub async fn set_task_run_state(
        &mut self,
        id: Uuid,
        proposed: StateCreate,
        proposal: &TaskProposal,
    ) -> Result<Option<OrchestrationResult>> {
        let state = proposed.into_state(StateId::new(), self.now());
        self.change_task_run(id, state, proposal).await
    }

    /// Copies a sub-flow's state onto the task run that stands for it. A parent that is gone is no error.
    pub(crate) async fn force_task_run_state(&mut self, id: Uuid, mut state: State) -> Result<()> {
        state.id = StateId::new();
        Box::pin(self.change_task_run(id, state, &TaskProposal::internal())).await.map(drop)
    }

    async fn change_task_run(
        &mut self,
        id: Uuid,
        proposed: State,
        proposal: &TaskProposal,
    ) -> Result<Option<OrchestrationResult>> {
        let Some(current) = self.read_task_run(id).await? else { return Ok(None) };
        let facts = self.task_run_facts(&current, &proposed, proposal).await?;
        let ruling = decide_task_run(proposed, &facts);
        if let Some(state) = &ruling.state {
            self.write_task_run_state(&current, state, &ruling).await?;
        }
        self.apply_task_run_effects(&current, &ruling).await?;
        let state = ruling.state.clone().or(current.state);
        Ok(Some(answer(&ruling, state)))
    }

    async fn task_run_facts(
        &mut self,
        run: &TaskRun,
        proposed: &State,
        proposal: &TaskProposal,
    ) -> Result<TaskRunFacts> {
        let enters_running = proposed.kind == StateType::Running && proposal.policy != TaskRunPolicyKind::Minimal;
        let cached_state = match &proposed.state_details.cache_key {
            Some(key) if enters_running => self.read_cached_state(key).await?,
            _ => None,
        };
        let tag_limits = if enters_running && !run.tags.is_empty() { self.tag_limits(run).await? } else { Vec::new() };
        let flow_run = match run.flow_run_id {
            Some(id) => self.read_parent_flow_run(id).await?,
            None => None,
        };
        Ok(TaskRunFacts {
            now: self.now(),
            policy: proposal.policy,
            client_version: proposal.client_version,
            api_version: proposal.api_version,
            run: facts_of(run),
            state: run.state.clone(),
            flow_run,
            cached_state,
            tag_limits,
            max_cache_key_length: proposal.max_cache_key_length,
            new_lease_id: LeaseId::new(),
            random: proposal.random,
            waits: proposal.waits,
        })
    }

    async fn read_parent_flow_run(&mut self, id: Uuid) -> Result<Option<ParentFlowRun>> {
        let sql = sql!("SELECT state_type, run_count, state, empirical_policy FROM flow_run WHERE id = $1", id);
        self.optional(&sql, |row| {
            let (state_type, run_count) = (row.next()?, row.next()?);
            let state: Option<State> = row.parse_optional()?;
            let policy: FlowRunPolicy = row.parse()?;
            Ok(ParentFlowRun {
                id: FlowRunId(id),
                state_type,
                run_count,
                pause_timeout: state
                    .as_ref()
                    .and_then(|state| state.state_details.pause_timeout.map(OffsetTimestamp::at)),
                pause_reschedule: state.is_some_and(|state| state.state_details.pause_reschedule),
                retry_type: policy.retry_type,
            })
        })
        .await
    }

    async fn tag_limits(&mut self, run: &TaskRun) -> Result<Vec<TagLimit>> {
        let names: Vec<String> = run.tags.iter().map(|tag| format!("tag:{tag}")).collect();
        let limits = self.lock_concurrency_limits(&names).await?;
        let held = self
            .all(
                &sql!(
                    "SELECT s.limit_id FROM concurrency_slot AS s JOIN concurrency_lease AS l ON l.id = s.lease_id \
                     WHERE l.holder_id = $1",
                    run.id
                ),
                |row| row.next::<Uuid>(),
            )
            .await?;
        let mut found = Vec::new();
        for tag in &run.tags {
            if let Some(limit) = limits.iter().find(|limit| limit.row.name.strip_prefix("tag:") == Some(tag)) {
                found.push(TagLimit { tag: tag.clone(), limit: limit.facts(), held: held.contains(&limit.row.id) });
            }
        }
        Ok(found)
    }

    async fn read_cached_state(&mut self, key: &str) -> Result<Option<State>> {
        let sql = sql!(
            "SELECT state FROM task_run_cache WHERE workspace_id = $1 AND cache_key = $2 \
             AND (expires IS NULL OR expires > $3) ORDER BY created DESC LIMIT 1",
            self.workspace(),
            key,
            self.now(),
        );
        self.optional(&sql, |row| row.parse()).await
    }

    async fn write_task_run_state(
        &mut self,
        current: &TaskRun,
        state: &State,
        ruling: &Ruling<RunFacts>,
    ) -> Result<()> {
        let run = &ruling.run;
        let sql = sql!(
            "UPDATE task_run SET updated = $1, state_id = $2, state_type = $3, state_name = $4, state_timestamp = $5, \
             state = $6, run_count = $7, flow_run_run_count = $8, expected_start_time = $9, \
             next_scheduled_start_time = $10, start_time = $11, end_time = $12, total_run_time = $13 \
             WHERE id = $14 AND state_id IS NOT DISTINCT FROM $15",
            self.now(),
            state.id.0,
            state.kind,
            &state.name,
            state.timestamp,
            Value::Json(state.to_stored_json()),
            run.run_count,
            run.flow_run_run_count,
            run.expected_start_time,
            run.next_scheduled_start_time,
            run.start_time,
            run.end_time,
            run.total_run_time,
            current.id,
            current.state_id,
        );
        if self.execute(&sql).await? == 0 {
            return Err(self.lost_race("another change of the task run came first"));
        }
        self.insert_task_run_state(current.id, state).await?;
        self.insert_result_artifact(state, current.flow_run_id, Some(current.id)).await
    }

    async fn apply_task_run_effects(&mut self, run: &TaskRun, ruling: &Ruling<RunFacts>) -> Result<()> {
        for effect in &ruling.effects {
            match effect {
                Effect::TakeTagSlots { limits, lease } => {
                    let holder = ConcurrencyLeaseHolder { kind: "task_run".into(), id: run.id };
                    let limits: Vec<Uuid> = limits.iter().map(|limit| limit.0).collect();
                    self.create_lease(lease.0, &limits, 1, FOR_EVER_SECONDS, Some(&holder)).await?;
                }
                Effect::ReleaseTagSlots => self.release_leases_of(run.id).await?,
                Effect::InsertCachedState { key, expiration } => {
                    let Some(state) = &ruling.state else { continue };
                    let sql = sql!(
                        "INSERT INTO task_run_cache (cache_key, workspace_id, created, expires, state) \
                         VALUES ($1, $2, $3, $4, $5)",
                        key,
                        self.workspace(),
                        self.now(),
                        *expiration,
                        json(state),
                    );
                    self.execute(&sql).await?;
                }
                Effect::EnqueueTask { task_key, is_retry } => self.queue_task_run(run.id, task_key, *is_retry).await?,
                Effect::TakeDeploymentSlot { .. }
                | Effect::RenewDeploymentLease { .. }
                | Effect::KeepSlotWithoutLease { .. }
                | Effect::ReleaseDeploymentSlot { .. }
                | Effect::ReleaseLease { .. }
                | Effect::SetParentTaskRunState { .. }
                | Effect::SetOwner(_)
                | Effect::ClearOwner => {}
            }
        }
        Ok(())
    }

    /// Inserts a task run with its first state, or answers the one that its keys name. The boolean tells whether it was
    /// created.
    pub async fn create_task_run(&mut self, create: &TaskRunCreate) -> Result<(TaskRun, bool)> {
        let existing = self.read_task_run_by_key(create.flow_run_id, &create.task_key, &create.dynamic_key).await?;
        if let Some(existing) = existing {
            return Ok((existing, false));
        }
        if let Some(flow_run) = create.flow_run_id {
            self.require_row("flow_run", flow_run).await?;
        }
        let id = create.id.unwrap_or_else(Uuid::now_v7);
        let labels = self.task_run_labels(create).await?;
        self.execute(&sql!(
            "INSERT INTO task_run (id, workspace_id, created, updated, name, flow_run_id, task_key, dynamic_key, cache_key, \
             cache_expiration, task_version, empirical_policy, tags, labels, task_inputs, run_count, flow_run_run_count, \
             total_run_time) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, 0.0)",
            id,
            self.workspace(),
            self.now(),
            create.name.clone().unwrap_or_default(),
            create.flow_run_id,
            &create.task_key,
            &create.dynamic_key,
            create.cache_key.clone(),
            create.cache_expiration,
            create.task_version.clone(),
            json(&create.empirical_policy),
            json_list(&create.tags),
            &labels,
            &create.task_inputs,
        ))
        .await?;
        let first = create.state.clone().unwrap_or_else(|| StateCreate::of(StateType::Pending));
        let deferred = first.state_details.deferred == Some(true);
        let policy = if deferred { TaskRunPolicyKind::Background } else { TaskRunPolicyKind::Minimal };
        self.set_task_run_state(id, first, &TaskProposal { policy, ..TaskProposal::internal() }).await?;
        let created = self.read_task_run(id).await?;
        Ok((created.ok_or_else(|| Error::Database("a task run vanished while it was created".into()))?, true))
    }

    /// Labels of a new task run: its flow run's, the system's and the user's, later ones winning.
    async fn task_run_labels(&mut self, create: &TaskRunCreate) -> Result<Json> {
        let mut labels = Object::default();
        if let Some(id) = create.flow_run_id {
            let inherited = self
                .optional(&sql!("SELECT labels, flow_id FROM flow_run WHERE id = $1", id), |row| {
                    Ok((row.next::<Json>()?, row.next::<Uuid>()?))
                })
                .await?;
            if let Some((inherited, flow_id)) = inherited {
                labels.extend(inherited.members().into_iter().flatten());
                labels.insert("prefect.flow.id".into(), Json::from_value(&flow_id));
            }
            labels.insert("prefect.flow-run.id".into(), Json::from_value(&id));
        }
        labels.extend(create.labels.as_ref().and_then(Json::members).into_iter().flatten());
        Ok(Json::from_value(&labels))
    }
}

fn facts_of(run: &TaskRun) -> RunFacts {
    RunFacts {
        id: TaskRunId(run.id),
        flow_run_id: run.flow_run_id.map(FlowRunId),
        task_key: run.task_key.clone(),
        run_count: run.run_count,
        flow_run_run_count: run.flow_run_run_count,
        start_time: run.start_time,
        end_time: run.end_time,
        total_run_time: run.total_run_time,
        expected_start_time: run.expected_start_time,
        next_scheduled_start_time: run.next_scheduled_start_time,
        empirical_policy: run.empirical_policy.clone(),
    }
}
