//! PostgreSQL: writer lanes that share commits between jobs (one durable commit each would cap a server at some thousand
//! changes per second), and readers. Each lane is a thread with a connection of its own that comes back by itself.

mod address;
mod tls;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use futures::FutureExt;
use tidegate_core::time::Timestamp;
use tokio::{
    sync::{Mutex, broadcast, mpsc},
    task::LocalSet,
};
use tokio_postgres::{AsyncMessage, Statement, types::ToSql};
use uuid::Uuid;

use crate::{
    Error, Result, Tx, Wake,
    lane::{Job, Outcome},
    row::Row,
    sql::Sql,
    tx::Backend,
    value::Value,
};

pub(crate) use address::Address;

/// Jobs per commit at most; more would hold row locks for too long.
const BATCH: usize = 64;
const STATEMENTS: usize = 512;
/// How often a job that lost a race is tried before its caller hears of it.
const TRIES: usize = 5;
/// How long a lane waits for a database that went away before it tells its callers.
const RECONNECT: Duration = Duration::from_secs(5);
const CHANNEL: &str = "tidegate";

pub(crate) struct Connection {
    client: tokio_postgres::Client,
    statements: RefCell<HashMap<String, Statement>>,
    broken: Cell<bool>,
}

impl Connection {
    async fn open(address: &Address) -> Result<Rc<Self>> {
        let (client, connection) = address.connect().await?;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::warn!("a connection to PostgreSQL ended: {error}");
            }
        });
        // A timeout that the URL's options set stays.
        client
            .batch_execute(
                "SET TIME ZONE 'UTC'; SET lock_timeout = '10s'; \
                 SELECT set_config('statement_timeout', '60s', false) WHERE current_setting('statement_timeout') = '0'",
            )
            .await?;
        Ok(Rc::new(Self { client, statements: RefCell::default(), broken: Cell::new(false) }))
    }

    fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.broken.get()
    }

    async fn statement(&self, text: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(text).await?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(crate) async fn all<T>(&self, sql: &Sql, read: &mut impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let statement = self.statement(&sql.text).await?;
        let rows = self.client.query(&statement, &parameters(&sql.values)).await?;
        rows.iter().map(|row| read(&mut Row::postgres(row))).collect()
    }

    pub(crate) async fn execute(&self, sql: &Sql) -> Result<u64> {
        let statement = self.statement(&sql.text).await?;
        Ok(self.client.execute(&statement, &parameters(&sql.values)).await?)
    }

    pub(crate) async fn batch(&self, text: &str) -> Result<()> {
        Ok(self.client.batch_execute(text).await?)
    }

    pub(crate) async fn insert_many(&self, head: &str, tail: &str, rows: Vec<Vec<Value>>) -> Result<u64> {
        let mut count = 0;
        for sql in multi_row(head, tail, &rows) {
            count += self.execute(&sql).await?;
        }
        Ok(count)
    }

    pub(crate) async fn insert_new(&self, head: &str, rows: Vec<Vec<Value>>) -> Result<Vec<Uuid>> {
        let mut new = Vec::with_capacity(rows.len());
        for sql in multi_row(head, "ON CONFLICT DO NOTHING RETURNING id", &rows) {
            new.extend(self.all(&sql, &mut |row| row.next::<Uuid>()).await?);
        }
        Ok(new)
    }
}

/// Statements that insert many rows each. The protocol counts parameters in 16 bits; powers of four keep the number of
/// prepared shapes small.
fn multi_row(head: &str, tail: &str, rows: &[Vec<Value>]) -> Vec<Sql> {
    let Some(width) = rows.first().map(Vec::len) else { return Vec::new() };
    let limit = (60_000 / width.max(1)).min(1024);
    let mut statements = Vec::new();
    let mut rest = rows;
    while !rest.is_empty() {
        let mut size = 1;
        while size * 4 <= rest.len().min(limit) {
            size *= 4;
        }
        let (chunk, after) = rest.split_at(size);
        let mut sql = Sql::new(String::from(head));
        sql.push(" VALUES ");
        for (index, row) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { ", (" });
            for (column, value) in row.iter().enumerate() {
                if column > 0 {
                    sql.push(", ");
                }
                sql.bind(value.clone());
            }
            sql.push(")");
        }
        sql.push(" ").push(tail);
        statements.push(sql);
        rest = after;
    }
    statements
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

