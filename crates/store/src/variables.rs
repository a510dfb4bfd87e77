//! Variables in the store.

use serde_json::json;
use tidegate_api::{
    filters::VariableFilter,
    variables::{Variable, VariableCreate, VariableSort, VariableUpdate},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{Error, ResourceEvent, Result, Row, Sql, Tx, conditions::Conditions, sql, value::json_list};

fn variable(row: &mut Row<'_>) -> Result<Variable> {
    Ok(Variable {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        value: row.next()?,
        tags: row.next()?,
    })
}

/// How a variable is named in a request.
#[derive(Clone, Debug)]
pub enum VariableKey {
    Id(Uuid),
    Name(String),
}

impl Tx {
    /// Creates a variable. `None` when the name is taken.
    pub async fn create_variable(&mut self, create: &VariableCreate) -> Result<Option<Variable>> {
        let id = Uuid::now_v7();
        let inserted = self
            .execute(&sql!(
                "INSERT INTO variable (id, workspace_id, created, updated, name, value, tags) \
                 VALUES ($1, $2, $3, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                &create.name,
                create.value.clone().unwrap_or_else(Json::null),
                json_list(&create.tags),
            ))
            .await?;
        if inserted == 0 {
            return Ok(None);
        }
        let variable = self.require_variable(id).await?;
        self.emit_variable(&variable, "created").await?;
        Ok(Some(variable))
    }

    pub async fn read_variable(&mut self, key: &VariableKey) -> Result<Option<Variable>> {
        let mut sql = self.select_variables();
        match key {
            VariableKey::Id(id) => sql.push(" AND id = ").bind(id),
            VariableKey::Name(name) => sql.push(" AND name = ").bind(name),
        };
        self.optional(&sql, variable).await
    }

    async fn require_variable(&mut self, id: Uuid) -> Result<Variable> {
        let variable = self.read_variable(&VariableKey::Id(id)).await?;
        variable.ok_or_else(|| Error::Conflict("the variable was deleted while it was changed".into()))
    }

    fn select_variables(&self) -> Sql {
        sql!("SELECT id, created, updated, name, value, tags FROM variable WHERE workspace_id = $1", self.workspace())
    }

    pub async fn list_variables(
        &mut self,
        filter: Option<&VariableFilter>,
        sort: VariableSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Variable>> {
        let mut sql = self.select_variables();
        self.push_variable_filter(&mut sql, filter);
        sql.push(match sort {
            VariableSort::CreatedDesc => " ORDER BY created DESC, id DESC",
            VariableSort::UpdatedDesc => " ORDER BY updated DESC, id DESC",
            VariableSort::NameDesc => " ORDER BY name DESC",
            VariableSort::NameAsc => " ORDER BY name ASC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, variable).await
    }

    pub async fn count_variables(&mut self, filter: Option<&VariableFilter>) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM variable WHERE workspace_id = $1", self.workspace());
        self.push_variable_filter(&mut sql, filter);
        self.one(&sql, |row| row.next()).await
    }

    fn push_variable_filter(&self, sql: &mut Sql, filter: Option<&VariableFilter>) {
        let Some(filter) = filter else { return };
        sql.push(" AND ");
        let mut parts = Conditions::begin(sql, self.dialect(), filter.operator);
        parts.ids("id", filter.id.as_ref());
        parts.texts("name", filter.name.as_ref());
        parts.tags("tags", filter.tags.as_ref());
        parts.end();
    }

    /// Answers whether there was such a variable.
    pub async fn update_variable(&mut self, key: &VariableKey, update: VariableUpdate) -> Result<bool> {
        let Some(before) = self.read_variable(key).await? else { return Ok(false) };
        let mut sql = sql!("UPDATE variable SET updated = $1", self.now());
        if let Some(name) = update.name.change() {
            sql.push(", name = ").bind(name);
        }
        if let Some(value) = update.value.change() {
            // A null is a value like any other.
            sql.push(", value = ").bind(value.unwrap_or_else(Json::null));
        }
        if let Some(tags) = update.tags.change() {
            sql.push(", tags = ").bind(tags.map(|tags| Json::from_value(&tags)));
        }
        sql.push(" WHERE id = ").bind(before.id);
        self.execute(&sql).await?;
        let after = self.require_variable(before.id).await?;
        self.emit_variable(&after, "updated").await?;
        Ok(true)
    }

    /// Answers whether there was such a variable.
    pub async fn delete_variable(&mut self, key: &VariableKey) -> Result<bool> {
        let Some(variable) = self.read_variable(key).await? else { return Ok(false) };
        self.emit_variable(&variable, "deleted").await?;
        self.execute(&sql!("DELETE FROM variable WHERE id = $1", variable.id)).await?;
        Ok(true)
    }

    async fn emit_variable(&mut self, variable: &Variable, what: &str) -> Result<()> {
        let payload = json!({ "name": variable.name, "value": variable.value, "tags": variable.tags });
        let event = ResourceEvent::new("prefect.variable", variable.id, what).named(&variable.name).payload(payload);
        self.emit(&event.at(self.now())).await.map(drop)
    }
}
