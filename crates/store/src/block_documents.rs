//! Block documents in the store: their data is sealed, and opened with the documents that it refers to put in their places.

mod assembly;
mod secret_fields;

use serde_json::{Map, Value as JsonValue};
use tidegate_api::{
    blocks::{BlockDocument, BlockDocumentSort, BlockType},
    filters::{BlockDocumentFilter, BlockSchemaFilter, BlockTypeFilter},
    patch::Patch,
};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{
    Error, ResourceEvent, Result, Row, Secrets, Sql, Tx,
    block_schemas::push_block_schema,
    block_types::{self, block_type, push_block_type},
    conditions::Conditions,
    events, sql,
    sql::Dialect,
};

use assembly::{Assembly, Reference};
pub use secret_fields::{OBFUSCATED, SecretFields};

const COLUMNS: &str = "block_document.id, block_document.created, block_document.updated, block_document.name, \
     block_document.is_anonymous, block_document.block_schema_id, block_document.data, block_document.key_id";

/// Data of a block, field by field.
pub type Data = tidegate_core::json::Object;

/// Whether a reader gets to see secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reveal {
    Secrets,
    Nothing,
}

/// A row, opened.
#[derive(Clone, Debug)]
struct Opened {
    id: Uuid,
    created: Timestamp,
    updated: Timestamp,
    name: String,
    is_anonymous: bool,
    schema: Uuid,
    data: Data,
    kind: BlockType,
}

fn opened(row: &mut Row<'_>, secrets: &Secrets) -> Result<Opened> {
    let id = row.next()?;
    let (created, updated, name, is_anonymous, schema) =
        (row.next()?, row.next()?, row.next()?, row.next()?, row.next()?);
    let (sealed, key_id): (Vec<u8>, String) = (row.next()?, row.next()?);
    Ok(Opened {
        id,
        created,
        updated,
        name,
        is_anonymous,
        schema,
        data: open(secrets, id, &key_id, &sealed)?,
        kind: block_type(row)?,
    })
}

fn open(secrets: &Secrets, id: Uuid, key_id: &str, sealed: &[u8]) -> Result<Data> {
    serde_json::from_slice(&secrets.open(id, key_id, sealed)?)
        .map_err(|error| Error::Corrupt { column: "block_document.data".into(), problem: error.to_string() })
}

/// A document to store; its data holds no references.
#[derive(Clone, Debug)]
pub struct NewBlockDocument {
    pub name: String,
    pub is_anonymous: bool,
    pub block_type_id: Uuid,
    pub block_schema_id: Uuid,
    pub data: Data,
}

/// A document as an update finds it: opened, references not followed.
#[derive(Clone, Debug)]
pub struct StoredDocument {
    pub id: Uuid,
    pub block_type_id: Uuid,
    pub block_schema_id: Uuid,
    pub data: Data,
    pub secret_fields: SecretFields,
}

/// Which documents a list means.
#[derive(Clone, Debug, Default)]
pub struct DocumentFilters {
    pub documents: BlockDocumentFilter,
    pub types: Option<BlockTypeFilter>,
    pub schemas: Option<BlockSchemaFilter>,
}

impl Tx {
    /// Stores a document; `None` when its type has one of this name.
    pub async fn insert_block_document(&mut self, secrets: &Secrets, new: &NewBlockDocument) -> Result<Option<Uuid>> {
        self.require_key(secrets).await?;
        let id = Uuid::now_v7();
        let inserted = self
            .execute(&sql!(
                "INSERT INTO block_document (id, workspace_id, created, updated, name, is_anonymous, block_type_id, \
                 block_schema_id, data, key_id) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9) \
                 ON CONFLICT (block_type_id, name) DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                &new.name,
                new.is_anonymous,
                new.block_type_id,
                new.block_schema_id,
                seal(secrets, id, &new.data)?,
                secrets.key_id(),
            ))
            .await?;
        Ok((inserted > 0).then_some(id))
    }

    pub async fn read_stored_document(&mut self, secrets: &Secrets, id: Uuid) -> Result<Option<StoredDocument>> {
        let sql = sql!(
            "SELECT block_document.block_type_id, block_document.block_schema_id, block_document.data, \
             block_document.key_id, block_schema.fields FROM block_document \
             JOIN block_schema ON block_schema.id = block_document.block_schema_id \
             WHERE block_document.id = $1 AND block_document.workspace_id = $2",
            id,
            self.workspace(),
        );
        self.optional(&sql, |row| {
            let (block_type_id, block_schema_id) = (row.next()?, row.next()?);
            let (sealed, key_id): (Vec<u8>, String) = (row.next()?, row.next()?);
            Ok(StoredDocument {
                id,
                block_type_id,
                block_schema_id,
                data: open(secrets, id, &key_id, &sealed)?,
                secret_fields: SecretFields::of_schema(&row.next::<tidegate_core::json::Json>()?.value()),
            })
        })
        .await
    }

