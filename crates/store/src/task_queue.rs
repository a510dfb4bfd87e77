//! Background tasks on their way to a task worker. A run's row is there until a worker has said that it has the run: what
//! was sent over a connection that ended, or by a server that ended, is sent again.

use tidegate_api::task_runs::TaskRun;
use tidegate_core::state::StateType;
use uuid::Uuid;

use crate::{Dialect, Result, Tx, Wake, sql};

impl Tx {
    /// Queues a run; one that is queued already begins anew.
    pub(crate) async fn queue_task_run(&mut self, id: Uuid, task_key: &str, is_retry: bool) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO task_run_queue (task_run_id, workspace_id, task_key, queued, is_retry) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (task_run_id) DO UPDATE SET queued = excluded.queued, is_retry = excluded.is_retry, \
             taken_by = NULL, taken_until = NULL",
            id,
            self.workspace(),
            task_key,
            self.now(),
            is_retry,
        ))
        .await?;
        self.wake(Wake::Tasks);
        Ok(())
    }

    /// Whether any of the keys has a run that could be taken. Costs no write, so that waiting costs none.
    pub async fn has_queued_task_runs(&mut self, keys: &[String]) -> Result<bool> {
        let mut sql = sql!(
            "SELECT 1 FROM task_run_queue WHERE workspace_id = $1 AND (taken_until IS NULL OR taken_until <= $2) AND ",
            self.workspace(),
            self.now()
        );
        sql.push_texts(self.dialect(), "task_key", keys).push(" LIMIT 1");
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    /// Takes the run of the first key that has one, for a connection and so many seconds. Runs that are not SCHEDULED any
    /// more leave the queue unseen.
    pub async fn take_queued_task_run(
        &mut self,
        keys: &[String],
        taker: Uuid,
        seconds: f64,
    ) -> Result<Option<TaskRun>> {
        for key in keys {
            while let Some(id) = self.next_queued(key).await? {
                let run = self.read_task_run(id).await?;
                let Some(run) = run.filter(|run| run.state_type == Some(StateType::Scheduled)) else {
                    self.execute(&sql!("DELETE FROM task_run_queue WHERE task_run_id = $1", id)).await?;
                    continue;
                };
                self.execute(&sql!(
                    "UPDATE task_run_queue SET taken_by = $1, taken_until = $2 WHERE task_run_id = $3",
                    taker,
                    self.now().plus_seconds(seconds),
                    id
                ))
                .await?;
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    async fn next_queued(&mut self, key: &str) -> Result<Option<Uuid>> {
        let mut sql = sql!(
            "SELECT task_run_id FROM task_run_queue WHERE workspace_id = $1 AND task_key = $2 \
             AND (taken_until IS NULL OR taken_until <= $3) ORDER BY is_retry DESC, queued LIMIT 1",
            self.workspace(),
            key,
            self.now()
        );
        if self.dialect() == Dialect::Postgres {
            sql.push(" FOR UPDATE SKIP LOCKED");
        }
        self.optional(&sql, |row| row.next()).await
    }

    /// The connection still waits for its worker's word.
    pub async fn renew_queued_task_run(&mut self, taker: Uuid, seconds: f64) -> Result<()> {
        let until = self.now().plus_seconds(seconds);
        self.execute(&sql!("UPDATE task_run_queue SET taken_until = $1 WHERE taken_by = $2", until, taker)).await?;
        Ok(())
    }

    /// The worker has the run. Answers whether it was still its to have.
    pub async fn acknowledge_queued_task_run(&mut self, id: Uuid, taker: Uuid) -> Result<bool> {
        let sql = sql!("DELETE FROM task_run_queue WHERE task_run_id = $1 AND taken_by = $2", id, taker);
        Ok(self.execute(&sql).await? > 0)
    }

    /// The connection ended: what it had not acknowledged goes to others, before all else.
    pub async fn return_queued_task_runs(&mut self, taker: Uuid) -> Result<()> {
        let sql = sql!(
            "UPDATE task_run_queue SET taken_by = NULL, taken_until = NULL, is_retry = $1 WHERE taken_by = $2",
            true,
            taker
        );
        if self.execute(&sql).await? > 0 {
            self.wake(Wake::Tasks);
        }
        Ok(())
    }
}
