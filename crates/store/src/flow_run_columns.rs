//! Flow runs by column, in memory: they answer the combinations of filters that no index of SQLite fits. SQLite is asked
//! first and has most answers at once; what takes it longer than [`STEPS`] is left to the columns. They say only which rows
//! make a page, and how many there are. The rows themselves are read from the database, which looks at the filters again, so
//! no row is shown that is not meant (see `docs/adr/0010`).
//!
//! They are read from the database when a list first takes long, follow every commit, and are given up when nobody has needed
//! them for a while. On PostgreSQL there are none: several servers write there, and its planner joins indexes by itself.

mod page;
mod question;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod touched;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use fixedbitset::FixedBitSet;
use tidegate_api::{
    filters::RunFilters,
    flow_runs::{FlowRun, FlowRunSort},
};
use uuid::Uuid;

use crate::{
    Dialect, Result, Sql, Tx,
    conditions::{push_deployment, push_flow, push_work_pool, push_work_queue},
    flow_runs::{flow_run, order},
    sql,
    sql::Direction,
    sqlite::{self, Connection},
};
use page::Key;
use question::Question;
pub(crate) use steps::Steps;
use table::{Record, Table};
pub(crate) use touched::Touched;

/// Steps of SQLite's machine that a list may take by itself: three thousand rows, three milliseconds.
const STEPS: u64 = 25_000;
/// Rows at most: half a gigabyte. Where there are more, lists take what SQLite needs.
const MOST: usize = 5_000_000;
/// Rows that commits may change while the columns are read, or one commit after that; beyond, they are read anew.
const CHANGES: usize = 200_000;
/// So few changes are made up for while the writer waits.
const FEW: usize = 500;
/// Columns that nobody has asked for so long are given up at the next commit.
const REST: Duration = Duration::from_mins(15);
/// Rows may change between the columns' answer and the database's; then both are asked again.
const ATTEMPTS: usize = 3;
/// Longer pages are left to the database.
const LONGEST_PAGE: usize = 1_000;

enum Phase {
    /// Nobody has needed them.
    Asleep,
    /// Being read, with the numbers of rows that commits have changed meanwhile; `None`: too many to make up for.
    Loading {
        changed: Option<Vec<i64>>,
    },
    Awake(Box<Table>),
    /// They cannot be had: there are more rows than memory should hold, or one that cannot be read.
    Useless,
}

/// The columns, as the writer, the readers and the thread that loads them share them.
pub(crate) struct Columns {
    file: PathBuf,
    phase: RwLock<Phase>,
    asked: Mutex<Instant>,
}

impl Columns {
    pub(crate) fn new(file: PathBuf) -> Arc<Self> {
        Arc::new(Self { file, phase: RwLock::new(Phase::Asleep), asked: Mutex::new(Instant::now()) })
    }

    fn read(&self) -> RwLockReadGuard<'_, Phase> {
        self.phase.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Phase> {
        self.phase.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// When they were asked for last.
    fn asked(&self) -> MutexGuard<'_, Instant> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_awake(&self) -> bool {
        matches!(*self.read(), Phase::Awake(_))
    }

    /// Begins to read them, on a thread of its own, unless that is under way or of no use.
    fn wake(self: &Arc<Self>) {
        let mut phase = self.write();
        if !matches!(*phase, Phase::Asleep) {
            return;
        }
        *phase = Phase::Loading { changed: Some(Vec::new()) };
        let columns = self.clone();
        let loading = sqlite::spawn("tidegate-columns", move || {
            if let Err(error) = columns.load() {
                tracing::warn!("cannot read the columns of flow runs, so some lists stay slow: {error}");
                columns.write().turn(Phase::Useless);
            }
        });
        if let Err(error) = loading {
            tracing::warn!("{error}");
            phase.turn(Phase::Asleep);
        }
    }