    /// Seals new data, of another schema perhaps.
    pub async fn update_block_document(
        &mut self,
        secrets: &Secrets,
        id: Uuid,
        block_schema_id: Uuid,
        data: &Data,
    ) -> Result<()> {
        self.require_key(secrets).await?;
        self.execute(&sql!(
            "UPDATE block_document SET updated = $1, block_schema_id = $2, data = $3, key_id = $4 WHERE id = $5",
            self.now(),
            block_schema_id,
            seal(secrets, id, data)?,
            secrets.key_id(),
            id,
        ))
        .await
        .map(drop)
    }

    /// Makes `references` (field and document) the references of a document, instead of those it had. Answers one
    /// that leads back to it, if there is one.
    pub async fn set_block_document_references(
        &mut self,
        id: Uuid,
        references: &[(String, Uuid)],
    ) -> Result<Option<Uuid>> {
        self.execute(&sql!("DELETE FROM block_document_reference WHERE parent_id = $1", id)).await?;
        for (name, reference) in references {
            if *reference == id || self.is_document_reachable(*reference, id).await? {
                return Ok(Some(*reference));
            }
            self.execute(&sql!(
                "INSERT INTO block_document_reference (parent_id, name, reference_id) VALUES ($1, $2, $3)",
                id,
                name,
                reference,
            ))
            .await?;
        }
        Ok(None)
    }

