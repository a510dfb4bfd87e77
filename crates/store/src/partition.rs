//! Tables cut by week, so that old rows go by dropping a table instead of deleting rows. On PostgreSQL they are declarative
//! partitions, made ahead of time. On SQLite each name is a view over tables of one week each, made when the first row of
//! a week arrives. Decides where rows go; knows nothing of what they mean.

use std::{cell::RefCell, collections::HashSet};

use chrono::{Datelike, Days, IsoWeek, NaiveDate, Weekday};
use tidegate_core::time::Timestamp;

use crate::{Dialect, Error, Result, Sql, Tx, sql, value::Value};

/// Rows outside of these days around now go to the `_rest` table: a client with a wrong clock must not make tables.
const DAYS_BACK: f64 = 60.0;
const DAYS_AHEAD: f64 = 8.0;
/// PostgreSQL: weeks made ahead of the current one.
const WEEKS_AHEAD: u64 = 2;
/// Rows taken from `_rest` at a time, so that retention holds no long transaction.
const REST_CHUNK: i64 = 5_000;
const DAY: f64 = 86_400.0;
/// Arbitrary and fixed: servers that make partitions wait for each other here.
const LOCK: i64 = 0x7469_6466;

/// The tables that are cut by week.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Partitioned {
    Event,
    EventLink,
    FlowRunState,
    Log,
    TaskRunState,
}

impl Partitioned {
    pub const ALL: [Self; 5] = [Self::Event, Self::EventLink, Self::FlowRunState, Self::Log, Self::TaskRunState];

    /// The name that queries use.
    pub fn table(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::EventLink => "event_link",
            Self::FlowRunState => "flow_run_state",
            Self::Log => "log",
            Self::TaskRunState => "task_run_state",
        }
    }

    /// The column whose week decides.
    pub fn time_column(self) -> &'static str {
        match self {
            Self::Event | Self::EventLink => "occurred",
            Self::FlowRunState | Self::TaskRunState => "timestamp",
            Self::Log => "created",
        }
    }
}

/// Which week tables a SQLite connection has seen. Emptied when a transaction that made one is taken back.
#[derive(Default)]
pub(crate) struct Known {
    tables: RefCell<HashSet<(Partitioned, Week)>>,
    unsettled: RefCell<bool>,
}

impl Known {
    pub(crate) fn commit(&self) {
        self.unsettled.replace(false);
    }

    /// Whether no week table was made since the last commit.
    pub(crate) fn is_settled(&self) -> bool {
        !*self.unsettled.borrow()
    }

    pub(crate) fn rollback(&self) {
        if self.unsettled.replace(false) {
            self.tables.borrow_mut().clear();
        }
    }
}

/// An ISO week, Monday to Sunday in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Week {
    year: i32,
    number: u32,
}

impl Week {
    fn of(time: Timestamp) -> Self {
        time.datetime().iso_week().into()
    }

    fn suffix(self) -> String {
        format!("w{:04}{:02}", self.year, self.number)
    }

    fn from_suffix(suffix: &str) -> Option<Self> {
        let digits = suffix.strip_prefix('w').filter(|digits| digits.len() == 6)?;
        Some(Self { year: digits[..4].parse().ok()?, number: digits[4..].parse().ok()? })
    }

    fn monday(self) -> Option<NaiveDate> {
        NaiveDate::from_isoywd_opt(self.year, self.number, Weekday::Mon)
    }

    fn end(self) -> Option<Timestamp> {
        let monday = self.monday()?.checked_add_days(Days::new(7))?;
        Some(monday.and_hms_opt(0, 0, 0)?.and_utc().into())
    }
}

impl From<IsoWeek> for Week {
    fn from(week: IsoWeek) -> Self {
        Self { year: week.year(), number: week.week() }
    }
}

impl Tx {
    /// Inserts rows into the tables of their weeks. `columns` is the list without parentheses; `tail` is what follows the
    /// values (`ON CONFLICT DO NOTHING`, or nothing). Answers how many rows were inserted.
    pub async fn insert_partitioned(
        &mut self,
        kind: Partitioned,
        columns: &str,
        tail: &str,
        rows: Vec<(Timestamp, Vec<Value>)>,
    ) -> Result<u64> {
        let mut count = 0;
        for (table, rows) in self.by_table(kind, rows).await? {
            count += self.insert_many(&format!("INSERT INTO {table} ({columns})"), tail, rows).await?;
        }
        Ok(count)
    }

