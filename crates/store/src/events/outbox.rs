//! The tail of the outbox: events in the order of their commits, for whoever follows them live.

use std::collections::HashMap;

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use super::StoredEvent;
use crate::{Dialect, Result, Sql, Tx, sql};

/// How far a reader of the outbox has come. On PostgreSQL the transaction comes first: sequence numbers are taken before
/// the commit, so by themselves they can become visible out of order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    pub(crate) transaction: i64,
    pub(crate) sequence: i64,
}

impl Tx {
    /// The position of the newest event that is committed, and that nothing uncommitted can precede.
    pub async fn outbox_head(&mut self) -> Result<Position> {
        let sql = match self.dialect() {
            Dialect::Sqlite => Sql::new("SELECT 0, coalesce(max(seq), 0) FROM event_outbox"),
            Dialect::Postgres => {
                Sql::new("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 9223372036854775807")
            }
        };
        self.one(&sql, |row| Ok(Position { transaction: row.next()?, sequence: row.next()? })).await
    }

    /// The events after a position, in the order of their commits.
    pub async fn read_outbox(&mut self, after: Position, limit: i64) -> Result<Vec<(Position, StoredEvent)>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => sql!(
                "SELECT 0, seq, event_id, occurred FROM event_outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
                after.sequence,
                limit,
            ),
            Dialect::Postgres => sql!(
                "SELECT xid::text::bigint, seq, event_id, occurred FROM event_outbox \
                 WHERE xid >= $1::text::xid8 AND (xid, seq) > ($1::text::xid8, $2) \
                 AND xid < pg_snapshot_xmin(pg_current_snapshot()) \
                 ORDER BY event_outbox.xid, event_outbox.seq LIMIT $3",
                after.transaction.max(0).to_string(),
                after.sequence,
                limit,
            ),
        };
        let entries = self
            .all(&sql, |row| {
                let position = Position { transaction: row.next()?, sequence: row.next()? };
                Ok((position, row.next::<Uuid>()?, row.next::<Timestamp>()?))
            })
            .await?;
        let wanted: Vec<(Uuid, Timestamp)> = entries.iter().map(|(_, id, occurred)| (*id, *occurred)).collect();
        let positions: HashMap<Uuid, Position> = entries.into_iter().map(|(at, id, _)| (id, at)).collect();
        // An event that retention took away meanwhile is passed over.
        let events = self.read_stored_events(&wanted).await?;
        Ok(events.into_iter().map(|event| (positions[&event.id], event)).collect())
    }

    /// When the first event after a position was received, among those that are committed. On PostgreSQL a transaction that is
    /// still open, of whomever, hides them from readers.
    pub async fn oldest_unread(&mut self, after: Position) -> Result<Option<Timestamp>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => sql!("SELECT min(received) FROM event_outbox WHERE seq > $1", after.sequence),
            Dialect::Postgres => sql!(
                "SELECT min(received) FROM event_outbox WHERE xid >= $1::text::xid8 AND (xid, seq) > ($1::text::xid8, $2)",
                after.transaction.max(0).to_string(),
                after.sequence,
            ),
        };
        self.one(&sql, |row| row.next()).await
    }

    /// Removes entries that every reader has long seen.
    pub async fn delete_outbox_before(&mut self, time: Timestamp) -> Result<u64> {
        // The newest entry stays: the numbers of SQLite must go on from it.
        self.execute(&sql!(
            "DELETE FROM event_outbox WHERE received < $1 AND seq < (SELECT max(seq) FROM event_outbox)",
            time
        ))
        .await
    }
}
