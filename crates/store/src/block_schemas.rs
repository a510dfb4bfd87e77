//! Block schemas in the store: rows, and the references between them from which whole schemas are put together again.

mod assembly;

use std::collections::HashMap;

use tidegate_api::{blocks::BlockSchema, filters::BlockSchemaFilter};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Result, Row, Sql, Tx,
    block_types::{self, block_type},
    conditions::Conditions,
    sql,
    sql::Dialect,
    value::json_list,
};

use assembly::{Assembly, Reference};

const COLUMNS: &str = "block_schema.id, block_schema.created, block_schema.updated, block_schema.checksum, \
     block_schema.fields, block_schema.block_type_id, block_schema.capabilities, block_schema.version";

/// A schema as its row holds it: without the schemas it refers to.
fn bare_schema(row: &mut Row<'_>) -> Result<BlockSchema> {
    Ok(BlockSchema {
        id: row.next()?,
        created: Some(row.next()?),
        updated: Some(row.next()?),
        checksum: row.next()?,
        fields: row.next()?,
        block_type_id: Some(row.next()?),
        capabilities: row.next()?,
        version: row.next()?,
        block_type: Some(block_type(row)?),
    })
}

/// A schema to store. `fields` come without references to other blocks.
#[derive(Clone, Debug)]
pub struct NewBlockSchema {
    pub checksum: String,
    pub fields: Json,
    pub block_type_id: Uuid,
    pub capabilities: Vec<String>,
    pub version: String,
}

impl Tx {
    /// Stores a schema; `None` when one of this checksum and version is there.
    pub async fn insert_block_schema(&mut self, new: &NewBlockSchema) -> Result<Option<Uuid>> {
        let id = Uuid::now_v7();
        let inserted = self
            .execute(&sql!(
                "INSERT INTO block_schema (id, workspace_id, created, updated, checksum, fields, block_type_id, \
                 capabilities, version) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8) \
                 ON CONFLICT (workspace_id, checksum, version) DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                &new.checksum,
                &new.fields,
                new.block_type_id,
                json_list(&new.capabilities),
                &new.version,
            ))
            .await?;
        Ok((inserted > 0).then_some(id))
    }

