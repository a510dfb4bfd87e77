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
use rusqlite::{OpenFlags, params_from_iter};
use tidegate_core::time::Timestamp;
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use crate::{
    Error, Result, Tx, Wake,
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
}

impl Connection {
    fn open(path: &Path, writer: bool) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let flags = if writer { flags | OpenFlags::SQLITE_OPEN_CREATE } else { flags };
        let inner = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Error::Setup(format!("cannot open the database file `{}`: {error}", path.display())))?;
        inner.set_prepared_statement_cache_capacity(STATEMENTS);
        inner.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 60000;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;",
        )?;
        if !writer {
            inner.execute_batch("PRAGMA query_only = ON;")?;
        }
        Ok(Self { inner, partitions: Known::default() })
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
    spawn("tidegate-writer", move || {
        let connection = match Connection::open(&file, true) {
            Ok(connection) => Rc::new(connection),
            Err(error) => return drop(ready.send(Err(error))),
        };
        let _ = ready.send(Ok(()));
        write_loop(&connection, jobs, &*time, &wakes);
        let _ = connection.batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
        drop(lock);
    })?;
    opened.recv().map_err(|_| Error::Setup("the database thread ended while it started".into()))??;

    let (readers, jobs) = mpsc::channel(4096);
    let jobs = Arc::new(Mutex::new(jobs));
    for index in 0..reader_count.max(1) {
        let connection = PathBuf::from(path);
        let (jobs, time) = (jobs.clone(), clock.clone());
        spawn(&format!("tidegate-reader-{index}"), move || match Connection::open(&connection, false) {
            Ok(connection) => read_loop(&Rc::new(connection), &jobs, &*time),
            Err(error) => tracing::error!("a reader thread cannot open the database: {error}"),
        })?;
    }
    Ok(Handle { writer, readers })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
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
) {
    while let Some(first) = jobs.blocking_recv() {
        let started = Instant::now();
        let mut done: Vec<Box<dyn Job>> = Vec::new();
        let mut pending_wakes: Vec<Wake> = Vec::new();
        let mut commit = connection.batch("BEGIN IMMEDIATE");
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            if commit.is_ok() {
                match run_in_savepoint(connection, &mut *job, clock()) {
                    Ok(woken) => pending_wakes.extend(woken),
                    Err(error) => {
                        job.finish(Err(error));
                        next = more(&mut jobs, done.len(), started);
                        continue;
                    }
                }
            }
            done.push(job);
            next = more(&mut jobs, done.len(), started);
        }
        if commit.is_ok() {
            commit = connection.batch("COMMIT");
            if commit.is_err() {
                let _ = connection.batch("ROLLBACK");
                connection.partitions.rollback();
            }
            connection.partitions.commit();
        }
        metrics::histogram!("tidegate_store_batch_jobs").record(done.len() as f64);
        metrics::histogram!("tidegate_store_commit_seconds").record(started.elapsed().as_secs_f64());
        let failure = commit.err().map(|error| error.to_string());
        for job in done {
            job.finish(failure.as_ref().map_or(Ok(()), |text| Err(Error::Unavailable(text.clone()))));
        }
        if failure.is_none() {
            for wake in pending_wakes {
                let _ = wakes.send(wake);
            }
        }
    }
}

fn more(jobs: &mut mpsc::Receiver<Box<dyn Job>>, done: usize, started: Instant) -> Option<Box<dyn Job>> {
    if done >= BATCH || started.elapsed() > BATCH_TIME { None } else { jobs.try_recv().ok() }
}

/// Runs one job so that its failure takes back its own writes only. `Err` means that the job must be told now.
fn run_in_savepoint(connection: &Rc<Connection>, job: &mut dyn Job, now: Timestamp) -> Result<Vec<Wake>> {
    connection.execute(&Sql::new("SAVEPOINT job"))?;
    let mut tx = Tx::new(Backend::Sqlite(connection.clone()), now);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        job.run(&mut tx).now_or_never().expect("operations on SQLite never wait for anything")
    }));
    match outcome {
        Ok(Outcome::Keep) => {
            connection.execute(&Sql::new("RELEASE job"))?;
            Ok(tx.take_wakes())
        }
        Ok(Outcome::Undo) => {
            undo(connection)?;
            Ok(Vec::new())
        }
        Ok(Outcome::Retry(error)) => {
            undo(connection)?;
            Err(error)
        }
        Err(_) => {
            metrics::counter!("tidegate_store_panics_total").increment(1);
            undo(connection)?;
            Err(Error::Database("the operation failed unexpectedly; nothing was written".into()))
        }
    }
}

fn undo(connection: &Connection) -> Result<()> {
    connection.partitions.rollback();
    connection.batch("ROLLBACK TO job; RELEASE job")
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
