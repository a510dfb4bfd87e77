//! How a flow run's state changes: read the facts, let the rules decide, write state, run, effects and event in the one
//! transaction. Also how runs begin, since a run's first state is a change like any other.

use tidegate_api::{
    concurrency_limits::ConcurrencyLeaseHolder,
    deployments::ConcurrencyOptions,
    flow_runs::CreatedBy,
    orchestration::{Failure, OrchestrationResult, ResultDetails},
};
use tidegate_core::{
    ids::{DeploymentId, FlowRunId, LeaseId, StateId, TaskRunId},
    orchestration::{
        CollisionStrategy, DeploymentFacts, Effect, FlowRun as RunFacts, FlowRunFacts, FlowRunPolicyKind, Owner,
        Ruling, Status, Version, Waits, decide_flow_run,
    },
    state::{State, StateCreate, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Column, Error, Result, Row, RunNames, Sql, StateChange, Tx, Wake, sql,
    value::{Value, json},
};

/// Who proposes a change, and by which rules it is judged.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub policy: FlowRunPolicyKind,
    pub client_version: Option<Version>,
    pub api_version: Option<Version>,
    /// The fencing token of the attempt that speaks.
    pub token: Option<i64>,
    /// Set by a claim: the worker's name and how long its lease lasts, seconds.
    pub claim: Option<(String, f64)>,
    /// Why the infrastructure failed, if that is what the change is about.
    pub failure: Option<Failure>,
    pub waits: Waits,
    /// In [0, 1).
    pub random: f64,
}

impl Proposal {
    /// By the server itself: forced, in nobody's name.
    pub fn internal() -> Self {
        Self {
            policy: FlowRunPolicyKind::Minimal,
            client_version: None,
            api_version: None,
            token: None,
            claim: None,
            failure: None,
            waits: Waits::default(),
            random: 0.5,
        }
    }

    #[must_use]
    pub fn by(mut self, policy: FlowRunPolicyKind) -> Self {
        self.policy = policy;
        self
    }
}

/// What a proposal led to.
#[derive(Clone, Debug)]
pub struct Changed {
    pub result: OrchestrationResult,
    /// The owner that a claim installed.
    pub owner: Option<Owner>,
}

/// The row that a decision starts from.
struct Current {
    name: String,
    tags: Vec<String>,
    created_by: Option<CreatedBy>,
    /// What the run belongs to, for its events.
    names: RunNames,
    run: RunFacts,
    state: Option<State>,
    owner: Option<Owner>,
    last_token: i64,
    attempt: i64,
    limit_id: Option<Uuid>,
    options: Option<ConcurrencyOptions>,
}

const CURRENT: &str = "SELECT flow_run.name, flow_run.tags, flow_run.created_by, flow_run.flow_id, flow.name, flow.tags, \
    deployment.id, deployment.name, deployment.tags, queue.id, queue.name, pool.id, pool.name, pool.type, parent.id, \
    parent.name, parent.tags, flow_run.deployment_id, flow_run.parent_task_run_id, flow_run.run_count, \
    flow_run.infrastructure_pid, flow_run.start_time, flow_run.end_time, \
    flow_run.total_run_time, flow_run.expected_start_time, flow_run.next_scheduled_start_time, flow_run.empirical_policy, \
    flow_run.state, flow_run.owner_name, flow_run.owner_deadline, flow_run.owner_token, flow_run.attempt, \
    deployment.concurrency_limit_id, deployment.concurrency_options \
    FROM flow_run JOIN flow ON flow.id = flow_run.flow_id LEFT JOIN deployment ON deployment.id = flow_run.deployment_id \
    LEFT JOIN work_queue AS queue ON queue.id = flow_run.work_queue_id \
    LEFT JOIN work_pool AS pool ON pool.id = queue.work_pool_id \
    LEFT JOIN task_run AS parent ON parent.id = flow_run.parent_task_run_id WHERE flow_run.id = $1";

