//! Deployments in the store: rows, lists, upserts and their events. When their schedules give runs is `scheduled_runs`.

use tidegate_api::{
    Patch,
    concurrency_limits::{ConcurrencyLimitV2Create, ConcurrencyLimitV2Update},
    deployments::{ConcurrencyOptions, Deployment, DeploymentSort, DeploymentStatus},
    events::Event,
    filters::{DeploymentFilter, RunFilters},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Result, Row, Sql, Tx,
    changes::Changes,
    conditions::{Subject, push_run_filters},
    events::{ResourceEvent, related},
    scheduled_runs::Doomed,
    sql,
    value::{Value, json, json_list},
};

const COLUMNS: &str = "deployment.id, deployment.created, deployment.updated, deployment.name, deployment.version, \
    deployment.description, deployment.flow_id, deployment.paused, deployment.concurrency_options, deployment.job_variables, \
    deployment.parameters, deployment.tags, deployment.labels, deployment.work_queue_name, deployment.work_queue_id, \
    deployment.last_polled, deployment.parameter_openapi_schema, deployment.path, deployment.pull_steps, \
    deployment.entrypoint, deployment.storage_document_id, deployment.infrastructure_document_id, deployment.created_by, \
    deployment.updated_by, deployment.status, deployment.enforce_parameter_schema, queue.name, pool.name, \
    deployment.concurrency_limit_id";

const FROM: &str = " FROM deployment LEFT JOIN work_queue AS queue ON queue.id = deployment.work_queue_id \
    LEFT JOIN work_pool AS pool ON pool.id = queue.work_pool_id";

/// A row without its schedules and its limit, and the limit's id.
fn deployment(row: &mut Row<'_>) -> Result<(Deployment, Option<Uuid>)> {
    let mut deployment = Deployment {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        version: row.next()?,
        description: row.next()?,
        flow_id: row.next()?,
        paused: row.next()?,
        schedules: Vec::new(),
        // The wire's older name for a limit of its own; nothing has told it here since limits became rows.
        concurrency_limit: None,
        global_concurrency_limit: None,
        concurrency_options: row.parse_optional()?,
        job_variables: row.next()?,
        parameters: row.next()?,
        tags: row.next()?,
        labels: row.next()?,
        work_queue_name: row.next()?,
        work_queue_id: row.next()?,
        last_polled: row.next()?,
        parameter_openapi_schema: row.next()?,
        path: row.next()?,
        pull_steps: row.parse_optional()?,
        entrypoint: row.next()?,
        storage_document_id: row.next()?,
        infrastructure_document_id: row.next()?,
        created_by: row.parse_optional()?,
        updated_by: row.parse_optional()?,
        work_pool_name: None,
        status: Some(if row.next::<String>()? == "READY" {
            DeploymentStatus::Ready
        } else {
            DeploymentStatus::NotReady
        }),
        enforce_parameter_schema: row.next()?,
    };
    // A queue that was renamed shows its present name.
    if let Some(name) = row.next::<Option<String>>()? {
        deployment.work_queue_name = Some(name);
    }
    deployment.work_pool_name = row.next()?;
    Ok((deployment, row.next()?))
}

/// What of a deployment to write; `Keep` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct DeploymentChanges {
    pub version: Patch<String>,
    pub description: Patch<String>,
    pub paused: Patch<bool>,
    pub concurrency_limit_id: Patch<Uuid>,
    pub concurrency_options: Patch<ConcurrencyOptions>,
    pub job_variables: Patch<Json>,
    pub parameters: Patch<Json>,
    pub parameter_openapi_schema: Patch<Json>,
    pub enforce_parameter_schema: Patch<bool>,
    pub tags: Patch<Vec<String>>,
    pub labels: Patch<Json>,
    pub work_queue_id: Patch<Uuid>,
    pub work_queue_name: Patch<String>,
    pub path: Patch<String>,
    pub entrypoint: Patch<String>,
    pub pull_steps: Patch<Vec<Json>>,
    pub storage_document_id: Patch<Uuid>,
    pub infrastructure_document_id: Patch<Uuid>,
}

