//! Flows in the store.

use tidegate_api::{
    filters::RunFilters,
    flows::{Flow, FlowCreate, FlowSort, FlowUpdate},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Result, Row, Sql, Tx,
    conditions::{Subject, push_run_filters},
    sql,
    value::json_list,
};

const COLUMNS: &str = "flow.id, flow.created, flow.updated, flow.name, flow.tags, flow.labels";

fn flow(row: &mut Row<'_>) -> Result<Flow> {
    Ok(Flow {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        tags: row.next()?,
        labels: row.next()?,
    })
}

impl Tx {
    /// Gets the flow of this name, or creates it. The boolean tells whether it was created.
    pub async fn ensure_flow(&mut self, create: &FlowCreate) -> Result<(Flow, bool)> {
        if let Some(flow) = self.read_flow_by_name(&create.name).await? {
            return Ok((flow, false));
        }
        let labels = create.labels.clone().unwrap_or_else(Json::null);
        let inserted = self
            .execute(&sql!(
                "INSERT INTO flow (id, workspace_id, created, updated, name, tags, labels) \
                 VALUES ($1, $2, $3, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                Uuid::now_v7(),
                self.workspace(),
                self.now(),
                &create.name,
                json_list(&create.tags),
                &labels,
            ))
            .await?;
        let flow = self.read_flow_by_name(&create.name).await?;
        let flow = flow.ok_or_else(|| crate::Error::Conflict("the flow was deleted while it was created".into()))?;
        if inserted > 0 {
            self.emit_flow_event(&flow, "created").await?;
        }
        Ok((flow, inserted > 0))
    }

    pub async fn read_flow(&mut self, id: Uuid) -> Result<Option<Flow>> {
        let mut sql = select();
        sql.push(" AND flow.id = ").bind(id);
        self.scoped_flow(sql).await
    }

    pub async fn read_flow_by_name(&mut self, name: &str) -> Result<Option<Flow>> {
        let mut sql = select();
        sql.push(" AND flow.name = ").bind(name);
        self.scoped_flow(sql).await
    }

    async fn scoped_flow(&mut self, mut sql: Sql) -> Result<Option<Flow>> {
        sql.push(" AND flow.workspace_id = ").bind(self.workspace());
        self.optional(&sql, flow).await
    }

    /// Answers whether there was such a flow.
    pub async fn update_flow(&mut self, id: Uuid, update: FlowUpdate) -> Result<bool> {
        let mut sql = sql!("UPDATE flow SET updated = $1", self.now());
        if let Some(tags) = update.tags.change() {
            sql.push(", tags = ").bind(json_list(&tags.unwrap_or_default()));
        }
        sql.push(" WHERE id = ").bind(id).push(" AND workspace_id = ").bind(self.workspace());
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        if let Some(flow) = self.read_flow(id).await? {
            self.emit_flow_event(&flow, "updated").await?;
        }
        Ok(true)
    }

    /// Deletes a flow with its deployments and runs. Answers whether there was such a flow.
    pub async fn delete_flow(&mut self, id: Uuid) -> Result<bool> {
        let Some(flow) = self.read_flow(id).await? else { return Ok(false) };
        self.execute(&sql!("DELETE FROM flow WHERE id = $1 AND workspace_id = $2", id, self.workspace())).await?;
        self.emit_flow_event(&flow, "deleted").await?;
        Ok(true)
    }

    async fn emit_flow_event(&mut self, flow: &Flow, what: &str) -> Result<()> {
        let payload = serde_json::json!({ "name": flow.name, "tags": flow.tags, "labels": flow.labels });
        self.emit_resource_event("prefect.flow", flow.id, &flow.name, what, &[], payload.into()).await
    }

    pub async fn list_flows(
        &mut self,
        filters: &RunFilters,
        sort: FlowSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Flow>> {
        let mut sql = select();
        self.push_flow_conditions(&mut sql, filters);
        sql.push(match sort {
            FlowSort::CreatedDesc => " ORDER BY flow.created DESC, flow.id DESC",
            FlowSort::UpdatedDesc => " ORDER BY flow.updated DESC, flow.id DESC",
            FlowSort::NameAsc => " ORDER BY flow.name ASC",
            FlowSort::NameDesc => " ORDER BY flow.name DESC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, flow).await
    }

    pub async fn count_flows(&mut self, filters: &RunFilters) -> Result<i64> {
        let mut sql = Sql::new("SELECT count(*) FROM flow WHERE 1 = 1");
        self.push_flow_conditions(&mut sql, filters);
        self.one(&sql, |row| row.next()).await
    }

    fn push_flow_conditions(&self, sql: &mut Sql, filters: &RunFilters) {
        sql.push(" AND flow.workspace_id = ").bind(self.workspace());
        push_run_filters(sql, self.dialect(), Subject::Flow, filters);
    }

    /// The labels of a flow, which its runs and deployments inherit.
    pub async fn read_flow_labels(&mut self, id: Uuid) -> Result<Option<Json>> {
        self.optional(&sql!("SELECT labels FROM flow WHERE id = $1", id), |row| row.next()).await
    }
}

fn select() -> Sql {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM flow WHERE 1 = 1");
    sql
}
