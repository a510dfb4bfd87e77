//! Artifacts in the store, and the latest of each key, kept beside them so that it is found without a search.

use serde_json::json;
use tidegate_api::{
    artifacts::{Artifact, ArtifactCollection, ArtifactCollectionSort, ArtifactCreate, ArtifactSort, ArtifactUpdate},
    filters::{ArtifactCollectionFilter, ArtifactFilter, RunFilters},
};
use uuid::Uuid;

use crate::{
    Error, ResourceEvent, Result, Row, Sql, Tx,
    conditions::{Conditions, Subject, push_run_filters, push_task_run},
    related, sql,
};

const CONTENT: &str = "type, description, data, metadata, flow_run_id, task_run_id";

fn artifact(row: &mut Row<'_>) -> Result<Artifact> {
    Ok(Artifact {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        key: row.next()?,
        kind: row.next()?,
        description: row.next()?,
        data: row.next()?,
        metadata_: row.next()?,
        flow_run_id: row.next()?,
        task_run_id: row.next()?,
    })
}

fn collection(row: &mut Row<'_>) -> Result<ArtifactCollection> {
    Ok(ArtifactCollection {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        key: row.next()?,
        latest_id: row.next()?,
        kind: row.next()?,
        description: row.next()?,
        data: row.next()?,
        metadata_: row.next()?,
        flow_run_id: row.next()?,
        task_run_id: row.next()?,
    })
}

impl Tx {
    /// Creates an artifact; one with a key is the latest of its key from now on.
    pub async fn create_artifact(&mut self, create: &ArtifactCreate) -> Result<Artifact> {
        let id = Uuid::now_v7();
        self.execute(&sql!(
            "INSERT INTO artifact (id, workspace_id, created, updated, key, type, description, data, metadata, \
             flow_run_id, task_run_id) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10)",
            id,
            self.workspace(),
            self.now(),
            create.key.clone(),
            create.kind.clone(),
            create.description.clone(),
            create.data.clone(),
            create.metadata_.clone(),
            create.flow_run_id,
            create.task_run_id,
        ))
        .await?;
        if let Some(key) = &create.key {
            self.put_latest(key, id).await?;
        }
        let artifact = self.read_artifact(id).await?;
        artifact.ok_or_else(|| Error::Database("an artifact is gone right after it was written".into()))
    }

    /// Makes an artifact the latest of its key, and tells of it.
    async fn put_latest(&mut self, key: &str, latest: Uuid) -> Result<()> {
        let known = self.read_artifact_collection(key).await?.is_some();
        self.point_to(latest).await?;
        match self.read_artifact_collection(key).await? {
            Some(collection) => self.emit_collection(&collection, if known { "updated" } else { "created" }).await,
            None => Ok(()),
        }
    }

    /// Makes an artifact the latest of its own key.
    pub(crate) async fn point_to(&mut self, latest: Uuid) -> Result<()> {
        let text = format!(
            "INSERT INTO artifact_collection (id, workspace_id, created, updated, key, latest_id, {CONTENT}) \
             SELECT $1, workspace_id, created, updated, key, id, {CONTENT} FROM artifact WHERE id = $2 \
             ON CONFLICT (workspace_id, key) DO UPDATE SET updated = excluded.updated, latest_id = excluded.latest_id, \
             type = excluded.type, description = excluded.description, data = excluded.data, \
             metadata = excluded.metadata, flow_run_id = excluded.flow_run_id, task_run_id = excluded.task_run_id"
        );
        self.execute(&sql!(text, Uuid::now_v7(), latest)).await.map(drop)
    }

    async fn emit_collection(&mut self, collection: &ArtifactCollection, what: &str) -> Result<()> {
        let payload = json!({
            "key": collection.key,
            "type": collection.kind,
            "data": collection.data,
            "description": collection.description,
        });
        let about =
            |kind: &str, role: &str, id: Option<Uuid>| id.map(|id| related(format!("prefect.{kind}.{id}"), role, None));
        let event = ResourceEvent::new("prefect.artifact-collection", collection.id, what)
            .named(&collection.key)
            .with(related(format!("prefect.artifact.{}", collection.latest_id), "latest", None))
            .with_all(about("flow-run", "flow-run", collection.flow_run_id))
            .with_all(about("task-run", "task-run", collection.task_run_id))
            .payload(payload);
        self.emit(&event.at(self.now())).await.map(drop)
    }