fn assign<T>(sql: &mut Sql, column: &str, patch: Patch<T>, value: impl FnOnce(T) -> Value) {
    if let Some(change) = patch.change() {
        sql.push(", ").push(column).push(" = ").bind(change.map_or(Value::Null, value));
    }
}

impl DeploymentChanges {
    fn push(self, sql: &mut Sql) {
        assign(sql, "version", self.version, Value::from);
        assign(sql, "description", self.description, Value::from);
        assign(sql, "paused", self.paused, Value::from);
        assign(sql, "concurrency_limit_id", self.concurrency_limit_id, Value::from);
        assign(sql, "concurrency_options", self.concurrency_options, |options| json(&options));
        assign(sql, "job_variables", self.job_variables, Value::from);
        assign(sql, "parameters", self.parameters, Value::from);
        assign(sql, "parameter_openapi_schema", self.parameter_openapi_schema, Value::from);
        assign(sql, "enforce_parameter_schema", self.enforce_parameter_schema, Value::from);
        assign(sql, "tags", self.tags, |tags| json_list(&tags));
        assign(sql, "labels", self.labels, Value::from);
        assign(sql, "work_queue_id", self.work_queue_id, Value::from);
        assign(sql, "work_queue_name", self.work_queue_name, Value::from);
        assign(sql, "path", self.path, Value::from);
        assign(sql, "entrypoint", self.entrypoint, Value::from);
        assign(sql, "pull_steps", self.pull_steps, |steps| json(&steps));
        assign(sql, "storage_document_id", self.storage_document_id, Value::from);
        assign(sql, "infrastructure_document_id", self.infrastructure_document_id, Value::from);
    }
}

/// A flow's name, and the names, id and type of a queue and its pool.
type Names = (String, Option<String>, Option<Uuid>, Option<String>, Option<String>);

impl Tx {
    fn select_deployments(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(FROM).push(" WHERE deployment.workspace_id = ").bind(self.workspace());
        sql
    }

    pub async fn read_deployment(&mut self, id: Uuid) -> Result<Option<Deployment>> {
        let mut sql = self.select_deployments();
        sql.push(" AND deployment.id = ").bind(id);
        Ok(self.deployments(&sql).await?.pop())
    }

    pub async fn read_deployment_by_name(&mut self, flow: &str, name: &str) -> Result<Option<Deployment>> {
        let mut sql = self.select_deployments();
        sql.push(" AND deployment.name = ").bind(name);
        sql.push(" AND deployment.flow_id = (SELECT id FROM flow WHERE workspace_id = ").bind(self.workspace());
        sql.push(" AND name = ").bind(flow).push(")");
        Ok(self.deployments(&sql).await?.pop())
    }

    async fn read_deployment_of_flow(&mut self, flow_id: Uuid, name: &str) -> Result<Option<Deployment>> {
        let mut sql = self.select_deployments();
        sql.push(" AND deployment.flow_id = ").bind(flow_id).push(" AND deployment.name = ").bind(name);
        Ok(self.deployments(&sql).await?.pop())
    }

    pub async fn list_deployments(
        &mut self,
        filters: &RunFilters,
        sort: DeploymentSort,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Deployment>> {
        let mut sql = self.select_deployments();
        push_run_filters(&mut sql, self.dialect(), Subject::Deployment, filters);
        sql.push(match sort {
            DeploymentSort::CreatedDesc => " ORDER BY deployment.created DESC, deployment.id DESC",
            DeploymentSort::UpdatedDesc => " ORDER BY deployment.updated DESC, deployment.id DESC",
            DeploymentSort::NameAsc => " ORDER BY deployment.name ASC, deployment.id ASC",
            DeploymentSort::NameDesc => " ORDER BY deployment.name DESC, deployment.id DESC",
        });
        sql.push_page(limit, offset);
        self.deployments(&sql).await
    }

    pub async fn count_deployments(&mut self, filters: &RunFilters) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM deployment WHERE deployment.workspace_id = $1", self.workspace());
        push_run_filters(&mut sql, self.dialect(), Subject::Deployment, filters);
        self.one(&sql, |row| row.next()).await
    }

