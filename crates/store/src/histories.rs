//! Histories: runs counted by when they were expected and by the state they are in. One grouped query over the index of
//! expected starts, however many spans are asked for.

use tidegate_api::filters::RunFilters;
use tidegate_core::{state::StateType, time::Timestamp};

use crate::{
    Dialect, Result, Sql, Tx,
    conditions::{Subject, push_run_filters},
};

/// Spans of time, one after the other: the `length` microseconds after `start` are `parts` of them.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    pub start: Timestamp,
    pub length: i64,
    pub parts: i64,
}

impl Spans {
    /// The number of the span that a time in `column` falls into, as an expression.
    pub(crate) fn push_number_of(self, sql: &mut Sql, dialect: Dialect, column: &str) {
        match dialect {
            Dialect::Sqlite => {
                sql.push("(").push(column).push(" - ").bind(self.start).push(") * ").bind(self.parts);
                sql.push(" / ").bind(self.length);
            }
            Dialect::Postgres => {
                sql.push("floor(extract(epoch FROM ").push(column).push(" - ").bind(self.start);
                sql.push("::timestamptz) * 1000000 * ").bind(self.parts).push("::bigint / ").bind(self.length);
                sql.push("::bigint)::bigint");
            }
        }
    }
}

/// The runs of one span in one state.
#[derive(Clone, Debug)]
pub struct SpanCount {
    pub span: i64,
    pub state_type: StateType,
    pub state_name: String,
    pub runs: i64,
    /// Seconds in RUNNING, of all of them.
    pub run_time: f64,
    /// Seconds between expected and real starts, of all of them.
    pub lateness: f64,
}

impl Tx {
    /// Flow runs that were expected from the first span on and before `end`.
    pub async fn count_flow_runs_by_span(
        &mut self,
        filters: &RunFilters,
        spans: Spans,
        end: Timestamp,
    ) -> Result<Vec<SpanCount>> {
        self.count_by_span(Subject::FlowRun, "flow_run", filters, spans, end).await
    }

    /// Task runs that were expected from the first span on and before `end`.
    pub async fn count_task_runs_by_span(
        &mut self,
        filters: &RunFilters,
        spans: Spans,
        end: Timestamp,
    ) -> Result<Vec<SpanCount>> {
        self.count_by_span(Subject::TaskRun, "task_run", filters, spans, end).await
    }

    async fn count_by_span(
        &mut self,
        subject: Subject,
        table: &str,
        filters: &RunFilters,
        spans: Spans,
        end: Timestamp,
    ) -> Result<Vec<SpanCount>> {
        let (dialect, now) = (self.dialect(), self.now());
        let column = |name: &str| format!("{table}.{name}");
        let expected = column("expected_start_time");
        let mut sql = Sql::new("SELECT ");
        spans.push_number_of(&mut sql, dialect, &expected);
        sql.push(&format!(" AS span, {table}.state_type, {table}.state_name, count(*), sum({table}.total_run_time + "));
        sql.push(&format!("CASE WHEN {table}.state_type = 'RUNNING' THEN "));
        push_seconds_until(&mut sql, dialect, now, &column("state_timestamp"));
        sql.push(&format!(" ELSE 0.0 END), sum(CASE WHEN {table}.start_time IS NULL AND {table}.state_type NOT IN "));
        sql.push("('COMPLETED', 'CANCELLED', 'FAILED', 'CRASHED') THEN ");
        push_seconds_until(&mut sql, dialect, now, &expected);
        sql.push(&format!(" WHEN {table}.start_time > {expected} THEN "));
        match dialect {
            Dialect::Sqlite => sql.push(&format!("({table}.start_time - {expected}) / 1000000.0")),
            Dialect::Postgres => sql.push(&format!("extract(epoch FROM {table}.start_time - {expected})::float8")),
        };
        sql.push(&format!(" ELSE 0.0 END) FROM {table} WHERE {table}.workspace_id = ")).bind(self.workspace());
        sql.push(&format!(" AND {expected} >= ")).bind(spans.start);
        sql.push(&format!(" AND {expected} < ")).bind(end);
        sql.push(&format!(" AND {table}.state_type IS NOT NULL"));
        push_run_filters(&mut sql, dialect, subject, filters);
        sql.push(" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
        self.all(&sql, |row| {
            Ok(SpanCount {
                span: row.next()?,
                state_type: row.next()?,
                state_name: row.next()?,
                runs: row.next()?,
                run_time: row.next()?,
                lateness: row.next()?,
            })
        })
        .await
    }
}

/// Seconds from the time in `column` until now, never less than none, as an expression.
fn push_seconds_until(sql: &mut Sql, dialect: Dialect, now: Timestamp, column: &str) {
    match dialect {
        Dialect::Sqlite => sql.push("max(0.0, (").bind(now).push(" - ").push(column).push(") / 1000000.0)"),
        Dialect::Postgres => {
            sql.push("greatest(0.0, extract(epoch FROM ").bind(now).push("::timestamptz - ").push(column);
            sql.push(")::float8)")
        }
    };
}
