//! How far the outbox was evaluated, and by which of several servers.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Dialect, Position, Result, Tx, Wake, sql};

/// How far the evaluation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub position: Position,
    /// Counts the changes of automations.
    pub revision: i64,
    pub holder: Option<Uuid>,
    pub held_until: Option<Timestamp>,
}

impl Tx {
    /// `None` while there never was an automation.
    pub async fn read_trigger_progress(&mut self) -> Result<Option<Progress>> {
        let sql = sql!(
            "SELECT transaction_id, sequence, coalesce(revision, 0), holder, held_until FROM trigger_progress \
             LEFT JOIN automation_revision ON automation_revision.workspace_id = trigger_progress.workspace_id \
             WHERE trigger_progress.workspace_id = $1",
            self.workspace()
        );
        self.optional(&sql, |row| {
            Ok(Progress {
                position: Position { transaction: row.next()?, sequence: row.next()? },
                revision: row.next()?,
                holder: row.next()?,
                held_until: row.next()?,
            })
        })
        .await
    }

    /// An automation is created, changed or deleted in this transaction. Answers where the outbox ends now: only later
    /// events can count for what is new. Evaluation begins there if there was nothing to evaluate before.
    pub(crate) async fn automations_changed(&mut self) -> Result<Position> {
        let head = self.outbox_head().await?;
        // Looked at first: a conflict waits for the evaluation that has the row.
        if self.read_trigger_progress().await?.is_none() {
            self.execute(&sql!(
                "INSERT INTO trigger_progress (workspace_id, transaction_id, sequence) VALUES ($1, $2, $3) \
                 ON CONFLICT (workspace_id) DO NOTHING",
                self.workspace(),
                head.transaction,
                head.sequence,
            ))
            .await?;
        }
        self.execute(&sql!(
            "INSERT INTO automation_revision (workspace_id, revision) VALUES ($1, 1) \
             ON CONFLICT (workspace_id) DO UPDATE SET revision = automation_revision.revision + 1",
            self.workspace(),
        ))
        .await?;
        self.wake(Wake::Automations);
        Ok(head)
    }

    /// Makes one server the one that evaluates, until a moment. Answers whether it is. SQLite has one server at a time:
    /// whoever held it before is gone.
    pub async fn hold_triggers(&mut self, holder: Uuid, until: Timestamp) -> Result<bool> {
        let mut sql = sql!("UPDATE trigger_progress SET holder = $1, held_until = $2", holder, until);
        sql.push(" WHERE workspace_id = ").bind(self.workspace());
        if self.dialect() == Dialect::Postgres {
            sql.push(" AND (holder IS NULL OR holder = $1 OR held_until <= ").bind(self.now()).push(")");
        }
        Ok(self.execute(&sql).await? > 0)
    }

    /// Moves on; not if somebody else did meanwhile.
    pub(super) async fn advance_triggers(&mut self, holder: Uuid, from: Position, to: Position) -> Result<bool> {
        let moved = self
            .execute(&sql!(
                "UPDATE trigger_progress SET transaction_id = $1, sequence = $2 \
                 WHERE workspace_id = $3 AND holder = $4 AND transaction_id = $5 AND sequence = $6",
                to.transaction,
                to.sequence,
                self.workspace(),
                holder,
                from.transaction,
                from.sequence,
            ))
            .await?;
        Ok(moved > 0)
    }
}
