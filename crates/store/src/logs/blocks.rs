//! Blocks of log records with the letters that occur in them, written behind the records: taking records in costs nothing
//! more, and what no block covers yet is searched as it is.
//!
//! Rows are told apart by where they lie: by their row id in a table of one week on SQLite, by the time of their creation on
//! PostgreSQL. Row ids change when an operator compacts the file and are given again when the newest rows go, so a table's
//! newest block is believed only while its last record lies where it says.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use super::letters::Letters;
use crate::{Dialect, Partitioned, Result, Row, Sql, Tx, sql, value::Value};

/// Records of one block. On PostgreSQL those of one moment stay together.
const RECORDS: usize = 1024;
/// Records looked at in one pass.
const PAGE: i64 = 8192;
/// PostgreSQL: servers' clocks may differ by this much, and a transaction takes no longer to be seen after it has begun.
const SETTLED_SECONDS: f64 = 60.0;
/// Arbitrary and fixed: servers that write blocks wait for each other here.
const LOCK: i64 = 0x7469_6c62;
const COLUMNS: &str = "part, first, last, last_id, earliest, latest, letters";

/// Blocks to be written behind the newest one of a table.
#[derive(Debug)]
pub struct NewBlocks {
    part: String,
    /// Where the newest block ended when this was read.
    behind: i64,
    blocks: Vec<Block>,
    /// Whether more blocks can be made now.
    pub more: bool,
}

impl NewBlocks {
    pub fn count(&self) -> u64 {
        self.blocks.len() as u64
    }
}

#[derive(Debug)]
struct Block {
    first: i64,
    last: i64,
    last_id: Uuid,
    earliest: Timestamp,
    latest: Timestamp,
    letters: Vec<u8>,
}

/// A block that is being filled.
struct Filling {
    first: i64,
    count: usize,
    last: (i64, Uuid),
    earliest: Timestamp,
    latest: Timestamp,
    letters: Letters,
}

impl Filling {
    fn at(first: i64, place: i64, id: Uuid, timestamp: Timestamp) -> Self {
        let letters = Letters::default();
        Self { first, count: 0, last: (place, id), earliest: timestamp, latest: timestamp, letters }
    }

    fn finish(self) -> Block {
        Block {
            first: self.first,
            last: self.last.0,
            last_id: self.last.1,
            earliest: self.earliest,
            latest: self.latest,
            letters: self.letters.finish(),
        }
    }
}

