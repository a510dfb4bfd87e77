//! SQLite: one writer thread that commits many jobs as one durable transaction, and reader threads with snapshots of
//! their own. "database is locked" cannot happen: nobody else writes.

use std::{
    fs::{File, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use futures::FutureExt;
use rusqlite::{OpenFlags, config::DbConfig, params_from_iter};
use tidegate_core::time::Timestamp;
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use crate::{
    Error, Result, Tx, Wake,
    flow_run_columns::{Columns, Steps, Touched},
    lane::{Job, Outcome},
    partition::Known,
    row::Row,
    sql::{Sql, for_sqlite},
    tx::Backend,
    value::Value,
};

/// Jobs per commit at most: bounds how long the first one waits for its answer.
const BATCH: usize = 512;
const BATCH_TIME: Duration = Duration::from_millis(10);
/// Statements kept prepared per connection; lists with many filter shapes fall out at the end.
const STATEMENTS: usize = 256;

pub(crate) struct Connection {
    inner: rusqlite::Connection,
    pub(crate) partitions: Known,
    /// On readers: what answers where SQLite would take long.
    pub(crate) columns: Option<Arc<Columns>>,
    pub(crate) steps: Steps,
}

impl Connection {
    pub(crate) fn open(path: &Path, writer: bool) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let flags = if writer { flags | OpenFlags::SQLITE_OPEN_CREATE } else { flags };
        let inner = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Error::Setup(format!("cannot open the database file `{}`: {error}", path.display())))?;
        inner.set_prepared_statement_cache_capacity(STATEMENTS);
        inner.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 60000;
             PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;",
        )?;
        // Kilobytes. Readers leave caching to the operating system, which has one copy for all of them.
        let cache = if writer { 16 * 1024 } else { 4 * 1024 };
        inner.execute_batch(&format!("PRAGMA cache_size = -{cache};"))?;
        if !writer {
            inner.execute_batch("PRAGMA query_only = ON;")?;
        }
        // Without this, a statement whose parameter is compared with a partial index's condition is planned anew at each use.
        inner.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let steps = if writer { Steps::default() } else { Steps::watch(&inner)? };
        Ok(Self { inner, partitions: Known::default(), columns: None, steps })
    }

    /// On readers: from here on, statements see what is committed by now.
    pub(crate) fn renew_snapshot(&self) -> Result<()> {
        self.execute(&Sql::new("COMMIT"))?;
        self.execute(&Sql::new("BEGIN")).map(drop)
    }

    pub(crate) fn all<T>(&self, sql: &Sql, read: &mut impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let mut statement = self.inner.prepare_cached(&for_sqlite(&sql.text))?;
        let mut rows = statement.query(params_from_iter(&sql.values))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(read(&mut Row::sqlite(row))?);
        }
        Ok(out)
    }

    pub(crate) fn first<T>(&self, sql: &Sql, read: &mut impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<Option<T>> {
        let mut statement = self.inner.prepare_cached(&for_sqlite(&sql.text))?;
        let mut rows = statement.query(params_from_iter(&sql.values))?;
        rows.next()?.map(|row| read(&mut Row::sqlite(row))).transpose()
    }

    pub(crate) fn execute(&self, sql: &Sql) -> Result<u64> {
        let mut statement = self.inner.prepare_cached(&for_sqlite(&sql.text))?;
        Ok(statement.execute(params_from_iter(&sql.values))? as u64)
    }

    pub(crate) fn batch(&self, text: &str) -> Result<()> {
        Ok(self.inner.execute_batch(text)?)
    }

    pub(crate) fn insert_many(&self, head: &str, tail: &str, rows: &[Vec<Value>]) -> Result<u64> {
        let Some(first) = rows.first() else { return Ok(0) };
        let marks = vec!["?"; first.len()].join(", ");
        let mut statement = self.inner.prepare_cached(&format!("{head} VALUES ({marks}) {tail}"))?;
        let mut count = 0;
        for row in rows {
            count += statement.execute(params_from_iter(row))? as u64;
        }
        Ok(count)
    }

    pub(crate) fn insert_new(&self, head: &str, rows: &[Vec<Value>]) -> Result<Vec<Uuid>> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let marks = vec!["?"; first.len()].join(", ");
        let mut statement = self.inner.prepare_cached(&format!("{head} VALUES ({marks}) ON CONFLICT DO NOTHING"))?;
        let mut new = Vec::with_capacity(rows.len());
        for row in rows {
            if let (1, Some(Value::Uuid(id))) = (statement.execute(params_from_iter(row))?, row.first()) {
                new.push(*id);
            }
        }
        Ok(new)
    }
}

