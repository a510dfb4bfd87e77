//! Schedules of deployments in the store. A schedule keeps its id for as long as it means the same, because the keys of its
//! runs are made of the id: a run that a worker took already is then never given twice.

use tidegate_api::deployments::{DeploymentSchedule, DeploymentScheduleUpdate};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{Result, Row, Sql, Tx, scheduled_runs::Doomed, sql};

/// A schedule to insert, with its definition complete.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    pub schedule: Json,
    pub active: bool,
    pub max_scheduled_runs: Option<i64>,
    pub parameters: Json,
    pub slug: Option<String>,
}

const COLUMNS: &str = "id, created, updated, deployment_id, schedule, active, max_scheduled_runs, parameters, slug";

fn schedule(row: &mut Row<'_>) -> Result<DeploymentSchedule> {
    Ok(DeploymentSchedule {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        deployment_id: row.next()?,
        schedule: row.next()?,
        active: row.next()?,
        max_scheduled_runs: row.next()?,
        parameters: row.next()?,
        slug: row.next()?,
    })
}

impl Tx {
    /// The schedules of deployments, the one changed last first.
    pub async fn list_deployment_schedules(&mut self, deployments: &[Uuid]) -> Result<Vec<DeploymentSchedule>> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM deployment_schedule WHERE ");
        sql.push_ids(self.dialect(), "deployment_id", deployments).push(" ORDER BY updated DESC, id DESC");
        self.all(&sql, schedule).await
    }

    /// Adds schedules; answers them in the order given.
    pub async fn insert_deployment_schedules(
        &mut self,
        deployment: Uuid,
        schedules: &[NewSchedule],
    ) -> Result<Vec<DeploymentSchedule>> {
        let mut rows = Vec::with_capacity(schedules.len());
        for (index, new) in schedules.iter().enumerate() {
            rows.push(self.insert_deployment_schedule(deployment, new, self.moment(index)).await?);
        }
        self.reschedule_deployment(deployment, Doomed::None).await?;
        Ok(rows)
    }

    async fn insert_deployment_schedule(
        &mut self,
        deployment: Uuid,
        new: &NewSchedule,
        now: Timestamp,
    ) -> Result<DeploymentSchedule> {
        let row = DeploymentSchedule {
            id: Uuid::now_v7(),
            created: Some(now),
            updated: Some(now),
            deployment_id: Some(deployment),
            schedule: new.schedule.clone(),
            active: new.active,
            max_scheduled_runs: new.max_scheduled_runs,
            parameters: new.parameters.clone(),
            slug: new.slug.clone(),
        };
        self.execute(&sql!(
            "INSERT INTO deployment_schedule (id, created, updated, deployment_id, schedule, active, max_scheduled_runs, \
             parameters, slug) VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8)",
            row.id,
            now,
            deployment,
            &row.schedule,
            row.active,
            row.max_scheduled_runs,
            &row.parameters,
            row.slug.clone(),
        ))
        .await?;
        Ok(row)
    }

    /// Replaces a deployment's schedules by these. One with the slug, or without slugs the definition, of a former one is
    /// that former one, changed.
    pub async fn replace_deployment_schedules(&mut self, deployment: Uuid, schedules: &[NewSchedule]) -> Result<()> {
        let mut former = self.list_deployment_schedules(&[deployment]).await?;
        let mut kept = Vec::with_capacity(schedules.len());
        for new in schedules {
            let same = former.iter().position(|old| match (&old.slug, &new.slug) {
                (Some(old), Some(new)) => old == new,
                (None, None) => old.schedule == new.schedule,
                _ => false,
            });
            kept.push(same.map(|at| former.remove(at).id));
        }
        let gone: Vec<Uuid> = former.iter().map(|old| old.id).collect();
        if !gone.is_empty() {
            let mut sql = Sql::new("DELETE FROM deployment_schedule WHERE ");
            sql.push_ids(self.dialect(), "id", &gone);
            self.execute(&sql).await?;
        }
        for (index, (new, kept)) in schedules.iter().zip(kept).enumerate() {
            let now = self.moment(index);
            match kept {
                None => drop(self.insert_deployment_schedule(deployment, new, now).await?),
                Some(id) => {
                    self.execute(&sql!(
                        "UPDATE deployment_schedule SET updated = $1, schedule = $2, active = $3, max_scheduled_runs = $4, \
                         parameters = $5 WHERE id = $6",
                        now,
                        &new.schedule,
                        new.active,
                        new.max_scheduled_runs,
                        &new.parameters,
                        id,
                    ))
                    .await?;
                }
            }
        }
        self.reschedule_deployment(deployment, Doomed::FutureScheduled).await
    }

    /// Changes a schedule. Null says nothing here, and parameters that are left out are none. Answers whether there was one.
    pub async fn update_deployment_schedule(
        &mut self,
        deployment: Uuid,
        id: Uuid,
        update: DeploymentScheduleUpdate,
    ) -> Result<bool> {
        let mut sql = sql!("UPDATE deployment_schedule SET updated = $1, parameters = $2", self.now(), {
            update.parameters.value().unwrap_or_default()
        });
        if let Some(active) = update.active.value() {
            sql.push(", active = ").bind(active);
        }
        if let Some(schedule) = update.schedule.value() {
            sql.push(", schedule = ").bind(schedule);
        }
        if let Some(most) = update.max_scheduled_runs.value() {
            sql.push(", max_scheduled_runs = ").bind(most);
        }
        if let Some(slug) = update.slug.value() {
            sql.push(", slug = ").bind(slug);
        }
        sql.push(" WHERE id = ").bind(id).push(" AND deployment_id = ").bind(deployment);
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        self.reschedule_deployment(deployment, Doomed::FutureScheduled).await?;
        Ok(true)
    }

    /// Takes slugs off schedules, so that others of the same deployment may have them in the same transaction.
    pub async fn clear_schedule_slugs(&mut self, ids: &[Uuid]) -> Result<()> {
        let mut sql = Sql::new("UPDATE deployment_schedule SET slug = NULL WHERE ");
        sql.push_ids(self.dialect(), "id", ids);
        self.execute(&sql).await.map(drop)
    }

    pub async fn delete_deployment_schedule(&mut self, deployment: Uuid, id: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM deployment_schedule WHERE id = $1 AND deployment_id = $2", id, deployment);
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        self.reschedule_deployment(deployment, Doomed::Scheduled).await?;
        Ok(true)
    }

    /// Rows written at once are a microsecond apart, so that their order can be read from their times.
    fn moment(&self, index: usize) -> Timestamp {
        self.now().plus_seconds(index as f64 * 1e-6)
    }
}
