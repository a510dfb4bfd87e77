//! Automations in the store. Each change moves the revision that the evaluation of triggers goes by.

use tidegate_api::{
    automations::{Automation, AutomationCreate, AutomationSort, AutomationUpdate},
    filters::AutomationFilter,
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Error, Position, ResourceEvent, Result, Row, Sql, Tx,
    conditions::Conditions,
    sql,
    value::{json, json_list},
};

fn automation(row: &mut Row<'_>) -> Result<Automation> {
    Ok(Automation {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        description: row.next()?,
        enabled: row.next()?,
        tags: row.next()?,
        trigger: row.parse()?,
        actions: row.parse()?,
        actions_on_trigger: row.parse()?,
        actions_on_resolve: row.parse()?,
    })
}

const COLUMNS: &str = "id, created, updated, name, description, enabled, tags, trigger_definition, actions, actions_on_trigger, \
                       actions_on_resolve";

impl Tx {
    fn select_automations(&self) -> Sql {
        let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM automation WHERE workspace_id = "));
        sql.bind(self.workspace());
        sql
    }

    /// Creates an automation; its trigger has its final ids.
    pub async fn create_automation(&mut self, create: &AutomationCreate) -> Result<Automation> {
        let id = Uuid::now_v7();
        let since = self.automations_changed().await?;
        self.execute(&sql!(
            "INSERT INTO automation (id, workspace_id, created, updated, name, description, enabled, tags, trigger_definition, \
             actions, actions_on_trigger, actions_on_resolve, owner_resource, active_transaction, active_sequence) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            id,
            self.workspace(),
            self.now(),
            &create.name,
            &create.description,
            create.enabled,
            json_list(&create.tags),
            json(&create.trigger),
            json(&create.actions),
            json(&create.actions_on_trigger),
            json(&create.actions_on_resolve),
            create.owner_resource.as_deref(),
            since.transaction,
            since.sequence,
        ))
        .await?;
        self.note_automation_change(id, "created").await
    }