    /// Inserts rows that are not there yet; answers for each whether it was new. Their first column is their id.
    pub(crate) async fn insert_partitioned_new(
        &mut self,
        kind: Partitioned,
        columns: &str,
        rows: Vec<(Timestamp, Vec<Value>)>,
    ) -> Result<HashSet<uuid::Uuid>> {
        let mut new = HashSet::with_capacity(rows.len());
        for (table, rows) in self.by_table(kind, rows).await? {
            new.extend(self.insert_new(&format!("INSERT INTO {table} ({columns})"), rows).await?);
        }
        Ok(new)
    }

    /// Deletes the rows that `condition` selects: `tx.delete_partitioned(Partitioned::Log, &sql!("flow_run_id = $1", id))`.
    pub async fn delete_partitioned(&mut self, kind: Partitioned, condition: &Sql) -> Result<u64> {
        let mut count = 0;
        for table in self.tables(kind).await? {
            let mut sql = Sql::new(format!("DELETE FROM {table} WHERE {}", condition.text));
            sql.values.clone_from(&condition.values);
            count += self.execute(&sql).await?;
        }
        Ok(count)
    }

    /// PostgreSQL: makes the partitions of this week and the next ones. On SQLite the first row makes them.
    pub async fn prepare_partitions(&mut self) -> Result<()> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        self.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
        let today = self.now().datetime().date_naive();
        for kind in Partitioned::ALL {
            for ahead in 0..=WEEKS_AHEAD {
                let Some(day) = today.checked_add_days(Days::new(7 * ahead)) else { continue };
                self.attach(kind, day.iso_week().into()).await?;
            }
        }
        Ok(())
    }

    /// Drops the weeks that ended before `time` and a bounded number of older rows from `_rest`. Answers the number of
    /// tables dropped and of rows deleted; call again while rows come back.
    pub async fn drop_partitions_before(&mut self, kind: Partitioned, time: Timestamp) -> Result<(usize, u64)> {
        let (table, column) = (kind.table(), kind.time_column());
        let old: Vec<String> = self.week_tables(kind, |end| end <= time).await?;
        if !old.is_empty() && self.dialect() == Dialect::Sqlite {
            self.recreate_view(kind, &old).await?;
        }
        for name in &old {
            self.batch(&format!("DROP TABLE {name}")).await?;
        }
        let row = match (self.dialect(), kind) {
            (Dialect::Postgres, _) => "ctid",
            (Dialect::Sqlite, Partitioned::EventLink) => "resource, occurred, event_id",
            (Dialect::Sqlite, _) => "rowid",
        };
        let rest = sql!(
            format!(
                "DELETE FROM {table}_rest WHERE ({row}) IN \
                 (SELECT {row} FROM {table}_rest WHERE {column} < $1 LIMIT $2)"
            ),
            time,
            REST_CHUNK,
        );
        Ok((old.len(), self.execute(&rest).await?))
    }

    /// The tables that hold this kind's rows now, the one of the rest first.
    pub(crate) async fn tables(&self, kind: Partitioned) -> Result<Vec<String>> {
        if self.dialect() == Dialect::Postgres {
            return Ok(vec![kind.table().into()]);
        }
        let mut tables = vec![format!("{}_rest", kind.table())];
        tables.extend(self.week_tables(kind, |_| true).await?);
        Ok(tables)
    }

    async fn by_table(
        &self,
        kind: Partitioned,
        rows: Vec<(Timestamp, Vec<Value>)>,
    ) -> Result<Vec<(String, Vec<Vec<Value>>)>> {
        let Some(known) = self.known_partitions() else {
            return Ok(vec![(kind.table().into(), rows.into_iter().map(|(_, row)| row).collect())]);
        };
        let (from, to) = (self.now().plus_seconds(-DAYS_BACK * DAY), self.now().plus_seconds(DAYS_AHEAD * DAY));
        let mut groups: Vec<(Option<Week>, Vec<Vec<Value>>)> = Vec::new();
        for (time, row) in rows {
            let week = (from <= time && time <= to).then(|| Week::of(time));
            match groups.iter_mut().find(|(other, _)| *other == week) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((week, vec![row])),
            }
        }
        let mut tables = Vec::with_capacity(groups.len());
        for (week, rows) in groups {
            let Some(week) = week else {
                tables.push((format!("{}_rest", kind.table()), rows));
                continue;
            };
            if !known.tables.borrow().contains(&(kind, week)) {
                if self.create_week(kind, week).await? {
                    known.unsettled.replace(true);
                }
                known.tables.borrow_mut().insert((kind, week));
            }
            tables.push((format!("{}_{}", kind.table(), week.suffix()), rows));
        }
        Ok(tables)
    }

    /// SQLite: a table like `_rest`, its indexes too, and the view with it. Answers whether it was missing.
    async fn create_week(&self, kind: Partitioned, week: Week) -> Result<bool> {
        let (rest, name) = (format!("{}_rest", kind.table()), format!("{}_{}", kind.table(), week.suffix()));
        let exists = self
            .optional(&sql!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", &name), |_| Ok(()))
            .await?;
        if exists.is_some() {
            return Ok(false);
        }
        let statements = self
            .all(
                &sql!(
                    "SELECT sql FROM sqlite_master WHERE tbl_name = $1 AND sql IS NOT NULL ORDER BY type = 'index'",
                    &rest
                ),
                |row| row.next::<String>(),
            )
            .await?;
        for statement in statements {
            self.batch(&statement.replace(&rest, &name)).await?;
        }
        self.recreate_view(kind, &[]).await?;
        Ok(true)
    }

    async fn recreate_view(&self, kind: Partitioned, without: &[String]) -> Result<()> {
        let view = kind.table();
        let mut text = format!("DROP VIEW {view}; CREATE VIEW {view} AS SELECT * FROM {view}_rest");
        for table in self.week_tables(kind, |_| true).await? {
            if !without.contains(&table) {
                text.push_str(" UNION ALL SELECT * FROM ");
                text.push_str(&table);
            }
        }
        if let Some(known) = self.known_partitions() {
            known.unsettled.replace(true);
            known.tables.borrow_mut().clear();
        }
        self.batch(&text).await
    }

    /// The week tables whose end passes `keep`, oldest first.
    async fn week_tables(&self, kind: Partitioned, keep: impl Fn(Timestamp) -> bool) -> Result<Vec<String>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => Sql::new("SELECT name FROM sqlite_master WHERE type = 'table'"),
            Dialect::Postgres => sql!(
                "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
                 WHERE inhparent = $1::text::regclass",
                kind.table()
            ),
        };
        let prefix = format!("{}_", kind.table());
        let mut tables = self.all(&sql, |row| row.next::<String>()).await?;
        tables.retain(|name| {
            name.strip_prefix(&prefix).and_then(Week::from_suffix).and_then(Week::end).is_some_and(&keep)
        });
        tables.sort();
        Ok(tables)
    }

    /// PostgreSQL: one partition. Rows of its week that had to go to the default one move over.
    async fn attach(&self, kind: Partitioned, week: Week) -> Result<()> {
        let (table, column) = (kind.table(), kind.time_column());
        let name = format!("{table}_{}", week.suffix());
        let missing = self.one(&sql!("SELECT to_regclass($1) IS NULL", &name), |row| row.next::<bool>()).await?;
        if !missing {
            return Ok(());
        }
        let (Some(from), Some(to)) = (week.monday(), week.end()) else {
            return Err(Error::Database(format!("{} is not a week of the calendar", week.suffix())));
        };
        let to = to.datetime().date_naive();
        let within = format!("{column} >= '{from} 00:00:00+00' AND {column} < '{to} 00:00:00+00'");
        self.batch(&format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS); \
             LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE; \
             WITH moved AS (DELETE FROM {table}_rest WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved; \
             ALTER TABLE {table} ATTACH PARTITION {name} \
             FOR VALUES FROM ('{from} 00:00:00+00') TO ('{to} 00:00:00+00')"
        ))
        .await
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::time::Timestamp;

    use super::Week;

    fn week(text: &str) -> Week {
        Week::of(Timestamp::parse(text).expect("a time"))
    }

    #[test]
    fn weeks_begin_on_monday_and_belong_to_the_year_of_their_thursday() {
        for (time, suffix, end) in [
            ("2026-11-22T23:59:59Z", "w202647", "2026-11-23T00:00:00Z"),
            ("2026-11-23T00:00:00Z", "w202648", "2026-11-30T00:00:00Z"),
            ("2027-01-01T12:00:00Z", "w202653", "2027-01-04T00:00:00Z"),
            ("2024-12-30T00:00:00Z", "w202501", "2025-01-06T00:00:00Z"),
        ] {
            let week = week(time);
            assert_eq!(week.suffix(), suffix);
            assert_eq!(Week::from_suffix(suffix), Some(week));
            assert_eq!(week.end().map(|end| end.to_string()).as_deref(), Some(end));
        }
        for other in ["rest", "w2026", "w20264a", "w2026477"] {
            assert_eq!(Week::from_suffix(other), None, "{other}");
        }
    }
}
