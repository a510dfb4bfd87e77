//! A transaction as store operations see it: the same `async fn`s on both databases. On SQLite nothing ever pends.

use std::{cell::RefCell, rc::Rc};

use tidegate_core::{ids::WorkspaceId, time::Timestamp};
use uuid::Uuid;

use crate::{Error, Result, Wake, partition::Known, postgres, row::Row, sql::Dialect, sql::Sql, sqlite, value::Value};

pub(crate) enum Backend {
    Sqlite(Rc<sqlite::Connection>),
    Postgres(Rc<postgres::Connection>),
}

/// One transaction (a write) or one snapshot (a read).
pub struct Tx {
    backend: Backend,
    now: Timestamp,
    workspace: Uuid,
    wakes: RefCell<Vec<Wake>>,
    /// The last database error, kept because callers may turn it into their own type before the lane sees it.
    transient: RefCell<Option<Error>>,
    /// What was asked, for the tests that look at the plans.
    #[cfg(test)]
    pub(crate) statements: RefCell<Vec<Sql>>,
}

impl Tx {
    pub(crate) fn new(backend: Backend, now: Timestamp) -> Self {
        Self {
            backend,
            now,
            workspace: WorkspaceId::DEFAULT.0,
            wakes: RefCell::default(),
            transient: RefCell::default(),
            #[cfg(test)]
            statements: RefCell::default(),
        }
    }

    /// When this transaction began, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The workspace whose rows this transaction may see. Services that look after all of them say so in their queries.
    pub fn workspace(&self) -> Uuid {
        self.workspace
    }

    pub(crate) fn enter(&mut self, workspace: Uuid) {
        self.workspace = workspace;
    }

    pub fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Nudges waiters once this transaction is committed.
    pub fn wake(&self, wake: Wake) {
        let mut wakes = self.wakes.borrow_mut();
        if !wakes.contains(&wake) {
            wakes.push(wake);
        }
    }

    /// SQLite only: the week tables that this connection knows.
    pub(crate) fn known_partitions(&self) -> Option<&Known> {
        self.sqlite().map(|connection| &connection.partitions)
    }

    pub(crate) fn sqlite(&self) -> Option<&sqlite::Connection> {
        match &self.backend {
            Backend::Sqlite(connection) => Some(connection),
            Backend::Postgres(_) => None,
        }
    }

    pub(crate) fn take_wakes(&self) -> Vec<Wake> {
        self.wakes.take()
    }

    pub(crate) fn take_transient(&self) -> Option<Error> {
        self.transient.take()
    }

    /// Tells the lane to run the whole job again: what it read is not so any more.
    pub(crate) fn note_conflict(&self, what: &str) {
        *self.transient.borrow_mut() = Some(Error::Conflict(what.into()));
    }

    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| match error {
            Error::Conflict(text) => *self.transient.borrow_mut() = Some(Error::Conflict(text.clone())),
            Error::Unavailable(text) => *self.transient.borrow_mut() = Some(Error::Unavailable(text.clone())),
            _ => {}
        })
    }

    /// Runs a query and reads every row.
    pub async fn all<T>(&self, sql: &Sql, mut read: impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        #[cfg(test)]
        self.statements.borrow_mut().push(sql.clone());
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.all(sql, &mut read),
            Backend::Postgres(connection) => connection.all(sql, &mut read).await,
        };
        self.noted(result)
    }

    /// Runs a query and reads the first row, if there is one.
    pub async fn optional<T>(&self, sql: &Sql, mut read: impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<Option<T>> {
        #[cfg(test)]
        self.statements.borrow_mut().push(sql.clone());
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.first(sql, &mut read),
            Backend::Postgres(connection) => connection.all(sql, &mut read).await.map(|rows| rows.into_iter().next()),
        };
        self.noted(result)
    }

    /// Runs a query that answers exactly one row, such as a count.
    pub async fn one<T>(&self, sql: &Sql, read: impl FnMut(&mut Row<'_>) -> Result<T>) -> Result<T> {
        self.optional(sql, read)
            .await?
            .ok_or_else(|| Error::Database("a query answered no row where one was due".into()))
    }

    /// Runs a statement; answers how many rows it touched.
    pub async fn execute(&self, sql: &Sql) -> Result<u64> {
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.execute(sql),
            Backend::Postgres(connection) => connection.execute(sql).await,
        };
        self.noted(result)
    }

    /// Runs statements without parameters, as a migration does.
    pub async fn batch(&self, text: &str) -> Result<()> {
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.batch(text),
            Backend::Postgres(connection) => connection.batch(text).await,
        };
        self.noted(result)
    }

    /// Inserts many rows: one prepared statement in a loop on SQLite, multi-row statements on PostgreSQL. `head` is
    /// `INSERT INTO t (a, b)`, `tail` what follows the values (`ON CONFLICT DO NOTHING`). Answers how many were inserted.
    pub async fn insert_many(&self, head: &str, tail: &str, rows: Vec<Vec<Value>>) -> Result<u64> {
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.insert_many(head, tail, &rows),
            Backend::Postgres(connection) => connection.insert_many(head, tail, rows).await,
        };
        self.noted(result)
    }

    /// Inserts the rows that break no unique index; answers the ids (first columns) of those that were inserted.
    pub(crate) async fn insert_new(&self, head: &str, rows: Vec<Vec<Value>>) -> Result<Vec<Uuid>> {
        let result = match &self.backend {
            Backend::Sqlite(connection) => connection.insert_new(head, &rows),
            Backend::Postgres(connection) => connection.insert_new(head, rows).await,
        };
        self.noted(result)
    }
}