/// Held while a server uses the file, so that a second server is refused instead of corrupting the first one's view.
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock_path).map_err(
                |error| Error::Setup(format!("cannot create the lock file `{}`: {error}", lock_path.display())),
            )?;
        file.try_lock().map_err(|_| {
            Error::Setup(format!(
                "the database `{}` is in use by another Tidegate server. SQLite serves one server at a time: stop the \
                 other one, choose another file with --database-url, or use PostgreSQL to run several servers",
                path.display()
            ))
        })?;
        Ok(Self { _file: file })
    }
}

/// The handles of a running SQLite store.
pub(crate) struct Handle {
    pub(crate) writer: mpsc::Sender<Box<dyn Job>>,
    pub(crate) readers: mpsc::Sender<Box<dyn Job>>,
}

/// Opens the file and starts its threads. `clock` gives transactions their time.
pub(crate) fn start(
    path: &Path,
    reader_count: usize,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    wakes: broadcast::Sender<Wake>,
) -> Result<Handle> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Setup(format!("cannot create the folder `{}`: {error}", folder.display())))?;
    }
    let lock = FileLock::take(path)?;
    // Deep enough that a burst waits here instead of at the sockets; a full queue makes senders wait.
    let (writer, jobs) = mpsc::channel(4096);
    let (ready, opened) = std::sync::mpsc::channel();
    let (file, time) = (path.to_owned(), clock.clone());
    let columns = Columns::new(path.to_owned());
    let followers = columns.clone();
    spawn("tidegate-writer", move || {
        let opened = Connection::open(&file, true)
            .and_then(|connection| Ok((Touched::watch(&connection.inner)?, Rc::new(connection))));
        let (touched, connection) = match opened {
            Ok(opened) => opened,
            Err(error) => return drop(ready.send(Err(error))),
        };
        let _ = ready.send(Ok(()));
        let followed = || followers.follow(&connection, touched.take());
        write_loop(&connection, jobs, &*time, &wakes, &followed);
        let _ = connection.batch("PRAGMA wal_checkpoint(TRUNCATE);");
        drop(lock);
    })?;
    opened.recv().map_err(|_| Error::Setup("the database thread ended while it started".into()))??;

    let (readers, jobs) = mpsc::channel(4096);
    let jobs = Arc::new(Mutex::new(jobs));
    for index in 0..reader_count.max(1) {
        let file = path.to_owned();
        let (jobs, time, columns) = (jobs.clone(), clock.clone(), columns.clone());
        spawn(&format!("tidegate-reader-{index}"), move || match Connection::open(&file, false) {
            Ok(connection) => {
                read_loop(&Rc::new(Connection { columns: Some(columns), ..connection }), &jobs, &*time);
            }
            Err(error) => tracing::error!("a reader thread cannot open the database: {error}"),
        })?;
    }
    Ok(Handle { writer, readers })
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| Error::Setup(format!("cannot start a database thread: {error}")))
}

fn write_loop(
    connection: &Rc<Connection>,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    clock: &dyn Fn() -> Timestamp,
    wakes: &broadcast::Sender<Wake>,
    committed: &dyn Fn(),
) {
    while let Some(first) = jobs.blocking_recv() {
        let started = Instant::now();
        let mut batch = Batch::begin(connection, clock);
        let mut next = Some(first);
        while let Some(job) = next.take() {
            batch.run(job);
            let full = batch.done.len() >= BATCH || started.elapsed() > BATCH_TIME;
            next = if full { None } else { jobs.try_recv().ok() };
        }
        batch.commit(started, wakes, committed);
    }
}

/// The jobs of one commit. They run one after the other without savepoints, which cost a copy of every page that is touched.
/// When one fails after it has written, everything is taken back and run again, and from there on each job of this batch
/// has a savepoint of its own.
struct Batch<'c> {
    connection: &'c Rc<Connection>,
    clock: &'c dyn Fn() -> Timestamp,
    begun: Result<()>,
    done: Vec<(Box<dyn Job>, Vec<Wake>)>,
    careful: bool,
}

impl<'c> Batch<'c> {
    fn begin(connection: &'c Rc<Connection>, clock: &'c dyn Fn() -> Timestamp) -> Self {
        Self { connection, clock, begun: connection.batch("BEGIN IMMEDIATE"), done: Vec::new(), careful: false }
    }

    fn run(&mut self, mut job: Box<dyn Job>) {
        if self.begun.is_err() {
            return self.done.push((job, Vec::new()));
        }
        if !self.careful {
            let before = self.connection.inner.total_changes();
            let ran = self.attempt(&mut *job);
            let wrote = self.connection.inner.total_changes() != before || !self.connection.partitions.is_settled();
            if ran.keeps() || !wrote {
                return self.keep(job, ran);
            }
            self.start_over();
        }
        let ran = self.attempt_in_savepoint(&mut *job);
        self.keep(job, ran);
    }

