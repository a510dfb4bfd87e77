//! Task runs in the store: rows, lists and counts. Ordinary task runs arrive as events (`task_run_events`); what clients
//! create and change over HTTP goes through `task_run_states`.

use tidegate_api::{
    filters::RunFilters,
    task_runs::{TaskRun, TaskRunSort, TaskRunUpdate},
};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{
    Partitioned, Result, Row, Sql, Tx,
    conditions::{Subject, push_run_filters},
    flow_runs::{estimated_run_time, start_time_delta},
    sql,
    sql::Direction,
};

const COLUMNS: &str = "task_run.id, task_run.created, task_run.updated, task_run.name, task_run.flow_run_id, \
    task_run.task_key, task_run.dynamic_key, task_run.cache_key, task_run.cache_expiration, task_run.task_version, \
    task_run.empirical_policy, task_run.tags, task_run.labels, task_run.state_id, task_run.task_inputs, \
    task_run.state_type, task_run.state_name, task_run.run_count, task_run.flow_run_run_count, \
    task_run.expected_start_time, task_run.next_scheduled_start_time, task_run.start_time, task_run.end_time, \
    task_run.total_run_time, task_run.state, task_run.state_timestamp";

fn task_run(now: Timestamp) -> impl FnMut(&mut Row<'_>) -> Result<TaskRun> {
    move |row| {
        let mut run = TaskRun {
            id: row.next()?,
            created: row.next()?,
            updated: row.next()?,
            name: row.next()?,
            flow_run_id: row.next()?,
            task_key: row.next()?,
            dynamic_key: row.next()?,
            cache_key: row.next()?,
            cache_expiration: row.next()?,
            task_version: row.next()?,
            empirical_policy: row.parse()?,
            tags: row.next()?,
            labels: row.next()?,
            state_id: row.next()?,
            task_inputs: row.next()?,
            state_type: row.next()?,
            state_name: row.next()?,
            run_count: row.next()?,
            flow_run_run_count: row.next()?,
            expected_start_time: row.next()?,
            next_scheduled_start_time: row.next()?,
            start_time: row.next()?,
            end_time: row.next()?,
            total_run_time: row.next()?,
            estimated_run_time: 0.0,
            estimated_start_time_delta: 0.0,
            state: row.parse_optional()?,
        };
        let state_timestamp: Option<Timestamp> = row.next()?;
        run.estimated_run_time = estimated_run_time(run.state_type, state_timestamp, run.total_run_time, now);
        run.estimated_start_time_delta = start_time_delta(run.state_type, run.start_time, run.expected_start_time, now);
        Ok(run)
    }
}

impl Tx {
    fn select_task_runs(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM task_run WHERE task_run.workspace_id = ").bind(self.workspace());
        sql
    }

    pub async fn read_task_run(&mut self, id: Uuid) -> Result<Option<TaskRun>> {
        let mut sql = self.select_task_runs();
        sql.push(" AND task_run.id = ").bind(id);
        self.optional(&sql, task_run(self.now())).await
    }

    /// The run of these keys: within a flow run, or among the runs that belong to none.
    pub async fn read_task_run_by_key(
        &mut self,
        flow_run: Option<Uuid>,
        task_key: &str,
        dynamic_key: &str,
    ) -> Result<Option<TaskRun>> {
        let mut sql = self.select_task_runs();
        match flow_run {
            Some(id) => sql.push(" AND task_run.flow_run_id = ").bind(id),
            None => sql.push(" AND task_run.flow_run_id IS NULL"),
        };
        sql.push(" AND task_run.task_key = ").bind(task_key).push(" AND task_run.dynamic_key = ").bind(dynamic_key);
        self.optional(&sql, task_run(self.now())).await
    }

    pub async fn list_task_runs(
        &mut self,
        filters: &RunFilters,
        sort: TaskRunSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<TaskRun>> {
        let mut sql = self.select_task_runs();
        push_run_filters(&mut sql, self.dialect(), Subject::TaskRun, filters);
        let order = match sort {
            TaskRunSort::IdDesc => ("task_run.id", Direction::Descending),
            TaskRunSort::ExpectedStartTimeAsc => ("task_run.expected_start_time", Direction::Ascending),
            TaskRunSort::ExpectedStartTimeDesc => ("task_run.expected_start_time", Direction::Descending),
            TaskRunSort::NameAsc => ("task_run.name", Direction::Ascending),
            TaskRunSort::NameDesc => ("task_run.name", Direction::Descending),
            TaskRunSort::NextScheduledStartTimeAsc => ("task_run.next_scheduled_start_time", Direction::Ascending),
            TaskRunSort::EndTimeDesc => ("task_run.end_time", Direction::Descending),
        };
        sql.push_order(self.dialect(), "task_run", order).push_page(limit, offset);
        self.all(&sql, task_run(self.now())).await
    }

    pub async fn count_task_runs(&mut self, filters: &RunFilters) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM task_run WHERE task_run.workspace_id = $1", self.workspace());
        push_run_filters(&mut sql, self.dialect(), Subject::TaskRun, filters);
        self.one(&sql, |row| row.next()).await
    }

    pub async fn update_task_run(&mut self, id: Uuid, update: TaskRunUpdate) -> Result<bool> {
        let mut sql = sql!("UPDATE task_run SET updated = $1", self.now());
        if let Some(name) = update.name.value() {
            sql.push(", name = ").bind(name);
        }
        sql.push(" WHERE id = ").bind(id).push(" AND workspace_id = ").bind(self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }

    pub async fn delete_task_run(&mut self, id: Uuid) -> Result<bool> {
        self.release_leases_of(id).await?;
        self.delete_partitioned(Partitioned::TaskRunState, &sql!("task_run_id = $1", id)).await?;
        let sql = sql!("DELETE FROM task_run WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }
}