/// Three columns of a joined row that is there as a whole or not at all.
fn triple<A: Column, B: Column, C: Column>(row: &mut Row<'_>) -> Result<Option<(A, B, C)>> {
    let (a, b, c): (Option<A>, Option<B>, Option<C>) = (row.next()?, row.next()?, row.next()?);
    Ok(a.zip(b).zip(c).map(|((a, b), c)| (a, b, c)))
}

impl Tx {
    async fn read_current(&mut self, id: Uuid) -> Result<Option<Current>> {
        self.optional(&sql!(CURRENT, id), |row| {
            let (name, tags, created_by) = (row.next()?, row.next()?, row.parse_optional()?);
            let flow = triple(row)?;
            let deployment = triple(row)?;
            let queue: (Option<Uuid>, Option<String>) = (row.next()?, row.next()?);
            let names = RunNames {
                flow,
                deployment,
                work_queue: queue.0.zip(queue.1),
                work_pool: triple(row)?,
                task_run: triple(row)?,
            };
            let run = RunFacts {
                id: FlowRunId(id),
                deployment_id: row.next::<Option<Uuid>>()?.map(DeploymentId),
                parent_task_run_id: row.next::<Option<Uuid>>()?.map(TaskRunId),
                run_count: row.next()?,
                infrastructure_pid: row.next()?,
                start_time: row.next()?,
                end_time: row.next()?,
                total_run_time: row.next()?,
                expected_start_time: row.next()?,
                next_scheduled_start_time: row.next()?,
                empirical_policy: row.parse()?,
            };
            let state = row.parse_optional()?;
            let owner_name: Option<String> = row.next()?;
            let deadline: Option<Timestamp> = row.next()?;
            let last_token = row.next()?;
            let attempt = row.next()?;
            let owner =
                owner_name.zip(deadline).map(|(name, deadline)| Owner { name, token: last_token, deadline, attempt });
            let limit_id = row.next()?;
            let options = row.parse_optional()?;
            Ok(Current { name, tags, created_by, names, run, state, owner, last_token, attempt, limit_id, options })
        })
        .await
    }

    /// Proposes a state for a flow run. `None` when there is no such run.
    pub async fn set_flow_run_state(
        &mut self,
        id: Uuid,
        proposed: StateCreate,
        proposal: &Proposal,
    ) -> Result<Option<Changed>> {
        let Some(current) = self.read_current(id).await? else { return Ok(None) };
        let now = self.now();
        let proposed = proposed.into_state(StateId::new(), now);
        let facts = self.flow_run_facts(&current, &proposed, proposal).await?;
        let ruling = decide_flow_run(proposed, &facts);
        metrics::counter!("tidegate_rulings_total", "status" => status_name(ruling.status), "rule" => ruling.settled_by.unwrap_or("none"))
            .increment(1);
        self.apply_flow_run_ruling(&current, &ruling, proposal).await?;
        let owner = ruling.effects.iter().find_map(|effect| match effect {
            Effect::SetOwner(owner) => Some(owner.clone()),
            _ => None,
        });
        let state = ruling.state.clone().or(current.state);
        Ok(Some(Changed { result: answer(&ruling, state), owner }))
    }

