//! Saved searches in the store.

use tidegate_api::saved_searches::{SavedSearch, SavedSearchCreate};
use uuid::Uuid;

use crate::{Error, Result, Row, Sql, Tx, sql, value::json};

fn saved_search(row: &mut Row<'_>) -> Result<SavedSearch> {
    Ok(SavedSearch {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        filters: row.parse()?,
    })
}

impl Tx {
    fn select_saved_searches(&self) -> Sql {
        sql!("SELECT id, created, updated, name, filters FROM saved_search WHERE workspace_id = $1", self.workspace())
    }

    /// Creates a search or replaces the one of its name. The boolean tells whether it was created.
    pub async fn put_saved_search(&mut self, create: &SavedSearchCreate) -> Result<(SavedSearch, bool)> {
        let id = Uuid::now_v7();
        self.execute(&sql!(
            "INSERT INTO saved_search (id, workspace_id, created, updated, name, filters) \
             VALUES ($1, $2, $3, $3, $4, $5) ON CONFLICT (workspace_id, name) \
             DO UPDATE SET updated = excluded.updated, filters = excluded.filters",
            id,
            self.workspace(),
            self.now(),
            &create.name,
            json(&create.filters),
        ))
        .await?;
        let mut sql = self.select_saved_searches();
        sql.push(" AND name = ").bind(&create.name);
        let search = self.optional(&sql, saved_search).await?;
        let search =
            search.ok_or_else(|| Error::Database("a saved search is gone right after it was written".into()))?;
        let is_new = search.id == id;
        Ok((search, is_new))
    }

    pub async fn read_saved_search(&mut self, id: Uuid) -> Result<Option<SavedSearch>> {
        let mut sql = self.select_saved_searches();
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, saved_search).await
    }

    pub async fn list_saved_searches(&mut self, limit: i64, offset: i64) -> Result<Vec<SavedSearch>> {
        let mut sql = self.select_saved_searches();
        sql.push(" ORDER BY name").push_page(limit, offset);
        self.all(&sql, saved_search).await
    }

    /// Answers whether there was such a search.
    pub async fn delete_saved_search(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM saved_search WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }
}
