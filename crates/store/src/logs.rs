//! Log records in the store: written in bulk, read by run, searched for words by blocks.

mod blocks;
mod letters;
mod search;

use tidegate_api::{
    filters::LogFilter,
    logs::{Log, LogSort},
    text_search::TextQuery,
};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

pub use self::blocks::NewBlocks;
use self::search::Search;
use crate::{
    Dialect, Partitioned, Result, Row, Sql, Tx, Wake,
    conditions::{Conditions, push_text_query},
    value::Value,
};

const COLUMNS: &str = "id, workspace_id, created, timestamp, name, level, message, flow_run_id, task_run_id";
const SELECTED: &str = "log.id, log.created, log.name, log.level, log.message, log.timestamp, log.flow_run_id, \
                        log.task_run_id";

/// A log record to be written.
#[derive(Clone, Debug)]
pub struct LogRecord {
    pub id: Uuid,
    pub timestamp: Timestamp,
    pub name: String,
    pub level: i64,
    pub message: String,
    pub flow_run_id: Option<Uuid>,
    pub task_run_id: Option<Uuid>,
}

impl LogRecord {
    /// The record as it is answered.
    pub fn to_log(&self, created: Timestamp) -> Log {
        Log {
            id: self.id,
            created: Some(created),
            updated: Some(created),
            name: self.name.clone(),
            level: self.level,
            message: self.message.clone(),
            timestamp: self.timestamp,
            flow_run_id: self.flow_run_id,
            task_run_id: self.task_run_id,
        }
    }
}

/// Begins a query for records of a table, up to the workspace.
fn select(table: &str) -> Sql {
    Sql::new(format!("SELECT {SELECTED} FROM {table} AS log WHERE log.workspace_id = "))
}

/// A record from the columns of `select`.
fn log(row: &mut Row<'_>) -> Result<Log> {
    let id = row.next()?;
    let created = row.next()?;
    Ok(Log {
        id,
        created,
        updated: created,
        name: row.next()?,
        level: row.next()?,
        message: row.next()?,
        timestamp: row.next()?,
        flow_run_id: row.next()?,
        task_run_id: row.next()?,
    })
}

impl Tx {
    /// Writes records and wakes whoever follows logs once they are committed.
    pub async fn create_logs<'r>(&mut self, records: impl IntoIterator<Item = &'r LogRecord>) -> Result<()> {
        let (workspace, created) = (self.workspace(), self.now());
        let rows: Vec<_> = records
            .into_iter()
            .map(|record| {
                let row = vec![
                    Value::Uuid(record.id),
                    Value::Uuid(workspace),
                    Value::Time(created),
                    Value::Time(record.timestamp),
                    Value::Text(record.name.clone()),
                    Value::Int(record.level),
                    Value::Text(record.message.clone()),
                    record.flow_run_id.into(),
                    record.task_run_id.into(),
                ];
                (created, row)
            })
            .collect();
        if !rows.is_empty() {
            self.insert_partitioned(Partitioned::Log, COLUMNS, "", rows).await?;
            self.wake(Wake::Logs);
        }
        Ok(())
    }

    pub async fn list_logs(
        &mut self,
        filter: Option<&LogFilter>,
        sort: LogSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Log>> {
        if let Some(filter) = filter
            && let Some(search) = Search::of(filter)
        {
            return self.search_logs(&search, filter, sort, limit, offset).await;
        }
        let mut sql = select("log");
        sql.bind(self.workspace());
        if let Some(filter) = filter {
            push_log_filter(&mut sql, self.dialect(), filter);
        }
        // Records of one instant stay in the order in which they arrived: their ids grow with time.
        sql.push(match sort {
            LogSort::TimestampAsc => " ORDER BY log.timestamp ASC, log.id ASC",
            LogSort::TimestampDesc => " ORDER BY log.timestamp DESC, log.id DESC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, log).await
    }

    /// The records of one flow run after the one given, for reading all of them page by page.
    pub async fn list_logs_after(
        &mut self,
        flow_run_id: Uuid,
        after: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<Log>> {
        let mut sql = select("log");
        sql.bind(self.workspace()).push(" AND log.flow_run_id = ").bind(flow_run_id);
        if let Some((timestamp, id)) = after {
            sql.push(" AND (log.timestamp, log.id) > (").bind(timestamp).push(", ").bind(id).push(")");
        }
        sql.push(" ORDER BY log.timestamp ASC, log.id ASC").push_page(limit, 0);
        self.all(&sql, log).await
    }

    /// Records stored since an instant (of that instant, after an id), for following logs that other servers took in.
    pub async fn list_logs_created_since(
        &mut self,
        since: Timestamp,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Log>> {
        let mut sql = select("log");
        sql.bind(self.workspace()).push(" AND log.created >= ").bind(since);
        if let Some(id) = after {
            sql.push(" AND (log.created, log.id) > (").bind(since).push(", ").bind(id).push(")");
        }
        sql.push(" ORDER BY log.created ASC, log.id ASC").push_page(limit, 0);
        self.all(&sql, log).await
    }

    /// Deletes the records of a flow run.
    pub async fn delete_logs(&mut self, flow_run_id: Uuid) -> Result<u64> {
        self.delete_partitioned(Partitioned::Log, &crate::sql!("flow_run_id = $1", flow_run_id)).await
    }
}

fn push_log_filter(sql: &mut Sql, dialect: Dialect, filter: &LogFilter) {
    sql.push(" AND ");
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.range("log.level", filter.level.as_ref());
    parts.times("log.timestamp", filter.timestamp.as_ref());
    parts.reference("log.flow_run_id", filter.flow_run_id.as_ref());
    parts.reference("log.task_run_id", filter.task_run_id.as_ref());
    if let Some(query) = filter.text.as_ref().and_then(|text| text.query.as_deref()) {
        let query = TextQuery::parse(query);
        if query != TextQuery::default() {
            push_text_query(&mut parts, "(log.message || ' ' || log.name)", &query);
        }
    }
    parts.end();
}
