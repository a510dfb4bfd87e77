//! Inputs of flow runs: values that others send to a run, by key.

use tidegate_api::flow_runs::FlowRunInput;
use uuid::Uuid;

use crate::{Result, Row, Sql, Tx, sql};

const COLUMNS: &str = "id, created, updated, flow_run_id, key, value, sender";

fn input(row: &mut Row<'_>) -> Result<FlowRunInput> {
    Ok(FlowRunInput {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        flow_run_id: row.next()?,
        key: row.next()?,
        value: row.next()?,
        sender: row.next()?,
    })
}

fn select(flow_run: Uuid) -> Sql {
    sql!(format!("SELECT {COLUMNS} FROM flow_run_input WHERE flow_run_id = $1"), flow_run)
}

impl Tx {
    /// Stores an input. `false` when the run has one of this key.
    pub async fn create_flow_run_input(
        &mut self,
        run: Uuid,
        key: &str,
        value: &str,
        sender: Option<&str>,
    ) -> Result<bool> {
        let sql = sql!(
            "INSERT INTO flow_run_input (id, created, updated, flow_run_id, key, value, sender) \
             VALUES ($1, $2, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            Uuid::now_v7(),
            self.now(),
            run,
            key,
            value,
            sender,
        );
        Ok(self.execute(&sql).await? > 0)
    }

    pub async fn read_flow_run_input(&mut self, run: Uuid, key: &str) -> Result<Option<FlowRunInput>> {
        let mut sql = select(run);
        sql.push(" AND key = ").bind(key);
        self.optional(&sql, input).await
    }

    /// Inputs whose key begins with `prefix`, oldest first, less those of `without`.
    pub async fn list_flow_run_inputs(
        &mut self,
        run: Uuid,
        prefix: &str,
        without: &[String],
        limit: i64,
    ) -> Result<Vec<FlowRunInput>> {
        let mut sql = select(run);
        sql.push(" AND key LIKE ").bind(format!("{prefix}%"));
        if !without.is_empty() {
            sql.push(" AND NOT (").push_texts(self.dialect(), "key", without).push(")");
        }
        sql.push(" ORDER BY created, id").push_page(limit, 0);
        self.all(&sql, input).await
    }

    pub async fn delete_flow_run_input(&mut self, run: Uuid, key: &str) -> Result<bool> {
        let sql = sql!("DELETE FROM flow_run_input WHERE flow_run_id = $1 AND key = $2", run, key);
        Ok(self.execute(&sql).await? > 0)
    }
}