    /// Reads everything, then what was changed meanwhile, again and again until that is little.
    fn load(&self) -> Result<()> {
        metrics::counter!("tidegate_flow_run_columns_loads_total").increment(1);
        let connection = Connection::open(&self.file, false)?;
        let mut table = Table::default();
        let select = format!("SELECT {} FROM flow_run ORDER BY rowid LIMIT $1", Record::COLUMNS);
        connection.all(&sql!(select, MOST as i64 + 1), &mut |row| {
            table.put(Record::read(row)?);
            Ok(())
        })?;
        loop {
            let mut phase = self.write();
            let Phase::Loading { changed } = &mut *phase else { return Ok(()) };
            let Some(changed) = changed.replace(Vec::new()) else {
                phase.turn(Phase::Asleep);
                return Ok(());
            };
            if table.len() > MOST {
                tracing::warn!("there are more than {MOST} flow runs: lists with filters that no index fits stay slow");
                phase.turn(Phase::Useless);
                return Ok(());
            }
            if changed.len() <= FEW {
                table.follow(&connection, changed)?;
                *self.asked() = Instant::now();
                phase.turn(if table.is_sound() { Phase::Awake(Box::new(table)) } else { Phase::Asleep });
                return Ok(());
            }
            drop(phase);
            table.follow(&connection, changed)?;
        }
    }

    /// Takes in what a commit of the writer has changed, before anybody is told of that commit.
    pub(crate) fn follow(&self, writer: &Connection, mut changed: Vec<i64>) {
        if changed.is_empty() {
            return;
        }
        let mut phase = self.write();
        let goes_on = match &mut *phase {
            Phase::Asleep | Phase::Useless => return,
            // Whoever reads them finds out, and nobody begins a second time meanwhile.
            Phase::Loading { changed: noted } => {
                if let Some(noted) = noted {
                    noted.append(&mut changed);
                }
                *noted = noted.take().filter(|noted| noted.len() <= CHANGES);
                true
            }
            Phase::Awake(table) => {
                let rests = self.asked().elapsed() > REST;
                !rests && changed.len() <= CHANGES && table.follow(writer, changed).is_ok() && table.is_sound()
            }
        };
        if !goes_on {
            phase.turn(Phase::Asleep);
        }
    }

    /// The row numbers of a page of what a question means, in order. `None` while the columns are not awake.
    fn page(&self, question: &Question, by: (Key, Direction), limit: usize, offset: usize) -> Option<Vec<i64>> {
        self.answer(question, |table, meant| {
            page::page(table, meant, by, limit, offset).into_iter().map(|position| table.rowid(position)).collect()
        })
    }

    /// How many rows a question means.
    fn count(&self, question: &Question) -> Option<usize> {
        self.answer(question, |_, meant| meant.count_ones(..))
    }

    fn answer<T>(&self, question: &Question, read: impl FnOnce(&Table, &FixedBitSet) -> T) -> Option<T> {
        *self.asked() = Instant::now();
        let phase = self.read();
        let Phase::Awake(table) = &*phase else { return None };
        metrics::counter!("tidegate_flow_run_columns_answers_total").increment(1);
        Some(read(table, &question.ask(table, table.live())))
    }
}

impl Phase {
    /// Becomes another phase.
    fn turn(&mut self, next: Self) {
        let rows = if let Self::Awake(table) = &next { table.len() } else { 0 };
        metrics::gauge!("tidegate_flow_run_columns_rows").set(rows as f64);
        *self = next;
    }
}

impl Table {
    /// Reads again the rows of these numbers.
    fn follow(&mut self, connection: &Connection, mut changed: Vec<i64>) -> Result<()> {
        changed.sort_unstable();
        changed.dedup();
        let select = format!("SELECT {} FROM flow_run WHERE rowid = $1", Record::COLUMNS);
        let mut present = Vec::with_capacity(changed.len());
        for rowid in changed {
            match connection.first(&sql!(select.clone(), rowid), &mut Record::read)? {
                Some(record) => present.push(record),
                None => self.remove(rowid),
            }
        }
        // After what has gone: rows at the end leave their numbers to the next ones.
        for record in present {
            self.put(record);
        }
        Ok(())
    }
}