    async fn flow_run_facts(
        &mut self,
        current: &Current,
        proposed: &State,
        proposal: &Proposal,
    ) -> Result<FlowRunFacts> {
        let limit = match current.limit_id {
            Some(limit) => self.lock_concurrency_limit(limit).await?.map(|limit| limit.facts()),
            None => None,
        };
        let lease = current
            .state
            .as_ref()
            .and_then(|state| state.state_details.deployment_concurrency_lease_id)
            .or(proposed.state_details.deployment_concurrency_lease_id);
        let lease_is_live = match lease {
            Some(lease) => self.is_lease_live(lease).await?,
            None => false,
        };
        let now = self.now();
        let claim = proposal.claim.as_ref().map(|(name, seconds)| Owner {
            name: name.clone(),
            token: current.last_token + 1,
            deadline: now.plus_seconds(*seconds),
            attempt: current.attempt + 1,
        });
        Ok(FlowRunFacts {
            now,
            policy: proposal.policy,
            client_version: proposal.client_version,
            api_version: proposal.api_version,
            run: current.run.clone(),
            state: current.state.clone(),
            deployment: current.run.deployment_id.map(|id| DeploymentFacts {
                id,
                limit,
                collision_strategy: current
                    .options
                    .as_ref()
                    .map_or(CollisionStrategy::Enqueue, |options| options.collision_strategy),
                grace_period_seconds: current
                    .options
                    .as_ref()
                    .and_then(|options| options.grace_period_seconds)
                    .map(|seconds| seconds as f64),
            }),
            lease_is_live,
            owner: current.owner.clone(),
            last_token: current.last_token,
            presented_token: proposal.token,
            claim,
            new_lease_id: LeaseId::new(),
            random: proposal.random,
            waits: proposal.waits,
        })
    }

    async fn apply_flow_run_ruling(
        &mut self,
        current: &Current,
        ruling: &Ruling<RunFacts>,
        proposal: &Proposal,
    ) -> Result<()> {
        let id = current.run.id.0;
        if let Some(state) = &ruling.state {
            let run = &ruling.run;
            let sql = update(current, state, run, proposal.failure.as_ref(), self.now());
            if self.execute(&sql).await? == 0 {
                return Err(self.lost_race("another change of the flow run came first"));
            }
            let change = StateChange {
                flow_run_id: id,
                flow_run_name: &current.name,
                run_count: run.run_count,
                tags: &current.tags,
                created_by: current.created_by.as_ref(),
                initial: current.state.as_ref(),
                validated: state,
            };
            self.after_flow_run_state(&change, &current.names, run.next_scheduled_start_time).await?;
        }
        self.apply_flow_run_effects(id, &ruling.effects).await
    }