    fn attempt(&self, job: &mut dyn Job) -> Ran {
        let mut tx = Tx::new(Backend::Sqlite(self.connection.clone()), (self.clock)());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            job.run(&mut tx).now_or_never().expect("operations on SQLite never wait for anything")
        }));
        match outcome {
            Ok(Outcome::Keep) => Ran::Kept(tx.take_wakes()),
            Ok(Outcome::Undo) => Ran::Refused,
            Ok(Outcome::Retry(error)) => Ran::Failed(error),
            Err(_) => {
                metrics::counter!("tidegate_store_panics_total").increment(1);
                Ran::Failed(Error::Database("the operation failed unexpectedly; nothing was written".into()))
            }
        }
    }

    /// Runs a job so that its failure takes back its own writes only.
    fn attempt_in_savepoint(&self, job: &mut dyn Job) -> Ran {
        if let Err(error) = self.connection.execute(&Sql::new("SAVEPOINT job")) {
            return Ran::Failed(error);
        }
        let ran = self.attempt(job);
        let ended = if ran.keeps() {
            self.connection.execute(&Sql::new("RELEASE job")).map(drop)
        } else {
            self.connection.partitions.rollback();
            self.connection.batch("ROLLBACK TO job; RELEASE job")
        };
        ended.map_or_else(Ran::Failed, |()| ran)
    }

    /// Takes the batch back and runs its jobs again, each in a savepoint.
    fn start_over(&mut self) {
        metrics::counter!("tidegate_store_batches_redone_total").increment(1);
        self.careful = true;
        self.connection.partitions.rollback();
        self.begun = self.connection.batch("ROLLBACK").and_then(|()| self.connection.batch("BEGIN IMMEDIATE"));
        for (mut job, _) in std::mem::take(&mut self.done) {
            let ran = if self.begun.is_ok() { self.attempt_in_savepoint(&mut *job) } else { Ran::Refused };
            self.keep(job, ran);
        }
    }

    fn keep(&mut self, job: Box<dyn Job>, ran: Ran) {
        match ran {
            Ran::Kept(wakes) => self.done.push((job, wakes)),
            Ran::Refused => self.done.push((job, Vec::new())),
            Ran::Failed(error) => job.finish(Err(error)),
        }
    }

    /// Makes the batch durable, and only then answers its jobs and wakes whom they changed something for.
    fn commit(self, started: Instant, wakes: &broadcast::Sender<Wake>, committed: &dyn Fn()) {
        let commit = self.begun.and_then(|()| self.connection.batch("COMMIT"));
        if commit.is_err() {
            let _ = self.connection.batch("ROLLBACK");
            self.connection.partitions.rollback();
        }
        self.connection.partitions.commit();
        committed();
        metrics::histogram!("tidegate_store_batch_jobs").record(self.done.len() as f64);
        metrics::histogram!("tidegate_store_commit_seconds").record(started.elapsed().as_secs_f64());
        let failure = commit.err().map(|error| error.to_string());
        for (job, woken) in self.done {
            job.finish(failure.as_ref().map_or(Ok(()), |text| Err(Error::Unavailable(text.clone()))));
            if failure.is_none() {
                for wake in woken {
                    let _ = wakes.send(wake);
                }
            }
        }
    }
}

/// How one run of a job ended.
enum Ran {
    /// With writes to keep, and whom to wake once they are committed.
    Kept(Vec<Wake>),
    /// With an answer for its caller and nothing to keep.
    Refused,
    /// With an error that its caller is told at once.
    Failed(Error),
}

impl Ran {
    fn keeps(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

fn read_loop(connection: &Rc<Connection>, jobs: &Mutex<mpsc::Receiver<Box<dyn Job>>>, clock: &dyn Fn() -> Timestamp) {
    loop {
        let received = jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).blocking_recv();
        let Some(mut job) = received else { return };
        let begun = connection.execute(&Sql::new("BEGIN"));
        let mut tx = Tx::new(Backend::Sqlite(connection.clone()), clock());
        let ran = catch_unwind(AssertUnwindSafe(|| {
            job.run(&mut tx).now_or_never().expect("operations on SQLite never wait for anything")
        }));
        let ended = connection.execute(&Sql::new("COMMIT"));
        job.finish(match ran {
            Ok(Outcome::Retry(error)) => Err(error),
            Ok(_) => begun.and(ended).map(drop),
            Err(_) => Err(Error::Database("the query failed unexpectedly".into())),
        });
    }
}