    pub async fn read_automation(&mut self, id: Uuid) -> Result<Option<Automation>> {
        let mut sql = self.select_automations();
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, automation).await
    }

    pub async fn list_automations(
        &mut self,
        filter: Option<&AutomationFilter>,
        sort: AutomationSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Automation>> {
        let mut sql = self.select_automations();
        self.push_automation_filter(&mut sql, filter);
        sql.push(match sort {
            AutomationSort::CreatedDesc => " ORDER BY created DESC, id DESC",
            AutomationSort::UpdatedDesc => " ORDER BY updated DESC, id DESC",
            AutomationSort::NameAsc => " ORDER BY name, id",
            AutomationSort::NameDesc => " ORDER BY name DESC, id DESC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, automation).await
    }

    pub async fn count_automations(&mut self, filter: Option<&AutomationFilter>) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM automation WHERE workspace_id = $1", self.workspace());
        self.push_automation_filter(&mut sql, filter);
        self.one(&sql, |row| row.next()).await
    }

    fn push_automation_filter(&self, sql: &mut Sql, filter: Option<&AutomationFilter>) {
        let Some(filter) = filter else { return };
        sql.push(" AND ");
        let mut parts = Conditions::begin(sql, self.dialect(), filter.operator);
        parts.ids("id", filter.id.as_ref());
        parts.texts("name", filter.name.as_ref());
        parts.times("created", filter.created.as_ref());
        parts.tags("tags", filter.tags.as_ref());
        parts.end();
    }

    /// The automations that belong to a resource, or that run it.
    pub async fn list_automations_related_to(&mut self, resource: &str) -> Result<Vec<Automation>> {
        let deployment = resource.strip_prefix("prefect.deployment.").and_then(|id| Uuid::parse_str(id).ok());
        let mut sql = self.select_automations();
        sql.push(" AND (owner_resource = ").bind(resource);
        if let Some(id) = deployment {
            sql.push(" OR id IN (SELECT automation_id FROM automation_deployment WHERE deployment_id = ")
                .bind(id)
                .push(")");
        }
        sql.push(") ORDER BY created, id");
        self.all(&sql, automation).await
    }

    /// Replaces an automation; its trigger has its final ids. What its old triggers had counted is forgotten. Answers
    /// whether there was such an automation.
    pub async fn replace_automation(&mut self, id: Uuid, update: AutomationUpdate) -> Result<bool> {
        let Some(before) = self.read_automation(id).await? else { return Ok(false) };
        let new = update.applied_to(before);
        let since = self.automations_changed().await?;
        self.execute(&sql!(
            "UPDATE automation SET updated = $1, name = $2, description = $3, enabled = $4, tags = $5, \
                 trigger_definition = $6, actions = $7, actions_on_trigger = $8, actions_on_resolve = $9, \
                 active_transaction = $10, active_sequence = $11 WHERE id = $12",
            self.now(),
            &new.name,
            &new.description,
            new.enabled,
            json_list(&new.tags),
            json(&new.trigger),
            json(&new.actions),
            json(&new.actions_on_trigger),
            json(&new.actions_on_resolve),
            since.transaction,
            since.sequence,
            id,
        ))
        .await?;
        self.forget_counted(id).await?;
        self.note_automation_change(id, "updated").await?;
        Ok(true)
    }

    /// Switches an automation on or off. What it had counted stays, but nobody waited while it was off: windows that wait for
    /// something that does not come begin anew. Answers whether there is such an automation.
    pub async fn enable_automation(&mut self, id: Uuid, enabled: bool) -> Result<bool> {
        let Some(before) = self.read_automation(id).await? else { return Ok(false) };
        let mut sql = sql!("UPDATE automation SET updated = $1", self.now());
        if before.enabled != enabled {
            let since = self.automations_changed().await?;
            sql.push(", enabled = ").bind(enabled);
            sql.push(", active_transaction = ").bind(since.transaction);
            sql.push(", active_sequence = ").bind(since.sequence);
            self.forget_waiting(&before).await?;
        }
        sql.push(" WHERE id = ").bind(id);
        self.execute(&sql).await?;
        self.note_automation_change(id, "updated").await?;
        Ok(true)
    }

    /// Answers whether there was such an automation.
    pub async fn delete_automation(&mut self, id: Uuid) -> Result<bool> {
        let Some(before) = self.read_automation(id).await? else { return Ok(false) };
        self.delete_known_automation(&before).await?;
        Ok(true)
    }

    /// Deletes the automations that belong to a resource, such as a deployment. How many there were.
    pub async fn delete_automations_owned_by(&mut self, resource: &str) -> Result<u64> {
        let mut sql = self.select_automations();
        sql.push(" AND owner_resource = ").bind(resource);
        let owned = self.all(&sql, automation).await?;
        for automation in &owned {
            self.delete_known_automation(automation).await?;
        }
        Ok(owned.len() as u64)
    }

    async fn delete_known_automation(&mut self, automation: &Automation) -> Result<()> {
        self.automations_changed().await?;
        self.execute(&sql!("DELETE FROM automation WHERE id = $1", automation.id)).await?;
        self.emit_automation(automation, "deleted").await
    }

    /// After a change: what it is related to, and the event that tells of it.
    async fn note_automation_change(&mut self, id: Uuid, what: &str) -> Result<Automation> {
        let automation = self.read_automation(id).await?;
        let automation =
            automation.ok_or_else(|| Error::Conflict("the automation was deleted while it was changed".into()))?;
        self.execute(&sql!("DELETE FROM automation_deployment WHERE automation_id = $1", id)).await?;
        for deployment in automation.actions.iter().filter_map(|action| action.selected_deployment()) {
            self.execute(&sql!(
                "INSERT INTO automation_deployment (automation_id, deployment_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                id,
                deployment,
            ))
            .await?;
        }
        self.emit_automation(&automation, what).await?;
        Ok(automation)
    }

    async fn emit_automation(&mut self, automation: &Automation, what: &str) -> Result<()> {
        let event = ResourceEvent::new("prefect.automation", automation.id, what).named(&automation.name);
        let event = event.payload(Json::from_value(automation)).at(self.now());
        self.emit(&event).await.map(drop)
    }

    /// The automations that are switched on, each with the position of the outbox from which on events count.
    pub async fn list_active_automations(&mut self) -> Result<Vec<(Automation, Position)>> {
        let mut sql =
            Sql::new(format!("SELECT {COLUMNS}, active_transaction, active_sequence FROM automation WHERE enabled = "));
        sql.bind(true).push(" AND workspace_id = ").bind(self.workspace()).push(" ORDER BY created, id");
        self.all(&sql, |row| {
            let automation = automation(row)?;
            Ok((automation, Position { transaction: row.next()?, sequence: row.next()? }))
        })
        .await
    }
}