impl Tx {
    /// The page of the flow runs that `meant`, a SELECT with the filters as SQL, and `filters` mean.
    pub(crate) async fn page_of_flow_runs(
        &self,
        meant: &Sql,
        filters: &RunFilters,
        sort: FlowRunSort,
        (limit, offset): (i64, i64),
    ) -> Result<Vec<FlowRun>> {
        let mut page = meant.clone();
        page.push_order(self.dialect(), "flow_run", order(sort)).push_page(limit, offset);
        let now = self.now();
        let size = usize::try_from(limit).ok().filter(|limit| *limit <= LONGEST_PAGE);
        let (Some((connection, columns)), Some(key), Some(limit)) = (self.columns_for(filters), Key::of(sort), size)
        else {
            return self.all(&page, flow_run(now)).await;
        };
        if let Some(runs) = ask_first(connection, columns, self.all(&page, flow_run(now))).await? {
            return Ok(runs);
        }
        let question = self.question(filters).await?;
        for _ in 0..ATTEMPTS {
            let offset = usize::try_from(offset).unwrap_or(0);
            let Some(rowids) = columns.page(&question, key, limit, offset) else { break };
            if rowids.is_empty() {
                return Ok(Vec::new());
            }
            // A snapshot as new as what the columns have seen.
            connection.renew_snapshot()?;
            let mut rows = meant.clone();
            rows.push(" AND flow_run.rowid IN (");
            for (index, rowid) in rowids.iter().enumerate() {
                rows.push(if index > 0 { ", " } else { "" }).bind(*rowid);
            }
            rows.push(")").push_order(self.dialect(), "flow_run", order(sort));
            let runs = self.all(&rows, flow_run(now)).await?;
            if runs.len() == rowids.len() {
                return Ok(runs);
            }
        }
        self.all(&page, flow_run(now)).await
    }

    /// How many flow runs `count`, the filters as SQL, and `filters` mean.
    pub(crate) async fn number_of_flow_runs(&self, count: &Sql, filters: &RunFilters) -> Result<i64> {
        let Some((connection, columns)) = self.columns_for(filters) else {
            return self.one(count, |row| row.next()).await;
        };
        if let Some(number) = ask_first(connection, columns, self.one(count, |row| row.next())).await? {
            return Ok(number);
        }
        match columns.count(&self.question(filters).await?) {
            Some(number) => Ok(number as i64),
            None => self.one(count, |row| row.next()).await,
        }
    }

    fn columns_for(&self, filters: &RunFilters) -> Option<(&Connection, &Arc<Columns>)> {
        let connection = self.sqlite()?;
        let columns = connection.columns.as_ref()?;
        question::is_answered(filters).then_some((connection, columns))
    }

    /// The filters as tests of columns; those of related nouns as the ids that they mean.
    async fn question(&self, filters: &RunFilters) -> Result<Question> {
        let mut parts = vec![Question::Workspace(self.workspace())];
        if let Some(filter) = &filters.flows {
            let ids = self.ids("SELECT flow.id FROM flow WHERE ", |sql| push_flow(sql, Dialect::Sqlite, filter));
            parts.push(Question::Flow(ids.await?));
        }
        if let Some(filter) = &filters.deployments {
            let select = "SELECT deployment.id FROM deployment WHERE ";
            let ids = self.ids(select, |sql| push_deployment(sql, Dialect::Sqlite, filter));
            parts.push(Question::Deployment(ids.await?));
        }
        if let Some(filter) = &filters.work_pools {
            let select = "SELECT work_queue.id FROM work_queue \
                JOIN work_pool ON work_pool.id = work_queue.work_pool_id WHERE ";
            let ids = self.ids(select, |sql| push_work_pool(sql, Dialect::Sqlite, filter));
            parts.push(Question::Queue(ids.await?));
        }
        if let Some(filter) = &filters.work_pool_queues {
            let select = "SELECT work_queue.id FROM work_queue WHERE ";
            let ids = self.ids(select, |sql| push_work_queue(sql, Dialect::Sqlite, filter));
            parts.push(Question::Queue(ids.await?));
        }
        parts.extend(filters.flow_runs.as_ref().map(Question::of_flow_runs));
        Ok(Question::All(parts))
    }

    async fn ids(&self, select: &'static str, condition: impl FnOnce(&mut Sql)) -> Result<HashSet<Uuid>> {
        let mut sql = Sql::new(select);
        condition(&mut sql);
        Ok(self.all(&sql, |row| row.next()).await?.into_iter().collect())
    }
}

/// Asks SQLite. `None` when it was stopped because that takes long and the columns are there; when they are not, they are
/// woken for the next time.
async fn ask_first<T>(
    connection: &Connection,
    columns: &Arc<Columns>,
    ask: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let is_awake = columns.is_awake();
    connection.steps.begin(if is_awake { STEPS } else { u64::MAX });
    let answer = ask.await;
    let is_long = connection.steps.end() > STEPS;
    if is_long && is_awake {
        return Ok(None);
    }
    if is_long {
        columns.wake();
    }
    answer.map(Some)
}
