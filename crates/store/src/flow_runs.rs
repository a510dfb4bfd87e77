//! Flow runs in the store: rows, lists and counts. How their states change is `flow_run_states`.

mod create;

use tidegate_api::{
    filters::RunFilters,
    flow_runs::{CreatedBy, FlowRun, FlowRunSort, FlowRunUpdate},
};
use tidegate_core::{json::Json, orchestration::FlowRunPolicy, state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::{
    Partitioned, Result, Row, Sql, Tx,
    conditions::{Subject, push_run_filters},
    sql,
    sql::Direction,
    value::{json, json_list},
};

/// A flow run to insert. Its first state is set in the same transaction (see `Tx::create_flow_run`).
#[derive(Clone, Debug)]
pub struct NewFlowRun {
    pub flow_id: Uuid,
    pub name: String,
    pub deployment_id: Option<Uuid>,
    pub deployment_version: Option<String>,
    pub work_queue_id: Option<Uuid>,
    pub work_queue_name: Option<String>,
    pub flow_version: Option<String>,
    pub parameters: Json,
    pub idempotency_key: Option<String>,
    pub context: Json,
    pub empirical_policy: FlowRunPolicy,
    pub tags: Vec<String>,
    /// The user's labels; the flow's, the deployment's and the system's are added.
    pub labels: Option<Json>,
    pub parent_task_run_id: Option<Uuid>,
    pub auto_scheduled: bool,
    pub infrastructure_document_id: Option<Uuid>,
    pub created_by: Option<CreatedBy>,
    pub job_variables: Option<Json>,
}

impl NewFlowRun {
    pub fn of_flow(flow_id: Uuid, name: String) -> Self {
        Self {
            flow_id,
            name,
            deployment_id: None,
            deployment_version: None,
            work_queue_id: None,
            work_queue_name: None,
            flow_version: None,
            parameters: Json::empty_object(),
            idempotency_key: None,
            context: Json::empty_object(),
            empirical_policy: FlowRunPolicy::default(),
            tags: Vec::new(),
            labels: None,
            parent_task_run_id: None,
            auto_scheduled: false,
            infrastructure_document_id: None,
            created_by: None,
            job_variables: None,
        }
    }
}

pub(crate) const COLUMNS: &str = "flow_run.id, flow_run.created, flow_run.updated, flow_run.name, flow_run.flow_id, \
    flow_run.state_id, flow_run.deployment_id, flow_run.deployment_version, flow_run.work_queue_id, flow_run.work_queue_name, \
    flow_run.flow_version, flow_run.parameters, flow_run.idempotency_key, flow_run.context, flow_run.empirical_policy, \
    flow_run.tags, flow_run.labels, flow_run.parent_task_run_id, flow_run.state_type, flow_run.state_name, \
    flow_run.run_count, flow_run.expected_start_time, flow_run.next_scheduled_start_time, flow_run.start_time, \
    flow_run.end_time, flow_run.total_run_time, flow_run.auto_scheduled, flow_run.infrastructure_document_id, \
    flow_run.infrastructure_pid, flow_run.created_by, queue.name, pool.id, pool.name, flow_run.state, flow_run.job_variables, \
    flow_run.state_timestamp";

pub(crate) const FROM: &str = " FROM flow_run LEFT JOIN work_queue AS queue ON queue.id = flow_run.work_queue_id \
    LEFT JOIN work_pool AS pool ON pool.id = queue.work_pool_id";

/// Reads a row; `now` is what running durations and lateness are measured by.
pub(crate) fn flow_run(now: Timestamp) -> impl FnMut(&mut Row<'_>) -> Result<FlowRun> {
    move |row| {
        let mut run = FlowRun {
            id: row.next()?,
            created: row.next()?,
            updated: row.next()?,
            name: row.next()?,
            flow_id: row.next()?,
            state_id: row.next()?,
            deployment_id: row.next()?,
            deployment_version: row.next()?,
            work_queue_id: row.next()?,
            work_queue_name: row.next()?,
            flow_version: row.next()?,
            parameters: row.next()?,
            idempotency_key: row.next()?,
            context: row.next()?,
            empirical_policy: row.parse()?,
            tags: row.next()?,
            labels: row.next()?,
            parent_task_run_id: row.next()?,
            state_type: row.next()?,
            state_name: row.next()?,
            run_count: row.next()?,
            expected_start_time: row.next()?,
            next_scheduled_start_time: row.next()?,
            start_time: row.next()?,
            end_time: row.next()?,
            total_run_time: row.next()?,
            estimated_run_time: 0.0,
            estimated_start_time_delta: 0.0,
            auto_scheduled: row.next()?,
            infrastructure_document_id: row.next()?,
            infrastructure_pid: row.next()?,
            created_by: row.parse_optional()?,
            work_pool_id: None,
            work_pool_name: None,
            state: None,
            job_variables: None,
        };
        // A queue that was renamed shows its present name; a name without a queue stays as the client gave it.
        if let Some(name) = row.next::<Option<String>>()? {
            run.work_queue_name = Some(name);
        }
        run.work_pool_id = row.next()?;
        run.work_pool_name = row.next()?;
        run.state = row.parse_optional()?;
        run.job_variables = row.next()?;
        let state_timestamp: Option<Timestamp> = row.next()?;
        run.estimated_run_time = estimated_run_time(run.state_type, state_timestamp, run.total_run_time, now);
        run.estimated_start_time_delta = start_time_delta(run.state_type, run.start_time, run.expected_start_time, now);
        Ok(run)
    }
}

/// Seconds in RUNNING so far, the present stay included.
pub(crate) fn estimated_run_time(
    state: Option<StateType>,
    since: Option<Timestamp>,
    total: f64,
    now: Timestamp,
) -> f64 {
    match (state, since) {
        (Some(StateType::Running), Some(since)) => total + now.seconds_since(since).max(0.0),
        _ => total,
    }
}

/// How much later than expected a run started or will start, seconds.
pub(crate) fn start_time_delta(
    state: Option<StateType>,
    start: Option<Timestamp>,
    expected: Option<Timestamp>,
    now: Timestamp,
) -> f64 {
    let Some(expected) = expected else { return 0.0 };
    match start {
        Some(start) => start.seconds_since(expected).max(0.0),
        None if state.is_some_and(StateType::is_terminal) => 0.0,
        None => now.seconds_since(expected).max(0.0),
    }
}

/// What a list of flow runs is ordered by.
pub(crate) fn order(sort: FlowRunSort) -> (&'static str, Direction) {
    let start = "coalesce(flow_run.start_time, flow_run.expected_start_time)";
    match sort {
        FlowRunSort::IdDesc => ("flow_run.id", Direction::Descending),
        FlowRunSort::StartTimeAsc => (start, Direction::Ascending),
        FlowRunSort::StartTimeDesc => (start, Direction::Descending),
        FlowRunSort::ExpectedStartTimeAsc => ("flow_run.expected_start_time", Direction::Ascending),
        FlowRunSort::ExpectedStartTimeDesc => ("flow_run.expected_start_time", Direction::Descending),
        FlowRunSort::NameAsc => ("flow_run.name", Direction::Ascending),
        FlowRunSort::NameDesc => ("flow_run.name", Direction::Descending),
        FlowRunSort::NextScheduledStartTimeAsc => ("flow_run.next_scheduled_start_time", Direction::Ascending),
        FlowRunSort::EndTimeDesc => ("flow_run.end_time", Direction::Descending),
    }
}

fn select() -> Sql {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(FROM).push(" WHERE flow_run.workspace_id = ");
    sql
}

impl Tx {
    fn select_flow_runs(&self) -> Sql {
        let mut sql = select();
        sql.bind(self.workspace());
        sql
    }

    pub async fn read_flow_run(&mut self, id: Uuid) -> Result<Option<FlowRun>> {
        let mut sql = self.select_flow_runs();
        sql.push(" AND flow_run.id = ").bind(id);
        self.optional(&sql, flow_run(self.now())).await
    }

    pub async fn read_flow_run_by_key(&mut self, flow_id: Uuid, idempotency_key: &str) -> Result<Option<FlowRun>> {
        let mut sql = self.select_flow_runs();
        sql.push(" AND flow_run.flow_id = ")
            .bind(flow_id)
            .push(" AND flow_run.idempotency_key = ")
            .bind(idempotency_key);
        self.optional(&sql, flow_run(self.now())).await
    }

    pub async fn list_flow_runs(
        &mut self,
        filters: &RunFilters,
        sort: FlowRunSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<FlowRun>> {
        let mut sql = self.select_flow_runs();
        push_run_filters(&mut sql, self.dialect(), Subject::FlowRun, filters);
        self.page_of_flow_runs(&sql, filters, sort, (limit, offset)).await
    }

    /// The ids of the newest runs that the filters mean.
    pub async fn list_flow_run_ids(&mut self, filters: &RunFilters, limit: i64) -> Result<Vec<Uuid>> {
        let mut sql = sql!("SELECT flow_run.id FROM flow_run WHERE flow_run.workspace_id = $1", self.workspace());
        push_run_filters(&mut sql, self.dialect(), Subject::FlowRun, filters);
        sql.push_order(self.dialect(), "flow_run", order(FlowRunSort::IdDesc)).push_page(limit, 0);
        self.all(&sql, |row| row.next()).await
    }

    pub async fn count_flow_runs(&mut self, filters: &RunFilters) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM flow_run WHERE flow_run.workspace_id = $1", self.workspace());
        push_run_filters(&mut sql, self.dialect(), Subject::FlowRun, filters);
        self.number_of_flow_runs(&sql, filters).await
    }

    /// The mean lateness in seconds of the runs that the filters mean; `None` when there are none.
    pub async fn average_flow_run_lateness(&mut self, filters: &RunFilters) -> Result<Option<f64>> {
        let mut sql = sql!(
            "SELECT flow_run.state_type, flow_run.start_time, flow_run.expected_start_time FROM flow_run \
             WHERE flow_run.workspace_id = $1",
            self.workspace()
        );
        push_run_filters(&mut sql, self.dialect(), Subject::FlowRun, filters);
        let now = self.now();
        let deltas = self.all(&sql, |row| Ok(start_time_delta(row.next()?, row.next()?, row.next()?, now))).await?;
        Ok((!deltas.is_empty()).then(|| deltas.iter().sum::<f64>() / deltas.len() as f64))
    }

    /// Changes what clients may change. Answers whether there was such a run.
    pub async fn update_flow_run(&mut self, id: Uuid, update: FlowRunUpdate) -> Result<bool> {
        let mut sql = sql!("UPDATE flow_run SET updated = $1", self.now());
        if let Some(name) = update.name.value() {
            sql.push(", name = ").bind(name);
        }
        if let Some(version) = update.flow_version.change() {
            sql.push(", flow_version = ").bind(version);
        }
        if let Some(parameters) = update.parameters.value() {
            sql.push(", parameters = ").bind(parameters);
        }
        if let Some(policy) = update.empirical_policy.value() {
            sql.push(", empirical_policy = ").bind(json(&policy));
        }
        if let Some(tags) = update.tags.value() {
            sql.push(", tags = ").bind(json_list(&tags));
        }
        if let Some(pid) = update.infrastructure_pid.change() {
            sql.push(", infrastructure_pid = ").bind(pid);
        }
        if let Some(variables) = update.job_variables.change() {
            sql.push(", job_variables = ").bind(variables);
        }
        sql.push(" WHERE id = ").bind(id).push(" AND workspace_id = ").bind(self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }

    pub async fn set_flow_run_labels(&mut self, id: Uuid, labels: &Json) -> Result<()> {
        let sql = sql!("UPDATE flow_run SET labels = $1, updated = $2 WHERE id = $3", labels, self.now(), id);
        self.execute(&sql).await.map(drop)
    }

    /// Deletes a run with its states, task runs, logs, inputs and artifacts, and gives its slots back.
    pub async fn delete_flow_run(&mut self, id: Uuid) -> Result<bool> {
        let known = self
            .optional(&sql!("SELECT 1 FROM flow_run WHERE id = $1 AND workspace_id = $2", id, self.workspace()), |_| {
                Ok(())
            })
            .await?;
        if known.is_none() {
            return Ok(false);
        }
        self.release_leases_of(id).await?;
        let states = sql!("task_run_id IN (SELECT id FROM task_run WHERE flow_run_id = $1)", id);
        self.delete_partitioned(Partitioned::TaskRunState, &states).await?;
        for statement in [
            "DELETE FROM flow_run_input WHERE flow_run_id = $1",
            "DELETE FROM task_run WHERE flow_run_id = $1",
            "DELETE FROM flow_run WHERE id = $1",
        ] {
            self.execute(&sql!(statement, id)).await?;
        }
        for kind in [Partitioned::FlowRunState, Partitioned::Log] {
            self.delete_partitioned(kind, &sql!("flow_run_id = $1", id)).await?;
        }
        Ok(true)
    }
}