pub(crate) struct Handle {
    pub(crate) writers: Vec<mpsc::Sender<Box<dyn Job>>>,
    pub(crate) readers: mpsc::Sender<Box<dyn Job>>,
}

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Starts the lanes. The first connection is made at once so that a wrong URL is told at start.
pub(crate) async fn start(
    url: &str,
    writers: usize,
    readers: usize,
    clock: Clock,
    wakes: broadcast::Sender<Wake>,
) -> Result<Handle> {
    let address = Arc::new(Address::of_url(url)?);
    probe(&address).await?;
    let mut lanes = Vec::new();
    for index in 0..writers.max(1) {
        let (sender, jobs) = mpsc::channel(1024);
        let (address, clock) = (address.clone(), clock.clone());
        spawn(&format!("tidegate-pg-writer-{index}"), async move || write_lane(&address, jobs, &clock).await)?;
        lanes.push(sender);
    }
    let (sender, jobs) = mpsc::channel(4096);
    let jobs = Arc::new(Mutex::new(jobs));
    for index in 0..readers.max(1) {
        let (address, clock, jobs) = (address.clone(), clock.clone(), jobs.clone());
        spawn(&format!("tidegate-pg-reader-{index}"), async move || read_lane(&address, &jobs, &clock).await)?;
    }
    spawn("tidegate-pg-listener", async move || listen(&address, &wakes).await)?;
    Ok(Handle { writers: lanes, readers: sender })
}

async fn probe(address: &Address) -> Result<()> {
    let (client, connection) = address
        .connect()
        .await
        .map_err(|error| Error::Setup(format!("cannot connect to PostgreSQL: {}", Error::from(error))))?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?;
    let version: i32 = row.get(0);
    drop(client);
    let _ = connection.await;
    if version < 140_000 {
        return Err(Error::Setup(format!(
            "PostgreSQL 14 or newer is needed; this server is version {}",
            version / 10_000
        )));
    }
    Ok(())
}

fn spawn(name: &str, run: impl AsyncFnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(LocalSet::new().run_until(run())),
            Err(error) => tracing::error!("a database thread cannot start: {error}"),
        })
        .map(drop)
        .map_err(|error| Error::Setup(format!("cannot start a database thread: {error}")))
}