    /// Runs the query and adds schedules and limits: two more queries, however many rows there are.
    async fn deployments(&mut self, sql: &Sql) -> Result<Vec<Deployment>> {
        let rows = self.all(sql, deployment).await?;
        let limit_ids: Vec<Uuid> = rows.iter().filter_map(|(_, limit)| *limit).collect();
        let ids: Vec<Uuid> = rows.iter().map(|(row, _)| row.id).collect();
        let limits = if limit_ids.is_empty() { Vec::new() } else { self.list_limits_by_id(&limit_ids).await? };
        let mut schedules = if ids.is_empty() { Vec::new() } else { self.list_deployment_schedules(&ids).await? };
        Ok(rows
            .into_iter()
            .map(|(mut row, limit)| {
                row.global_concurrency_limit =
                    limit.and_then(|id| limits.iter().find(|limit| limit.row.id == id).map(|limit| limit.global()));
                let own = |schedule: &mut tidegate_api::deployments::DeploymentSchedule| {
                    schedule.deployment_id == Some(row.id)
                };
                row.schedules = schedules.extract_if(.., own).collect();
                row
            })
            .collect())
    }

    /// Inserts an empty deployment unless the flow has one of this name. Answers its id and what there was before.
    pub async fn ensure_deployment(&mut self, flow_id: Uuid, name: &str) -> Result<(Uuid, Option<Deployment>)> {
        if let Some(existing) = self.read_deployment_of_flow(flow_id, name).await? {
            return Ok((existing.id, Some(existing)));
        }
        let id = Uuid::now_v7();
        let inserted = self
            .execute(&sql!(
                "INSERT INTO deployment (id, workspace_id, created, updated, name, flow_id, paused, job_variables, parameters, \
                 parameter_openapi_schema, enforce_parameter_schema, tags, labels, pull_steps, status) \
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $7, $7, $8, $9, $7, $10, 'NOT_READY') \
                 ON CONFLICT (flow_id, name) DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                name,
                flow_id,
                false,
                Json::empty_object(),
                true,
                json_list(&[]),
                json_list(&[]),
            ))
            .await?;
        if inserted == 0 {
            return Err(self.lost_race("the deployment was created by somebody else at the same time"));
        }
        Ok((id, None))
    }

    /// Writes changes; the runs that the schedules gave so far are given anew. Answers whether there was such a deployment.
    pub async fn update_deployment(&mut self, id: Uuid, changes: DeploymentChanges) -> Result<bool> {
        let mut sql = sql!("UPDATE deployment SET updated = $1", self.now());
        changes.push(&mut sql);
        sql.push(" WHERE id = ").bind(id).push(" AND workspace_id = ").bind(self.workspace());
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        self.reschedule_deployment(id, Doomed::FutureScheduled).await?;
        Ok(true)
    }

    /// Pauses or resumes a deployment. A pause takes back every run its schedules gave. Answers whether there was one.
    pub async fn pause_deployment(&mut self, id: Uuid, paused: bool) -> Result<bool> {
        let sql = sql!(
            "UPDATE deployment SET paused = $1, updated = $2 WHERE id = $3 AND workspace_id = $4",
            paused,
            self.now(),
            id,
            self.workspace(),
        );
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        self.reschedule_deployment(id, if paused { Doomed::Scheduled } else { Doomed::None }).await?;
        Ok(true)
    }