    async fn is_document_reachable(&mut self, from: Uuid, to: Uuid) -> Result<bool> {
        let sql = sql!(
            "WITH RECURSIVE reach (id) AS (SELECT reference_id FROM block_document_reference WHERE parent_id = $1 \
             UNION SELECT next.reference_id FROM block_document_reference AS next JOIN reach ON next.parent_id = reach.id) \
             SELECT 1 FROM reach WHERE id = $2",
            from,
            to,
        );
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    pub async fn read_block_document(
        &mut self,
        secrets: &Secrets,
        id: Uuid,
        reveal: Reveal,
    ) -> Result<Option<BlockDocument>> {
        let mut sql = self.select_documents();
        sql.push(" AND block_document.id = ").bind(id);
        Ok(self.whole_documents(secrets, &sql, reveal).await?.pop())
    }

    pub async fn read_block_document_by_name(
        &mut self,
        secrets: &Secrets,
        slug: &str,
        name: &str,
        reveal: Reveal,
    ) -> Result<Option<BlockDocument>> {
        let mut sql = self.select_documents();
        sql.push(" AND block_type.slug = ").bind(slug).push(" AND block_document.name = ").bind(name);
        Ok(self.whole_documents(secrets, &sql, reveal).await?.pop())
    }

    /// Lists documents; without a page, all of them.
    pub async fn list_block_documents(
        &mut self,
        secrets: &Secrets,
        filters: &DocumentFilters,
        sort: BlockDocumentSort,
        page: Option<(i64, i64)>,
        reveal: Reveal,
    ) -> Result<Vec<BlockDocument>> {
        let mut sql = self.select_documents();
        push_document_filters(&mut sql, self.dialect(), filters);
        sql.push(match sort {
            BlockDocumentSort::NameDesc => " ORDER BY block_document.name DESC, block_document.id DESC",
            BlockDocumentSort::NameAsc => " ORDER BY block_document.name, block_document.id",
            BlockDocumentSort::BlockTypeAndNameAsc => {
                " ORDER BY block_type.name, block_document.name, block_document.id"
            }
        });
        if let Some((limit, offset)) = page {
            sql.push_page(limit, offset);
        }
        self.whole_documents(secrets, &sql, reveal).await
    }

    pub async fn count_block_documents(&mut self, filters: &DocumentFilters) -> Result<i64> {
        let mut sql = Sql::new("SELECT count(*) FROM block_document WHERE block_document.workspace_id = ");
        sql.bind(self.workspace());
        push_document_filters(&mut sql, self.dialect(), filters);
        self.one(&sql, |row| row.next()).await
    }

    /// Deletes a document with the deployments that use it and the runs on its infrastructure. Answers whether there was
    /// such a document.
    pub async fn delete_block_document(&mut self, id: Uuid) -> Result<bool> {
        let users = sql!(
            "SELECT id FROM deployment WHERE (storage_document_id = $1 OR infrastructure_document_id = $1) AND workspace_id = $2",
            id,
            self.workspace()
        );
        for user in self.all(&users, |row| row.next::<Uuid>()).await? {
            if let Some(deployment) = self.read_deployment(user).await? {
                self.delete_deployments(vec![deployment]).await?;
            }
        }
        let runs = sql!(
            "SELECT id FROM flow_run WHERE infrastructure_document_id = $1 AND workspace_id = $2",
            id,
            self.workspace()
        );
        for run in self.all(&runs, |row| row.next::<Uuid>()).await? {
            self.delete_flow_run(run).await?;
        }
        let sql = sql!("DELETE FROM block_document WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.execute(&sql).await? > 0)
    }

    /// Tells of a change of a named document, whose secrets are hidden: anonymous ones come and go untold.
    pub async fn emit_block_document_event(&mut self, document: &BlockDocument, what: &str) -> Result<()> {
        let Some(name) = document.name.as_deref().filter(|_| !document.is_anonymous) else { return Ok(()) };
        let type_name = document.block_type_name.as_deref();
        let schema = document.block_schema.as_ref();
        let secret = schema.map(|schema| SecretFields::of_schema(&schema.fields.value())).unwrap_or_default();
        let mut shown = document.data.parse::<Map<String, JsonValue>>().unwrap_or_default();
        shown.retain(|field, value| value.is_string() && !secret.is_secret(field));
        let payload = serde_json::json!({
            "name": name,
            "data": shown,
            "block_schema": schema.map(|schema| serde_json::json!({
                "capabilities": schema.capabilities,
                "block_type": {"id": document.block_type_id, "name": type_name.unwrap_or_default()},
            })),
        });
        let event = ResourceEvent::new("prefect.block-document", document.id, what)
            .named(name)
            .with(events::related(format!("prefect.block-type.{}", document.block_type_id), "block-type", type_name))
            .with(events::related(format!("prefect.block-schema.{}", document.block_schema_id), "block-schema", None))
            .payload(payload);
        self.emit(&event.at(self.now())).await.map(drop)
    }

    fn select_documents(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(", ").push(block_types::COLUMNS);
        sql.push(" FROM block_document JOIN block_type ON block_type.id = block_document.block_type_id");
        sql.push(" WHERE block_document.workspace_id = ").bind(self.workspace());
        sql
    }

    async fn whole_documents(&mut self, secrets: &Secrets, sql: &Sql, reveal: Reveal) -> Result<Vec<BlockDocument>> {
        let roots = self.all(sql, |row| opened(row, secrets)).await?;
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        let references = self.referenced_documents(secrets, &roots).await?;
        let mut schemas: Vec<Uuid> =
            roots.iter().chain(references.iter().map(|r| &r.document)).map(|d| d.schema).collect();
        schemas.sort_unstable();
        schemas.dedup();
        let schemas = self.read_block_schemas(&schemas).await?;
        let assembly = Assembly::new(references, &schemas, reveal);
        roots.into_iter().map(|root| assembly.whole_document(root)).collect()
    }

    /// Every reference that can be reached from these documents, with the document it leads to.
    async fn referenced_documents(&mut self, secrets: &Secrets, roots: &[Opened]) -> Result<Vec<Reference>> {
        let ids: Vec<Uuid> = roots.iter().map(|root| root.id).collect();
        let dialect = self.dialect();
        let mut sql = Sql::new(
            "WITH RECURSIVE reach (parent_id, name, reference_id) AS (SELECT parent_id, name, reference_id \
             FROM block_document_reference WHERE ",
        );
        sql.push_ids(dialect, "parent_id", &ids).push(
            " UNION SELECT next.parent_id, next.name, next.reference_id FROM block_document_reference AS next \
             JOIN reach ON next.parent_id = reach.reference_id) SELECT reach.parent_id, reach.name, ",
        );
        sql.push(COLUMNS).push(", ").push(block_types::COLUMNS).push(
            " FROM reach JOIN block_document ON block_document.id = reach.reference_id \
             JOIN block_type ON block_type.id = block_document.block_type_id ORDER BY reach.name",
        );
        self.all(&sql, |row| Ok(Reference { parent: row.next()?, name: row.next()?, document: opened(row, secrets)? }))
            .await
    }
}

fn seal(secrets: &Secrets, id: Uuid, data: &Data) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(data).expect("a JSON object serializes");
    secrets.seal(id, &plain)
}

fn push_document_filters(sql: &mut Sql, dialect: Dialect, filters: &DocumentFilters) {
    push_block_document(sql.push(" AND "), dialect, &filters.documents);
    if let Some(filter) = &filters.types {
        sql.push(" AND EXISTS (SELECT 1 FROM block_type WHERE block_type.id = block_document.block_type_id AND ");
        push_block_type(sql, dialect, filter);
        sql.push(")");
    }
    if let Some(filter) = &filters.schemas {
        sql.push(" AND EXISTS (SELECT 1 FROM block_schema WHERE block_schema.id = block_document.block_schema_id AND ");
        push_block_schema(sql, dialect, filter);
        sql.push(")");
    }
}

fn push_block_document(sql: &mut Sql, dialect: Dialect, filter: &BlockDocumentFilter) {
    let mut parts = Conditions::begin(sql, dialect, filter.operator);
    parts.ids("block_document.id", filter.id.as_ref());
    let anonymous = match &filter.is_anonymous {
        Patch::Keep => Some(false),
        Patch::Clear => None,
        Patch::Set(filter) => filter.eq_,
    };
    match anonymous {
        Some(anonymous) => {
            parts.part().push("block_document.is_anonymous = ").bind(anonymous);
        }
        // A condition that always holds, also in a list of alternatives.
        None if matches!(filter.is_anonymous, Patch::Set(_)) => {
            parts.part().push("1 = 1");
        }
        None => {}
    }
    parts.ids("block_document.block_type_id", filter.block_type_id.as_ref());
    parts.texts("block_document.name", filter.name.as_ref());
    parts.end();
}