    /// Notes that the field `name` of one schema holds blocks of another.
    pub async fn add_block_schema_reference(&mut self, parent: Uuid, name: &str, reference: Uuid) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO block_schema_reference (parent_id, name, reference_id) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
            parent,
            name,
            reference,
        ))
        .await
        .map(drop)
    }

    pub async fn read_block_schema(&mut self, id: Uuid) -> Result<Option<BlockSchema>> {
        let mut sql = self.select_block_schemas();
        sql.push(" AND block_schema.id = ").bind(id);
        Ok(self.whole_schemas(&sql).await?.pop())
    }

    /// The newest schema of this checksum, or the one of a version.
    pub async fn read_block_schema_by_checksum(
        &mut self,
        checksum: &str,
        version: Option<&str>,
    ) -> Result<Option<BlockSchema>> {
        let mut sql = self.select_block_schemas();
        sql.push(" AND block_schema.checksum = ").bind(checksum);
        if let Some(version) = version {
            sql.push(" AND block_schema.version = ").bind(version);
        }
        sql.push(" ORDER BY block_schema.created DESC, block_schema.id DESC").push_page(1, 0);
        Ok(self.whole_schemas(&sql).await?.pop())
    }

    /// Lists schemas, the newest first.
    pub async fn list_block_schemas(
        &mut self,
        filter: Option<&BlockSchemaFilter>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<BlockSchema>> {
        let dialect = self.dialect();
        let mut sql = self.select_block_schemas();
        if let Some(filter) = filter {
            push_block_schema(sql.push(" AND "), dialect, filter);
        }
        sql.push(" ORDER BY block_schema.created DESC, block_schema.id DESC").push_page(limit, offset);
        self.whole_schemas(&sql).await
    }

    /// The schemas of these ids, whole.
    pub(crate) async fn read_block_schemas(&mut self, ids: &[Uuid]) -> Result<HashMap<Uuid, BlockSchema>> {
        let dialect = self.dialect();
        let mut sql = self.select_block_schemas();
        sql.push(" AND ").push_ids(dialect, "block_schema.id", ids);
        Ok(self.whole_schemas(&sql).await?.into_iter().map(|schema| (schema.id, schema)).collect())
    }

    /// Deletes a schema with its documents. Answers whether there was such a schema.
    pub async fn delete_block_schema(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM block_schema WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }

    /// Every capability that some schema names, once.
    pub async fn list_block_capabilities(&mut self) -> Result<Vec<String>> {
        let elements = match self.dialect() {
            Dialect::Sqlite => "SELECT DISTINCT value FROM block_schema, json_each(block_schema.capabilities)",
            Dialect::Postgres => {
                "SELECT DISTINCT value FROM block_schema, jsonb_array_elements_text(block_schema.capabilities) AS value"
            }
        };
        let mut sql = Sql::new(elements);
        sql.push(" WHERE block_schema.workspace_id = ").bind(self.workspace()).push(" ORDER BY value");
        self.all(&sql, |row| row.next()).await
    }

    fn select_block_schemas(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(", ").push(block_types::COLUMNS);
        sql.push(" FROM block_schema JOIN block_type ON block_type.id = block_schema.block_type_id");
        sql.push(" WHERE block_schema.workspace_id = ").bind(self.workspace());
        sql
    }

    /// Runs a query of bare schemas and gives each the references and definitions that its clients know.
    async fn whole_schemas(&mut self, sql: &Sql) -> Result<Vec<BlockSchema>> {
        let mut schemas = self.all(sql, bare_schema).await?;
        let ids: Vec<Uuid> = schemas.iter().map(|schema| schema.id).collect();
        if ids.is_empty() {
            return Ok(schemas);
        }
        let assembly = Assembly::new(self.referenced_schemas(&ids).await?);
        for schema in &mut schemas {
            schema.fields = Json::from_value(&assembly.whole_fields(schema.id, &schema.fields));
        }
        Ok(schemas)
    }

    /// Every reference that can be reached from these schemas, with the schema it leads to, oldest first.
    async fn referenced_schemas(&mut self, ids: &[Uuid]) -> Result<Vec<Reference>> {
        let dialect = self.dialect();
        let mut sql = Sql::new(
            "WITH RECURSIVE reach (parent_id, name, reference_id) AS (SELECT parent_id, name, reference_id \
             FROM block_schema_reference WHERE ",
        );
        sql.push_ids(dialect, "parent_id", ids).push(
            " UNION SELECT next.parent_id, next.name, next.reference_id FROM block_schema_reference AS next \
             JOIN reach ON next.parent_id = reach.reference_id) \
             SELECT reach.parent_id, reach.name, block_schema.id, block_schema.checksum, block_schema.fields, \
             block_type.slug FROM reach JOIN block_schema ON block_schema.id = reach.reference_id \
             JOIN block_type ON block_type.id = block_schema.block_type_id \
             ORDER BY block_schema.created, block_schema.id",
        );
        self.all(&sql, |row| {
            Ok(Reference {
                parent: row.next()?,
                name: row.next()?,
                schema: row.next()?,
                checksum: row.next()?,
                fields: row.next()?,
                slug: row.next()?,
            })
        })
        .await
    }
}

pub(crate) fn push_block_schema(sql: &mut Sql, dialect: Dialect, filter: &BlockSchemaFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("block_schema.block_type_id", filter.block_type_id.as_ref());
    parts.tags("block_schema.capabilities", filter.block_capabilities.as_ref());
    parts.ids("block_schema.id", filter.id.as_ref());
    parts.texts("block_schema.version", filter.version.as_ref());
    parts.end();
}
