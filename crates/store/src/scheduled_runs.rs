//! Runs that schedules give: which schedules are due for a look, inserting their runs in bulk, and taking runs back that a
//! change made wrong. Which dates a schedule has is the rules' business.

use tidegate_api::flow_runs::CreatedBy;
use tidegate_core::{
    ids::StateId,
    json::Json,
    orchestration::FlowRunPolicy,
    state::{StateCreate, StateDetails, StateType},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Dialect, Partitioned, Result, Row, Sql, Tx, Wake, sql,
    value::{Value, json, json_list},
};

/// Which of a deployment's waiting runs are taken back. Runs that started once, or that wait for a slot, never are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doomed {
    None,
    /// Given by schedules and not due yet.
    FutureScheduled,
    /// Given by schedules.
    Scheduled,
    AllWaiting,
}

/// A schedule that has to be looked at, with what its runs take from the deployment.
#[derive(Clone, Debug)]
pub struct DueSchedule {
    pub id: Uuid,
    pub schedule: Json,
    pub max_scheduled_runs: Option<i64>,
    pub slug: Option<String>,
    /// Up to here its runs were given already, since the last change.
    pub scheduled_until: Option<Timestamp>,
    parameters: Json,
    workspace_id: Uuid,
    pub deployment_id: Uuid,
    flow_id: Uuid,
    deployment_version: Option<String>,
    deployment_parameters: Json,
    tags: Vec<String>,
    labels: Json,
    work_queue_id: Option<Uuid>,
    work_queue_name: Option<String>,
    work_pool_id: Option<Uuid>,
    infrastructure_document_id: Option<Uuid>,
}

const COLUMNS: &str = "SELECT deployment_schedule.id, deployment_schedule.schedule, deployment_schedule.max_scheduled_runs, \
    deployment_schedule.slug, deployment_schedule.scheduled_until, deployment_schedule.parameters, deployment.workspace_id, \
    deployment.id, deployment.flow_id, deployment.version, deployment.parameters, deployment.tags, deployment.labels, \
    deployment.work_queue_id, deployment.work_queue_name, queue.work_pool_id, deployment.infrastructure_document_id \
    FROM deployment_schedule JOIN deployment ON deployment.id = deployment_schedule.deployment_id \
    LEFT JOIN work_queue AS queue ON queue.id = deployment.work_queue_id WHERE ";

fn due_schedule(row: &mut Row<'_>) -> Result<DueSchedule> {
    Ok(DueSchedule {
        id: row.next()?,
        schedule: row.next()?,
        max_scheduled_runs: row.next()?,
        slug: row.next()?,
        scheduled_until: row.next()?,
        parameters: row.next()?,
        workspace_id: row.next()?,
        deployment_id: row.next()?,
        flow_id: row.next()?,
        deployment_version: row.next()?,
        deployment_parameters: row.next()?,
        tags: row.next()?,
        labels: row.next()?,
        work_queue_id: row.next()?,
        work_queue_name: row.next()?,
        work_pool_id: row.next()?,
        infrastructure_document_id: row.next()?,
    })
}

/// A run to give: the date, its key and its name.
#[derive(Clone, Debug)]
pub struct ScheduledRun {
    pub date: Timestamp,
    pub idempotency_key: String,
    pub name: String,
}

const RUN_COLUMNS: &str = "INSERT INTO flow_run (id, workspace_id, created, updated, name, flow_id, deployment_id, \
    deployment_version, work_queue_id, work_queue_name, parameters, idempotency_key, context, empirical_policy, tags, labels, \
    auto_scheduled, infrastructure_document_id, created_by, job_variables, state_id, state_type, state_name, \
    state_timestamp, state, run_count, expected_start_time, next_scheduled_start_time, total_run_time, owner_token, attempt)";

