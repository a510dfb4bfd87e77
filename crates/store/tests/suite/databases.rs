//! Stores on fresh databases.

use tidegate_store::{Error, Options, Store, Tx};
use tidegate_testkit::{Clock, FreshDatabase};

/// An open database and the clock it lives by.
pub struct Database {
    pub store: Store,
    pub clock: Clock,
    pub fresh: FreshDatabase,
}

impl Database {
    async fn open(fresh: FreshDatabase) -> Self {
        let clock = Clock::new();
        let store = Store::open(options(&fresh.url, &clock)).await.unwrap();
        Self { store, clock, fresh }
    }

    /// Runs one write that must succeed.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: impl AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.store.write("test", operation).await.unwrap()
    }

    /// The names of the events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let sql = tidegate_store::sql!("SELECT event FROM event ORDER BY occurred, id");
        self.write(async move |tx: &mut Tx| tx.all(&sql, |row| row.next()).await).await
    }
}

/// One reader and, on PostgreSQL, as many lanes as a server has.
pub fn options(url: &str, clock: &Clock) -> Options {
    Options { url: url.into(), readers: 1, writers: 4, migrate: true, clock: clock.shared() }
}

pub async fn sqlite() -> Database {
    Database::open(tidegate_testkit::sqlite().await).await
}

pub async fn postgres() -> Database {
    Database::open(tidegate_testkit::postgres().await).await
}