    /// The state's history row, its result, its event, and the nudges it gives.
    pub(crate) async fn after_flow_run_state(
        &mut self,
        change: &StateChange<'_>,
        names: &RunNames,
        due: Option<Timestamp>,
    ) -> Result<()> {
        let (id, state) = (change.flow_run_id, change.validated);
        self.insert_flow_run_state(id, state).await?;
        self.insert_result_artifact(state, Some(id), None).await?;
        self.emit(&change.event(names)).await?;
        if let Some((pool, _, _)) = names.work_pool {
            match state.kind {
                StateType::Scheduled => self.wake(Wake::Work { pool, due }),
                StateType::Cancelling => self.wake(Wake::Cancel { pool }),
                // A run that ends may free a place of its queue or pool.
                kind if kind.is_terminal() => self.wake(Wake::Work { pool, due: None }),
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) async fn apply_flow_run_effects(&mut self, id: Uuid, effects: &[Effect]) -> Result<()> {
        let holder = ConcurrencyLeaseHolder { kind: "flow_run".into(), id };
        for effect in effects {
            match effect {
                Effect::TakeDeploymentSlot { limit, lease, seconds } => {
                    self.create_lease(lease.0, &[limit.0], 1, *seconds, Some(&holder)).await?;
                }
                Effect::RenewDeploymentLease { lease, seconds } => {
                    self.renew_lease(lease.0, *seconds).await?;
                }
                Effect::KeepSlotWithoutLease { lease, .. } => {
                    self.renew_lease(lease.0, FOR_EVER_SECONDS).await?;
                }
                Effect::ReleaseDeploymentSlot { lease: Some(lease), .. } | Effect::ReleaseLease { lease } => {
                    self.release_lease(lease.0).await?;
                }
                Effect::ReleaseDeploymentSlot { limit, lease: None } => self.release_slots_of(id, limit.0).await?,
                Effect::SetParentTaskRunState { task_run, state } => {
                    self.force_task_run_state(task_run.0, state.clone()).await?;
                }
                Effect::SetOwner(owner) => {
                    let sql = sql!(
                        "UPDATE flow_run SET owner_name = $1, owner_deadline = $2, owner_token = $3, attempt = $4, \
                         infrastructure_pid = NULL WHERE id = $5",
                        &owner.name,
                        owner.deadline,
                        owner.token,
                        owner.attempt,
                        id,
                    );
                    self.execute(&sql).await?;
                }
                Effect::ClearOwner => {
                    self.execute(&sql!(
                        "UPDATE flow_run SET owner_name = NULL, owner_deadline = NULL WHERE id = $1",
                        id
                    ))
                    .await?;
                }
                Effect::TakeTagSlots { .. }
                | Effect::ReleaseTagSlots
                | Effect::InsertCachedState { .. }
                | Effect::EnqueueTask { .. } => {}
            }
        }
        Ok(())
    }

    async fn release_slots_of(&mut self, holder: Uuid, limit: Uuid) -> Result<()> {
        let sql = sql!(
            "SELECT l.id FROM concurrency_lease AS l JOIN concurrency_slot AS s ON s.lease_id = l.id \
             WHERE l.holder_id = $1 AND s.limit_id = $2",
            holder,
            limit,
        );
        for lease in self.all(&sql, |row| row.next::<Uuid>()).await? {
            self.release_lease(lease).await?;
        }
        Ok(())
    }

    pub(crate) fn lost_race(&self, what: &str) -> Error {
        self.note_conflict(what);
        Error::Conflict(what.into())
    }
}

/// Writes a change down: only the columns that it touches, because an index is written again for each column that the
/// statement names.
#[expect(clippy::float_cmp, reason = "whether the rules have touched it at all")]
fn update(current: &Current, state: &State, run: &RunFacts, failure: Option<&Failure>, now: Timestamp) -> Sql {
    let mut sql = sql!(
        "UPDATE flow_run SET updated = $1, state_id = $2, state_name = $3, state_timestamp = $4, state = $5",
        now,
        state.id.0,
        &state.name,
        state.timestamp,
        Value::Json(state.to_stored_json()),
    );
    if current.state.as_ref().is_none_or(|current| current.kind != state.kind) {
        sql.push(", state_type = ").bind(state.kind);
    }
    macro_rules! push_changed {
        ($($column:ident),*) => {$(
            if run.$column != current.run.$column {
                sql.push(concat!(", ", stringify!($column), " = ")).bind(run.$column.clone());
            }
        )*};
    }
    push_changed!(run_count, expected_start_time, next_scheduled_start_time, start_time, end_time, total_run_time);
    if run.empirical_policy != current.run.empirical_policy {
        sql.push(", empirical_policy = ").bind(json(&run.empirical_policy));
    }
    // What failed once is over when the run goes on.
    if failure.is_some() || !state.is_terminal() {
        sql.push(", failure_class = ").bind(failure.map(|failure| failure.class.clone()));
        sql.push(", failure = ").bind(failure.map_or(Value::Null, json));
    }
    sql.push(" WHERE id = ").bind(run.id.0);
    sql.push(" AND state_id IS NOT DISTINCT FROM ").bind(current.state.as_ref().map(|state| state.id.0));
    sql
}

/// About a hundred years: the lease of a slot that only its holder's end gives back.
pub(crate) const FOR_EVER_SECONDS: f64 = 3_153_600_000.0;

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Accept => "accept",
        Status::Reject => "reject",
        Status::Wait => "wait",
        Status::Abort => "abort",
    }
}

/// The wire's answer. ABORT and WAIT carry the state that stays.
pub(crate) fn answer<Run>(ruling: &Ruling<Run>, state: Option<State>) -> OrchestrationResult {
    let reason = ruling.reason.clone();
    let details = match ruling.status {
        Status::Accept => ResultDetails::Accept {},
        Status::Reject => ResultDetails::Reject { reason },
        Status::Abort => ResultDetails::Abort { reason },
        Status::Wait => ResultDetails::Wait { delay_seconds: ruling.delay_seconds.unwrap_or(0), reason },
    };
    OrchestrationResult { state, status: ruling.status, details }
}