impl Tx {
    /// Schedules of any workspace whose look is due. On PostgreSQL they stay locked, and what another server looks at is
    /// left out.
    pub async fn lock_due_schedules(&mut self, limit: i64) -> Result<Vec<DueSchedule>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("deployment_schedule.next_tick <= ").bind(self.now());
        sql.push(" ORDER BY deployment_schedule.next_tick LIMIT ").bind(limit);
        if self.dialect() == Dialect::Postgres {
            sql.push(" FOR UPDATE OF deployment_schedule SKIP LOCKED");
        }
        self.all(&sql, due_schedule).await
    }

    /// When the next schedule wants to be looked at.
    pub async fn next_schedule_tick(&mut self) -> Result<Option<Timestamp>> {
        let sql = sql!("SELECT min(next_tick) FROM deployment_schedule WHERE next_tick IS NOT NULL");
        self.one(&sql, |row| row.next()).await
    }

    /// The active schedules of a deployment, whether it is paused or not: for runs that somebody asks for.
    pub async fn list_active_schedules(&mut self, deployment: Uuid) -> Result<Vec<DueSchedule>> {
        let mut sql = Sql::new(COLUMNS);
        sql.push("deployment.workspace_id = ").bind(self.workspace());
        sql.push(" AND deployment_schedule.active = ").bind(true);
        sql.push(" AND deployment.id = ").bind(deployment);
        sql.push(" ORDER BY deployment_schedule.updated DESC, deployment_schedule.id DESC");
        self.all(&sql, due_schedule).await
    }

    /// Inserts the runs of a schedule that are not there yet. Answers how many were new.
    pub async fn insert_scheduled_runs(
        &mut self,
        schedule: &DueSchedule,
        kind: &str,
        runs: &[ScheduledRun],
    ) -> Result<usize> {
        let now = self.now();
        let shared = Shared::of(schedule, kind);
        let mut rows = Vec::with_capacity(runs.len());
        let mut states = Vec::with_capacity(runs.len());
        for run in runs {
            let id = Uuid::now_v7();
            let state = StateCreate {
                message: Some("Flow run scheduled".into()),
                state_details: StateDetails { scheduled_time: Some(run.date.into()), ..StateDetails::default() },
                ..StateCreate::of(StateType::Scheduled)
            }
            .into_state(StateId::new(), now);
            rows.push(vec![
                Value::from(id),
                schedule.workspace_id.into(),
                now.into(),
                now.into(),
                Value::from(&run.name),
                schedule.flow_id.into(),
                schedule.deployment_id.into(),
                schedule.deployment_version.clone().into(),
                schedule.work_queue_id.into(),
                schedule.work_queue_name.clone().into(),
                shared.parameters.clone(),
                Value::from(&run.idempotency_key),
                Json::empty_object().into(),
                shared.policy.clone(),
                shared.tags.clone(),
                shared.labels.clone(),
                true.into(),
                schedule.infrastructure_document_id.into(),
                shared.created_by.clone(),
                Json::empty_object().into(),
                state.id.0.into(),
                state.kind.into(),
                Value::from(&state.name),
                now.into(),
                json(&state),
                0_i64.into(),
                run.date.into(),
                run.date.into(),
                0.0.into(),
                0_i64.into(),
                0_i64.into(),
            ]);
            states.push((id, run.date, state));
        }
        let new = self.insert_new(RUN_COLUMNS, rows).await?;
        states.retain(|(id, ..)| new.contains(id));
        if let (Some(pool), Some(first)) = (schedule.work_pool_id, states.iter().map(|(_, date, _)| *date).min()) {
            self.wake(Wake::Work { pool, due: Some(first) });
        }
        let states = states
            .into_iter()
            .map(|(id, _, state)| {
                let row = vec![
                    Value::from(state.id.0),
                    id.into(),
                    now.into(),
                    state.kind.into(),
                    Value::from(&state.name),
                    state.message.clone().into(),
                    json(&state),
                ];
                (now, row)
            })
            .collect();
        let columns = "id, flow_run_id, timestamp, type, name, message, state";
        self.insert_partitioned(Partitioned::FlowRunState, columns, "", states).await.map(|count| count as usize)
    }

    /// Notes how far a schedule's runs were given, and when to look at it again; never, without a tick.
    pub async fn set_schedule_tick(
        &mut self,
        id: Uuid,
        next: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<()> {
        let sql =
            sql!("UPDATE deployment_schedule SET next_tick = $1, scheduled_until = $2 WHERE id = $3", next, until, id);
        self.execute(&sql).await.map(drop)
    }

    /// Has the scheduler look at all schedules of a deployment again, and takes runs back that must be given anew. The
    /// schedules are written first: on PostgreSQL that waits for a scheduler that is giving runs of them just now.
    pub(crate) async fn reschedule_deployment(&mut self, deployment: Uuid, doomed: Doomed) -> Result<()> {
        let sql = sql!(
            "UPDATE deployment_schedule SET scheduled_until = NULL, next_tick = CASE WHEN active AND NOT \
             (SELECT paused FROM deployment WHERE deployment.id = deployment_schedule.deployment_id) THEN CAST($1 AS timestamptz) END \
             WHERE deployment_id = $2",
            self.now(),
            deployment,
        );
        if self.execute(&sql).await? > 0 {
            self.wake(Wake::Schedules);
        }
        let mut condition = sql!(
            "deployment_id = $1 AND state_type = 'SCHEDULED' AND state_name <> 'AwaitingConcurrencySlot' AND run_count = 0",
            deployment
        );
        match doomed {
            Doomed::None => return Ok(()),
            Doomed::AllWaiting => {}
            Doomed::Scheduled => drop(condition.push(" AND auto_scheduled = ").bind(true)),
            Doomed::FutureScheduled => {
                condition.push(" AND auto_scheduled = ").bind(true);
                condition.push(" AND next_scheduled_start_time > ").bind(self.now());
            }
        }
        let of = |column: &str| {
            let text = format!("{column} IN (SELECT id FROM flow_run WHERE {})", condition.text);
            Sql { text: text.into(), values: condition.values.clone() }
        };
        self.delete_partitioned(Partitioned::FlowRunState, &of("flow_run_id")).await?;
        let inputs = of("flow_run_id");
        let inputs =
            Sql { text: format!("DELETE FROM flow_run_input WHERE {}", inputs.text).into(), values: inputs.values };
        self.execute(&inputs).await?;
        let runs =
            Sql { text: format!("DELETE FROM flow_run WHERE {}", condition.text).into(), values: condition.values };
        self.execute(&runs).await.map(drop)
    }
}

/// What all runs of a schedule have in common, written out once.
struct Shared {
    parameters: Value,
    tags: Value,
    labels: Value,
    policy: Value,
    created_by: Value,
}

impl Shared {
    fn of(schedule: &DueSchedule, kind: &str) -> Self {
        let mut tags = vec!["auto-scheduled".to_owned()];
        tags.extend(schedule.tags.iter().cloned());
        let system = serde_json::json!({
            "prefect.flow.id": schedule.flow_id,
            "prefect.deployment.id": schedule.deployment_id,
        });
        let created_by = CreatedBy {
            id: Some(schedule.id),
            kind: Some("SCHEDULE".into()),
            display_value: Some(schedule.slug.clone().unwrap_or_else(|| kind.to_owned())),
        };
        Self {
            parameters: schedule.deployment_parameters.merged(&schedule.parameters).into(),
            tags: json_list(&tags),
            labels: schedule.labels.merged(&Json::from_value(&system)).into(),
            policy: json(&FlowRunPolicy::default()),
            created_by: json(&created_by),
        }
    }
}