    /// A limit of the deployment's own: created, changed or taken away. What is linked is changed, as the wire means it.
    pub async fn set_deployment_limit(&mut self, before: &Deployment, limit: Option<i64>) -> Result<Patch<Uuid>> {
        match (&before.global_concurrency_limit, limit) {
            (None, None) => Ok(Patch::Keep),
            (Some(linked), None) => {
                self.delete_concurrency_limit(linked.id).await?;
                Ok(Patch::Clear)
            }
            (Some(linked), Some(limit)) if linked.limit == limit => Ok(Patch::Keep),
            (Some(linked), Some(limit)) => {
                self.set_slot_limit(linked.id, limit).await?;
                Ok(Patch::Keep)
            }
            (None, Some(limit)) => {
                let name = format!("deployment:{}", before.id);
                if let Some(known) = self.read_concurrency_limit_by_name(&name).await? {
                    self.set_slot_limit(known.row.id, limit).await?;
                    return Ok(Patch::Set(known.row.id));
                }
                let create = ConcurrencyLimitV2Create {
                    active: true,
                    name,
                    limit,
                    active_slots: 0,
                    denied_slots: 0,
                    slot_decay_per_second: 0.0,
                };
                Ok(Patch::Set(self.create_concurrency_limit(&create).await?.row.id))
            }
        }
    }

    async fn set_slot_limit(&mut self, id: Uuid, limit: i64) -> Result<()> {
        let update = ConcurrencyLimitV2Update { limit: Patch::Set(limit), ..ConcurrencyLimitV2Update::default() };
        self.update_concurrency_limit(id, update).await.map(drop)
    }

    /// Deletes deployments with their schedules, their limits and all their runs that wait. Answers the ids deleted.
    pub async fn delete_deployments(&mut self, deployments: Vec<Deployment>) -> Result<Vec<Uuid>> {
        let mut deleted = Vec::with_capacity(deployments.len());
        for deployment in deployments {
            let event = self.deployment_event(&deployment, "deleted").await?.at(self.now());
            self.reschedule_deployment(deployment.id, Doomed::AllWaiting).await?;
            if let Some(limit) = &deployment.global_concurrency_limit {
                self.delete_concurrency_limit(limit.id).await?;
            }
            let sql =
                sql!("DELETE FROM deployment WHERE id = $1 AND workspace_id = $2", deployment.id, self.workspace());
            if self.execute(&sql).await? > 0 {
                self.emit(&event).await?;
                deleted.push(deployment.id);
            }
        }
        Ok(deleted)
    }

    /// Deployments that match, for bulk operations.
    pub async fn list_deployments_by(
        &mut self,
        filter: Option<DeploymentFilter>,
        limit: i64,
    ) -> Result<Vec<Deployment>> {
        let filters = RunFilters { deployments: filter, ..RunFilters::default() };
        self.list_deployments(&filters, DeploymentSort::NameAsc, limit, 0).await
    }

    /// Tells that a deployment was created, or which fields an upsert or update changed.
    pub async fn emit_deployment_change(&mut self, before: Option<&Deployment>, after: &Deployment) -> Result<()> {
        let event = match before {
            None => self.deployment_event(after, "created").await?,
            Some(before) => match changes(before, after).payload() {
                None => return Ok(()),
                Some(payload) => self.deployment_event(after, "updated").await?.payload(payload),
            },
        };
        let event: Event = event.at(self.now());
        self.emit(&event).await.map(drop)
    }

    pub(crate) async fn deployment_event(&mut self, deployment: &Deployment, what: &str) -> Result<ResourceEvent> {
        let mut event = ResourceEvent::new("prefect.deployment", deployment.id, what).named(&deployment.name);
        let sql = sql!(
            "SELECT flow.name, queue.name, pool.id, pool.name, pool.type FROM flow \
             LEFT JOIN work_queue AS queue ON queue.id = $2 LEFT JOIN work_pool AS pool ON pool.id = queue.work_pool_id \
             WHERE flow.id = $1",
            deployment.flow_id,
            deployment.work_queue_id,
        );
        let names: Option<Names> =
            self.optional(&sql, |row| Ok((row.next()?, row.next()?, row.next()?, row.next()?, row.next()?))).await?;
        if let Some((flow, queue, pool_id, pool, kind)) = names {
            event = event.with(related(format!("prefect.flow.{}", deployment.flow_id), "flow", Some(&flow)));
            if let (Some(id), Some(queue)) = (deployment.work_queue_id, queue) {
                event = event.with(related(format!("prefect.work-queue.{id}"), "work-queue", Some(&queue)));
            }
            if let (Some(id), Some(pool), Some(kind)) = (pool_id, pool, kind) {
                let mut pool = related(format!("prefect.work-pool.{id}"), "work-pool", Some(&pool));
                pool.insert("prefect.work-pool.type".into(), kind);
                event = event.with(pool);
            }
        }
        let block = |id| format!("prefect.block-document.{id}");
        if let Some(id) = deployment.storage_document_id {
            event = event.with(related(block(id), "storage", None));
        }
        if let Some(id) = deployment.infrastructure_document_id {
            event = event.with(related(block(id), "infrastructure", None));
        }
        if let Some(limit) = &deployment.global_concurrency_limit {
            event = event.with(related(format!("prefect.concurrency-limit.{}", limit.id), "concurrency-limit", None));
        }
        Ok(event)
    }

