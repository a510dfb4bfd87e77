//! The store's handle: opens a database, runs reads and writes on its lanes, and lets others wait for changes.

use std::{
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

use tidegate_core::{ids::WorkspaceId, time::Timestamp};
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use crate::{
    Dialect, Error, Result, Tx, Wake,
    lane::{Job, job},
    migrations, postgres, sqlite,
};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:///path`, `sqlite+aiosqlite:///path`, `postgresql://…`, `postgresql+asyncpg://…` or `postgres://…`.
    pub url: String,
    /// Threads that answer reads.
    pub readers: usize,
    /// PostgreSQL only: lanes that write.
    pub writers: usize,
    /// Bring the schema up to date. Off, a schema that is behind is refused.
    pub migrate: bool,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

enum Lanes {
    Sqlite { writer: mpsc::Sender<Box<dyn Job>>, readers: mpsc::Sender<Box<dyn Job>> },
    Postgres { writers: Arc<[mpsc::Sender<Box<dyn Job>>]>, readers: mpsc::Sender<Box<dyn Job>> },
}

/// A cheap handle to an open database.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    workspace: Uuid,
}

struct Shared {
    lanes: Lanes,
    wakes: broadcast::Sender<Wake>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Store {
    /// Opens the database, taking the lock of a SQLite file and bringing the schema up to date.
    pub async fn open(options: Options) -> Result<Self> {
        // A nudge lost to a slow waiter costs it one poll; 1,024 is far more than one batch makes.
        let (wakes, _) = broadcast::channel(1024);
        let clock = options.clock.clone();
        let lanes = match target(&options.url)? {
            Target::Sqlite(path) => {
                let handle = sqlite::start(&path, options.readers, clock.clone(), wakes.clone())?;
                Lanes::Sqlite { writer: handle.writer, readers: handle.readers }
            }
            Target::Postgres(url) => {
                let handle =
                    postgres::start(&url, options.writers, options.readers, clock.clone(), wakes.clone()).await?;
                Lanes::Postgres { writers: handle.writers.into(), readers: handle.readers }
            }
        };
        let shared = Arc::new(Shared { lanes, wakes, clock });
        let store = Self { shared, workspace: WorkspaceId::DEFAULT.0 };
        migrations::run(&store, options.migrate).await?;
        Ok(store)
    }

    /// The same store, seen from another workspace.
    #[must_use]
    pub fn in_workspace(&self, workspace: WorkspaceId) -> Self {
        Self { workspace: workspace.0, ..self.clone() }
    }

    pub fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    pub fn dialect(&self) -> Dialect {
        match self.shared.lanes {
            Lanes::Sqlite { .. } => Dialect::Sqlite,
            Lanes::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Nudges after commits. A receiver that lags misses some: look at the database again when told so.
    pub fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.shared.wakes.subscribe()
    }

    /// Runs `operation`: on SQLite on one snapshot, on PostgreSQL each of its statements sees what is committed by then.
    pub async fn read<T, E, F>(&self, operation: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (Lanes::Sqlite { readers, .. } | Lanes::Postgres { readers, .. }) = &self.shared.lanes;
        submit(readers, self.workspace, operation).await
    }

    /// Runs `operation` in a transaction and answers after its commit is durable. It may be run more than once, so it must
    /// not do anything but use the transaction. `key` names what it changes: operations with one key run in order.
    pub async fn write<T, E, F>(&self, key: impl Hash, operation: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.shared.lanes {
            Lanes::Sqlite { writer, .. } => submit(writer, self.workspace, operation).await,
            Lanes::Postgres { writers, .. } => {
                let mut hasher = std::hash::DefaultHasher::new();
                key.hash(&mut hasher);
                submit(&writers[hasher.finish() as usize % writers.len()], self.workspace, operation).await
            }
        }
    }
}

async fn submit<T, E, F>(lane: &mpsc::Sender<Box<dyn Job>>, workspace: Uuid, operation: F) -> Result<T, E>
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (job, answer) = job(workspace, operation);
    lane.send(job).await.map_err(|_| closed())?;
    answer.await.unwrap_or_else(|_| Err(closed().into()))
}

fn closed() -> Error {
    Error::Unavailable("the store is shutting down".into())
}

enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

fn target(url: &str) -> Result<Target> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        Error::Setup(format!(
            "`{url}` is not a database URL; use sqlite:///path/to/file or postgresql://user@host/name"
        ))
    })?;
    match scheme {
        "sqlite" | "sqlite+aiosqlite" => {
            // Three slashes and a path: an absolute one begins with the fourth.
            let path = rest.strip_prefix('/').unwrap_or(rest);
            let path = path.split('?').next().unwrap_or_default();
            if path.is_empty() || path.contains(":memory:") {
                return Err(Error::Setup(
                    "a database in memory would lose everything at a restart; name a file: sqlite:///path/to/file"
                        .into(),
                ));
            }
            Ok(Target::Sqlite(PathBuf::from(path)))
        }
        "postgres" | "postgresql" | "postgresql+asyncpg" => Ok(Target::Postgres(format!("postgresql://{rest}"))),
        other => Err(Error::Setup(format!(
            "databases of kind `{other}` are not supported; use sqlite:///path/to/file or postgresql://user@host/name"
        ))),
    }
}
