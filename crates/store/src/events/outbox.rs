//! The tail of the outbox: events in the order of their commits, for whoever follows them live.

use std::collections::HashMap;

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use super::{StoredEvent, select};
use crate::{Dialect, Result, Sql, Tx, sql};

/// How far a reader of the outbox has come. On PostgreSQL the transaction comes first: sequence numbers are taken before
/// the commit, so by themselves they can become visible out of order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    transaction: i64,
    sequence: i64,
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
        let mut events = HashMap::with_capacity(entries.len());
        // Chunks: SQLite spells every id out.
        for chunk in entries.chunks(200) {
            let ids: Vec<Uuid> = chunk.iter().map(|(_, id, _)| *id).collect();
            let first = chunk.iter().map(|(_, _, occurred)| *occurred).min().unwrap_or(Timestamp::UNIX_EPOCH);
            let last = chunk.iter().map(|(_, _, occurred)| *occurred).max().unwrap_or(Timestamp::UNIX_EPOCH);
            let mut sql = select(self.workspace());
            sql.push(" AND ").push_ids(self.dialect(), "event.id", &ids);
            sql.push(" AND event.occurred >= ").bind(first).push(" AND event.occurred <= ").bind(last);
            for event in self.all(&sql, super::stored_event).await? {
                events.insert(event.id, event);
            }
        }
        // An event that retention took away meanwhile is passed over.
        Ok(entries.into_iter().filter_map(|(at, id, _)| Some((at, events.remove(&id)?))).collect())
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