/// The connection, or a new one; gives up after `RECONNECT` so that callers get an answer.
async fn connected(slot: &mut Option<Rc<Connection>>, address: &Address) -> Result<Rc<Connection>> {
    if let Some(connection) = slot.as_ref().filter(|connection| connection.is_usable()) {
        return Ok(connection.clone());
    }
    let deadline = tokio::time::Instant::now() + RECONNECT;
    let mut pause = Duration::from_millis(20);
    loop {
        match Connection::open(address).await {
            Ok(connection) => {
                *slot = Some(connection.clone());
                return Ok(connection);
            }
            Err(error) if tokio::time::Instant::now() + pause > deadline => return Err(error),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn write_lane(address: &Address, mut jobs: mpsc::Receiver<Box<dyn Job>>, clock: &Clock) {
    let mut slot = None;
    while let Some(first) = jobs.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        metrics::histogram!("tidegate_store_batch_jobs").record(batch.len() as f64);
        let whole = match connected(&mut slot, address).await {
            Ok(connection) => run_batch(&connection, &mut batch, clock).await,
            Err(error) => Err(error),
        };
        match whole {
            Ok(()) => {
                for job in batch {
                    job.finish(Ok(()));
                }
            }
            // Somebody else's lock, a lost connection, or one job that spoilt it for all: one by one, each with tries of
            // its own.
            Err(_) => {
                for job in batch {
                    run_alone(&mut slot, address, job, clock).await;
                }
            }
        }
    }
}

/// All jobs in one transaction. An error means that nothing was kept.
async fn run_batch(connection: &Rc<Connection>, batch: &mut [Box<dyn Job>], clock: &Clock) -> Result<()> {
    let alone = batch.len() == 1;
    connection.batch("BEGIN").await?;
    let result = async {
        let mut wakes = Vec::new();
        let mut keep = false;
        for job in batch.iter_mut() {
            if !alone {
                connection.batch("SAVEPOINT job").await?;
            }
            let mut tx = Tx::new(Backend::Postgres(connection.clone()), clock());
            match run_guarded(&mut **job, &mut tx).await {
                Outcome::Keep => {
                    keep = true;
                    wakes.extend(tx.take_wakes());
                    if !alone {
                        connection.batch("RELEASE SAVEPOINT job").await?;
                    }
                }
                Outcome::Undo if alone => {}
                Outcome::Undo => connection.batch("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job").await?,
                Outcome::Retry(error) => return Err(error),
            }
        }
        notify(connection, &wakes).await?;
        connection.batch(if keep { "COMMIT" } else { "ROLLBACK" }).await
    }
    .await;
    if result.is_err() && connection.batch("ROLLBACK").await.is_err() {
        connection.broken.set(true);
    }
    result
}

/// Runs a job whose panic is its own affair: the lane goes on.
async fn run_guarded(job: &mut dyn Job, tx: &mut Tx) -> Outcome {
    AssertUnwindSafe(job.run(tx)).catch_unwind().await.unwrap_or_else(|_| {
        metrics::counter!("tidegate_store_panics_total").increment(1);
        Outcome::Retry(Error::Database("the operation failed unexpectedly; nothing was written".into()))
    })
}

async fn run_alone(slot: &mut Option<Rc<Connection>>, address: &Address, mut job: Box<dyn Job>, clock: &Clock) {
    let mut pause = Duration::from_millis(2);
    for attempt in 1..=TRIES {
        let result = match connected(slot, address).await {
            Ok(connection) => run_batch(&connection, std::slice::from_mut(&mut job), clock).await,
            Err(error) => Err(error),
        };
        match result {
            Err(error) if error.is_transient() && attempt < TRIES => {
                metrics::counter!("tidegate_store_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause *= 3;
            }
            result => return job.finish(result),
        }
    }
}

async fn notify(connection: &Connection, wakes: &[Wake]) -> Result<()> {
    for wake in wakes {
        connection.execute(&crate::sql!("SELECT pg_notify($1, $2)", CHANNEL, wake.to_text())).await?;
    }
    Ok(())
}

async fn read_lane(address: &Address, jobs: &Mutex<mpsc::Receiver<Box<dyn Job>>>, clock: &Clock) {
    let mut slot = None;
    loop {
        let received = jobs.lock().await.recv().await;
        let Some(mut job) = received else { return };
        let mut attempt = 1;
        loop {
            let result = match connected(&mut slot, address).await {
                Ok(connection) => {
                    let mut tx = Tx::new(Backend::Postgres(connection.clone()), clock());
                    match run_guarded(&mut *job, &mut tx).await {
                        Outcome::Retry(error) => Err(error),
                        _ => Ok(()),
                    }
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if error.is_transient() && attempt < TRIES => attempt += 1,
                result => break job.finish(result),
            }
        }
    }
}

/// Carries nudges from every replica, this one included, to this server's waiters.
async fn listen(address: &Address, wakes: &broadcast::Sender<Wake>) {
    let mut pause = Duration::from_millis(50);
    loop {
        if let Err(error) = listen_once(address, wakes).await {
            tracing::debug!("the LISTEN connection ended: {error}");
        }
        if wakes.receiver_count() == 0 && wakes.strong_count() <= 1 {
            return;
        }
        // What was missed meanwhile: everybody looks again.
        for wake in [Wake::Events, Wake::Logs, Wake::Slots, Wake::Schedules, Wake::Tasks] {
            let _ = wakes.send(wake);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn listen_once(address: &Address, wakes: &broadcast::Sender<Wake>) -> Result<()> {
    let (client, mut connection) = address.connect().await?;
    let (sender, mut messages) = mpsc::channel(1024);
    let pump = tokio::task::spawn_local(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && sender.send(notification).await.is_err()
            {
                return;
            }
        }
    });
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    while let Some(notification) = messages.recv().await {
        if let Some(wake) = Wake::from_text(notification.payload()) {
            let _ = wakes.send(wake);
        }
    }
    pump.abort();
    Err(Error::Unavailable("the connection was closed".into()))
}