impl Tx {
    /// Makes blocks of the records that none covers yet. `None` when there are too few of them.
    pub async fn read_new_log_blocks(&mut self) -> Result<Option<NewBlocks>> {
        for part in self.tables(Partitioned::Log).await? {
            let behind = self.newest_log_block(&part).await?.unwrap_or(i64::MIN);
            let read = self.fill_blocks(&part, behind).await?;
            if !read.blocks.is_empty() {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    async fn fill_blocks(&mut self, part: &str, behind: i64) -> Result<NewBlocks> {
        let (mut blocks, mut filling) = (Vec::new(), None::<Filling>);
        let (mut count, mut first) = (0, behind.saturating_add(1));
        let mut searched = String::new();
        let keeps_moments = self.dialect() == Dialect::Postgres;
        let take = |row: &mut Row<'_>| {
            let (place, id, timestamp): (i64, Uuid, Timestamp) = (row.next()?, row.next()?, row.next()?);
            count += 1;
            let is_full = filling
                .as_ref()
                .is_some_and(|filling| filling.count >= RECORDS && !(keeps_moments && filling.last.0 == place));
            if is_full && let Some(full) = filling.take() {
                first = full.last.0 + 1;
                blocks.push(full.finish());
            }
            let filling = filling.get_or_insert_with(|| Filling::at(first, place, id, timestamp));
            searched.clear();
            searched.push_str(&row.next::<String>()?);
            searched.push(' ');
            searched.push_str(&row.next::<String>()?);
            filling.letters.add(&searched);
            filling.count += 1;
            filling.last = (place, id);
            filling.earliest = filling.earliest.min(timestamp);
            filling.latest = filling.latest.max(timestamp);
            Ok(())
        };
        let sql = self.uncovered(part, behind).await?;
        self.all(&sql, take).await?;
        if let Some(filling) = filling.filter(|filling| filling.count >= RECORDS) {
            blocks.push(filling.finish());
        }
        Ok(NewBlocks { part: part.to_owned(), behind, blocks, more: count >= PAGE })
    }

    /// The records behind a place, in order: a page of them, and on PostgreSQL whole moments.
    async fn uncovered(&self, part: &str, behind: i64) -> Result<Sql> {
        const TEXTS: &str = "id, timestamp, message, name";
        Ok(match self.dialect() {
            Dialect::Sqlite => sql!(
                format!("SELECT rowid, {TEXTS} FROM {part} WHERE rowid > $1 ORDER BY rowid LIMIT $2"),
                behind,
                PAGE,
            ),
            Dialect::Postgres => {
                let (behind, settled) = (Timestamp::nearest(behind), self.settled_since().await?);
                let end = sql!(
                    "SELECT max(created) FROM (SELECT created FROM log WHERE created > $1 AND created <= $2 \
                     ORDER BY created LIMIT $3) AS page",
                    behind,
                    settled,
                    PAGE,
                );
                let end: Option<Timestamp> = self.one(&end, |row| row.next()).await?;
                sql!(
                    format!(
                        "SELECT (extract(epoch FROM created) * 1000000)::bigint, {TEXTS} FROM log \
                         WHERE created > $1 AND created <= $2 ORDER BY created"
                    ),
                    behind,
                    end.unwrap_or(behind),
                )
            }
        })
    }

    /// PostgreSQL: no record that was created before this moment will still appear.
    async fn settled_since(&self) -> Result<Timestamp> {
        // How long it has been open, not since when: the database has a clock of its own.
        let sql = Sql::new(
            "SELECT extract(epoch FROM clock_timestamp() - least(now(), min(xact_start)))::float8 \
             FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL",
        );
        let oldest: f64 = self.one(&sql, |row| row.next()).await?;
        Ok(self.now().plus_seconds(-SETTLED_SECONDS - oldest))
    }

    /// Writes blocks, unless another server was faster.
    pub async fn create_log_blocks(&mut self, new: &NewBlocks) -> Result<()> {
        if self.dialect() == Dialect::Postgres {
            self.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
        }
        if self.newest_log_block(&new.part).await?.unwrap_or(i64::MIN) != new.behind {
            return Ok(());
        }
        let rows = new.blocks.iter().map(|block| {
            vec![
                Value::Text(new.part.clone()),
                Value::Int(block.first),
                Value::Int(block.last),
                Value::Uuid(block.last_id),
                Value::Time(block.earliest),
                Value::Time(block.latest),
                Value::Bytes(block.letters.clone()),
            ]
        });
        self.insert_many(&format!("INSERT INTO log_block ({COLUMNS})"), "", rows.collect()).await.map(drop)
    }

    /// Where the newest block of a table ends, if it can be believed.
    pub(super) async fn newest_log_block(&self, part: &str) -> Result<Option<i64>> {
        let newest = sql!("SELECT last, last_id FROM log_block WHERE part = $1 ORDER BY first DESC LIMIT 1", part);
        let newest = self.optional(&newest, |row| Ok((row.next::<i64>()?, row.next::<Uuid>()?))).await?;
        let Some((last, id)) = newest else { return Ok(None) };
        if self.dialect() == Dialect::Postgres {
            return Ok(Some(last));
        }
        let there = sql!(format!("SELECT id FROM {part} WHERE rowid = $1"), last);
        let there: Option<Uuid> = self.optional(&there, |row| row.next()).await?;
        Ok((there == Some(id)).then_some(last))
    }

    /// Whether there are blocks whose records are gone, or lie somewhere else by now.
    pub async fn has_stale_log_blocks(&mut self) -> Result<bool> {
        let tables = self.tables(Partitioned::Log).await?;
        for part in self.log_block_parts().await? {
            if !tables.contains(&part) || self.newest_log_block(&part).await?.is_none() {
                return Ok(true);
            }
        }
        let Some(oldest) = self.oldest_log_place().await? else { return Ok(false) };
        let gone = sql!("SELECT 1 FROM log_block WHERE last < $1 LIMIT 1", oldest);
        Ok(self.optional(&gone, |_| Ok(())).await?.is_some())
    }

    /// Deletes the blocks that `has_stale_log_blocks` means. Answers how many went.
    pub async fn delete_stale_log_blocks(&mut self) -> Result<u64> {
        let tables = self.tables(Partitioned::Log).await?;
        let mut count = 0;
        for part in self.log_block_parts().await? {
            if !tables.contains(&part) {
                count += self.execute(&sql!("DELETE FROM log_block WHERE part = $1", part)).await?;
                continue;
            }
            while self.newest_log_block(&part).await?.is_none() {
                let newest = sql!(
                    "DELETE FROM log_block WHERE part = $1 AND first = (SELECT max(first) FROM log_block WHERE part = $1)",
                    &part
                );
                let gone = self.execute(&newest).await?;
                count += gone;
                if gone == 0 {
                    break;
                }
            }
        }
        if let Some(oldest) = self.oldest_log_place().await? {
            count += self.execute(&sql!("DELETE FROM log_block WHERE last < $1", oldest)).await?;
        }
        Ok(count)
    }

    /// The tables that have blocks.
    async fn log_block_parts(&self) -> Result<Vec<String>> {
        self.all(&Sql::new("SELECT DISTINCT part FROM log_block"), |row| row.next()).await
    }

    /// PostgreSQL: where the oldest record lies; weeks of them go whole, and always the oldest. On SQLite their table goes with
    /// them.
    async fn oldest_log_place(&self) -> Result<Option<i64>> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let oldest: Option<Timestamp> = self.one(&Sql::new("SELECT min(created) FROM log"), |row| row.next()).await?;
        Ok(Some(oldest.map_or(i64::MAX, Timestamp::micros)))
    }
}
