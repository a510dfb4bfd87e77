//! Who runs what: claims, renewals, verdicts and lost leases. A claim is a state change like any other, decided by the
//! rules; nothing here judges on its own.

use serde_json::{Map, Value};
use tidegate_api::{
    Patch,
    flow_runs::FlowRunUpdate,
    orchestration::{ClaimedRun, Failure, Infrastructure, OwnedRun, OwnerLease, RenewResponse},
};
use tidegate_core::{
    ids::{DeploymentId, FlowRunId, TaskRunId},
    orchestration::{
        FlowRun as RunFacts, FlowRunPolicy, FlowRunPolicyKind, LEASE_LOST, Owner, Status, propose_after_lost_lease,
    },
    state::{State, StateCreate, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    DueRuns, Result, Sql, Tx,
    flow_run_states::{Changed, Proposal},
    sql,
};

/// A worker that asks for runs.
#[derive(Clone, Debug)]
pub struct Claimant {
    pub pool: Uuid,
    pub worker_name: String,
    /// `None` means every queue of the pool.
    pub queues: Option<Vec<Uuid>>,
    pub limit: i64,
    pub lease_seconds: f64,
}

impl Tx {
    /// Claims due runs for a worker: each goes to PENDING with the worker as its owner, or stays where it is.
    pub async fn claim_flow_runs(&mut self, claimant: &Claimant, proposal: &Proposal) -> Result<Vec<ClaimedRun>> {
        let due = self
            .list_due_flow_runs(DueRuns {
                pool: claimant.pool,
                queues: claimant.queues.as_deref(),
                before: Some(self.now()),
                after: None,
                limit: claimant.limit,
            })
            .await?;
        let mut claimed = Vec::with_capacity(due.len());
        for (queue, id) in due {
            let proposal = Proposal {
                claim: Some((claimant.worker_name.clone(), claimant.lease_seconds)),
                ..proposal.clone().by(FlowRunPolicyKind::Core)
            };
            let proposed = StateCreate { name: Some("Submitting".into()), ..StateCreate::of(StateType::Pending) };
            let Some(changed) = self.set_flow_run_state(id, proposed, &proposal).await? else { continue };
            let (Status::Accept, Some(owner)) = (changed.result.status, changed.owner) else { continue };
            let Some(flow_run) = self.read_flow_run(id).await? else { continue };
            let owner = OwnerLease { token: owner.token, attempt: owner.attempt, deadline: owner.deadline };
            claimed.push(ClaimedRun { work_pool_id: claimant.pool, work_queue_id: queue, flow_run, owner });
        }
        Ok(claimed)
    }

    /// When the next run of a pool that is not due yet will be.
    pub async fn next_due_time(&mut self, pool: Uuid) -> Result<Option<Timestamp>> {
        let sql = sql!(
            "SELECT min(first) FROM (SELECT (SELECT min(flow_run.next_scheduled_start_time) FROM flow_run \
             WHERE flow_run.work_queue_id = work_queue.id AND flow_run.state_type = 'SCHEDULED' \
             AND flow_run.next_scheduled_start_time > $1) AS first FROM work_queue WHERE work_pool_id = $2) AS of_queue",
            self.now(),
            pool,
        );
        self.one(&sql, |row| row.next()).await
    }

    /// Runs of a worker that somebody wants cancelled, and that were asked for it after `since`.
    pub async fn list_cancelling(&mut self, worker_name: &str, since: Timestamp) -> Result<Vec<OwnedRun>> {
        let sql = sql!(
            "SELECT id, owner_token FROM flow_run WHERE state_type = 'CANCELLING' AND state_timestamp > $1 \
             AND owner_name = $2 AND workspace_id = $3",
            since,
            worker_name,
            self.workspace(),
        );
        self.all(&sql, |row| Ok(OwnedRun { flow_run_id: row.next()?, token: row.next()? })).await
    }

    /// Moves the deadlines of a worker's runs, and tells it which it has lost and which shall be cancelled.
    pub async fn renew_owner_leases(
        &mut self,
        worker_name: &str,
        runs: &[OwnedRun],
        seconds: f64,
    ) -> Result<RenewResponse> {
        let mut answer = RenewResponse::default();
        let deadline = self.now().plus_seconds(seconds);
        for run in runs {
            let renewed = self
                .execute(&sql!(
                    "UPDATE flow_run SET owner_deadline = $1 WHERE id = $2 AND owner_name = $3 AND owner_token = $4 \
                     AND owner_deadline IS NOT NULL",
                    deadline,
                    run.flow_run_id,
                    worker_name,
                    run.token,
                ))
                .await?;
            if renewed == 0 {
                answer.lost.push(run.flow_run_id);
                continue;
            }
            answer.renewed.push(run.flow_run_id);
            let sql = sql!("SELECT state_type FROM flow_run WHERE id = $1", run.flow_run_id);
            if self.optional(&sql, |row| row.next::<Option<StateType>>()).await?.flatten()
                == Some(StateType::Cancelling)
            {
                answer.cancelling.push(run.flow_run_id);
            }
        }
        Ok(answer)
    }

    /// Runs whose owner's deadline has passed.
    pub async fn list_lost_runs(&mut self, limit: i64) -> Result<Vec<Uuid>> {
        let sql = sql!(
            "SELECT id FROM flow_run WHERE owner_deadline IS NOT NULL AND owner_deadline < $1 ORDER BY owner_deadline LIMIT $2",
            self.now(),
            limit,
        );
        self.all(&sql, |row| row.next()).await
    }

    /// Settles one run whose owner went silent. `None` when the owner came back, or the run is in nobody's hands any more.
    pub async fn settle_lost_run(&mut self, id: Uuid) -> Result<Option<Changed>> {
        let sql = sql!(
            "SELECT deployment_id, parent_task_run_id, infrastructure_pid, run_count, start_time, end_time, total_run_time, \
             expected_start_time, next_scheduled_start_time, empirical_policy, state, owner_name, owner_deadline, \
             owner_token, attempt FROM flow_run WHERE id = $1 AND owner_deadline < $2",
            id,
            self.now(),
        );
        let found = self
            .optional(&sql, |row| {
                let run = RunFacts {
                    id: FlowRunId(id),
                    deployment_id: row.next::<Option<Uuid>>()?.map(DeploymentId),
                    parent_task_run_id: row.next::<Option<Uuid>>()?.map(TaskRunId),
                    infrastructure_pid: row.next()?,
                    run_count: row.next()?,
                    start_time: row.next()?,
                    end_time: row.next()?,
                    total_run_time: row.next()?,
                    expected_start_time: row.next()?,
                    next_scheduled_start_time: row.next()?,
                    empirical_policy: row.parse()?,
                };
                let state: Option<State> = row.parse_optional()?;
                let owner = Owner {
                    name: row.next::<Option<String>>()?.unwrap_or_default(),
                    deadline: row.next()?,
                    token: row.next()?,
                    attempt: row.next()?,
                };
                Ok((run, state, owner))
            })
            .await?;
        let Some((run, state, owner)) = found else { return Ok(None) };
        let proposed = state.as_ref().and_then(|state| propose_after_lost_lease(&run, state, &owner));
        let Some(proposed) = proposed else {
            self.clear_owner(id).await?;
            return Ok(None);
        };
        let failure = proposed.kind.is_terminal().then(|| Failure {
            class: LEASE_LOST.into(),
            exit_code: None,
            signal: None,
            message: proposed.message.clone().unwrap_or_default(),
        });
        let proposal = Proposal { failure, ..Proposal::internal().by(FlowRunPolicyKind::Core) };
        // Whatever the silent owner still has to say comes from the past.
        self.execute(&sql!("UPDATE flow_run SET owner_token = owner_token + 1 WHERE id = $1", id)).await?;
        let changed = self.set_flow_run_state(id, proposed.clone(), &proposal).await?;
        if changed.as_ref().is_some_and(|changed| changed.result.status == Status::Accept) {
            return Ok(changed);
        }
        // The rules said no to a change that nobody can take back: force it, so that the run is not stuck.
        let forced = Proposal { policy: FlowRunPolicyKind::Minimal, ..proposal };
        let changed = self.set_flow_run_state(id, proposed, &forced).await?;
        self.clear_owner(id).await?;
        Ok(changed)
    }

    async fn clear_owner(&mut self, id: Uuid) -> Result<()> {
        let sql = sql!("UPDATE flow_run SET owner_name = NULL, owner_deadline = NULL WHERE id = $1", id);
        self.execute(&sql).await.map(drop)
    }

    /// Why a run crashed that has said itself that it did: its owner of then knows more. What is known already stands.
    pub async fn explain_crash(&mut self, id: Uuid, token: i64, failure: &Failure) -> Result<bool> {
        let mut sql = sql!("UPDATE flow_run SET failure_class = $1", failure.class.clone());
        sql.push(", failure = ").bind(crate::value::json(failure));
        sql.push(" WHERE id = ").bind(id).push(" AND owner_token = ").bind(token);
        sql.push(" AND workspace_id = ").bind(self.workspace());
        sql.push(" AND state_type = ").bind(StateType::Crashed).push(" AND failure IS NULL");
        Ok(self.execute(&sql).await? > 0)
    }

    /// Prepares a run for another try at the word of its latest owner: the try that the infrastructure cost it is given
    /// back, and its next job has these variables. Answers false, and changes nothing, when others have the run now or
    /// it has ended in its own way.
    pub async fn grant_retry(&mut self, id: Uuid, token: i64, job_variables: Map<String, Value>) -> Result<bool> {
        // Without an owner it waits for its next try already, unless it has said itself that it crashed.
        let owned = sql!(
            "SELECT 1 FROM flow_run WHERE id = $1 AND owner_token = $2 AND (owner_name IS NOT NULL OR state_type = $3)",
            id,
            token,
            StateType::Crashed
        );
        if self.optional(&owned, |_| Ok(())).await?.is_none() {
            return Ok(false);
        }
        let Some(run) = self.read_flow_run(id).await? else { return Ok(false) };
        let has_ended = run.state_type.is_some_and(StateType::is_terminal);
        if has_ended && run.state_type != Some(StateType::Crashed) {
            return Ok(false);
        }
        // What it had is over: nobody is to be asked to stop it when the run is cancelled while it waits.
        let mut update = FlowRunUpdate { infrastructure_pid: Patch::Clear, ..FlowRunUpdate::default() };
        // A run that has begun counts this as one of its tries.
        if let Some(retries) = run.empirical_policy.retries.filter(|retries| run.run_count > 0 && *retries > 0) {
            update.empirical_policy =
                Patch::Set(FlowRunPolicy { retries: Some(retries + 1), ..run.empirical_policy.clone() });
        }
        if !job_variables.is_empty() {
            let mut all = run.job_variables.and_then(|own| own.value().as_object().cloned()).unwrap_or_default();
            all.extend(job_variables);
            update.job_variables = Patch::Set(Value::Object(all).into());
        }
        self.update_flow_run(id, update).await
    }

    /// Who runs a flow run, and how its infrastructure failed. `None` when there is no such run.
    pub async fn read_infrastructure(&mut self, id: Uuid) -> Result<Option<Infrastructure>> {
        let mut sql = Sql::new(
            "SELECT owner_name, owner_deadline, owner_token, attempt, failure, infrastructure_pid FROM flow_run WHERE id = ",
        );
        sql.bind(id).push(" AND workspace_id = ").bind(self.workspace());
        self.optional(&sql, |row| {
            let owner_name: Option<String> = row.next()?;
            let deadline: Option<Timestamp> = row.next()?;
            let (token, attempt) = (row.next()?, row.next()?);
            Ok(Infrastructure {
                owner: deadline.map(|deadline| OwnerLease { token, attempt, deadline }),
                owner_name,
                attempt,
                failure: row.parse_optional()?,
                infrastructure_pid: row.next()?,
            })
        })
        .await
    }
}

/// At least this old before a poll is noted again: notes are for status, not for accounting.
const NOTE_POLLS_AFTER_SECONDS: f64 = 5.0;

impl Tx {
    /// Whether a pool has a run that is due, limits not considered.
    pub async fn has_due_flow_runs(&mut self, pool: Uuid, queues: Option<&[Uuid]>) -> Result<bool> {
        let queues = self.queues_of(pool, queues).await?;
        if queues.is_empty() {
            return Ok(false);
        }
        let mut sql = sql!(
            "SELECT 1 FROM flow_run WHERE state_type = 'SCHEDULED' AND next_scheduled_start_time <= $1 AND ",
            self.now()
        );
        sql.push_ids(self.dialect(), "work_queue_id", &queues).push(" LIMIT 1");
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    async fn queues_of(&mut self, pool: Uuid, queues: Option<&[Uuid]>) -> Result<Vec<Uuid>> {
        match queues {
            Some(queues) => Ok(queues.to_vec()),
            None => self.all(&sql!("SELECT id FROM work_queue WHERE work_pool_id = $1", pool), |row| row.next()).await,
        }
    }

    /// Queues of the pool whose last poll was noted some seconds ago, or that are not ready.
    pub async fn list_stale_polls(&mut self, pool: Uuid, queues: Option<&[Uuid]>) -> Result<Vec<Uuid>> {
        let queues = self.queues_of(pool, queues).await?;
        let mut stale = sql!(
            "SELECT id FROM work_queue WHERE (last_polled IS NULL OR last_polled < $1 OR status = 'NOT_READY') AND ",
            self.now().plus_seconds(-NOTE_POLLS_AFTER_SECONDS)
        );
        stale.push_ids(self.dialect(), "id", &queues);
        self.all(&stale, |row| row.next()).await
    }
}
