//! Actions of automations, from the firing that left them until they are done. Each is taken by one server at a time, and
//! by another if that one falls silent.

use tidegate_api::{
    automations::{Action, Automation, Firing},
    events::Event,
};
use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{Dialect, Result, Tx, sql};

/// An action to do.
#[derive(Clone, Debug)]
pub struct PendingAction {
    pub id: Uuid,
    /// Its place among the actions of the firing.
    pub position: i64,
    pub action: Action,
    /// The event of the firing itself is the triggering one.
    pub on_trigger: bool,
    /// What was tried before: a list.
    pub attempts: Json,
    /// The automation as it was when it fired.
    pub automation: Automation,
    pub firing: Firing,
    /// The event of the firing.
    pub event_id: Uuid,
}

impl Tx {
    /// Takes actions that are due, until a moment. Those of one firing come in their order.
    pub async fn take_due_actions(&mut self, holder: Uuid, until: Timestamp, limit: i64) -> Result<Vec<PendingAction>> {
        let mut sql = sql!("SELECT id FROM automation_action WHERE outcome IS NULL AND due <= $1", self.now());
        sql.push(" ORDER BY due, firing_id, position LIMIT ").bind(limit);
        if self.dialect() == Dialect::Postgres {
            sql.push(" FOR UPDATE SKIP LOCKED");
        }
        let ids = self.all(&sql, |row| row.next::<Uuid>()).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = sql!("UPDATE automation_action SET taken_by = $1, due = $2 WHERE ", holder, until);
        sql.push_ids(self.dialect(), "id", &ids);
        self.execute(&sql).await?;
        let mut sql = sql!(
            "SELECT automation_action.id, position, action, on_trigger, attempts, automation, firing, event_id \
             FROM automation_action JOIN automation_firing ON automation_firing.id = firing_id WHERE "
        );
        sql.push_ids(self.dialect(), "automation_action.id", &ids).push(" ORDER BY triggered, firing_id, position");
        self.all(&sql, |row| {
            Ok(PendingAction {
                id: row.next()?,
                position: row.next()?,
                action: row.parse()?,
                on_trigger: row.next()?,
                attempts: row.next()?,
                automation: row.parse()?,
                firing: row.parse()?,
                event_id: row.next()?,
            })
        })
        .await
    }

    /// Actions that a server had in hand when it ended are due at once. For SQLite, where there is one server at a time.
    pub async fn release_actions(&mut self) -> Result<u64> {
        let sql = sql!(
            "UPDATE automation_action SET due = $1, taken_by = NULL WHERE outcome IS NULL AND taken_by IS NOT NULL",
            self.now()
        );
        self.execute(&sql).await
    }

    /// When the next action is due.
    pub async fn next_action_due(&mut self) -> Result<Option<Timestamp>> {
        self.one(&sql!("SELECT min(due) FROM automation_action WHERE outcome IS NULL"), |row| row.next()).await
    }

    /// An action is done, well or not: tells of it in events. Nothing if another server took it meanwhile.
    pub async fn finish_action(
        &mut self,
        (id, holder): (Uuid, Uuid),
        outcome: &str,
        attempts: &Json,
        events: &[Event],
    ) -> Result<()> {
        let finished = self
            .execute(&sql!(
                "UPDATE automation_action SET outcome = $1, attempts = $2, finished = $3 \
                 WHERE id = $4 AND taken_by = $5 AND outcome IS NULL",
                outcome,
                attempts,
                self.now(),
                id,
                holder,
            ))
            .await?;
        if finished > 0 {
            for event in events {
                self.emit(event).await?;
            }
        }
        Ok(())
    }

    /// An action is to be tried again at a moment.
    pub async fn postpone_action(&mut self, (id, holder): (Uuid, Uuid), due: Timestamp, attempts: &Json) -> Result<()> {
        self.execute(&sql!(
            "UPDATE automation_action SET due = $1, attempts = $2, taken_by = NULL WHERE id = $3 AND taken_by = $4 AND outcome IS NULL",
            due,
            attempts,
            id,
            holder,
        ))
        .await
        .map(drop)
    }
}