    pub async fn read_artifact(&mut self, id: Uuid) -> Result<Option<Artifact>> {
        let mut sql = self.select_artifacts();
        sql.push(" AND id = ").bind(id);
        self.optional(&sql, artifact).await
    }

    fn select_artifacts(&self) -> Sql {
        let text = format!("SELECT id, created, updated, key, {CONTENT} FROM artifact WHERE workspace_id = $1");
        sql!(text, self.workspace())
    }

    fn select_collections(&self) -> Sql {
        let text = format!(
            "SELECT id, created, updated, key, latest_id, {CONTENT} FROM artifact_collection WHERE workspace_id = $1"
        );
        sql!(text, self.workspace())
    }

    pub async fn read_artifact_collection(&mut self, key: &str) -> Result<Option<ArtifactCollection>> {
        let mut sql = self.select_collections();
        sql.push(" AND key = ").bind(key);
        self.optional(&sql, collection).await
    }

    pub async fn list_artifacts(
        &mut self,
        filter: Option<&ArtifactFilter>,
        runs: &RunFilters,
        sort: ArtifactSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Artifact>> {
        let mut sql = self.select_artifacts();
        self.push_artifact_filters(&mut sql, filter, runs);
        sql.push(match sort {
            ArtifactSort::CreatedDesc => " ORDER BY created DESC, id DESC",
            ArtifactSort::UpdatedDesc => " ORDER BY updated DESC, id DESC",
            ArtifactSort::IdDesc => " ORDER BY id DESC",
            ArtifactSort::KeyDesc => " ORDER BY key DESC, id DESC",
            ArtifactSort::KeyAsc => " ORDER BY key ASC, id ASC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, artifact).await
    }

    pub async fn count_artifacts(&mut self, filter: Option<&ArtifactFilter>, runs: &RunFilters) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM artifact WHERE workspace_id = $1", self.workspace());
        self.push_artifact_filters(&mut sql, filter, runs);
        self.one(&sql, |row| row.next()).await
    }

    pub async fn list_artifact_collections(
        &mut self,
        filter: Option<&ArtifactCollectionFilter>,
        runs: &RunFilters,
        sort: ArtifactCollectionSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ArtifactCollection>> {
        let mut sql = self.select_collections();
        self.push_collection_filters(&mut sql, filter, runs);
        sql.push(match sort {
            ArtifactCollectionSort::CreatedDesc => " ORDER BY created DESC, id DESC",
            ArtifactCollectionSort::UpdatedDesc => " ORDER BY updated DESC, id DESC",
            ArtifactCollectionSort::IdDesc => " ORDER BY id DESC",
            ArtifactCollectionSort::KeyDesc => " ORDER BY key DESC",
            ArtifactCollectionSort::KeyAsc => " ORDER BY key ASC",
        });
        sql.push_page(limit, offset);
        self.all(&sql, collection).await
    }

    pub async fn count_artifact_collections(
        &mut self,
        filter: Option<&ArtifactCollectionFilter>,
        runs: &RunFilters,
    ) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM artifact_collection WHERE workspace_id = $1", self.workspace());
        self.push_collection_filters(&mut sql, filter, runs);
        self.one(&sql, |row| row.next()).await
    }

    fn push_artifact_filters(&self, sql: &mut Sql, filter: Option<&ArtifactFilter>, runs: &RunFilters) {
        if let Some(filter) = filter {
            sql.push(" AND ");
            let mut parts = Conditions::begin(sql, self.dialect(), filter.operator);
            parts.ids("id", filter.id.as_ref());
            parts.texts("key", filter.key.as_ref());
            parts.ids("artifact.flow_run_id", filter.flow_run_id.as_ref());
            parts.ids("artifact.task_run_id", filter.task_run_id.as_ref());
            parts.texts("type", filter.r#type.as_ref());
            parts.end();
        }
        self.push_runs_of(sql, "artifact", runs);
    }

    fn push_collection_filters(&self, sql: &mut Sql, filter: Option<&ArtifactCollectionFilter>, runs: &RunFilters) {
        if let Some(filter) = filter {
            sql.push(" AND ");
            let mut parts = Conditions::begin(sql, self.dialect(), filter.operator);
            parts.ids("latest_id", filter.latest_id.as_ref());
            parts.texts("key", filter.key.as_ref());
            parts.ids("artifact_collection.flow_run_id", filter.flow_run_id.as_ref());
            parts.ids("artifact_collection.task_run_id", filter.task_run_id.as_ref());
            parts.texts("type", filter.r#type.as_ref());
            parts.end();
        }
        self.push_runs_of(sql, "artifact_collection", runs);
    }

    /// Artifacts of one flow run that all filters mean together, and of a task run.
    fn push_runs_of(&self, sql: &mut Sql, table: &str, runs: &RunFilters) {
        if runs.flows.is_some() || runs.flow_runs.is_some() || runs.deployments.is_some() {
            sql.push(" AND EXISTS (SELECT 1 FROM flow_run WHERE flow_run.id = ").push(table).push(".flow_run_id");
            let of_flow_run = RunFilters { task_runs: None, ..runs.clone() };
            push_run_filters(sql, self.dialect(), Subject::FlowRun, &of_flow_run);
            sql.push(")");
        }
        if let Some(filter) = &runs.task_runs {
            sql.push(" AND EXISTS (SELECT 1 FROM task_run WHERE task_run.id = ").push(table).push(".task_run_id AND ");
            push_task_run(sql, self.dialect(), filter);
            sql.push(")");
        }
    }

    /// Changes an artifact, and the latest of its key if it is that. Answers whether there was such an artifact.
    pub async fn update_artifact(&mut self, id: Uuid, update: &ArtifactUpdate) -> Result<bool> {
        let mut found = false;
        for (table, column) in [("artifact", "id"), ("artifact_collection", "latest_id")] {
            let mut sql = Sql::new("UPDATE ");
            sql.push(table).push(" SET updated = ").bind(self.now());
            if let Some(data) = update.data.clone().change() {
                sql.push(", data = ").bind(data);
            }
            if let Some(description) = update.description.clone().change() {
                sql.push(", description = ").bind(description);
            }
            if let Some(metadata) = update.metadata_.clone().change() {
                sql.push(", metadata = ").bind(metadata);
            }
            sql.push(" WHERE workspace_id = ").bind(self.workspace()).push(" AND ").push(column).push(" = ").bind(id);
            found |= self.execute(&sql).await? > 0;
        }
        Ok(found)
    }

    /// Deletes an artifact. If it was the latest of its key the one before it is that now; without one the key is gone.
    pub async fn delete_artifact(&mut self, id: Uuid) -> Result<bool> {
        let Some(artifact) = self.read_artifact(id).await? else { return Ok(false) };
        self.execute(&sql!("DELETE FROM artifact WHERE id = $1", id)).await?;
        let latest = match &artifact.key {
            Some(key) => self.read_artifact_collection(key).await?.filter(|collection| collection.latest_id == id),
            None => None,
        };
        let Some(collection) = latest else { return Ok(true) };
        let next = sql!(
            "SELECT id FROM artifact WHERE workspace_id = $1 AND key = $2 ORDER BY created DESC, id DESC LIMIT 1",
            self.workspace(),
            &collection.key
        );
        match self.optional(&next, |row| row.next()).await? {
            Some(next) => self.put_latest(&collection.key, next).await?,
            None => {
                self.emit_collection(&collection, "deleted").await?;
                self.execute(&sql!("DELETE FROM artifact_collection WHERE id = $1", collection.id)).await?;
            }
        }
        Ok(true)
    }
}
