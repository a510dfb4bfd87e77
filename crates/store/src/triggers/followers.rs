//! Events that came before the event that they follow: they wait for it, for a while.

use tidegate_api::events::ReceivedEvent;
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Dialect, Position, Result, Sql, StoredEvent, Tx, sql};

/// Followers brought back at once.
const FOLLOWERS: i64 = 500;

impl Tx {
    /// Keeps an event for later.
    pub(super) async fn hold_follower(&mut self, event: &ReceivedEvent) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO trigger_follower (event_id, workspace_id, follows, occurred, received) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
            event.id,
            self.workspace(),
            event.follows,
            event.occurred,
            event.received,
        ))
        .await
        .map(drop)
    }

    pub(super) async fn release_follower(&mut self, id: Uuid) -> Result<()> {
        self.execute(&sql!("DELETE FROM trigger_follower WHERE event_id = $1", id)).await.map(drop)
    }

    /// Which of these events came no later than a position, and do not wait themselves.
    pub async fn known_events(&mut self, ids: &[Uuid], to: Position) -> Result<Vec<Uuid>> {
        let mut sql = Sql::new("SELECT id FROM event WHERE ");
        sql.push_ids(self.dialect(), "id", ids);
        sql.push(" AND NOT EXISTS (SELECT 1 FROM trigger_follower WHERE event_id = event.id)");
        sql.push(" AND NOT EXISTS (SELECT 1 FROM event_outbox WHERE event_id = event.id AND ");
        match self.dialect() {
            Dialect::Sqlite => sql.push("seq > ").bind(to.sequence).push(")"),
            Dialect::Postgres => {
                sql.push("(xid, seq) > (").bind(to.transaction.max(0).to_string()).push("::text::xid8, ");
                sql.bind(to.sequence).push("))")
            }
        };
        self.all(&sql, |row| row.next()).await
    }

    /// The events that wait for one of these, and those that waited since before a moment, the oldest first; and whether
    /// others wait.
    pub async fn list_followers(&mut self, leaders: &[Uuid], since: Timestamp) -> Result<(Vec<StoredEvent>, bool)> {
        let mut sql = sql!("SELECT event_id, occurred FROM trigger_follower WHERE workspace_id = $1", self.workspace());
        sql.push(" AND (").push_ids(self.dialect(), "follows", leaders);
        sql.push(" OR received <= ").bind(since).push(") ORDER BY occurred LIMIT ").bind(FOLLOWERS);
        let waiting = self.all(&sql, |row| Ok((row.next::<Uuid>()?, row.next::<Timestamp>()?))).await?;
        let all = sql!("SELECT count(*) FROM trigger_follower WHERE workspace_id = $1", self.workspace());
        let all: i64 = self.one(&all, |row| row.next()).await?;
        let more = all > waiting.len() as i64;
        Ok((self.read_stored_events(&waiting).await?, more))
    }
}
