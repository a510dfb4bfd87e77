//! What pages show beside their lists: counts by flow, by run, by state and by time, and the runs that come next. Each is
//! one grouped query, however many rows the page has.

use tidegate_api::{
    filters::RunFilters,
    flow_runs::FlowRunSort,
    ui::{SimpleFlowRun, SimpleNextFlowRun, TaskRunCount},
};
use tidegate_core::{state::StateType, time::Timestamp};
use uuid::Uuid;

use crate::{
    Dialect, Result, Sql, Tx,
    conditions::{Subject, push_run_filters},
    flow_runs::{estimated_run_time, order, start_time_delta},
    histories::Spans,
    sql,
};

impl Tx {
    /// Flow runs as points of a picture, without what a whole run carries.
    pub async fn list_simple_flow_runs(
        &mut self,
        filters: &RunFilters,
        sort: FlowRunSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<SimpleFlowRun>> {
        let now = self.now();
        let mut sql = sql!(
            "SELECT flow_run.id, flow_run.state_type, flow_run.start_time, flow_run.expected_start_time, \
             flow_run.total_run_time, flow_run.state_timestamp FROM flow_run \
             WHERE flow_run.state_type IS NOT NULL AND flow_run.expected_start_time IS NOT NULL \
             AND flow_run.workspace_id = $1",
            self.workspace()
        );
        push_run_filters(&mut sql, self.dialect(), Subject::FlowRun, filters);
        sql.push_order(self.dialect(), "flow_run", order(sort)).push_page(limit, offset);
        self.all(&sql, |row| {
            let (id, state_type): (Uuid, StateType) = (row.next()?, row.next()?);
            let (start, expected): (Option<Timestamp>, Timestamp) = (row.next()?, row.next()?);
            let (total, since): (f64, Option<Timestamp>) = (row.next()?, row.next()?);
            Ok(SimpleFlowRun {
                id,
                state_type,
                timestamp: start.unwrap_or(expected),
                duration: estimated_run_time(Some(state_type), since, total, now),
                lateness: start_time_delta(Some(state_type), start, Some(expected), now),
            })
        })
        .await
    }

    /// How many deployments each flow has; flows without any are left out.
    pub async fn count_deployments_by_flow(&mut self, flows: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let mut sql =
            sql!("SELECT flow_id, count(*) FROM deployment WHERE deployment.workspace_id = $1 AND ", self.workspace());
        sql.push_ids(self.dialect(), "flow_id", flows).push(" GROUP BY flow_id");
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// How many task runs each flow run has, without those that stand for sub-flows; runs without any are left out.
    pub async fn count_task_runs_by_flow_run(&mut self, flow_runs: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let mut sql = sql!(
            "SELECT task_run.flow_run_id, count(*) FROM task_run WHERE NOT EXISTS \
             (SELECT 1 FROM flow_run AS child WHERE child.parent_task_run_id = task_run.id) AND "
        );
        sql.push_ids(self.dialect(), "task_run.flow_run_id", flow_runs).push(" GROUP BY 1");
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// The scheduled run of each flow that comes first; flows without any are left out.
    pub async fn list_next_flow_runs(&mut self, flows: &[Uuid]) -> Result<Vec<SimpleNextFlowRun>> {
        let mut sql = sql!(
            "SELECT id, flow_id, name, state_name, state_type, next_scheduled_start_time FROM \
             (SELECT id, flow_id, name, state_name, state_type, next_scheduled_start_time, \
             row_number() OVER (PARTITION BY flow_id ORDER BY next_scheduled_start_time, id) AS place FROM flow_run \
             WHERE workspace_id = $1 AND state_type = 'SCHEDULED' AND next_scheduled_start_time IS NOT NULL AND ",
            self.workspace()
        );
        // Few runs wait, and a flow may have a million that are over: on SQLite the sign keeps the flow's index out of it.
        let flow = if self.dialect() == Dialect::Sqlite { "+flow_id" } else { "flow_id" };
        sql.push_ids(self.dialect(), flow, flows).push(") AS waiting WHERE place = 1");
        self.all(&sql, |row| {
            Ok(SimpleNextFlowRun {
                id: row.next()?,
                flow_id: row.next()?,
                name: row.next()?,
                state_name: row.next()?,
                state_type: row.next()?,
                next_scheduled_start_time: row.next()?,
            })
        })
        .await
    }

    /// How many task runs are in each state; states without any are left out.
    pub async fn count_task_runs_by_state(&mut self, filters: &RunFilters) -> Result<Vec<(StateType, i64)>> {
        let mut sql = sql!(
            "SELECT task_run.state_type, count(*) FROM task_run WHERE task_run.state_type IS NOT NULL \
             AND task_run.workspace_id = $1",
            self.workspace()
        );
        push_run_filters(&mut sql, self.dialect(), Subject::TaskRun, filters);
        sql.push(" GROUP BY 1");
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// How task runs ended, by the span that they started in; those that started before the first are left out.
    pub async fn count_task_run_ends(
        &mut self,
        filters: &RunFilters,
        spans: Spans,
    ) -> Result<Vec<(i64, TaskRunCount)>> {
        let dialect = self.dialect();
        let mut sql = Sql::new("SELECT ");
        spans.push_number_of(&mut sql, dialect, "task_run.start_time");
        sql.push(
            " AS span, count(*) FILTER (WHERE task_run.state_type IN ('COMPLETED', 'CANCELLED')), \
             count(*) FILTER (WHERE task_run.state_type IN ('FAILED', 'CRASHED')) FROM task_run WHERE task_run.workspace_id = ",
        );
        // The index of ends leads to them: what started since then ended since then.
        sql.bind(self.workspace()).push(" AND task_run.end_time >= ").bind(spans.start);
        sql.push(" AND task_run.start_time >= ").bind(spans.start);
        push_run_filters(&mut sql, dialect, Subject::TaskRun, filters);
        sql.push(" GROUP BY 1 ORDER BY 1");
        self.all(&sql, |row| Ok((row.next()?, TaskRunCount { completed: row.next()?, failed: row.next()? }))).await
    }

    /// The name of a flow run.
    pub async fn read_flow_run_name(&mut self, id: Uuid) -> Result<Option<String>> {
        self.optional(&sql!("SELECT name FROM flow_run WHERE id = $1", id), |row| row.next()).await
    }
}
