//! Whether deployments are served: ready once their queue was polled, not ready when nobody polled for long.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{ResourceEvent, Result, Sql, Tx, related, sql};

/// A deployment with what its events relate to.
struct Named {
    id: Uuid,
    name: String,
    flow: Option<(Uuid, String)>,
    queue: Option<(Uuid, String)>,
    pool: Option<(Uuid, String, String)>,
}

impl Tx {
    /// Notes that queues were polled: the deployments in them are ready. Leaves `updated` alone, which the scheduler
    /// looks at.
    pub(crate) async fn record_deployment_polls(&mut self, queues: &[Uuid]) -> Result<()> {
        let mut sql = sql!("UPDATE deployment SET last_polled = $1 WHERE ", self.now());
        sql.push_ids(self.dialect(), "work_queue_id", queues);
        if self.execute(&sql).await? == 0 {
            return Ok(());
        }
        let mut sql = Sql::new("deployment.status = 'NOT_READY' AND ");
        sql.push_ids(self.dialect(), "deployment.work_queue_id", queues);
        self.set_deployment_status(sql, "READY").await.map(drop)
    }

    /// Deployments that nobody polled for, neither them nor their queue, are not ready. Answers how many.
    pub(crate) async fn mark_silent_deployments(&mut self, seconds: f64) -> Result<u64> {
        let limit: Timestamp = self.now().plus_seconds(-seconds);
        let sql = sql!(
            "deployment.status = 'READY' AND deployment.last_polled < $1 \
             AND (work_queue.last_polled IS NULL OR work_queue.last_polled < $1)",
            limit
        );
        self.set_deployment_status(sql, "NOT_READY").await
    }

    /// Sets the status of the deployments that a condition means and tells so.
    async fn set_deployment_status(&mut self, condition: Sql, status: &str) -> Result<u64> {
        let text = format!(
            "SELECT deployment.id, deployment.name, flow.id, flow.name, work_queue.id, work_queue.name, work_pool.id, \
             work_pool.name, work_pool.type FROM deployment LEFT JOIN flow ON flow.id = deployment.flow_id \
             LEFT JOIN work_queue ON work_queue.id = deployment.work_queue_id \
             LEFT JOIN work_pool ON work_pool.id = work_queue.work_pool_id WHERE {}",
            condition.text
        );
        let select = Sql { text: text.into(), values: condition.values };
        let deployments = self
            .all(&select, |row| {
                let (id, name) = (row.next()?, row.next()?);
                let flow = row.next::<Option<Uuid>>()?.zip(row.next()?);
                let queue = row.next::<Option<Uuid>>()?.zip(row.next()?);
                let pool = row.next::<Option<Uuid>>()?.zip(row.next()?).zip(row.next()?);
                Ok(Named { id, name, flow, queue, pool: pool.map(|((id, name), kind)| (id, name, kind)) })
            })
            .await?;
        if deployments.is_empty() {
            return Ok(0);
        }
        let ids: Vec<Uuid> = deployments.iter().map(|deployment| deployment.id).collect();
        let mut update = sql!("UPDATE deployment SET status = $1 WHERE ", status);
        update.push_ids(self.dialect(), "id", &ids);
        self.execute(&update).await?;
        let what = status.to_lowercase().replace('_', "-");
        for deployment in deployments {
            let event = deployment.event(&what).at(self.now());
            self.emit(&event).await?;
        }
        Ok(ids.len() as u64)
    }
}

impl Named {
    fn event(self, what: &str) -> ResourceEvent {
        let mut event = ResourceEvent::new("prefect.deployment", self.id, what).named(&self.name);
        if let Some((id, name)) = self.flow {
            event = event.with(related(format!("prefect.flow.{id}"), "flow", Some(&name)));
        }
        if let Some((id, name)) = self.queue {
            event = event.with(related(format!("prefect.work-queue.{id}"), "work-queue", Some(&name)));
        }
        if let Some((id, name, kind)) = self.pool {
            let mut pool = related(format!("prefect.work-pool.{id}"), "work-pool", Some(&name));
            pool.insert("prefect.work-pool.type".into(), kind);
            event = event.with(pool);
        }
        event
    }
}
