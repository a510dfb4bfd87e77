//! Block types in the store.

use tidegate_api::{
    blocks::{BlockType, BlockTypeCreate, BlockTypeUpdate},
    filters::{BlockSchemaFilter, BlockTypeFilter},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    ResourceEvent, Result, Row, Sql, Tx, block_schemas::push_block_schema, conditions::Conditions, sql, sql::Dialect,
};

pub(crate) const COLUMNS: &str = "block_type.id, block_type.created, block_type.updated, block_type.name, block_type.slug, \
     block_type.logo_url, block_type.documentation_url, block_type.description, block_type.code_example, \
     block_type.is_protected";

pub(crate) fn block_type(row: &mut Row<'_>) -> Result<BlockType> {
    Ok(BlockType {
        id: row.next()?,
        created: Some(row.next()?),
        updated: Some(row.next()?),
        name: row.next()?,
        slug: row.next()?,
        logo_url: row.next()?,
        documentation_url: row.next()?,
        description: row.next()?,
        code_example: row.next()?,
        is_protected: row.next()?,
    })
}

/// Whether clients may delete a block type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// The server needs it.
    System,
    None,
}

impl Tx {
    /// Creates a block type; `None` when its slug is taken.
    pub async fn create_block_type(
        &mut self,
        create: &BlockTypeCreate,
        protection: Protection,
    ) -> Result<Option<BlockType>> {
        let id = Uuid::now_v7();
        let inserted = self
            .execute(&sql!(
                "INSERT INTO block_type (id, workspace_id, created, updated, name, slug, logo_url, documentation_url, \
                 description, code_example, is_protected) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10) \
                 ON CONFLICT DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                &create.name,
                &create.slug,
                create.logo_url.as_deref(),
                create.documentation_url.as_deref(),
                create.description.as_deref(),
                create.code_example.as_deref(),
                protection == Protection::System,
            ))
            .await?;
        if inserted == 0 {
            return Ok(None);
        }
        let created = self.read_block_type(id).await?;
        if let Some(created) = &created {
            self.emit_block_type_event(created, "created").await?;
        }
        Ok(created)
    }

    pub async fn read_block_type(&mut self, id: Uuid) -> Result<Option<BlockType>> {
        let mut sql = self.select_block_types();
        sql.push(" AND block_type.id = ").bind(id);
        self.optional(&sql, block_type).await
    }

    pub async fn read_block_type_by_slug(&mut self, slug: &str) -> Result<Option<BlockType>> {
        let mut sql = self.select_block_types();
        sql.push(" AND block_type.slug = ").bind(slug);
        self.optional(&sql, block_type).await
    }

    pub async fn list_block_types(
        &mut self,
        types: Option<&BlockTypeFilter>,
        schemas: Option<&BlockSchemaFilter>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<BlockType>> {
        let dialect = self.dialect();
        let mut sql = self.select_block_types();
        if let Some(filter) = types {
            push_block_type(sql.push(" AND "), dialect, filter);
        }
        if let Some(filter) = schemas {
            sql.push(" AND EXISTS (SELECT 1 FROM block_schema WHERE block_schema.block_type_id = block_type.id AND ");
            push_block_schema(&mut sql, dialect, filter);
            sql.push(")");
        }
        sql.push(" ORDER BY block_type.name, block_type.id").push_page(limit, offset);
        self.all(&sql, block_type).await
    }

    /// Changes a block type to what `update` says.
    pub async fn update_block_type(&mut self, id: Uuid, update: BlockTypeUpdate) -> Result<()> {
        let mut sql = sql!("UPDATE block_type SET updated = $1", self.now());
        for (column, change) in [
            (", logo_url = ", update.logo_url),
            (", documentation_url = ", update.documentation_url),
            (", description = ", update.description),
            (", code_example = ", update.code_example),
        ] {
            if let Some(value) = change.change() {
                sql.push(column).bind(value);
            }
        }
        sql.push(" WHERE id = ").bind(id).push(" AND workspace_id = ").bind(self.workspace());
        self.execute(&sql).await?;
        if let Some(updated) = self.read_block_type(id).await? {
            self.emit_block_type_event(&updated, "updated").await?;
        }
        Ok(())
    }

    /// Marks a block type as one that the server needs.
    pub async fn protect_block_type(&mut self, id: Uuid) -> Result<()> {
        self.execute(&sql!("UPDATE block_type SET is_protected = $1 WHERE id = $2", true, id)).await.map(drop)
    }

    /// Deletes a block type with its schemas and documents.
    pub async fn delete_block_type(&mut self, deleted: &BlockType) -> Result<()> {
        self.emit_block_type_event(deleted, "deleted").await?;
        let documents = sql!(
            "SELECT id FROM block_document WHERE block_type_id = $1 AND workspace_id = $2",
            deleted.id,
            self.workspace()
        );
        for document in self.all(&documents, |row| row.next::<Uuid>()).await? {
            self.delete_block_document(document).await?;
        }
        let sql = sql!("DELETE FROM block_type WHERE id = $1 AND workspace_id = $2", deleted.id, self.workspace());
        self.execute(&sql).await.map(drop)
    }

    fn select_block_types(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM block_type WHERE block_type.workspace_id = ").bind(self.workspace());
        sql
    }

    async fn emit_block_type_event(&mut self, about: &BlockType, what: &str) -> Result<()> {
        let payload = serde_json::json!({
            "name": about.name,
            "slug": about.slug,
            "logo_url": about.logo_url,
            "documentation_url": about.documentation_url,
            "description": about.description,
            "code_example": about.code_example,
            "is_protected": about.is_protected,
        });
        let event = ResourceEvent::new("prefect.block-type", about.id, what).named(&about.name);
        self.emit(&event.payload(Json::from(payload)).at(self.now())).await.map(drop)
    }
}

pub(crate) fn push_block_type(sql: &mut Sql, dialect: Dialect, filter: &BlockTypeFilter) {
    let mut parts = Conditions::begin(sql, dialect, None);
    parts.like("block_type.name", filter.name.as_ref().and_then(|name| name.like_.as_ref()));
    parts.texts("block_type.slug", filter.slug.as_ref());
    parts.end();
}