    /// Notes that a runner polls for the runs of these deployments. Leaves `updated` alone.
    pub async fn mark_deployments_ready(&mut self, deployments: &[Uuid]) -> Result<()> {
        for (id, is_ready) in self.list_unnoted_deployments(deployments).await? {
            self.execute(&sql!(
                "UPDATE deployment SET status = 'READY', last_polled = $1 WHERE id = $2",
                self.now(),
                id
            ))
            .await?;
            if !is_ready && let Some(deployment) = self.read_deployment(id).await? {
                let event = self.deployment_event(&deployment, "ready").await?.at(self.now());
                self.emit(&event).await?;
            }
        }
        Ok(())
    }

    /// Those of them whose last poll was noted too long ago, or never, and whether they are ready all the same.
    pub async fn list_unnoted_deployments(&mut self, deployments: &[Uuid]) -> Result<Vec<(Uuid, bool)>> {
        let mut sql = sql!("SELECT id, status FROM deployment WHERE workspace_id = $1 AND ", self.workspace());
        sql.push_ids(self.dialect(), "id", deployments);
        sql.push(" AND (status <> 'READY' OR last_polled IS NULL OR last_polled < ");
        sql.bind(self.now().plus_seconds(-POLL_NOTE_SECONDS)).push(") ORDER BY id");
        self.all(&sql, |row| Ok((row.next()?, row.next::<String>()? == "READY"))).await
    }

    /// All variables by name, for what parameters are filled in from.
    pub async fn list_variable_values(&mut self) -> Result<Vec<(String, Json)>> {
        let sql = sql!("SELECT name, value FROM variable WHERE workspace_id = $1", self.workspace());
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// Whether a block document exists; deployments name some that must.
    pub async fn is_block_document(&mut self, id: Uuid) -> Result<bool> {
        let sql = sql!("SELECT 1 FROM block_document WHERE id = $1 AND workspace_id = $2", id, self.workspace());
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }
}

/// Polls come every few seconds from every runner; noting each would be a write per poll.
const POLL_NOTE_SECONDS: f64 = 5.0;

fn changes(before: &Deployment, after: &Deployment) -> Changes {
    let mut changes = Changes::default();
    changes.add("description", &before.description, &after.description);
    changes.add("tags", &before.tags, &after.tags);
    changes.add("parameters", &before.parameters, &after.parameters);
    changes.add("parameter_openapi_schema", &before.parameter_openapi_schema, &after.parameter_openapi_schema);
    changes.add("enforce_parameter_schema", &before.enforce_parameter_schema, &after.enforce_parameter_schema);
    changes.add("entrypoint", &before.entrypoint, &after.entrypoint);
    changes.add("path", &before.path, &after.path);
    changes.add("pull_steps", &before.pull_steps, &after.pull_steps);
    changes.add("work_queue_id", &before.work_queue_id, &after.work_queue_id);
    changes.add("infra_overrides", &before.job_variables, &after.job_variables);
    changes.add("paused", &before.paused, &after.paused);
    changes.add("labels", &before.labels, &after.labels);
    changes.add("version", &before.version, &after.version);
    let limit = |deployment: &Deployment| deployment.global_concurrency_limit.as_ref().map(|limit| limit.id);
    changes.add("concurrency_limit_id", &limit(before), &limit(after));
    changes.add("concurrency_options", &before.concurrency_options, &after.concurrency_options);
    changes
}
